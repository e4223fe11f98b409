/** First look at code: what it calls, what data it refers to, which jump tables it uses. */
import { type Elf, EM_AARCH64 } from "../elf/index.ts";
import {
  AARCH64_ADRP21,
  aarch64Distance,
  scanAarch64,
  scanX86_64,
  X86_64_REL32,
  X86_64_RIP32,
  x86_64End,
  x86_64Kind,
} from "../isa/index.ts";
import type { Gap } from "./dissect-functions.ts";
import type { Marks } from "./dissect-marks.ts";
import { type Region, Role } from "./dissect-regions.ts";
import { rangeAt } from "./join-layout.ts";
import type { SeenFields } from "./references-code.ts";

/** A data address that code loads, and the function that does. */
export interface TableCandidate {
  /** File offset. */
  readonly table: number;
  /** Addresses. */
  readonly functionStart: number;
  readonly functionEnd: number;
  /** The code reads 32-bit distances there: entries may lead anywhere. */
  readonly isRead: boolean;
}

/** What the first look at code gives. */
export interface ReadCode {
  readonly candidates: readonly TableCandidate[];
  /** x86-64: the fields, so that pieces that stay what they were need no second look. */
  readonly seen: SeenFields;
}

const CALL = 0xe8;

/** File offsets of the cuts in a region, relative to it. */
function startsIn(region: Region, marks: Marks): Uint32Array {
  const starts: number[] = [];
  for (
    let at = marks.nextCut(region.offset, region.end);
    at < region.end;
    at = marks.nextCut(at + 1, region.end)
  )
    starts.push(at - region.offset);
  return Uint32Array.from(starts);
}

/**
 * Labels all data that code refers to, cuts gaps where they are called, and gives the addresses that may be jump
 * tables.
 */
export function readCode(
  elf: Elf,
  regions: readonly Region[],
  marks: Marks,
  gaps: readonly Gap[],
  absolute: boolean,
): ReadCode {
  const candidates: TableCandidate[] = [];
  const parts: SeenFields["parts"][number][] = [];
  for (const region of regions) {
    if (region.role !== Role.code || region.address < 0) continue;
    if (elf.header.e_machine === EM_AARCH64) readAarch64(elf, region, marks, gaps);
    else parts.push(readX86(elf, region, marks, gaps, absolute, candidates));
  }
  return { candidates, seen: { parts } };
}

/** Cuts a gap at a called address; addresses elsewhere are left alone. */
function cutGap(gaps: readonly Gap[], offset: number, marks: Marks): void {
  let low = 0;
  let high = gaps.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (gaps[middle]!.offset <= offset) low = middle + 1;
    else high = middle;
  }
  const gap = gaps[low - 1];
  if (gap !== undefined && offset < gap.end) marks.cut(offset);
}

function readX86(
  elf: Elf,
  region: Region,
  marks: Marks,
  gaps: readonly Gap[],
  absolute: boolean,
  candidates: TableCandidate[],
): SeenFields["parts"][number] {
  const { view } = elf;
  const starts = startsIn(region, marks);
  const code = elf.bytes.subarray(region.offset, region.end);
  const { fieldOffsets, fieldShapes } = scanX86_64(code, { starts, absolute });
  const { ranges } = marks.map;
  let next = 0;
  for (let i = 0; i < fieldOffsets.length; i++) {
    const field = fieldOffsets[i]!;
    while (next < starts.length && starts[next]! <= field) next++;
    const kind = x86_64Kind(fieldShapes[i]!);
    const value = view.i32(region.offset + field);
    if (kind === X86_64_REL32) {
      if (code[field - 1] !== CALL) continue;
      const target = field + 4 + value;
      if (gaps.length > 0 && target >= 0 && target < code.length) cutGap(gaps, region.offset + target, marks);
      continue;
    }
    if (kind !== X86_64_RIP32) {
      if (absolute32(marks, elf.bytes, value) === LABEL_ADDRESS) marks.label(value);
      continue;
    }
    const target = region.address + x86_64End(field, fieldShapes[i]!) + value;
    const number = rangeAt(marks.map, target);
    if (number < 0) continue;
    marks.label(target);
    const range = ranges[number]!;
    if (target % 4 !== 0 || target - range.address + 8 > range.fileBytes) continue;
    const functionStart = region.address + (next === 0 ? 0 : starts[next - 1]!);
    const functionEnd = region.address + (starts[next] ?? code.length);
    const table = range.offset + target - range.address;
    const entry = target + view.i32(table);
    const isRead = readsTable(code, field);
    if (isRead || (entry >= functionStart && entry < functionEnd)) {
      candidates.push({ table, functionStart, functionEnd, isRead });
    }
  }
  for (let i = 0; i < fieldOffsets.length; i++) fieldOffsets[i]! += region.offset;
  const bounds = Uint32Array.from([0, ...starts, code.length], (at) => at + region.offset);
  return { bounds, fieldOffsets, fieldShapes };
}

/** How far behind LEA its table is read; more finds little, and the longer the search the more often it errs. */
const READ_WITHIN_BYTES = 96;

/** True for LEA reg, [RIP+field] followed by MOVSXD r64, dword [reg + index * 4]. */
function readsTable(code: Uint8Array, field: number): boolean {
  if (code[field - 2] !== 0x8d) return false;
  const register = ((code[field - 1]! >> 3) & 7) | ((code[field - 3]! & 4) << 1);
  const end = Math.min(field + 4 + READ_WITHIN_BYTES, code.length - 4);
  for (let at = field + 4; at < end; at++) {
    // REX.W (with B for registers 8 to 15), 63, ModRM mod 0 with SIB, SIB with scale 4.
    if ((code[at]! & 0xf8) !== 0x48 || code[at + 1] !== 0x63) continue;
    if ((code[at + 2]! & 0xc7) !== 0x04 || code[at + 3]! >> 6 !== 2) continue;
    if (((code[at + 3]! & 7) | ((code[at]! & 1) << 3)) === register) return true;
  }
  return false;
}

/** Longest string that is looked at for its end. */
const STRING_BYTES = 1024;

/** True for the beginning of a zero-terminated string, or for printable text with a zero behind it. */
function isString(bytes: Uint8Array, offset: number): boolean {
  if (bytes[offset - 1] === 0) return true;
  const end = Math.min(offset + STRING_BYTES, bytes.length);
  let at = offset;
  while (at < end && (bytes[at]! >= 0x20 || (bytes[at]! >= 9 && bytes[at]! <= 13))) at++;
  return at < end && bytes[at] === 0;
}

/** Constants with so many low bits zero are as common as addresses. */
const ROUND = 4096;

/** No linker puts a program below this address. */
const LOWEST_ADDRESS = 0x1_0000;

/** What a 32-bit value in the code of a file that isn't position independent is taken for. */
export const NO_ADDRESS = 0;
/** An address, but nothing is cut there: it may be a number after all. */
export const MAYBE_ADDRESS = 1;
export const LABEL_ADDRESS = 2;

/**
 * Values in data are addresses, unless they are round numbers; where a string or a word may begin they are labels. In
 * code only places that are named otherwise count.
 */
export function absolute32(marks: Marks, bytes: Uint8Array, value: number): number {
  if (value < LOWEST_ADDRESS) return NO_ADDRESS;
  const number = rangeAt(marks.map, value);
  if (number < 0) return NO_ADDRESS;
  const range = marks.map.ranges[number]!;
  const within = value - range.address;
  if (within < range.fileBytes && marks.isNamed(range.offset + within)) return LABEL_ADDRESS;
  if (range.executable || value % ROUND === 0) return NO_ADDRESS;
  if (value % 8 === 0 || within >= range.fileBytes || isString(bytes, range.offset + within))
    return LABEL_ADDRESS;
  return MAYBE_ADDRESS;
}

const BL_TOP = 0x94000000 | 0;

function readAarch64(elf: Elf, region: Region, marks: Marks, gaps: readonly Gap[]): void {
  const { view } = elf;
  const starts = startsIn(region, marks);
  const code = elf.bytes.subarray(region.offset, region.end);
  const scan = scanAarch64(code, { starts });
  for (let i = 0; i < scan.fieldOffsets.length; i++) {
    const at = scan.fieldOffsets[i]!;
    const word = view.i32(region.offset + at);
    if ((word & (0xfc000000 | 0)) !== BL_TOP) continue;
    const target = at + aarch64Distance(scan.fieldKinds[i]!, word);
    if (gaps.length > 0 && target >= 0 && target < code.length) cutGap(gaps, region.offset + target, marks);
  }
  for (let i = 0; i < scan.pairUserOffsets.length; i++) {
    const adrp = scan.pairAdrpOffsets[i]!;
    const address = region.address + adrp;
    const page = address - (address % 4096) + aarch64Distance(AARCH64_ADRP21, view.i32(region.offset + adrp));
    marks.label(page + low12(view.i32(region.offset + scan.pairUserOffsets[i]!), scan.pairScales[i]!));
  }
}

/** Bytes that the 12-bit offset of an instruction stands for. */
export function low12(word: number, scale: number): number {
  return ((word >>> 10) & 0xfff) << scale;
}
