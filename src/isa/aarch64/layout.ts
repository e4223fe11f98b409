/**
 * AArch64 address fields: kinds, masks and distances. The kinds are part of the on-disk format
 * (docs/formats/isa.md).
 *
 * Source: Arm Architecture Reference Manual for A-profile, chapter C4 (A64 instruction set encoding).
 */

/** Kind of field: what it is in the instruction word and what it counts. 0 is reserved: no field. */
/** B, BL: bits 0 to 25, words. */
export const AARCH64_BRANCH26 = 1;
/** B.cond, BC.cond, CBZ, CBNZ: bits 5 to 23, words. */
export const AARCH64_BRANCH19 = 2;
/** TBZ, TBNZ: bits 5 to 18, words. */
export const AARCH64_BRANCH14 = 3;
/** LDR, LDRSW and PRFM (literal), general and SIMD registers: bits 5 to 23, words. */
export const AARCH64_LITERAL19 = 4;
/** ADR: bits 5 to 23 above bits 29 and 30, bytes. */
export const AARCH64_ADR21 = 5;
/** ADRP: the same bits, pages of 4 KiB. */
export const AARCH64_ADRP21 = 6;

/** In lists of fields: what completes the page of an ADRP. */
export const AARCH64_LOW12 = 7;

/** Bits of the word that each kind's field takes. */
export const AARCH64_FIELD_MASKS: readonly number[] = [
  0, 0x03ffffff, 0x00ffffe0, 0x0007ffe0, 0x00ffffe0, 0x60ffffe0, 0x60ffffe0,
];

/** Bits of the 12-bit offset in an ADD, load, store or prefetch that is paired with an ADRP. */
export const AARCH64_LOW12_MASK = 0x003ffc00;

const PAGE_BYTES = 4096;

/** Units of a kind's distance in bytes. */
function unitBytes(kind: number): number {
  if (kind === AARCH64_ADR21) return 1;
  return kind === AARCH64_ADRP21 ? PAGE_BYTES : 4;
}

/**
 * Bytes from the instruction to its target; for ADRP from the instruction's page (its address with the low 12 bits
 * zero) to the target's. The distance can be as large as 4 GiB: a plain number, not 32 bits.
 */
export function aarch64Distance(kind: number, word: number): number {
  let field: number;
  if (kind === AARCH64_BRANCH26) field = (word << 6) >> 6;
  else if (kind === AARCH64_BRANCH14) field = (word << 13) >> 18;
  else if (kind === AARCH64_ADR21 || kind === AARCH64_ADRP21) {
    field = (((word << 8) >> 13) << 2) | ((word >>> 29) & 3);
  } else field = (word << 8) >> 13;
  return field * unitBytes(kind);
}

/** The word with another distance, as u32; undefined when the field can't hold it. Inverse of `aarch64Distance`. */
export function withAarch64Distance(kind: number, word: number, distance: number): number | undefined {
  const field = distance / unitBytes(kind);
  if (!Number.isInteger(field) || Math.abs(field) > 2 ** 26) return undefined;
  let bits = field;
  if (kind === AARCH64_ADR21 || kind === AARCH64_ADRP21) {
    bits = (((field >> 2) & 0x7ffff) << 5) | ((field & 3) << 29);
  } else if (kind !== AARCH64_BRANCH26) bits = field << 5;
  const mask = AARCH64_FIELD_MASKS[kind]!;
  const changed = ((word & ~mask) | (bits & mask)) >>> 0;
  return aarch64Distance(kind, changed) === distance ? changed : undefined;
}
