/** Unwind pieces without what their length says, and with a function's length in few bytes. */
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { keptBytes, readContent, writeContent } from "./code-content.ts";
import { FORMAT } from "./code-streams.ts";
import { PieceKind } from "./types.ts";

/** The record's length, and a function's length; of a CIE the length and 0. The pointers between are references. */
const HEAD_BYTES = 8;

/**
 * An unwind piece without the fields that its sites name: when its length says where it ends, as nearly always,
 *
 *     zeros * 2 + 1 varint, the second u32 as varint, the rest without the zeros at its end
 *
 * else 0 and the bytes.
 */
export function writeUnwind(bytes: Uint8Array, sites: Uint8Array, out: ByteWriter): void {
  const kept = new ByteWriter(bytes.length);
  writeContent(PieceKind.unwind, bytes, sites, kept);
  const content = kept.view();
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  if (content.length < HEAD_BYTES || view.getUint32(0, true) !== bytes.length - 4) {
    out.varint(0).raw(content);
    return;
  }
  let end = content.length;
  while (end > HEAD_BYTES && content[end - 1] === 0) end--;
  out.varint((content.length - end) * 2 + 1).varint(view.getUint32(4, true));
  out.raw(content.subarray(HEAD_BYTES, end));
}

/** Fills `into`, which is zero. Errors: `invalid`. */
export function readUnwind(into: Uint8Array, sites: Uint8Array, reader: ByteReader): void {
  const length = keptBytes(PieceKind.unwind, into.length, sites);
  const form = reader.varint("form", 2 * length + 1);
  if (form === 0) {
    readContent(PieceKind.unwind, into, sites, reader);
    return;
  }
  const rest = length - HEAD_BYTES - (form - 1) / 2;
  if (form % 2 === 0 || rest < 0) throw reader.error("form", `${form} for ${length} bytes`);
  const content = new Uint8Array(length);
  const view = new DataView(content.buffer);
  view.setUint32(0, into.length - 4, true);
  view.setUint32(4, reader.varint("function length", 0xffffffff), true);
  content.set(reader.view(rest, "unwind"), HEAD_BYTES);
  readContent(PieceKind.unwind, into, sites, new ByteReader(content, FORMAT));
}
