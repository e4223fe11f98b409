/** Storing one blob: is it known, which representation, what did it cost. */
import { type Digest, EMPTY_DIGEST, Hasher, sha256 } from "../digest/index.ts";
import { throwIfAborted } from "../errors/index.ts";
import { MAX_EXECUTABLE_BYTES } from "../executable/index.ts";
import { Kind, type StoredTally } from "../repository/index.ts";
import {
  type ApartExecutable,
  type BlobSource,
  type Container,
  type Declined,
  type EncodedBlob,
  encodeChunks,
  encodeCompressedSections,
  encodeExecutable,
  encodeObjectFile,
  findCompressedSections,
  isExecutable,
  isObject,
  LARGE_EXECUTABLE_BYTES,
  MAX_INLINE_BYTES,
  RECOGNISE_BYTES,
  type RereadableSource,
  representationName,
  type Turn,
  takeExecutableApart,
} from "../representation/index.ts";
import { containerIn, type Nesting, nestingOf, partContext } from "./add-parts.ts";
import { memorySource, peeked, readWhole, rereadableBytes } from "./sources.ts";
import { spool } from "./spool.ts";
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

export interface AddBlobOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onRead?: ((bytes: number) => void) | undefined;
  /** Awaited before anything is stored, or asked of what is stored: others may be made ready meanwhile. */
  readonly turn?: Turn | undefined;
  /** Nothing comes behind it that could be coded by it: its memory is given back early. */
  readonly isLast?: boolean | undefined;
}

/** Executables and compressed streams are put aside up to this size; what is longer is kept as chunks. */
const SPOOL_BYTES = 4 * 2 ** 30;

/**
 * Stores a stream, which can be read only once. What must be read twice to be taken apart is put aside first, and then
 * treated as a file is; the rest is cut, or taken apart, then dropped when it turns out to be known.
 */
export async function addStream(
  writing: Writing,
  source: BlobSource,
  options: AddBlobOptions,
  nesting: Nesting = nestingOf(source.sizeBytes),
): Promise<AddedBlob> {
  const { start, source: whole } = await peeked(source, RECOGNISE_BYTES);
  const executable = isExecutable(start, source.sizeBytes ?? MAX_EXECUTABLE_BYTES);
  const container = executable ? undefined : containerIn(nesting, start, source.sizeBytes);
  if (container?.reads === "once") {
    const encoded = await container.encode(
      { source: whole, sizeBytes: source.sizeBytes },
      partContext(writing, options, nesting),
    );
    if (!("reason" in encoded)) return stored(writing, encoded, await writing.session.knows(encoded.digest));
  }
  if (!executable && !isTakenApart(container)) return addAsItIs(writing, whole, options, container);
  const limitBytes = executable ? MAX_EXECUTABLE_BYTES : SPOOL_BYTES;
  const spooled = await spool(whole, limitBytes, () => throwIfAborted(options.signal));
  try {
    if (spooled.whole !== undefined) {
      // How much an input may expand to follows from its size, which is known now.
      const known = nesting.depth === 0 ? nestingOf(spooled.whole.sizeBytes) : nesting;
      return await addFile(writing, spooled.whole, options, known);
    }
    const representation = executable ? "executable" : container!.representation.name;
    const reason = `a stream of more than ${limitBytes} bytes is not looked into`;
    return { ...(await addChunks(writing, spooled.once, options)), declined: [{ representation, reason }] };
  } finally {
    await spooled.close();
  }
}

async function addChunks(writing: Writing, source: BlobSource, options: AddBlobOptions): Promise<AddedBlob> {
  const { session, chunker } = writing;
  const encoded = await encodeChunks(source, { session, chunker, ...options });
  return stored(writing, encoded, await session.knows(encoded.digest));
}

/**
 * Stores a file. A small one is read once. A large one is hashed first when it may well be known, or when taking it
 * apart costs more than that: known files then cost one pass at the speed of SHA-256.
 */
export async function addFile(
  writing: Writing,
  source: RereadableSource,
  options: AddBlobOptions,
  nesting: Nesting = nestingOf(source.sizeBytes),
): Promise<AddedBlob> {
  if (source.sizeBytes <= WHOLE_BYTES) return addWhole(writing, await readWhole(source), options, nesting);
  const start = await startOf(source);
  const executable = isExecutable(start, source.sizeBytes);
  if (!executable) await options.turn;
  const container = executable ? undefined : containerIn(nesting, start, source.sizeBytes);
  const takenApart = executable || isTakenApart(container);
  if (takenApart || (await beginsKnown(writing, source))) {
    const { onRead, signal } = options;
    const hashed =
      source.digest !== undefined
        ? { digest: source.digest, size: source.sizeBytes }
        : await hash(source, takenApart ? { signal } : options);
    // What is known now is known when its turn comes.
    if (await writing.session.knows(hashed.digest)) {
      await options.turn;
      if (takenApart) onRead?.(hashed.size);
      return { ...hashed, known: true, representation: "known", declined: [] };
    }
  }
  if (executable) {
    const again = source.sizeBytes > LARGE_EXECUTABLE_BYTES ? source : undefined;
    return addWhole(writing, await readWhole(source), options, nesting, again);
  }
  if (isTakenApart(container)) return addContainer(writing, container, source, options, nesting);
  const opened = await source.open();
  try {
    return await addAsItIs(writing, opened, options, container);
  } finally {
    await opened.close();
  }
}

function isTakenApart(container: Container | undefined): container is Container {
  return container !== undefined && container.reads !== "never";
}

/** Stores a source as chunks; what is recognised and not looked into says why. */
async function addAsItIs(
  writing: Writing,
  source: BlobSource,
  options: AddBlobOptions,
  container: Container | undefined,
): Promise<AddedBlob> {
  const blob = await addChunks(writing, source, options);
  if (container === undefined) return blob;
  const reason = await container.encode({ source }, partContext(writing, options, nestingOf(0)));
  return "reason" in reason ? { ...blob, declined: [reason] } : blob;
}

/** Takes a source apart; when the container declines, it is kept as chunks, with the reason. */
async function addContainer(
  writing: Writing,
  container: Container,
  again: RereadableSource,
  options: AddBlobOptions,
  nesting: Nesting,
): Promise<AddedBlob> {
  const { sizeBytes } = again;
  const opened = await again.open();
  let declined: Declined;
  try {
    const context = partContext(writing, options, nesting);
    const encoded = await container.encode({ source: opened, sizeBytes, again }, context);
    if (!("reason" in encoded)) return stored(writing, encoded, await writing.session.knows(encoded.digest));
    declined = encoded;
  } finally {
    await opened.close();
  }
  return { ...(await addAgain(writing, again, options)), declined: [declined] };
}

async function addAgain(
  writing: Writing,
  again: RereadableSource,
  options: AddBlobOptions,
): Promise<AddedBlob> {
  const opened = await again.open();
  try {
    return await addChunks(writing, opened, options);
  } finally {
    await opened.close();
  }
}

/**
 * Stores what is in memory, by the best representation that takes it. The bytes are given away. With `again` their
 * memory may be given back before all is stored, and they are read once more.
 */
export async function addWhole(
  writing: Writing,
  bytes: Uint8Array,
  options: AddBlobOptions,
  nesting: Nesting,
  again?: RereadableSource,
): Promise<AddedBlob> {
  const digest = bytes.length === 0 ? EMPTY_DIGEST : sha256(bytes);
  const size = bytes.length;
  // What is known now is known when its turn comes.
  const elf = (await writing.session.knows(digest)) ? undefined : beginElf(writing, bytes, options, nesting);
  await options.turn;
  if (await writing.session.knows(digest)) {
    options.onRead?.(size);
    return { digest, size, known: true, representation: "known", declined: [] };
  }
  if (size <= MAX_INLINE_BYTES) {
    options.onRead?.(size);
    writing.session.inline(Kind.recipe, digest, bytes);
    return { digest, size, known: false, representation: representationName(0), declined: [] };
  }
  throwIfAborted(options.signal);
  if (elf !== undefined) return addElf(writing, { ...elf, again }, digest, options, nesting);
  const container = containerIn(nesting, bytes.subarray(0, RECOGNISE_BYTES), size);
  if (isTakenApart(container)) {
    return addContainer(writing, container, rereadableBytes(bytes), options, nesting);
  }
  return addAsItIs(writing, memorySource(bytes), options, container);
}

/** An ELF file of which nothing is stored yet. */
interface BegunElf {
  readonly bytes: Uint8Array;
  readonly isObject: boolean;
  readonly sections: ReturnType<typeof findCompressedSections>;
  /** An executable that is being taken apart: it has its bytes. */
  readonly apart?: Promise<ApartExecutable>;
  readonly again?: RereadableSource | undefined;
}

/** The part that depends on nothing but the file. */
function beginElf(
  { atoms }: Writing,
  bytes: Uint8Array,
  { signal }: AddBlobOptions,
  nesting: Nesting,
): BegunElf | undefined {
  const object = isObject(bytes, bytes.length);
  if (!object && !isExecutable(bytes, bytes.length)) return undefined;
  const sections = nesting.allowed ? findCompressedSections(bytes) : undefined;
  const begun = { bytes, isObject: object, sections };
  if (object || (sections !== undefined && !("reason" in sections))) return begun;
  const apart = takeExecutableApart(bytes, { atoms, signal });
  apart.catch(() => {}); // thrown where it is awaited
  return { ...begun, apart };
}

async function addElf(
  writing: Writing,
  elf: BegunElf,
  digest: Digest,
  options: AddBlobOptions,
  nesting: Nesting,
): Promise<AddedBlob> {
  const { session, chunker, atoms } = writing;
  const { signal, onRead, isLast } = options;
  const { sections, again } = elf;
  const declined: Declined[] = [];
  if (sections !== undefined) {
    const inflated =
      "reason" in sections
        ? sections
        : await encodeCompressedSections(elf.bytes, digest, sections, partContext(writing, options, nesting));
    if (!("reason" in inflated)) {
      onRead?.(inflated.size);
      return stored(writing, inflated, false);
    }
    declined.push(inflated);
  }
  let { bytes } = elf;
  let encoded: EncodedBlob | Declined;
  if (elf.isObject) {
    encoded = await encodeObjectFile(bytes, digest, { session, chunker, atoms, signal });
  } else {
    const apart = await (elf.apart ?? takeExecutableApart(bytes, { atoms, signal }));
    ({ bytes } = apart);
    encoded = await encodeExecutable({ ...apart, again, isLast }, digest, { session, atoms, signal });
  }
  if ("reason" in encoded) {
    declined.push(encoded);
    return { ...(await addAgain(writing, again ?? rereadableBytes(bytes), options)), declined };
  }
  onRead?.(encoded.size);
  return { ...stored(writing, encoded, false), declined };
}

function stored(writing: Writing, encoded: EncodedBlob, known: boolean): AddedBlob {
  const { digest, size, tally } = encoded;
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

async function startOf(source: RereadableSource): Promise<Uint8Array> {
  const opened = await source.open();
  try {
    return (await peeked(opened, RECOGNISE_BYTES)).start;
  } finally {
    await opened.close();
  }
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
