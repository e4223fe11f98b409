/** `tenon diff` */
import type { DiffEntry } from "../../store/index.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { formatPath } from "../state.ts";
import { escapeControls, formatMode, formatSize } from "../text.ts";

const SIGNS = { added: "+", removed: "-", changed: "~" } as const;

function formatChange({ path, change, before, after }: DiffEntry): string {
  const entry = after ?? before;
  const name = entry ? formatPath(entry) : escapeControls(path);
  const size = (of: typeof entry) => (of?.size === undefined ? of?.type : formatSize(of.size));
  const facts: string[] = [];
  if (before && after) {
    if (before.type !== after.type) facts.push(`${before.type} became ${after.type}`);
    else if (before.digest !== after.digest || before.size !== after.size) {
      facts.push(
        before.size === after.size ? `content, ${size(after)}` : `${size(before)} to ${size(after)}`,
      );
    }
    if (before.type === after.type && before.mode !== after.mode) {
      facts.push(`${formatMode(before.type, before.mode)} to ${formatMode(after.type, after.mode)}`);
    }
    if (before.target !== after.target && before.target !== undefined)
      facts.push(`was -> ${escapeControls(before.target)}`);
  } else if (entry?.type === "file" && entry.size !== undefined) facts.push(formatSize(entry.size));
  return `${SIGNS[change]} ${name}${facts.length > 0 ? `  (${facts.join("; ")})` : ""}`;
}

export const run: Handler<"diff"> = ({ operands: [a, b], options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    for await (const entry of repository.diff(a!, b!, { signal, onEvent, platform: options.platform })) {
      if (globals.json) await output.json(entry);
      else await output.line(formatChange(entry));
    }
    return EXIT.ok;
  });
