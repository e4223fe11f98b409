/**
 * A linker script in which each piece of a chain of deltas has pages of its own at an address that stays.
 *
 * The base begins at the given address; every later piece begins on the page behind the one before it. What a piece
 * holds never changes, so neither do the addresses when a version is added.
 */
import { SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS } from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";
import type { DeltaChainPiece } from "./delta.ts";
import { PAGE_BYTES } from "./model.ts";

export interface PieceFile {
  readonly piece: DeltaChainPiece;
  /** Its object's file name, without folders. */
  readonly file: string;
}

/** Name of the variable that holds the location counter while regions are placed. */
const RESUME = "__tenon_resume";

/** The lines of SECTIONS for the code of the pieces, in the order in which the addresses grow. */
export function regionLines(name: string, files: readonly PieceFile[], base: number): string[] {
  let address = base;
  return files.flatMap(({ piece, file }) => {
    const sizeBytes = codeBytes(piece);
    if (sizeBytes === 0) return [];
    const at = address;
    address = Math.ceil((at + sizeBytes) / PAGE_BYTES) * PAGE_BYTES;
    return [`  .text.${name}.${piece.label} 0x${at.toString(16)} : { *${file}(.text .text.*) } =0x00000000`];
  });
}

/** How much its code takes at most: linkers may sort sections, so each one's alignment is counted in full. */
function codeBytes({ object }: DeltaChainPiece): number {
  let sum = 0;
  for (const { type, flags, alignment, bytes } of object.sections) {
    const isCode = (flags & (SHF_ALLOC | SHF_EXECINSTR | SHF_WRITE)) === (SHF_ALLOC | SHF_EXECINSTR);
    if (isCode && type !== SHT_NOBITS) sum += bytes.length + alignment - 1;
  }
  return sum;
}

/** An addition to the linker's own script. */
export function regionAddition(lines: readonly string[]): string {
  return ["SECTIONS", "{", ...lines, "}", "INSERT AFTER .bss;", ""].join("\n");
}

/**
 * A given script with the regions in it: in front of its first output section that is called `.text`, so that no
 * pattern there takes the code first; the location counter goes on where it was. Errors: `invalid` without `.text`.
 */
export function insertRegions(script: string, lines: readonly string[]): string {
  const found = /^[ \t]*\.text\b[^;{}]*:/m.exec(script);
  if (found === null) {
    throw new TenonError(
      "invalid",
      "the linker script has no output section .text at the beginning of a line, so it isn't clear where the regions belong",
      { format: "linker script", field: ".text" },
    );
  }
  const block = [`  ${RESUME} = .;`, ...lines, `  . = ${RESUME};`, ""].join("\n");
  return `${script.slice(0, found.index)}${block}${script.slice(found.index)}`;
}
