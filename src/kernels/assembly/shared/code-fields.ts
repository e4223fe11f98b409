/** The fields of references that were found in restored code: as isa-x86-64 finds them, and what targets need. */

// The numbers of src/executable/types.ts and references-contexts.ts, compared with them by a test.
export const PC32: u32 = 0;
export const ABS32: u32 = 2;
export const CALL: u32 = 0;
export const CODE_DATA: u32 = 1;
export const ABSOLUTE: u32 = 18;

/** Fields that are kept until they are taken. */
export const MAX_FIELDS: u32 = 1 << 18;
/** Fields don't overlap, and a call makes at most 2^18 bytes of code; some more are scratch. */
const FIELDS: i32 = (1 << 18) + (1 << 18) / 4 + 16;

/** Columns: file offsets (u32), kinds, shapes and contexts (u8). */
export const FIELD_OFFSETS: usize = memory.data(FIELDS * 4, 64);
export const FIELD_KINDS: usize = memory.data(FIELDS, 64);
export const FIELD_SHAPES: usize = memory.data(FIELDS, 64);
export const FIELD_CONTEXTS: usize = memory.data(FIELDS, 64);

export let fieldCount: u32 = 0;

export function setFieldCount(count: u32): void {
  fieldCount = count;
}

/** Writes a field's columns; it counts when its number is passed. */
// @ts-ignore: decorator
@inline
export function noteField(field: usize, offset: u32, kind: u32, shape: u32, context: u32): void {
  store<u32>(FIELD_OFFSETS + (field << 2), offset);
  store<u8>(FIELD_KINDS + field, kind);
  store<u8>(FIELD_SHAPES + field, shape);
  store<u8>(FIELD_CONTEXTS + field, context);
}
