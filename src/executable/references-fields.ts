/** From a reference's field to the address that it gives, and back. */
import { invalid } from "../errors/index.ts";
import { AARCH64_LOW12_MASK, aarch64Distance, withAarch64Distance } from "../isa/index.ts";
import { ISA_KIND } from "./references-kinds.ts";
import { ReferenceKind } from "./types.ts";

const HIGH = 2 ** 32;
const PAGE_BYTES = 4096;

/** Addresses that offsets of Go's tables count from, by reference kind; -1 for none. */
export type Bases = Float64Array;

export function noBases(): Bases {
  return new Float64Array(32).fill(-1);
}

/** Where a field is. */
export interface Field {
  kind: number;
  /** Offset in the bytes at hand, and address. */
  offset: number;
  address: number;
  /** pc32: bytes of the instruction behind it; low12: scale. */
  shape: number;
  /** rel32: address of its piece. */
  pieceAddress: number;
}

function u64(view: DataView, offset: number): number {
  const high = view.getUint32(offset + 4, true);
  return high < 0x20_0000 ? high * HIGH + view.getUint32(offset, true) : -1;
}

/** The address that a field gives; -1 for none. Not for `low12`, whose address depends on its ADRP. */
export function readTarget(view: DataView, field: Field, bases: Bases): number {
  const { kind, offset, address } = field;
  switch (kind) {
    case ReferenceKind.pc32:
      return address + 4 + field.shape + view.getInt32(offset, true);
    case ReferenceKind.abs64:
    case ReferenceKind.relative64:
    case ReferenceKind.addend64:
    case ReferenceKind.relr64:
      return u64(view, offset);
    case ReferenceKind.abs32:
      return view.getUint32(offset, true);
    case ReferenceKind.field32:
      return address + view.getInt32(offset, true);
    case ReferenceKind.back32:
      return address - view.getInt32(offset, true);
    case ReferenceKind.rel32:
      return field.pieceAddress + view.getInt32(offset, true);
    case ReferenceKind.branch26:
    case ReferenceKind.word19:
    case ReferenceKind.branch14:
    case ReferenceKind.adr21:
      return address + aarch64Distance(ISA_KIND[kind]!, view.getInt32(offset, true));
    case ReferenceKind.page21:
      return address - (address % PAGE_BYTES) + aarch64Distance(ISA_KIND[kind]!, view.getInt32(offset, true));
    default: {
      const base = bases[kind]!;
      const scale = kind === ReferenceKind.goUnit ? 4 : 1;
      return base < 0 ? -1 : base + scale * view.getInt32(offset, true);
    }
  }
}

/** Writes the address into the field. Errors: `invalid` when it doesn't fit. */
export function writeTarget(view: DataView, field: Field, target: number, bases: Bases): void {
  const { kind, offset, address } = field;
  switch (kind) {
    case ReferenceKind.pc32:
      write32(view, offset, target - address - 4 - field.shape);
      return;
    case ReferenceKind.abs64:
    case ReferenceKind.relative64:
    case ReferenceKind.relr64:
      view.setUint32(offset, target >>> 0, true);
      view.setUint32(offset + 4, Math.floor(target / HIGH), true);
      return;
    case ReferenceKind.addend64:
      return;
    case ReferenceKind.abs32:
      if (target >= HIGH) throw invalid("dissection", "target", offset, `${target} doesn't fit into 32 bits`);
      view.setUint32(offset, target, true);
      return;
    case ReferenceKind.field32:
      write32(view, offset, target - address);
      return;
    case ReferenceKind.back32:
      write32(view, offset, address - target);
      return;
    case ReferenceKind.rel32:
      write32(view, offset, target - field.pieceAddress);
      return;
    case ReferenceKind.branch26:
    case ReferenceKind.word19:
    case ReferenceKind.branch14:
    case ReferenceKind.adr21:
      writeDistance(view, field, target - address);
      return;
    case ReferenceKind.page21:
      writeDistance(view, field, target - (target % PAGE_BYTES) - (address - (address % PAGE_BYTES)));
      return;
    case ReferenceKind.low12: {
      const bits = ((target % PAGE_BYTES) >> field.shape) << 10;
      const word = view.getInt32(offset, true);
      view.setInt32(offset, (word & ~AARCH64_LOW12_MASK) | bits, true);
      return;
    }
    default: {
      const base = bases[kind]!;
      if (base < 0) throw invalid("dissection", "base", offset, `no base for references of kind ${kind}`);
      write32(view, offset, kind === ReferenceKind.goUnit ? (target - base) / 4 : target - base);
      return;
    }
  }
}

/** 32 bits, signed or unsigned: what is read back as the other is the same bits. */
export function write32(view: DataView, offset: number, value: number): void {
  // Neither beyond 32 bits, nor a fraction, nor NaN.
  if ((value | 0) !== value) {
    throw invalid("dissection", "target", offset, `a distance of ${value} doesn't fit into 32 bits`);
  }
  view.setInt32(offset, value, true);
}

function writeDistance(view: DataView, field: Field, distance: number): void {
  const word = withAarch64Distance(ISA_KIND[field.kind]!, view.getInt32(field.offset, true), distance);
  if (word === undefined) {
    throw invalid("dissection", "target", field.offset, `a distance of ${distance} doesn't fit`);
  }
  view.setUint32(field.offset, word, true);
}

/**
 * Entries of a jump table: 32-bit distances from the table (in the file) or from the function (in the content).
 * `shift` is the table's address minus the function's, or the reverse.
 */
export function shiftTable(view: DataView, from: number, to: number, shift: number): void {
  for (let at = from; at + 4 <= to; at += 4) view.setInt32(at, (view.getInt32(at, true) + shift) | 0, true);
}
