/**
 * The content of one fresh piece: its bytes in the stream of its kind without the fields that its sites name, which are
 * zero; derived pieces as runs of zeros and others.
 */
import type { ByteReader, ByteWriter } from "../bytes/index.ts";
import { FIELD_BYTES } from "./references-kinds.ts";
import { SiteCursor } from "./references-sites.ts";
import { PieceKind, ReferenceKind } from "./types.ts";

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

/** Kinds of references whose fields are left out of pieces that aren't code: a blanked one is zero. */
const LEFT_OUT: readonly boolean[] = leftOut();

function leftOut(): boolean[] {
  const kinds: boolean[] = new Array(FIELD_BYTES.length).fill(false);
  const { abs64, relative64, relr64, rel32, field32, back32 } = ReferenceKind;
  for (const kind of [abs64, relative64, relr64, rel32, field32, back32]) kinds[kind] = true;
  for (let kind: number = ReferenceKind.goText; kind <= ReferenceKind.goRodata; kind++) kinds[kind] = true;
  return kinds;
}

/** Runs of bytes to keep of a piece, as pairs of start and end. Errors: `invalid` for sites outside of the piece. */
function* keptRuns(
  kind: number,
  lengthBytes: number,
  sites: Uint8Array,
): Generator<readonly [number, number]> {
  let at = 0;
  if (sites.length > 0 && kind !== PieceKind.code) {
    const table = { bytes: sites, end: Uint32Array.of(sites.length) };
    const cursor = new SiteCursor(table);
    for (cursor.open(table, 0); cursor.offset >= 0 && cursor.offset < lengthBytes; cursor.next()) {
      if (LEFT_OUT[cursor.kind] !== true) continue;
      yield [at, cursor.offset];
      at = Math.min(lengthBytes, cursor.offset + FIELD_BYTES[cursor.kind]!);
    }
  }
  yield [at, lengthBytes];
}

/** True when every field that would be left out is zero. */
export function fieldsAreZero(kind: number, bytes: Uint8Array, sites: Uint8Array): boolean {
  let at = 0;
  for (const [start, end] of keptRuns(kind, bytes.length, sites)) {
    for (let i = at; i < start; i++) if (bytes[i] !== 0) return false;
    at = end;
    // The field follows; it is looked at when the next run begins.
  }
  return true;
}

export function writeContent(kind: number, bytes: Uint8Array, sites: Uint8Array, out: ByteWriter): void {
  for (const [start, end] of keptRuns(kind, bytes.length, sites)) out.raw(bytes.subarray(start, end));
}

/** Fills `into`, which is zero. */
export function readContent(kind: number, into: Uint8Array, sites: Uint8Array, reader: ByteReader): void {
  for (const [start, end] of keptRuns(kind, into.length, sites))
    into.set(reader.view(end - start, "content"), start);
}
