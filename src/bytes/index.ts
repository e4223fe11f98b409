/**
 * bytes: reading and writing binary formats.
 *
 * Nouns: a `ByteReader` is a bounds-checked cursor over a `Uint8Array`; a `ByteWriter` grows. All integers are
 * little-endian unless the name says otherwise; a varint is unsigned LEB128, at most 8 bytes, at most 2^53 - 1.
 * Invariant: nothing here reads outside its input; every error names the format, the field and the offset.
 */

export { displayPath } from "./path-text.ts";
export { compareBytes, concatBytes, equalBytes, fromHex, toHex, utf8 } from "./plain.ts";
export { ByteReader } from "./reader.ts";
export { ByteWriter } from "./writer.ts";
