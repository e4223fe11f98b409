/**
 * object: a relocatable object file, in chunks or as a delta of another one, mostly its earlier version.
 *
 * A delta was decoded again, by the decoder that readers use, and its SHA-256 compared.
 */
import { constants, zstdCompressSync } from "node:zlib";
import { concatBytes } from "../bytes/index.ts";
import { type Digest, sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { identify, identityKeys } from "../executable/index.ts";
import {
  type AtomReader,
  encodeHandprint,
  Kind,
  type KindNumber,
  RunListBuilder,
  StoredTally,
  type WriteSession,
} from "../repository/index.ts";
import { encodeChunks } from "./chunks.ts";
import { decodeObject, encodeObject } from "./object-delta.ts";
import { isObjectFile } from "./object-form.ts";
import { objectContents, objectKeys } from "./object-keys.ts";
import { encodeObjectBody, loadObject, MAX_OBJECT_BYTES, maxStreamBytes, OBJECT } from "./object-loading.ts";
import { findObjectRelative, type ObjectRelative, RecentObjects } from "./object-relatives.ts";
import { memorySource } from "./source.ts";
import type { Declined, EncodeContext, EncodedBlob, Representation } from "./types.ts";

/** Given out in parts, so that a reader that wants few bytes isn't handed all. */
const OUTPUT_BYTES = 1 << 20;

export const object: Representation = {
  number: OBJECT,
  name: "object",

  async *decode(record, atoms, from) {
    const bytes = await loadObject(record, atoms);
    // Copies, since the bytes may be needed for others.
    for (let at = from; at < bytes.length; at += OUTPUT_BYTES)
      yield new Uint8Array(bytes.subarray(at, at + OUTPUT_BYTES));
  },
};

/** True for what `encodeObjectFile` takes or says why not. */
export function isObject(start: Uint8Array, sizeBytes: number): boolean {
  return sizeBytes >= MIN_BYTES && isObjectFile(start);
}

/** Below this what leads to the next version costs more than it saves. */
const MIN_BYTES = 4096;
/** A delta that saves less is not worth a base's decoding. */
const MAX_SHARE_OF_PLAIN = 0.9;
/** Object files never compress to so little: what does is not compared with what it would be without. */
const SURELY_BETTER_SHARE = 1 / 16;
/** A base's digest doesn't compress. */
const BASE_BYTES = 32;
/** Large streams stand with their like, small ones together: each atom costs some bytes in recipe and segment. */
const MIN_ATOM_BYTES = 512;
const MAX_ATOM_BYTES = 4 << 20;

/** Of the streams, in their order. */
const STREAM_KINDS: readonly KindNumber[] = [
  Kind.objectNumbers,
  Kind.objectHeads,
  Kind.objectCopies,
  Kind.objectValues,
  Kind.objectLiterals,
];

const recentOfSession = new WeakMap<WriteSession, RecentObjects>();

export interface ObjectContext extends EncodeContext {
  readonly atoms: AtomReader;
}

/** Stores an object file, or says why it is better kept as chunks. The bytes are kept, and must not change. */
export async function encodeObjectFile(
  bytes: Uint8Array,
  digest: Digest,
  context: ObjectContext,
): Promise<EncodedBlob | Declined> {
  const declined = (reason: string): Declined => ({ representation: object.name, reason });
  if (bytes.length > MAX_OBJECT_BYTES) return declined(`larger than ${MAX_OBJECT_BYTES} bytes`);
  const { session, atoms } = context;
  let recent = recentOfSession.get(session);
  if (recent === undefined) {
    recent = new RecentObjects();
    recentOfSession.set(session, recent);
  }
  let keys: string[];
  let relative: ObjectRelative | undefined;
  let streams: Uint8Array[] | undefined;
  try {
    const contents = objectContents(bytes);
    keys = objectKeys(contents);
    if (keys.length === 0) return declined("it defines nothing that it could be found by");
    relative = await findObjectRelative(keys, contents, { session, atoms, recent });
    streams = relative === undefined ? undefined : worthwhile(bytes, digest, relative.bytes);
  } catch (error) {
    // Whatever a strange file does to the encoder: chunks take it.
    if (isTenonError(error, "invalid")) return declined(error.message);
    throw error;
  }
  const base = streams === undefined ? undefined : relative;
  const depth = base === undefined ? 0 : base.depth + 1;
  const encoded =
    streams === undefined ? await encodeChunks(memorySource(bytes), context) : await store(streams, session);
  const { runs, tally } = encoded;
  const mark = session.append(
    Kind.handprint,
    encodeHandprint({ digest, keys: [...keys, ...identityOf(bytes)] }),
  );
  runs.add(mark);
  tally.add(mark);
  recent.add({ digest, depth, bytes, keys, base: base?.digest });
  return {
    digest,
    size: bytes.length,
    representation: OBJECT,
    runs,
    children: base === undefined ? [] : [base.digest],
    body: encodeObjectBody({ depth, streams: (streams ?? []).map(({ length }) => length) }),
    tally,
  };
}

/** Kernel modules have a build-id. */
function identityOf(bytes: Uint8Array): string[] {
  const identity = identify(bytes);
  return identity?.buildId === undefined && identity?.debugLink === undefined ? [] : identityKeys(bytes);
}

/** The streams, if they are the file and less than it. Errors: `invalid` for what is no object file. */
function worthwhile(bytes: Uint8Array, digest: Digest, base: Uint8Array): Uint8Array[] | undefined {
  const streams = encodeObject(base, bytes);
  const raw = streams.reduce((sum, { length }) => sum + length, 0);
  if (raw > maxStreamBytes(bytes.length)) return undefined;
  if (raw > bytes.length * SURELY_BETTER_SHARE) {
    const better = streams.reduce((sum, stream) => sum + compressedBytes(stream), BASE_BYTES);
    if (better > compressedBytes(bytes) * MAX_SHARE_OF_PLAIN) return undefined;
  }
  return sha256(decodeObject(base, streams, bytes.length)) === digest ? streams : undefined;
}

/** Estimates by the fastest level. */
function compressedBytes(bytes: Uint8Array): number {
  return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }).length;
}

/** Stores the streams, one behind the other: where atoms are cut means nothing. */
async function store(
  streams: readonly Uint8Array[],
  session: WriteSession,
): Promise<{ readonly runs: RunListBuilder; readonly tally: StoredTally }> {
  const runs = new RunListBuilder();
  const tally = new StoredTally();
  const put = async (kind: KindNumber, bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; at += MAX_ATOM_BYTES) {
      const ref = session.append(kind, bytes.subarray(at, at + MAX_ATOM_BYTES));
      runs.add(ref);
      tally.add(ref);
      await session.settle();
    }
  };
  let small: Uint8Array[] = [];
  for (const [i, bytes] of streams.entries()) {
    small.push(bytes);
    const waiting = small.reduce((sum, { length }) => sum + length, 0);
    if (waiting < MIN_ATOM_BYTES && i < streams.length - 1) continue;
    await put(STREAM_KINDS[i]!, concatBytes(small));
    small = [];
  }
  return { runs, tally };
}
