/** `tenon spacer-delta` */
import { TenonError } from "../../errors/index.ts";
import type { Handler } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls, formatCount, formatSize } from "../text.ts";

/** The levels of the tool that this stands in for; what it doesn't know it takes for `off`, and so do we. */
const QUIET: ReadonlySet<string> = new Set(["warn", "warning", "error", "critical", "off"]);
const LOUD: ReadonlySet<string> = new Set(["debug", "info"]);

export const run: Handler<"spacer-delta"> = async (
  { options, globals },
  { output, signal, onEvent, loadStore },
) => {
  const level = options.log ?? "info";
  if (!QUIET.has(level) && !LOUD.has(level))
    throw new TenonError("usage", `${level} is no level; use debug, info, warn, error or off`);
  const { spacerDelta } = await loadStore();
  const result = await spacerDelta({
    ...{ signal, onEvent },
    workspace: options.workspace ?? "test/v1/",
    section: options.uksection ?? "lambda",
    link: options.link ?? "link64.lds",
    name: options.uk_name ?? "lib-lambda-v",
    version: options.uk_version ?? 2,
    sectionsToPatch: options.sec_to_patch ?? "sec_to_patch.txt",
    sectionsToGlobalize: options.sec_to_globalize ?? "sec_to_globalize.txt",
  });
  if (globals.json) {
    await output.json(result);
    return EXIT.ok;
  }
  if (globals.quiet || QUIET.has(level)) return EXIT.ok;
  for (const path of result.written) await output.line(`wrote ${escapeControls(path)}`);
  const { changed, reverted, unitBytes } = result;
  await output.line(
    `${formatCount(changed.length, "function")} entered through trampolines, ${formatCount(reverted.length, "function")} as in an older version, ${formatSize(unitBytes)} new`,
  );
  if (level === "debug" || globals.verbose)
    for (const name of changed) await output.line(`changed ${escapeControls(name)}`);
  return EXIT.ok;
};
