/**
 * executable: an ELF file as pieces and references, coded by the pieces and references of its relatives.
 *
 * What is stored was decoded again, by the decoder that readers use, and its SHA-256 compared.
 */
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import type { Digest } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { MAX_EXECUTABLE_BYTES } from "../executable/index.ts";
import {
  type AtomReader,
  encodeHandprint,
  Kind,
  RunListBuilder,
  StoredTally,
  type WriteSession,
} from "../repository/index.ts";
import {
  type CodedExecutable,
  Movable,
  type RunOptions,
  type TakenApart,
  type Workers,
} from "../workers/index.ts";
import { type Base, memoryOf } from "./executable-cache.ts";
import {
  EXECUTABLE,
  forgetBases,
  LARGE_EXECUTABLE_BYTES,
  loadExecutable,
  workersOf,
} from "./executable-loading.ts";
import { findRelatives, RecentDissections } from "./executable-relatives.ts";
import { encodeBody, storeStreams } from "./executable-streams.ts";
import type { Declined, EncodedBlob, Representation, RereadableSource } from "./types.ts";

/** Given out in parts, so that a reader that wants few bytes isn't handed all. */
const OUTPUT_BYTES = 1 << 20;

export const executable: Representation = {
  number: EXECUTABLE,
  name: "executable",

  async *decode(record, atoms, from, _readPart, signal) {
    const bytes = await loadExecutable(record, atoms, signal);
    for (let at = from; at < bytes.length; at += OUTPUT_BYTES) yield bytes.subarray(at, at + OUTPUT_BYTES);
  },
};

/** True for what `encodeExecutable` may be able to take. */
export function isExecutable(start: Uint8Array, sizeBytes: number): boolean {
  return (
    sizeBytes >= MIN_EXECUTABLE_BYTES &&
    sizeBytes <= MAX_EXECUTABLE_BYTES &&
    start[0] === 0x7f &&
    start[1] === 0x45 &&
    start[2] === 0x4c &&
    start[3] === 0x46
  );
}

/** Below this the recipe costs more than it saves. */
export const MIN_EXECUTABLE_BYTES = 4096;

const recentOfSession = new WeakMap<WriteSession, RecentDissections>();

export interface ExecutableContext {
  readonly session: WriteSession;
  readonly atoms: AtomReader;
  readonly signal?: AbortSignal | undefined;
}

/** A file whose pieces are known, or why they can't be. */
export interface ApartExecutable {
  readonly bytes: Uint8Array;
  readonly found: TakenApart | Declined;
  /** Where the bytes can be had again: then their memory is given back, and what has it must read them there. */
  readonly again?: RereadableSource | undefined;
  /** Nobody is coded by it soon: it need not be kept while it is proven. */
  readonly isLast?: boolean | undefined;
}

const declined = (reason: string): Declined => ({ representation: executable.name, reason });

/**
 * Takes a file apart: the part of its encoding that depends on nothing but the file. The bytes may be moved meanwhile:
 * `bytes` are to be used from then on. Errors: `interrupted`, `io`.
 */
export async function takeExecutableApart(
  bytes: Uint8Array,
  { atoms, signal }: Pick<ExecutableContext, "atoms" | "signal">,
): Promise<ApartExecutable> {
  const file = new Movable(bytes, bytes.length);
  // Others may be waiting for their proof.
  const options = { bytes: bytes.length, signal, isAhead: true };
  const found = await workersOf(atoms).run("takeApart", undefined, [file], options).catch(declining);
  return { bytes: file.value, found };
}

/** Stores an executable's streams, or says why it is better kept as chunks. Errors: `interrupted`, `io` and others. */
export async function encodeExecutable(
  { bytes, found, again, isLast = false }: ApartExecutable,
  digest: Digest,
  { session, atoms, signal }: ExecutableContext,
): Promise<EncodedBlob | Declined> {
  if ("reason" in found) return found;
  const size = bytes.length;
  // The bases of a large file are as large again, each with what it leans on.
  if (again !== undefined && bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0);
  let recent = recentOfSession.get(session);
  if (recent === undefined) {
    recent = new RecentDissections();
    recentOfSession.set(session, recent);
  }
  const { keys, identity, executable } = found;
  const { dissection } = executable;
  const { machine } = dissection;
  const own: Base = new Movable(executable, memoryOf(dissection));
  const workers = workersOf(atoms);
  const options = { bytes: size, signal };
  try {
    const relatives = await findRelatives(keys, machine, { session, atoms, recent, signal });
    const bases = relatives.map(({ base }) => base);
    const isLarge = size > LARGE_EXECUTABLE_BYTES;
    if (isLarge) {
      forgetBases(atoms);
      recent.makeRoom();
    }
    const lent = await encode(workers, [own, ...bases], options);
    if (isLast) own.release();
    const better = await compressedBytes([...lent.value.streams.values()], { inTurn: isLarge });
    const isCompared = better > size * SURELY_BETTER_SHARE;
    // The thread pool compresses while this is proven.
    const [isProven, beside] = await Promise.all([
      workers.run("proveExecutable", digest, [lent, ...bases], options),
      isCompared && again === undefined ? compressedBytes([bytes]) : undefined,
    ]);
    if (!isProven) return declined("decoding it gave other bytes");
    const plain = isCompared && again !== undefined ? await compressedBytes([await wholeOf(again)]) : beside;
    if (plain !== undefined) {
      const share = relatives.length === 0 ? MAX_SHARE_ALONE : MAX_SHARE_OF_PLAIN;
      if (better > plain * share) return declined(`${better} bytes instead of ${plain}`);
    }
    const coded = lent.value;
    const depth = relatives.reduce((most, relative) => Math.max(most, relative.depth + 1), 0);
    const runs = new RunListBuilder();
    const tally = new StoredTally();
    const mark = session.append(Kind.handprint, encodeHandprint({ digest, keys: [...keys, ...identity] }));
    runs.add(mark);
    tally.add(mark);
    await storeStreams(coded.streams, session, runs, tally);
    const children = relatives.map((relative) => relative.digest);
    if (!isLast) recent.add({ digest, depth, bases: children, machine, base: own });
    const streams = [...coded.streams].map(([number, part]) => ({ number, bytes: part.length }));
    return {
      digest,
      size,
      representation: EXECUTABLE,
      runs,
      children,
      body: encodeBody({ depth, head: coded.head, streams }),
      tally,
    };
  } catch (error) {
    return declining(error);
  }
}

async function wholeOf(source: RereadableSource): Promise<Uint8Array> {
  const opened = await source.open();
  try {
    const bytes = new Uint8Array(source.sizeBytes);
    let filled = 0;
    while (filled < bytes.length) {
      const got = await opened.read(bytes.subarray(filled));
      if (got === 0) break;
      filled += got;
    }
    return bytes.subarray(0, filled);
  } finally {
    await opened.close();
  }
}

/** Streams that can be lent: they are half as large as the first executable of its kind. */
async function encode(
  workers: Workers,
  lent: readonly Base[],
  options: RunOptions,
): Promise<Movable<CodedExecutable>> {
  const coded = await workers.run("encodeExecutable", undefined, lent, options);
  const bytes = [...coded.streams.values()].reduce((sum, stream) => sum + stream.length, 0);
  return new Movable(coded, bytes);
}

/** Whatever a strange file does to the encoder: chunks take it. */
function declining(error: unknown): Declined {
  if (isTenonError(error) && ["invalid", "unsupported", "limit"].includes(error.code))
    return declined(error.message);
  if (error instanceof TypeError || error instanceof RangeError)
    return declined(`the encoder failed: ${error.message}`);
  throw error;
}

/** Streams compress better later, when like stands by like; chunks don't. */
const MAX_SHARE_OF_PLAIN = 1.02;
/** The first of its kind may cost a little more: the next release is then told by it (a debug file of 300 functions: 1.0204, and its next release a fifth). */
const MAX_SHARE_ALONE = 1.05;
/** Programs never compress to so little: what does is not compared with what it would be without. */
const SURELY_BETTER_SHARE = 1 / 16;
/** What even nothing compresses to is less. */
const SMALLEST_OUTPUT_BYTES = 64;
/** Room for a compressed part at first: a thread that has none left waits for this one. */
const FIRST_OUTPUT_BYTES = 4 << 20;

const compress = promisify(zstdCompress) as (
  bytes: Uint8Array,
  options: { readonly params: Record<number, number>; readonly chunkSize: number },
) => Promise<Uint8Array>;

/** Estimates by the fastest level. `inTurn`: what one needs is given back before the next. */
async function compressedBytes(
  parts: readonly Uint8Array[],
  { inTurn = false }: { readonly inTurn?: boolean } = {},
): Promise<number> {
  const params = { [constants.ZSTD_c_compressionLevel]: 1 };
  let sum = 0;
  const measure = async (part: Uint8Array) => {
    const chunkSize = Math.min(part.length + SMALLEST_OUTPUT_BYTES, FIRST_OUTPUT_BYTES);
    sum += (await compress(part, { params, chunkSize })).length;
  };
  if (inTurn) for (const part of parts) await measure(part);
  else await Promise.all(parts.map(measure));
  return sum;
}
