/** `tenon gc` */
import type { GcResult } from "../../store/index.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { escapeControls, formatCount, formatSize } from "../text.ts";

/** What garbage collection did, or would do. */
export function formatCollection(result: GcResult, dryRun: boolean): string[] {
  const packs = `${formatCount(result.removedPacks, "pack")} removed, ${result.rewrittenPacks} rewritten, ${result.livePacks} kept`;
  const lines = [`${dryRun ? "would free" : "freed"} ${formatSize(result.freedBytes)}: ${packs}`];
  if (result.pendingBytes > 0) {
    lines.push(
      `${formatSize(result.pendingBytes)} more can be freed by a later run, when the present writers are done`,
    );
    for (const writer of result.waitingFor) lines.push(`  waiting for ${escapeControls(writer)}`);
  }
  return lines;
}

export const run: Handler<"gc"> = ({ options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    const dryRun = options["dry-run"];
    const grace = options.grace === undefined ? {} : { graceMs: options.grace };
    const result = await repository.gc({ signal, onEvent, dryRun, ...grace });
    if (globals.json) await output.json(result);
    else if (!globals.quiet) for (const line of formatCollection(result, dryRun)) await output.line(line);
    return EXIT.ok;
  });
