/** Lines about flavours that several commands print. */
import { TenonError } from "../errors/index.ts";
import type { FatFlavourInfo, FatForm } from "../store/index.ts";
import type { Output } from "./output.ts";
import { digestFormat } from "./state.ts";
import { escapeControls, formatSize, formatTable } from "./text.ts";

/** The form that two options ask for, as the store takes it. */
export function formOf(mode: FatForm["mode"], defaultFlavour: FatForm["defaultFlavour"]): FatForm {
  if (defaultFlavour !== undefined && mode !== "compact")
    throw new TenonError("usage", "--default is for --mode compact");
  return { ...(mode && { mode }), ...(defaultFlavour && { defaultFlavour }) };
}

/** A table of flavours, the best first. */
export function flavourLines(flavours: readonly FatFlavourInfo[], output: Output, whole = false): string[] {
  const digest = digestFormat({ whole: whole || !output.stdout.isTerminal });
  const columns = [
    { header: "N", align: "right" as const },
    { header: "FLAVOUR" },
    { header: "SIZE", align: "right" as const },
    { header: "STORED", align: "right" as const },
    { header: "DIGEST" },
    { header: "INTERPRETER" },
  ];
  const rows = flavours.map(
    ({ number, name, rank, size, stored, storedBytes, digest: sha256, interpreter = "-" }) => [
      String(number),
      rank === 0 ? escapeControls(name) : `${escapeControls(name)} (rank ${rank})`,
      formatSize(size),
      stored === "image" ? "in place" : formatSize(storedBytes),
      digest(sha256),
      escapeControls(interpreter),
    ],
  );
  return formatTable(columns, rows, output.paint.bold);
}
