/** What an ELF file says of itself, and of who made it. */
import {
  buildId,
  type Elf,
  functionStarts,
  hasGoBuildId,
  identifyElf,
  PT_INTERP,
  parseElf,
  readDebugLink,
  readGoBuildInfo,
  readNotes,
  SHF_COMPRESSED,
  sectionNamed,
  toolchainHint,
} from "../elf/index.ts";
import { isTenonError } from "../errors/index.ts";
import type { ElfReport } from "./inspect-types.ts";

/** Undefined for what is no ELF file. */
export function elfReport(bytes: Uint8Array): ElfReport | undefined {
  const identity = identifyElf(bytes);
  if (identity === undefined) return undefined;
  const { bits, byteOrder, machine, unsupported } = identity;
  const base = {
    machine: machine?.name ?? "unknown",
    ...(bits !== undefined && { bits }),
    ...(byteOrder !== undefined && { byteOrder }),
    ...(unsupported !== undefined && { unsupported }),
  };
  if (unsupported !== undefined) return base;
  let elf: Elf;
  try {
    elf = parseElf(bytes);
  } catch (error) {
    if (!isTenonError(error)) throw error;
    return { ...base, unsupported: error.message };
  }
  const { notes } = readNotes(elf);
  const id = buildId(elf, notes);
  const interpreter = interpreterOf(elf);
  const { comments, languages } = toolchainHint(elf);
  const linker = hasGoBuildId(notes) ? "Go" : linkerOf(elf, comments);
  const go = readGoBuildInfo(elf);
  const debugLink = readDebugLink(elf);
  const debug = elf.sections.filter(({ kind }) => kind === "debug");
  const sum = (sections: typeof debug) =>
    sections.reduce((total, { fileSizeBytes }) => total + fileSizeBytes, 0);
  return {
    ...base,
    type: elf.debugOnly ? "debug" : elf.kind,
    ...(interpreter !== undefined && { interpreter }),
    ...(elf.dynamic !== undefined && { needed: elf.dynamic.needed }),
    ...(elf.dynamic?.soname !== undefined && { soname: elf.dynamic.soname }),
    ...(id !== undefined && { buildId: id }),
    ...(debugLink !== undefined && { debugLink: debugLink.name }),
    languages,
    ...(linker !== undefined && { linker }),
    comments,
    ...(go !== undefined && { goVersion: go.version }),
    segments: elf.segments.length,
    sections: elf.sections.length,
    functions: functionStarts(elf).count,
    debugBytes: sum(debug),
    compressedDebugBytes: sum(debug.filter(({ header }) => (header.sh_flags & SHF_COMPRESSED) !== 0)),
    problems: elf.problems.map(({ field, offset, why }) => `${field} at offset ${offset}: ${why}`),
  };
}

function interpreterOf({ segments, view }: Elf): string | undefined {
  const header = segments.find(({ header, usable }) => usable && header.p_type === PT_INTERP)?.header;
  if (header === undefined) return undefined;
  const length = view.stringLength(header.p_offset, header.p_offset + header.p_filesz);
  return length < 0 ? undefined : view.text(header.p_offset, length);
}

/** Linkers that leave their name; GNU ld leaves none. */
function linkerOf(elf: Elf, comments: readonly string[]): string | undefined {
  if (comments.some((line) => /\bmold\b/.test(line))) return "mold";
  if (comments.some((line) => /\bLLD\b/.test(line))) return "lld";
  if (sectionNamed(elf, ".note.gnu.gold-version") !== undefined) return "gold";
  return undefined;
}
