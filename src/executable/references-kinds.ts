/** Reference kinds: widths, what a blanked field looks like, from field to address and back. */
import {
  AARCH64_ADR21,
  AARCH64_ADRP21,
  AARCH64_BRANCH14,
  AARCH64_BRANCH19,
  AARCH64_BRANCH26,
  AARCH64_FIELD_MASKS,
} from "../isa/index.ts";
import { NOT_A_REFERENCE, ReferenceKind } from "./types.ts";

/** Bytes that each kind's field takes, by number. */
export const FIELD_BYTES: readonly (number | undefined)[] = widths();

function widths(): (number | undefined)[] {
  const bytes: (number | undefined)[] = [];
  for (const kind of Object.values(ReferenceKind)) bytes[kind] = 4;
  for (const kind of [
    ReferenceKind.abs64,
    ReferenceKind.relative64,
    ReferenceKind.addend64,
    ReferenceKind.relr64,
  ]) {
    bytes[kind] = 8;
  }
  bytes[NOT_A_REFERENCE] = 4;
  return bytes;
}

/**
 * What a blanked `abs32` in code holds. Zero is a common immediate, and each that isn't a reference would be an
 * exception; this value is no instruction's habit.
 */
export const ABSOLUTE32_BLANK = 0x5eb1_a9c7;

/** AArch64 kind of the isa for a reference kind; 0 for others. */
export const ISA_KIND: readonly number[] = isaKinds();

function isaKinds(): number[] {
  const kinds = new Array<number>(32).fill(0);
  kinds[ReferenceKind.branch26] = AARCH64_BRANCH26;
  kinds[ReferenceKind.page21] = AARCH64_ADRP21;
  kinds[ReferenceKind.adr21] = AARCH64_ADR21;
  kinds[ReferenceKind.word19] = AARCH64_BRANCH19;
  kinds[ReferenceKind.branch14] = AARCH64_BRANCH14;
  return kinds;
}

/** True when the 4 bytes at a decoder's field look as `join` expects a reference to look. */
export function blankValue(kind: number, word: number): boolean {
  if (kind === ReferenceKind.pc32) return word === 0;
  if (kind === ReferenceKind.abs32) return word === ABSOLUTE32_BLANK;
  return (word & AARCH64_FIELD_MASKS[ISA_KIND[kind]!]!) === 0;
}
