/**
 * representation: how a blob becomes a recipe and comes back.
 *
 * Nouns: a `representation` is a kind of recipe with its encoder and decoder; an encoder may decline, with a
 * reason that is shown. Invariant: recognise, encode, prove by decoding, else fall back: `chunks` takes anything,
 * and what a decoder gives is compared with the blob's digest before anybody relies on it.
 */
import { TenonError } from "../errors/index.ts";
import type { AtomReader, BlobRecord } from "../repository/index.ts";
import { ar, arContainer } from "./ar.ts";
import { chunks } from "./chunks.ts";
import { compressedSections } from "./compressed-sections.ts";
import { executable } from "./executable.ts";
import { deflate, gzip, gzipContainer, zlibContainer, zlibStream } from "./gzip.ts";
import { object } from "./object.ts";
import { opaqueContainers } from "./opaque.ts";
import { tar, tarContainer } from "./tar.ts";
import type { Container, ReadPart, Representation } from "./types.ts";
import { zip, zipContainer } from "./zip.ts";

export { encodeChunks } from "./chunks.ts";
export {
  type CompressedSections,
  encodeCompressedSections,
  findCompressedSections,
} from "./compressed-sections.ts";
export {
  type ApartExecutable,
  encodeExecutable,
  isExecutable,
  takeExecutableApart,
} from "./executable.ts";
export { computeWith, LARGE_EXECUTABLE_BYTES } from "./executable-loading.ts";
export { isGzipRecipe } from "./gzip.ts";
export { type ExecutableFacts, executableFacts, isIdentified } from "./inspect.ts";
export { encodeObjectFile, isObject } from "./object.ts";
export { type BlobSize, readingAhead } from "./read-ahead.ts";
export { memorySource, rereadableBytes } from "./source.ts";
export { type StoredMember, storedMembers, streamedMembers } from "./tar-members.ts";
export { type Turn, Turns } from "./turns.ts";
export type {
  BlobSource,
  Container,
  Declined,
  EncodeContext,
  EncodedBlob,
  PartContext,
  ReadPart,
  Representation,
  RereadableSource,
  StoredPart,
} from "./types.ts";

/** Blobs up to this size are their own recipe: a chunk's entry in the index would cost more than they do. */
export const MAX_INLINE_BYTES = 128;

const byNumber = new Map<number, Representation>(
  [chunks, executable, object, tar, ar, gzip, zip, zlibStream, deflate, compressedSections].map((r) => [
    r.number,
    r,
  ]),
);

/** In the order in which they are asked. */
const containers: readonly Container[] = [
  gzipContainer,
  arContainer,
  zipContainer,
  zlibContainer,
  tarContainer,
  ...opaqueContainers,
];

/** How much of a blob's beginning `containerOf` wants to see. */
export const RECOGNISE_BYTES = 512;

/** What a blob with this beginning may be a container of; undefined for what isn't looked into. */
export function containerOf(start: Uint8Array, sizeBytes: number | undefined): Container | undefined {
  return containers.find((container) => container.recognise(start, sizeBytes));
}

/** For people: `inline`, `chunks` ..., or `representation-N` for one that this release doesn't know. */
export function representationName(number: number): string {
  return number === 0 ? "inline" : (byNumber.get(number)?.name ?? `representation-${number}`);
}

/**
 * The blob's bytes from `from` on, as its recipe gives them: the caller compares the digest. The signal ends what
 * threads compute for it.
 */
export function decodeBlob(
  record: BlobRecord,
  atoms: AtomReader,
  from: number,
  readPart: ReadPart,
  signal?: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  if (record.inline !== undefined) return one(record.inline.subarray(from));
  const representation = byNumber.get(record.representation);
  if (representation === undefined) {
    throw new TenonError(
      "unsupported",
      `blob ${record.digest} has representation ${record.representation}, which this release doesn't know`,
      { digest: record.digest },
    );
  }
  return representation.decode(record, atoms, from, readPart, signal);
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
