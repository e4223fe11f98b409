/**
 * The recipe of an object file, and its bytes (docs/formats/object.md):
 *
 *     body = version 1 varint, depth varint, unless it is 0: length varint of each stream
 *     runs = at depth 0 the file in chunks, else the streams; then one atom of kind handprint
 */
import { ByteReader, ByteWriter, concatBytes } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import { type AtomReader, type BlobRecord, decodeHandprint } from "../repository/index.ts";
import { decodeObject, OBJECT_STREAMS } from "./object-delta.ts";

/** In the recipe; see `representations`. */
export const OBJECT = 3;
const VERSION = 1;
/** How many files must be decoded before one can be: each costs milliseconds. */
export const MAX_OBJECT_DEPTH = 8;
/** A delta needs the file, its base and tables of some ten times their size. */
export const MAX_OBJECT_BYTES = 32 << 20;
/** Steps of a delta take at most twice the bytes that they give, and the symbols' numbers stand before them. */
export function maxStreamBytes(fileBytes: number): number {
  return 2 * fileBytes + (1 << 20);
}

export interface ObjectBody {
  /** 0 without a base, else one more than the base's. */
  readonly depth: number;
  /** Lengths of the streams; none at depth 0. */
  readonly streams: readonly number[];
}

export function encodeObjectBody({ depth, streams }: ObjectBody): Uint8Array {
  const out = new ByteWriter(16).varint(VERSION).varint(depth);
  for (const bytes of streams) out.varint(bytes);
  return out.finish();
}

/** Errors: `invalid`, `unsupported`. */
export function decodeObjectBody(body: Uint8Array): ObjectBody {
  const reader = new ByteReader(body, "object recipe");
  const version = reader.varint("version");
  if (version !== VERSION) {
    throw new TenonError("unsupported", `object recipes of version ${version} are made by a newer tenon`);
  }
  const depth = reader.varint("depth", MAX_OBJECT_DEPTH);
  const streams: number[] = [];
  for (let i = 0; depth > 0 && i < OBJECT_STREAMS; i++)
    streams.push(reader.varint("length", maxStreamBytes(MAX_OBJECT_BYTES)));
  reader.end();
  return { depth, streams };
}

/** Files that others are decoded by stay, up to so many bytes: versions are mostly read one after the other. */
const KEPT_BYTES = 64 << 20;

class ObjectCache {
  readonly #entries = new Map<Digest, Uint8Array>();
  #bytes = 0;

  get(digest: Digest): Uint8Array | undefined {
    const found = this.#entries.get(digest);
    if (found !== undefined) {
      // The last used is the last to go.
      this.#entries.delete(digest);
      this.#entries.set(digest, found);
    }
    return found;
  }

  add(digest: Digest, bytes: Uint8Array): void {
    if (this.#entries.has(digest)) return;
    this.#entries.set(digest, bytes);
    this.#bytes += bytes.length;
    for (const [old, { length }] of this.#entries) {
      if (this.#bytes <= KEPT_BYTES) return;
      this.#entries.delete(old);
      this.#bytes -= length;
    }
  }
}

const caches = new WeakMap<AtomReader, ObjectCache>();

function cacheOf(atoms: AtomReader): ObjectCache {
  let cache = caches.get(atoms);
  if (cache === undefined) {
    cache = new ObjectCache();
    caches.set(atoms, cache);
  }
  return cache;
}

/**
 * The bytes of a stored object file, not yet compared with its digest; others hold them as well. Errors: `damaged`,
 * `unsupported` for recipes that are not what a writer made.
 */
export async function loadObject(record: BlobRecord, atoms: AtomReader): Promise<Uint8Array> {
  const cache = cacheOf(atoms);
  const bytes = cache.get(record.digest) ?? (await load(record, atoms, cache, Number.POSITIVE_INFINITY));
  cache.add(record.digest, bytes);
  return bytes;
}

/** The body of an object's record, and where its atoms are what it says. Errors: `damaged`, `unsupported`. */
export function objectBodyOf(record: BlobRecord): ObjectBody {
  const { representation, digest, children, size } = record;
  if (representation !== OBJECT) throw damaged(digest, "a base that is no object file");
  const body = decoding(record, () => decodeObjectBody(record.body));
  if (size > MAX_OBJECT_BYTES) throw damaged(digest, `${size} bytes are more than any writer takes`);
  if (children.length !== (body.depth === 0 ? 0 : 1))
    throw damaged(digest, `${children.length} bases at depth ${body.depth}`);
  const total = body.streams.reduce((sum, bytes) => sum + bytes, 0);
  if (total > maxStreamBytes(size)) throw damaged(digest, `${total} bytes of streams for ${size} bytes`);
  return body;
}

/** A chain of bases, each decoded once: depths go down, so that damaged recipes can't lead in a circle. */
async function load(
  record: BlobRecord,
  atoms: AtomReader,
  cache: ObjectCache,
  below: number,
): Promise<Uint8Array> {
  const { digest, children, size } = record;
  const { depth, streams: lengths } = objectBodyOf(record);
  if (depth >= below) throw damaged(digest, `a base of depth ${depth} for one of ${below}`);
  if (depth === 0) return readFirst(record, atoms, size);
  const child = children[0]!;
  let base = cache.get(child);
  if (base === undefined) {
    base = await load(await atoms.needRecord(child), atoms, cache, depth);
    cache.add(child, base);
  }
  const all = await readFirst(
    record,
    atoms,
    lengths.reduce((sum, bytes) => sum + bytes, 0),
  );
  let at = 0;
  const streams = lengths.map((bytes) => {
    at += bytes;
    return all.subarray(at - bytes, at);
  });
  const from = base;
  return decoding(record, () => decodeObject(from, streams, size));
}

/** Keys of a stored object file. Errors: as `loadObject`, `invalid`. */
export async function handprintKeysOf(record: BlobRecord, atoms: AtomReader): Promise<readonly string[]> {
  const { depth, streams } = objectBodyOf(record);
  const from = depth === 0 ? record.size : streams.reduce((sum, bytes) => sum + bytes, 0);
  const parts: Uint8Array[] = [];
  for await (const { offset, bytes } of atoms.read(record, from))
    parts.push(bytes.subarray(Math.max(0, from - offset)));
  return decodeHandprint(concatBytes(parts)).keys;
}

/** The first bytes that a record's atoms hold. Errors: `damaged` when they are fewer. */
async function readFirst(record: BlobRecord, atoms: AtomReader, length: number): Promise<Uint8Array> {
  let held = 0;
  for (const { bytes } of record.runs.entries) held += bytes;
  if (held < length) throw damaged(record.digest, `${held} bytes of atoms instead of ${length}`);
  const out = new Uint8Array(length);
  let filled = 0;
  for await (const { bytes } of atoms.read(record)) {
    const part = bytes.subarray(0, length - filled);
    out.set(part, filled);
    filled += part.length;
    if (filled === length) break;
  }
  if (filled < length) throw damaged(record.digest, `${filled} bytes of atoms instead of ${length}`);
  return out;
}

/** A recipe of ours that doesn't decode is damaged, whatever the decoder says of it. */
function decoding<T>({ digest }: BlobRecord, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isTenonError(error, "invalid")) throw error;
    const message = `the recipe of ${digest}: ${error.message}`;
    throw new TenonError("damaged", message, { ...error.data, digest }, { cause: error });
  }
}

function damaged(digest: string, why: string): TenonError {
  return new TenonError("damaged", `the recipe of ${digest}: ${why}`, { digest, format: "object recipe" });
}
