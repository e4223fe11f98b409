/** `tenon diff` */
import { TenonError } from "../../errors/index.ts";
import type { DiffEntry, FunctionChange, FunctionReport } from "../../store/index.ts";
import { type Handler, withRepository } from "../context.ts";
import { EXIT } from "../exit.ts";
import { formatPath } from "../state.ts";
import { escapeControls, formatMode, formatNumber, formatSize } from "../text.ts";

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

function formatFunctions(report: FunctionReport): string {
  if ("problem" in report) return `functions can't be told apart: ${escapeControls(report.problem)}`;
  const { same, changed, added, removed, pairedBy } = report;
  const counts = [
    ...(changed > 0 ? [`${formatNumber(changed)} changed`] : []),
    ...(added > 0 ? [`${formatNumber(added)} new`] : []),
    ...(removed > 0 ? [`${formatNumber(removed)} gone`] : []),
  ];
  const what = counts.length === 0 ? "none differs" : counts.join(", ");
  return `functions: ${what}, ${formatNumber(same)} the same${pairedBy === "content" ? " (no names)" : ""}`;
}

/** `~ main  95 to 101 bytes`; what has no name is named by where it is. */
function formatFunction(change: FunctionChange): string {
  const { name, beforeAddress, beforeBytes, afterAddress, afterBytes } = change;
  const address = (afterAddress ?? beforeAddress)!;
  const shown = name !== "" ? name : address >= 0 ? `0x${address.toString(16)}` : "(no name)";
  const sizes = [beforeBytes, afterBytes].filter((bytes) => bytes !== undefined).map(formatNumber);
  const size = sizes[0] === sizes[1] ? sizes[0]! : sizes.join(" to ");
  return `    ${SIGNS[change.change]} ${escapeControls(shown)}  (${size} bytes)`;
}

export const run: Handler<"diff"> = ({ operands: [a, b], options, globals }, context) =>
  withRepository(context, async (repository) => {
    const { output, signal, onEvent } = context;
    const { platform, quick, functions: listed } = options;
    if (quick && listed) throw new TenonError("usage", "--functions and --quick can't be given together");
    for await (const entry of repository.diff(a!, b!, { signal, onEvent, platform, functions: !quick })) {
      const { functions } = entry;
      if (globals.json) {
        // Names only where they were asked for: there may be tens of thousands.
        const { changes: _names, ...counts } = { changes: undefined, ...functions };
        await output.json(functions === undefined || listed ? entry : { ...entry, functions: counts });
        continue;
      }
      await output.line(formatChange(entry));
      if (functions === undefined) continue;
      await output.line(`    ${formatFunctions(functions)}`);
      if (!listed || "problem" in functions) continue;
      for (const change of functions.changes) await output.line(formatFunction(change));
    }
    return EXIT.ok;
  });
