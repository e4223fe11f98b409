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

/** Runs of bytes to keep of a piece: pairs of start and end, in a column that is used again by the next call. */
let runs = new Uint32Array(64);
const cursor = new SiteCursor({ bytes: new Uint8Array(0) });

/** Finds the runs to keep; returns how many numbers of `runs` say them. Errors: `invalid` for broken sites. */
function keptRuns(kind: number, lengthBytes: number, sites: Uint8Array): number {
  let count = 0;
  let at = 0;
  if (sites.length > 0 && kind !== PieceKind.code) {
    for (cursor.openBytes(sites); cursor.offset >= 0 && cursor.offset < lengthBytes; cursor.next()) {
      if (LEFT_OUT[cursor.kind] !== true) continue;
      if (count + 4 > runs.length) {
        const more = new Uint32Array(2 * runs.length);
        more.set(runs);
        runs = more;
      }
      runs[count++] = at;
      runs[count++] = cursor.offset;
      at = Math.min(lengthBytes, cursor.offset + FIELD_BYTES[cursor.kind]!);
    }
  }
  runs[count++] = at;
  runs[count++] = lengthBytes;
  return count;
}

/** True when every field that would be left out is zero. */
export function fieldsAreZero(kind: number, bytes: Uint8Array, sites: Uint8Array): boolean {
  const count = keptRuns(kind, bytes.length, sites);
  let at = 0;
  for (let run = 0; run < count; run += 2) {
    for (let i = at; i < runs[run]!; i++) if (bytes[i] !== 0) return false;
    // The field follows; it is looked at when the next run begins.
    at = runs[run + 1]!;
  }
  return true;
}

/** How many bytes of a piece are kept. */
export function keptBytes(kind: number, lengthBytes: number, sites: Uint8Array): number {
  const count = keptRuns(kind, lengthBytes, sites);
  let sum = 0;
  for (let run = 0; run < count; run += 2) sum += runs[run + 1]! - runs[run]!;
  return sum;
}

export function writeContent(kind: number, bytes: Uint8Array, sites: Uint8Array, out: ByteWriter): void {
  const count = keptRuns(kind, bytes.length, sites);
  for (let run = 0; run < count; run += 2) out.raw(bytes.subarray(runs[run], runs[run + 1]));
}

/** Shorter runs are copied faster byte by byte than by a call. */
const SHORT_RUN_BYTES = 48;

/** Fills `into`, which is zero. */
export function readContent(kind: number, into: Uint8Array, sites: Uint8Array, reader: ByteReader): void {
  const count = keptRuns(kind, into.length, sites);
  const { bytes } = reader;
  for (let run = 0; run < count; run += 2) {
    const start = runs[run]!;
    const end = runs[run + 1]!;
    const from = reader.offset - start;
    reader.skip(end - start, "content");
    if (end - start > SHORT_RUN_BYTES) into.set(bytes.subarray(from + start, from + end), start);
    else for (let i = start; i < end; i++) into[i] = bytes[from + i]!;
  }
}
