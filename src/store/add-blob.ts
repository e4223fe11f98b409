/** Storing one blob: is it known, which representation, what did it cost. */
import { type Digest, EMPTY_DIGEST, Hasher, sha256 } from "../digest/index.ts";
import { throwIfAborted } from "../errors/index.ts";
import { Kind, type StoredTally } from "../repository/index.ts";
import {
  type BlobSource,
  type Declined,
  encodeChunks,
  MAX_INLINE_BYTES,
  representationName,
} from "../representation/index.ts";
import type { Writing } from "./writing.ts";

/** Below this, a file is read once and kept; above, it may be read twice. */
const WHOLE_BYTES = 4 << 20;

export interface AddedBlob {
  readonly digest: Digest;
  readonly size: number;
  /** It was stored before, or earlier in this session. */
  readonly known: boolean;
  readonly representation: string;
  readonly declined: readonly Declined[];
  /** Undefined for what cost nothing of its own. */
  readonly tally?: StoredTally;
}

/** Bytes that can be had again from the beginning. */
export interface RereadableSource {
  readonly sizeBytes: number;
  open(): Promise<BlobSource & { close(): Promise<void> }>;
}

export interface AddBlobOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onRead?: ((bytes: number) => void) | undefined;
}

/** Stores a stream, which can be read only once: cut first, then dropped when it turns out to be known. */
export async function addStream(
  writing: Writing,
  source: BlobSource,
  options: AddBlobOptions,
): Promise<AddedBlob> {
  const encoded = await encodeChunks(source, {
    session: writing.session,
    chunker: writing.chunker,
    ...options,
  });
  const { digest, size, tally } = encoded;
  const known = await writing.session.knows(digest);
  if (!known) writing.session.blob(encoded);
  return {
    digest,
    size,
    known,
    representation: representationName(encoded.representation),
    declined: [],
    tally,
  };
}

/**
 * Stores a file. A small one is read once. A large one is hashed first when its beginning is known: known files
 * then cost one pass at the speed of SHA-256, new ones are not read twice.
 */
export async function addFile(
  writing: Writing,
  source: RereadableSource,
  options: AddBlobOptions,
): Promise<AddedBlob> {
  if (source.sizeBytes <= WHOLE_BYTES) return addSmall(writing, source, options);
  if (await beginsKnown(writing, source)) {
    const hashed = await hash(source, options);
    if (await writing.session.knows(hashed.digest)) {
      return { ...hashed, known: true, representation: "known", declined: [] };
    }
  }
  const opened = await source.open();
  try {
    return await addStream(writing, opened, options);
  } finally {
    await opened.close();
  }
}

async function addSmall(
  writing: Writing,
  source: RereadableSource,
  options: AddBlobOptions,
): Promise<AddedBlob> {
  const bytes = await readWhole(source);
  const digest = bytes.length === 0 ? EMPTY_DIGEST : sha256(bytes);
  const size = bytes.length;
  if (await writing.session.knows(digest)) {
    options.onRead?.(size);
    return { digest, size, known: true, representation: "known", declined: [] };
  }
  if (size <= MAX_INLINE_BYTES) {
    options.onRead?.(size);
    writing.session.inline(Kind.recipe, digest, bytes);
    return { digest, size, known: false, representation: representationName(0), declined: [] };
  }
  return addStream(writing, memorySource(bytes), options);
}

async function readWhole(source: RereadableSource): Promise<Uint8Array> {
  const opened = await source.open();
  try {
    const bytes = new Uint8Array(source.sizeBytes);
    let length = 0;
    while (length < bytes.length) {
      const got = await opened.read(bytes.subarray(length));
      if (got === 0) break;
      length += got;
    }
    return bytes.subarray(0, length);
  } finally {
    await opened.close();
  }
}

export function memorySource(bytes: Uint8Array): BlobSource {
  let at = 0;
  return {
    sizeBytes: bytes.length,
    read(into) {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
  };
}

async function beginsKnown({ session, chunker }: Writing, source: RereadableSource): Promise<boolean> {
  const opened = await source.open();
  try {
    chunker.reset();
    const block = chunker.reserve();
    const length = await opened.read(block);
    const first = chunker.advance(length)[0];
    return first !== undefined && session.knowsChunk(sha256(first));
  } finally {
    chunker.reset();
    await opened.close();
  }
}

const HASH_BLOCK_BYTES = 512 << 10;

async function hash(
  source: RereadableSource,
  { signal, onRead }: AddBlobOptions,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const opened = await source.open();
  try {
    const hasher = new Hasher();
    const block = new Uint8Array(HASH_BLOCK_BYTES);
    for (;;) {
      throwIfAborted(signal);
      const length = await opened.read(block);
      if (length === 0) return { digest: hasher.digest(), size: hasher.length };
      hasher.update(block.subarray(0, length));
      onRead?.(length);
    }
  } finally {
    await opened.close();
  }
}
