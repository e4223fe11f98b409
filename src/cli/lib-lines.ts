/** Lines about versions of libraries. */
import type { LibDiffResult } from "../store/index.ts";
import type { Output } from "./output.ts";
import { escapeControls, formatNumber, formatShare, formatSize, formatTable } from "./text.ts";

const SIGNS = { new: "+", gone: "-", changed: "~", renamed: ">" } as const;
const PLURALS = { function: "functions", data: "data", string: "strings" } as const;

type Change = LibDiffResult["changes"][number];

function sizes({ oldSizeBytes, sizeBytes }: Change): string {
  if (oldSizeBytes === undefined) return formatNumber(sizeBytes!);
  if (sizeBytes === undefined) return formatNumber(oldSizeBytes);
  return oldSizeBytes === sizeBytes
    ? formatNumber(sizeBytes)
    : `${formatNumber(oldSizeBytes)} > ${formatNumber(sizeBytes)}`;
}

/** What is shown of a text: a longer one would push the columns behind it off the screen. */
const TEXT_CHARACTERS = 32;

function nameOf({ change, name, oldName, text, oldText }: Change, whole: boolean): string {
  const quoted = (given: string) => {
    const isShort = whole || given.length <= TEXT_CHARACTERS;
    return escapeControls(JSON.stringify(isShort ? given : `${given.slice(0, TEXT_CHARACTERS - 1)}\u2026`));
  };
  if (text !== undefined)
    return oldText === undefined ? quoted(text) : `${quoted(oldText)} > ${quoted(text)}`;
  return change === "renamed"
    ? `${escapeControls(oldName!)} > ${escapeControls(name)}`
    : escapeControls(name);
}

/** A table of what differs, then totals. Unless all is asked for, new and gone strings are only counted, and texts cut. */
export function libDiffLines(
  { changes, totals }: LibDiffResult,
  output: Output,
  { all, quiet }: { readonly all: boolean; readonly quiet: boolean },
): string[] {
  const shown = changes.filter(({ kind, change }) => all || kind !== "string" || change === "renamed");
  const rows = shown.map((change) => [
    SIGNS[change.change],
    change.kind,
    sizes(change),
    nameOf(change, all),
    change.onlyRenames ? `${change.aspects.join(", ")} (renames)` : change.aspects.join(", "),
  ]);
  const columns = [
    { header: "" },
    { header: "KIND" },
    { header: "BYTES", align: "right" as const },
    { header: "NAME" },
    { header: "DIFFERS IN" },
  ];
  const table = rows.length === 0 ? [] : formatTable(columns, rows, output.paint.bold);
  if (quiet) return table;
  const summary = (["function", "data", "string"] as const).flatMap((kind) => {
    const total = totals[kind];
    const count = total.unchanged + total.new + total.changed + total.gone + total.renamed;
    if (count === 0) return [];
    const share =
      total.totalBytes === 0 ? "" : ` (${formatShare(total.keptBytes / total.totalBytes)} of the bytes)`;
    const byRenames =
      total.changedByRenames === 0 ? "" : ` (${formatNumber(total.changedByRenames)} only by renames)`;
    return [
      `${PLURALS[kind]}: ${formatNumber(total.unchanged)} unchanged${share}, ${formatNumber(total.changed)} changed${byRenames}, ${formatNumber(total.new)} new, ${formatNumber(total.gone)} gone, ${formatNumber(total.renamed)} renamed; ${formatSize(total.totalBytes)}`,
    ];
  });
  return [...table, ...summary];
}
