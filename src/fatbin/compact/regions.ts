/**
 * Where a program's file holds addresses, and of which form: what is rewritten before likeness is looked for.
 *
 * A **place** is an address counted from the program's lowest one. A **region** is a range of the file whose bytes
 * are all of one kind; regions stand in the order of the file and don't overlap.
 */
import { type Elf, PF_X, PT_LOAD, parseElf } from "../../elf/index.ts";

/** x86-64 code: 32-bit distances in calls, jumps and operands relative to the next instruction. */
export const KIND_X86_64 = 1;
/** AArch64 code: branches of 26 bits, ADRP with what follows it. */
export const KIND_AARCH64 = 2;
/** 64-bit words, some of which are addresses. */
export const KIND_WORDS = 3;
/** 32-bit words, some of which are distances from themselves. */
export const KIND_SELF_RELATIVE = 4;
/** 32-bit words, some of which are distances from the region's anchor. */
export const KIND_ANCHORED = 5;

export interface Region {
  readonly kind: number;
  /** In the file. */
  readonly offset: number;
  readonly bytes: number;
  /** Of the region's first byte; for KIND_ANCHORED of what its words count from. */
  readonly place: number;
}

export interface Geography {
  /** The lowest address, which places count from. */
  readonly low: number;
  /** Bytes from the lowest address to the end of the highest. */
  readonly span: number;
  readonly regions: readonly Region[];
}

/** Fields have 32 bits, of which half is for addresses; what spans more isn't rewritten. */
const MAX_SPAN = 2 ** 30;

/** Sections of 64-bit words by name: tables of relocations and of pointers. */
const WORDS = /^\.(rela\.(dyn|plt)|init_array|fini_array|data\.rel\.ro(\..*)?|got(\.plt)?)$/;

export function geographyOf(bytes: Uint8Array): Geography {
  const elf = parseElf(bytes);
  const loads = elf.segments.filter(({ header }) => header.p_type === PT_LOAD && header.p_memsz > 0);
  const low = Math.floor(Math.min(...loads.map(({ header }) => header.p_vaddr)) / 4096) * 4096;
  const span = Math.max(...loads.map(({ header }) => header.p_vaddr + header.p_memsz)) - low;
  if (span > MAX_SPAN) return { low, span, regions: [] };
  const found = [...codeRegions(elf, low), ...tableRegions(elf, low)];
  found.sort((a, b) => a.offset - b.offset);
  const regions: Region[] = [];
  let end = 0;
  for (const region of found) {
    if (region.bytes <= 0 || region.offset < end || region.offset + region.bytes > bytes.length) continue;
    regions.push(region);
    end = region.offset + region.bytes;
  }
  return { low, span, regions };
}

/** Executable sections, or without section headers the executable segments. */
function codeRegions({ machine, sections, segments }: Elf, low: number): Region[] {
  const kind = machine === "aarch64" ? KIND_AARCH64 : KIND_X86_64;
  const code = sections.filter(({ kind: what, fileSizeBytes }) => what === "code" && fileSizeBytes > 0);
  if (code.length > 0)
    return code.map(({ header, fileSizeBytes }) => ({
      ...{ kind, offset: header.sh_offset, bytes: fileSizeBytes },
      place: header.sh_addr - low,
    }));
  return segments
    .filter(({ header, usable }) => header.p_type === PT_LOAD && (header.p_flags & PF_X) !== 0 && usable)
    .map(({ header }) => ({
      ...{ kind, offset: header.p_offset, bytes: header.p_filesz },
      place: header.p_vaddr - low,
    }));
}

function tableRegions({ sections }: Elf, low: number): Region[] {
  return sections.flatMap(({ name, header, fileSizeBytes }) => {
    const kind = WORDS.test(name)
      ? KIND_WORDS
      : name === ".eh_frame"
        ? KIND_SELF_RELATIVE
        : name === ".eh_frame_hdr"
          ? KIND_ANCHORED
          : undefined;
    if (kind === undefined || fileSizeBytes === 0) return [];
    const unit = kind === KIND_WORDS ? 8 : 4;
    if (header.sh_offset % unit !== 0) return [];
    const bytes = Math.floor(fileSizeBytes / unit) * unit;
    return [{ kind, offset: header.sh_offset, bytes, place: header.sh_addr - low }];
  });
}
