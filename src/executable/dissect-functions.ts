/** Cutting code into functions, and the fill between them. */
import { type Elf, EM_AARCH64, type FunctionStarts } from "../elf/index.ts";
import type { Marks } from "./dissect-marks.ts";
import type { Region } from "./dissect-regions.ts";
import { Role } from "./dissect-regions.ts";

/** Stretches of code that no table of functions covers: file offsets, ascending. */
export interface Gap {
  readonly offset: number;
  readonly end: number;
}

/** Compilers align functions to 16 bytes; Go to 32. */
const ALIGNMENT = 16;
const GO_ALIGNMENT = 32;

export interface FunctionCuts {
  readonly gaps: readonly Gap[];
  /** File offsets of fill that is a piece by itself. */
  readonly padding: ReadonlySet<number>;
}

/**
 * Cuts the regions of code at functions. The fill behind a function up to the usual alignment belongs to it: it
 * depends on its length alone, so that an equal function has it in every file. Fill beyond that depends on what
 * comes next, and is a piece by itself.
 */
export function cutFunctions(
  bytes: Uint8Array,
  functions: FunctionStarts,
  regions: readonly Region[],
  marks: Marks,
  options: { readonly machine: number; readonly isGo: boolean },
): FunctionCuts {
  const gaps: Gap[] = [];
  const padding = new Set<number>();
  const alignment = options.isGo ? GO_ALIGNMENT : ALIGNMENT;
  const word = options.machine === EM_AARCH64 ? 4 : 1;
  let next = 0;
  for (const region of regions) {
    if (region.role !== Role.code || region.address < 0) continue;
    const toAddress = region.address - region.offset;
    if (region.entryBytes !== undefined) {
      for (let at = region.offset; at < region.end; at += region.entryBytes) marks.cut(at);
      continue;
    }
    // Where the code before ends as far as a table says; from there to the next function nothing is known.
    let known = region.offset;
    const gapBefore = (to: number) => {
      if (to <= known) return;
      let from = known;
      const aligned = Math.min(to, alignUp(from + toAddress, alignment) - toAddress);
      if (from > region.offset && isFill(bytes, from, aligned)) from = aligned;
      if (from === to) return;
      if (isFill(bytes, from, to)) {
        if (from > region.offset) padding.add(from);
        marks.cut(from);
        return;
      }
      gaps.push({ offset: from, end: to });
      marks.cut(from);
    };
    while (next < functions.count && functions.address[next]! < region.address) next++;
    for (; next < functions.count; next++) {
      const start = functions.address[next]! - toAddress;
      if (start >= region.end) break;
      if ((start - region.offset) % word !== 0) continue;
      gapBefore(start);
      marks.cut(start);
      const size = functions.sizeBytes[next]!;
      const stated = size > 0 ? Math.min(start + Math.ceil(size / word) * word, region.end) : start;
      known = Math.max(known, stated);
      // A function of unknown size: all up to the next is a gap behind its first byte.
      if (size === 0 && known === start) {
        known = start + word;
        const after = next + 1 < functions.count ? functions.address[next + 1]! - toAddress : region.end;
        const end = Math.min(after, region.end);
        if (end > known) gaps.push({ offset: known, end });
        known = Math.max(known, end);
      }
    }
    gapBefore(region.end);
  }
  return { gaps, padding };
}

/** Cuts the sections of an object file at functions. */
export function cutObject(elf: Elf, functions: FunctionStarts, marks: Marks): void {
  if (elf.kind !== "object") return;
  for (let i = 0; i < functions.count; i++) {
    const section = elf.sections[functions.section[i]!];
    if (section !== undefined && functions.address[i]! < section.fileSizeBytes)
      marks.cut(section.header.sh_offset + functions.address[i]!);
  }
  for (const { header, fileSizeBytes } of elf.sections) if (fileSizeBytes > 0) marks.cut(header.sh_offset);
}

/**
 * Cuts gaps where a pointer leads to what looks like a function: an aligned place behind fill, a return or a jump.
 * Entries of jump tables lead into the middle of functions, mostly unaligned and with other code before them.
 */
export function cutPointedGaps(bytes: Uint8Array, gaps: readonly Gap[], marks: Marks, machine: number): void {
  for (const { offset, end } of gaps) {
    for (let at = marks.next(offset, end); at < end; at = marks.next(at + 1, end)) {
      if (!marks.isLabel(at) || at === offset) continue;
      if (machine === EM_AARCH64 ? followsEnd(bytes, at) : at % ALIGNMENT === 0 && followsFill(bytes, at))
        marks.cut(at);
    }
  }
}

/** x86-64: the byte before is the last of RET, INT3, a NOP (90, or a zero displacement). */
function followsFill(bytes: Uint8Array, at: number): boolean {
  const before = bytes[at - 1];
  return before === 0xc3 || before === 0xcc || before === 0x90 || before === 0;
}

/** AArch64: the word before is RET, B, BR, BRK, NOP or zero. */
function followsEnd(bytes: Uint8Array, at: number): boolean {
  if (at % 4 !== 0) return false;
  const top = bytes[at - 1]!;
  const next = bytes[at - 2]!;
  if ((top & 0xfc) === 0x14 || top === 0) return true;
  return (
    (top === 0xd6 && (next === 0x5f || next === 0x1f)) ||
    (top === 0xd4 && next <= 0x3f) ||
    isFill(bytes, at - 4, at)
  );
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** Zeros, int3, or NOPs of any length (66 prefixes, 0F 1F with its operand, 90). AArch64: NOP and UDF words. */
function isFill(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  while (at < to) {
    const byte = bytes[at]!;
    if (byte === 0 || byte === 0xcc || byte === 0x90) at++;
    else {
      const length = nopLength(bytes, at, to);
      if (length === 0) return false;
      at += length;
    }
  }
  return at === to;
}

/** Length of 66* [2E] 0F 1F /0, or of the AArch64 NOP; 0 for anything else. */
function nopLength(bytes: Uint8Array, at: number, end: number): number {
  if (bytes[at] === 0x1f && bytes[at + 1] === 0x20 && bytes[at + 2] === 0x03 && bytes[at + 3] === 0xd5)
    return 4;
  let i = at;
  while (i < end && (bytes[i] === 0x66 || bytes[i] === 0x2e)) i++;
  if (bytes[i] === 0x90) return i + 1 - at;
  if (bytes[i] !== 0x0f || bytes[i + 1] !== 0x1f) return 0;
  const modrm = bytes[i + 2]!;
  const displacement = modrm >> 6 === 1 ? 1 : modrm >> 6 === 2 ? 4 : 0;
  const length = i + 3 + ((modrm & 7) === 4 ? 1 : 0) + displacement - at;
  return at + length <= end ? length : 0;
}
