/**
 * Encoded pointers of .eh_frame, .eh_frame_hdr and .gcc_except_table.
 *
 * One byte says how: low four bits the format, the next three what it is relative to, the top bit that the value
 * is the address of the pointer. 0xff: no pointer. Source: Linux Standard Base, "DWARF Extensions".
 */
import { type FileView, TOO_LARGE } from "./view.ts";

export const DW_EH_PE_absptr = 0x00;
export const DW_EH_PE_uleb128 = 0x01;
export const DW_EH_PE_udata2 = 0x02;
export const DW_EH_PE_udata4 = 0x03;
export const DW_EH_PE_udata8 = 0x04;
export const DW_EH_PE_sleb128 = 0x09;
export const DW_EH_PE_sdata2 = 0x0a;
export const DW_EH_PE_sdata4 = 0x0b;
export const DW_EH_PE_sdata8 = 0x0c;
export const DW_EH_PE_pcrel = 0x10;
export const DW_EH_PE_textrel = 0x20;
export const DW_EH_PE_datarel = 0x30;
export const DW_EH_PE_funcrel = 0x40;
export const DW_EH_PE_aligned = 0x50;
export const DW_EH_PE_indirect = 0x80;
export const DW_EH_PE_omit = 0xff;

/**
 * The value of a pointer whose base isn't known, or that is outside of 0 to 2^53 - 1. No address is negative,
 * and -1 can be stored in a Float64Array and compared, which NaN can't.
 */
export const UNRESOLVED = -1;

/** Bases that an encoded pointer may be relative to. */
export interface PointerBases {
  /** Virtual address of the first byte of the pointer itself. */
  readonly address: number;
  readonly dataBase?: number;
  readonly textBase?: number;
  readonly functionBase?: number;
}

export interface EncodedPointer {
  /** The address (of the pointer's own slot when `indirect`), or `UNRESOLVED`. */
  readonly value: number;
  readonly indirect: boolean;
  /** Offset after the pointer. */
  readonly next: number;
}

/** Reads one LEB128 of at most 10 bytes; undefined when it doesn't end before `end`. */
export function readLeb128(
  view: FileView,
  offset: number,
  end: number,
  signed: boolean,
): { value: number; next: number } | undefined {
  // Seven bytes (49 bits) and the rest are summed apart, so that every result below 2^53 is exact.
  let low = 0;
  let high = 0;
  let scale = 1;
  for (let i = 0; i < 10 && offset + i < end; i++) {
    const byte = view.u8(offset + i);
    if (i === 7) scale = 1;
    if (i < 7) low += (byte & 0x7f) * scale;
    else high += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) {
      if (signed && byte & 0x40) {
        if (i < 7) low -= scale;
        else high -= scale;
      }
      const value = high * 2 ** 49 + low;
      const next = offset + i + 1;
      return Math.abs(value) < TOO_LARGE ? { value, next } : { value: Math.sign(value) * TOO_LARGE, next };
    }
  }
  return undefined;
}

/** Size in bytes of the fixed-size formats, 0 for LEB128, -1 for a format that doesn't exist. */
export function encodedSize(encoding: number): number {
  switch (encoding & 0x0f) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
      return 8;
    case DW_EH_PE_udata4:
    case DW_EH_PE_sdata4:
      return 4;
    case DW_EH_PE_udata2:
    case DW_EH_PE_sdata2:
      return 2;
    case DW_EH_PE_uleb128:
    case DW_EH_PE_sleb128:
      return 0;
    default:
      return -1;
  }
}

/** The number itself, without a base. Eight bytes are read as signed: addition wraps at 2^64 anyway. */
function readFormat(
  view: FileView,
  offset: number,
  end: number,
  encoding: number,
): { value: number; next: number } | undefined {
  const size = encodedSize(encoding);
  if (size < 0) return undefined;
  if (size === 0) return readLeb128(view, offset, end, (encoding & 0x0f) === DW_EH_PE_sleb128);
  if (offset + size > end) return undefined;
  switch (encoding & 0x0f) {
    case DW_EH_PE_udata2:
      return { value: view.u16(offset), next: offset + 2 };
    case DW_EH_PE_sdata2:
      return { value: (view.u16(offset) << 16) >> 16, next: offset + 2 };
    case DW_EH_PE_udata4:
      return { value: view.u32(offset), next: offset + 4 };
    case DW_EH_PE_sdata4:
      return { value: view.i32(offset), next: offset + 4 };
    default:
      return { value: view.i64(offset), next: offset + 8 };
  }
}

/** A length or count in an encoding's format alone (FDE address range, table count); undefined when cut. */
export function readEncodedNumber(
  view: FileView,
  offset: number,
  end: number,
  encoding: number,
): { value: number; next: number } | undefined {
  const number = readFormat(view, offset, end, encoding);
  if (number === undefined || number.value >= 0) return number;
  // A range is unsigned whatever the format says; 32 bits of it are the case that occurs.
  const value = encodedSize(encoding) === 4 ? number.value + 2 ** 32 : UNRESOLVED;
  return { value, next: number.next };
}

/**
 * Reads an encoded pointer that must end before `end`. Undefined when it is cut or its encoding doesn't exist;
 * a null pointer has the value 0 in every encoding. `end` must not be past the end of the file.
 */
export function readEncodedPointer(
  view: FileView,
  offset: number,
  end: number,
  encoding: number,
  bases: PointerBases,
): EncodedPointer | undefined {
  if (encoding === DW_EH_PE_omit) return { value: 0, indirect: false, next: offset };
  const indirect = (encoding & DW_EH_PE_indirect) !== 0;
  const relation = encoding & 0x70;
  if (relation === DW_EH_PE_aligned) {
    const at = offset + ((8 - (bases.address % 8)) % 8);
    const number = readFormat(view, at, end, DW_EH_PE_absptr);
    if (number === undefined) return undefined;
    return { value: inRange(number.value), indirect, next: number.next };
  }
  const number = readFormat(view, offset, end, encoding);
  if (number === undefined) return undefined;
  const base = baseOf(relation, bases);
  const { value, next } = number;
  if (value === 0) return { value: 0, indirect, next };
  return { value: base === undefined ? UNRESOLVED : inRange(base + value), indirect, next };
}

function baseOf(relation: number, bases: PointerBases): number | undefined {
  switch (relation) {
    case 0:
      return 0;
    case DW_EH_PE_pcrel:
      return bases.address;
    case DW_EH_PE_textrel:
      return bases.textBase;
    case DW_EH_PE_datarel:
      return bases.dataBase;
    case DW_EH_PE_funcrel:
      return bases.functionBase;
    default:
      return undefined;
  }
}

function inRange(value: number): number {
  return value >= 0 && value < TOO_LARGE ? value : UNRESOLVED;
}
