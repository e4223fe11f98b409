/** Lines about flavours that several commands print. */
import type { FatFlavourInfo } from "../store/index.ts";
import type { Output } from "./output.ts";
import { digestFormat } from "./state.ts";
import { escapeControls, formatSize, formatTable } from "./text.ts";

/** A table of flavours, the best first. */
export function flavourLines(flavours: readonly FatFlavourInfo[], output: Output, whole = false): string[] {
  const digest = digestFormat({ whole: whole || !output.stdout.isTerminal });
  const columns = [
    { header: "N", align: "right" as const },
    { header: "FLAVOUR" },
    { header: "SIZE", align: "right" as const },
    { header: "DIGEST" },
    { header: "INTERPRETER" },
  ];
  const rows = flavours.map(({ number, name, rank, size, digest: sha256, interpreter = "-" }) => [
    String(number),
    rank === 0 ? escapeControls(name) : `${escapeControls(name)} (rank ${rank})`,
    formatSize(size),
    digest(sha256),
    escapeControls(interpreter),
  ]);
  return formatTable(columns, rows, output.paint.bold);
}
