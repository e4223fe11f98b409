/**
 * Streams of a coded executable in a recipe (docs/formats/executable-recipe.md):
 *
 *     body   = version 2 varint, depth varint, headBytes varint, head,
 *              streamCount varint, then for each: number varint, length varint
 *     runs   = one atom of kind handprint, then the streams in this order, in atoms of 4 MiB
 */
import { ByteReader, ByteWriter, concatBytes } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { type CodedStreams, MAX_EXECUTABLE_BYTES, MAX_STREAMS } from "../executable/index.ts";
import {
  type AtomReader,
  type BlobRecord,
  Kind,
  type KindNumber,
  type RunListBuilder,
  type StoredTally,
  type WriteSession,
} from "../repository/index.ts";

/** Of the streams: what is written, and the first that is read. */
const VERSION = 2;
const FIRST_VERSION = 1;
/** Large atoms compress better, several compress at once. */
const ATOM_BYTES = 4 << 20;
/** How far a recipe's bases may lean on others. Each step costs a reader one more dissection. */
export const MAX_DEPTH = 8;

export interface ExecutableBody {
  /** 0 without bases, else one more than the deepest base's. */
  readonly depth: number;
  readonly head: Uint8Array;
  /** Number and length of each stream. */
  readonly streams: readonly { readonly number: number; readonly bytes: number }[];
}

export function encodeBody({ depth, head, streams }: ExecutableBody): Uint8Array {
  const out = new ByteWriter(128)
    .varint(VERSION)
    .varint(depth)
    .varint(head.length)
    .raw(head)
    .varint(streams.length);
  for (const { number, bytes } of streams) out.varint(number).varint(bytes);
  return out.finish();
}

/** One that is read. */
export interface ReadBody extends ExecutableBody {
  /** Of the streams. */
  readonly version: number;
}

/** Errors: `invalid`, `unsupported`. */
export function decodeBody(body: Uint8Array): ReadBody {
  const reader = new ByteReader(body, "executable recipe");
  const version = reader.varint("version");
  if (version < FIRST_VERSION || version > VERSION) {
    throw new TenonError("unsupported", `executable recipes of version ${version} are made by a newer tenon`);
  }
  const depth = reader.varint("depth", MAX_DEPTH);
  const head = reader.view(reader.varint("headBytes", reader.remaining), "head");
  const count = reader.varint("streamCount", MAX_STREAMS);
  const streams: { number: number; bytes: number }[] = [];
  let last = -1;
  for (let i = 0; i < count; i++) {
    const number = reader.varint("stream", MAX_STREAMS - 1);
    if (number <= last) throw reader.error("stream", "streams are not in order");
    last = number;
    streams.push({ number, bytes: reader.varint("length", 2 * MAX_EXECUTABLE_BYTES) });
  }
  reader.end();
  return { version, depth, head, streams };
}

/** Kind of the atoms of a stream: the kinds of dissected executables stand in the order of the streams. */
export function kindOfStream(number: number): KindNumber {
  return Kind.executableRaw + number;
}

/** What the executable is for: the first that is said of it. */
export function machineOf({ head }: ExecutableBody): number {
  return new ByteReader(head, "executable recipe").varint("machine");
}

/** Stores the streams behind what `runs` has already. */
export async function storeStreams(
  streams: CodedStreams,
  session: WriteSession,
  runs: RunListBuilder,
  tally: StoredTally,
): Promise<void> {
  for (const [number, bytes] of streams) {
    const kind = kindOfStream(number);
    for (let at = 0; at < bytes.length; at += ATOM_BYTES) {
      const ref = session.append(kind, bytes.subarray(at, Math.min(bytes.length, at + ATOM_BYTES)));
      runs.add(ref);
      tally.add(ref);
      await session.settle();
    }
  }
}

/** Reads the streams of a recipe. Errors: `damaged` when the runs hold another number of bytes. */
export async function loadStreams(
  record: BlobRecord,
  body: ExecutableBody,
  atoms: AtomReader,
): Promise<CodedStreams> {
  const total = body.streams.reduce((sum, { bytes }) => sum + bytes, 0);
  // Content is as long as the file at most, and each reference costs some bytes beside it.
  if (total > 2 * record.size + (1 << 20))
    throw damaged(record, `${total} bytes of streams for ${record.size} bytes`);
  const parts: Uint8Array[] = [];
  let length = 0;
  let handprint = true;
  for await (const { bytes } of atoms.read(record)) {
    // The first run may hold more than the handprint only if kinds were mixed, which no writer does.
    if (handprint) {
      handprint = false;
      continue;
    }
    length += bytes.length;
    if (length > total) break;
    parts.push(bytes);
  }
  if (length !== total) throw damaged(record, `its streams have another length than its recipe says`);
  const streams = new Map<number, Uint8Array>();
  let part = 0;
  let at = 0;
  for (const { number, bytes } of body.streams) {
    const pieces: Uint8Array[] = [];
    for (let need = bytes; need > 0; ) {
      const piece = parts[part]!.subarray(at, at + need);
      pieces.push(piece);
      need -= piece.length;
      at += piece.length;
      if (at === parts[part]!.length) {
        part++;
        at = 0;
      }
    }
    streams.set(number, pieces.length === 1 ? pieces[0]! : concatBytes(pieces));
  }
  return streams;
}

function damaged({ digest }: BlobRecord, why: string): TenonError {
  return new TenonError("damaged", `the recipe of ${digest}: ${why}`, {
    digest,
    format: "executable recipe",
  });
}
