/**
 * executable: an ELF file as pieces and references, coded by the pieces and references of its relatives.
 *
 * What is stored was decoded again, by the decoder that readers use, and its SHA-256 compared.
 */
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import { type Digest, sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import {
  type CodedDissection,
  decodeDissection,
  dissect,
  encodeDissection,
  handprint,
  identityKeys,
  joinConsumed,
  MAX_EXECUTABLE_BYTES,
  pieceHashes,
} from "../executable/index.ts";
import {
  type AtomReader,
  encodeHandprint,
  Kind,
  RunListBuilder,
  StoredTally,
  type WriteSession,
} from "../repository/index.ts";
import { EXECUTABLE, loadExecutable } from "./executable-loading.ts";
import { findRelatives, RecentDissections, type Relative } from "./executable-relatives.ts";
import { encodeBody, storeStreams } from "./executable-streams.ts";
import type { Declined, EncodedBlob, Representation } from "./types.ts";

/** Given out in parts, so that a reader that wants few bytes isn't handed all. */
const OUTPUT_BYTES = 1 << 20;

export const executable: Representation = {
  number: EXECUTABLE,
  name: "executable",

  async *decode(record, atoms, from) {
    const bytes = await loadExecutable(record, atoms);
    for (let at = from; at < bytes.length; at += OUTPUT_BYTES) yield bytes.subarray(at, at + OUTPUT_BYTES);
  },
};

/** True for what `encodeExecutable` may be able to take. */
export function isExecutable(start: Uint8Array, sizeBytes: number): boolean {
  return (
    sizeBytes >= MIN_BYTES &&
    sizeBytes <= MAX_EXECUTABLE_BYTES &&
    start[0] === 0x7f &&
    start[1] === 0x45 &&
    start[2] === 0x4c &&
    start[3] === 0x46
  );
}

/** Below this the recipe costs more than it saves. */
const MIN_BYTES = 4096;

const recentOfSession = new WeakMap<WriteSession, RecentDissections>();

export interface ExecutableContext {
  readonly session: WriteSession;
  readonly atoms: AtomReader;
}

/** Stores an executable's streams, or says why it is better kept as chunks. */
export async function encodeExecutable(
  bytes: Uint8Array,
  digest: Digest,
  { session, atoms }: ExecutableContext,
): Promise<EncodedBlob | Declined> {
  const declined = (reason: string): Declined => ({ representation: executable.name, reason });
  let recent = recentOfSession.get(session);
  if (recent === undefined) {
    recent = new RecentDissections();
    recentOfSession.set(session, recent);
  }
  try {
    const dissection = dissect(bytes, { prove: false });
    const hashes = pieceHashes(dissection);
    const keys = handprint(dissection, hashes);
    const relatives = await findRelatives(keys, dissection.machine, session, atoms, recent);
    const coded = encodeDissection(dissection, hashes, relatives);
    // Other threads compress while this one proves.
    const estimates = [compressedBytes([...coded.streams.values()])];
    if (relatives.length === 0) estimates.push(compressedBytes([bytes]));
    const compressed = Promise.all(estimates);
    const problem = prove(coded, relatives, digest);
    const [better, known] = await compressed;
    if (problem !== undefined) return declined(problem);
    if (better! > bytes.length * SURELY_BETTER_SHARE) {
      const plain = known ?? (await compressedBytes([bytes]));
      const share = relatives.length === 0 ? MAX_SHARE_ALONE : MAX_SHARE_OF_PLAIN;
      if (better! > plain * share) return declined(`${better} bytes instead of ${plain}`);
    }
    const depth = relatives.reduce((most, relative) => Math.max(most, relative.depth + 1), 0);
    const runs = new RunListBuilder();
    const tally = new StoredTally();
    const mark = session.append(
      Kind.handprint,
      encodeHandprint({ digest, keys: [...keys, ...identityKeys(bytes)] }),
    );
    runs.add(mark);
    tally.add(mark);
    await storeStreams(coded.streams, session, runs, tally);
    const children = relatives.map((relative) => relative.digest);
    recent.add({ digest, depth, bases: children, dissection, hashes });
    const streams = [...coded.streams].map(([number, part]) => ({ number, bytes: part.length }));
    return {
      digest,
      size: bytes.length,
      representation: EXECUTABLE,
      runs,
      children,
      body: encodeBody({ depth, head: coded.head, streams }),
      tally,
    };
  } catch (error) {
    // Whatever a strange file does to the encoder: chunks take it.
    if (isTenonError(error) && ["invalid", "unsupported", "limit"].includes(error.code))
      return declined(error.message);
    if (error instanceof TypeError || error instanceof RangeError)
      return declined(`the encoder failed: ${error.message}`);
    throw error;
  }
}

/** Decodes what would be stored; what is wrong with it, or undefined. */
function prove(coded: CodedDissection, relatives: readonly Relative[], digest: Digest): string | undefined {
  const bases = relatives.map((relative) => relative.dissection);
  const again = joinConsumed(decodeDissection(coded.head, coded.streams, bases));
  const isSame = sha256(again) === digest;
  // As much memory as the file has, given back at once.
  if (again.buffer instanceof ArrayBuffer) again.buffer.transfer(0);
  return isSame ? undefined : "decoding it gave other bytes";
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

/** Estimates by the fastest level. */
async function compressedBytes(parts: readonly Uint8Array[]): Promise<number> {
  const params = { [constants.ZSTD_c_compressionLevel]: 1 };
  const sizes = await Promise.all(
    parts.map(async (part) => {
      const chunkSize = Math.min(part.length + SMALLEST_OUTPUT_BYTES, FIRST_OUTPUT_BYTES);
      return (await compress(part, { params, chunkSize })).length;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
