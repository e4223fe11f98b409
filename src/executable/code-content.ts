/** The content of one piece: fresh bytes in the stream of its kind, derived ones as runs of zeros and others. */
import type { ByteReader, ByteWriter } from "../bytes/index.ts";

/** Zeros in a row that end a run of other bytes: two varints cost as much. */
const MIN_ZEROS = 4;

/** Zero run varint, literal run varint, bytes; until the length is reached. */
export function writeSparse(bytes: Uint8Array, out: ByteWriter): void {
  for (let at = 0; at < bytes.length; ) {
    const start = at;
    while (at < bytes.length && bytes[at] === 0) at++;
    out.varint(at - start);
    const literal = at;
    let zeros = 0;
    while (at < bytes.length && zeros < MIN_ZEROS) zeros = bytes[at++] === 0 ? zeros + 1 : 0;
    if (at < bytes.length || zeros >= MIN_ZEROS) at -= zeros;
    out.varint(at - literal).raw(bytes.subarray(literal, at));
  }
}

/** Fills `into`, which is zero. */
export function readSparse(reader: ByteReader, into: Uint8Array): void {
  for (let at = 0; at < into.length; ) {
    const start = at;
    at += reader.varint("zeros", into.length - at);
    const literal = reader.varint("literals", into.length - at);
    if (at === start && literal === 0) throw reader.error("literals", "an empty run");
    into.set(reader.view(literal, "bytes"), at);
    at += literal;
  }
}
