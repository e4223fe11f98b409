/** The index made anew from the packs alone. The caller holds the maintenance lease. */
import type { Backend } from "../backend/index.ts";
import { isTenonError, TenonError, throwIfAborted } from "../errors/index.ts";
import type { AtomPlace } from "./index-file.ts";
import { indexOfPath } from "./index-format.ts";
import { IndexSet } from "./index-set.ts";
import { type IndexEntries, writeIndexOf } from "./index-writer.ts";
import {
  type PackName,
  packOfPath,
  packPath,
  placesOfPack,
  readPackDirectory,
  type SegmentPlace,
} from "./pack.ts";
import { fileDigest, scanFrames } from "./pack-scan.ts";
import { Segment, type SegmentId } from "./segment.ts";
import { type AtomKey, keysOfSegment } from "./segment-keys.ts";

/** Entries of packs are held back up to this many, some 200 bytes each, and then written as one file. */
const ENTRIES_PER_FILE = 1_000_000;

export interface RebuildOptions {
  /** Packs that are as good as gone: the new index does not name them. */
  readonly without?: ReadonlySet<PackName>;
  /** Packs that garbage collection may take away: of what also stands elsewhere, the other place is kept. */
  readonly condemned?: ReadonlySet<PackName>;
  readonly signal?: AbortSignal | undefined;
  /** A pack, or a part of it, cannot be read: it is left out. */
  readonly onDamage?: (error: TenonError) => void;
  /** Bytes of packs read so far. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export interface RebuildResult {
  readonly packs: number;
  readonly segments: number;
  readonly bytesRead: number;
}

/**
 * What an index says about one pack: `wanted` segments with their places and keys. Reads the whole pack; a segment
 * that is not what its name says is left out, so that nothing relies on it and the same content can be stored anew.
 */
export async function entriesOfPack(
  backend: Backend,
  pack: PackName,
  wanted: (segment: SegmentId) => boolean = () => true,
  onDamage: (error: TenonError) => void = () => {},
): Promise<IndexEntries> {
  const directory = await readPackDirectory(backend, pack);
  const places = placesOfPack(pack, directory);
  const segments = new Map<SegmentId, SegmentPlace>();
  const tables = { blobs: new Map<string, AtomPlace>(), chunks: new Map<string, AtomPlace>() };
  const frames = directory.frames.filter((frame) => frame.segments.some(({ id }) => wanted(id)));
  const path = packPath(pack);
  for await (const { frame, segments: scanned, problem } of scanFrames(backend, pack, frames)) {
    if (problem !== undefined) {
      refuseNewer(problem);
      onDamage(problem);
    }
    for (const { segment, body, intact } of scanned) {
      if (!wanted(segment.id)) continue;
      const keys = intact ? readKeys(new Segment(frame.kind, body)) : undefined;
      if (keys === undefined) {
        onDamage(
          new TenonError("damaged", `${path}: segment ${segment.id} was changed`, {
            path,
            segment: segment.id,
          }),
        );
        continue;
      }
      segments.set(segment.id, places.get(segment.id)!);
      for (const { table, key, atom } of keys) tables[table].set(key, { segment: segment.id, atom, pack });
    }
  }
  return { packs: [pack], segments, ...tables };
}

/** What a newer release wrote is whole: left out of the index it would be taken for garbage. */
function refuseNewer(problem: TenonError): void {
  if (problem.code === "unsupported") throw problem;
}

/** Undefined for a segment with a record that no release wrote. */
function readKeys(segment: Segment): AtomKey[] | undefined {
  try {
    return [...keysOfSegment(segment)];
  } catch (error) {
    if (isTenonError(error, "invalid")) return undefined;
    throw error;
  }
}

/** Collects entries of packs and writes them as few index files. */
class Batch {
  readonly #backend: Backend;
  readonly #packs: PackName[] = [];
  readonly #segments = new Map<SegmentId, SegmentPlace>();
  readonly #blobs = new Map<string, AtomPlace>();
  readonly #chunks = new Map<string, AtomPlace>();
  readonly written = new Set<string>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  async add(entries: IndexEntries): Promise<void> {
    this.#packs.push(...entries.packs);
    for (const [id, place] of entries.segments) this.#segments.set(id, place);
    for (const [key, place] of entries.blobs) this.#blobs.set(key, place);
    for (const [key, place] of entries.chunks) this.#chunks.set(key, place);
    if (this.#blobs.size + this.#chunks.size >= ENTRIES_PER_FILE) await this.write();
  }

  async write(): Promise<void> {
    if (this.#packs.length === 0) return;
    const packs = this.#packs.splice(0);
    const entries = { packs, segments: this.#segments, blobs: this.#blobs, chunks: this.#chunks };
    this.written.add((await writeIndexOf(this.#backend, entries)).name);
    for (const map of [this.#segments, this.#blobs, this.#chunks]) map.clear();
  }
}

/**
 * Reads every pack and writes new index files; then removes the old ones, damaged or not. A crash before the end
 * leaves old and new files side by side, which readers take together.
 */
export async function rebuildIndex(backend: Backend, options: RebuildOptions = {}): Promise<RebuildResult> {
  const {
    without = new Set<PackName>(),
    condemned = new Set<PackName>(),
    signal,
    onDamage,
    onProgress,
  } = options;
  // The old files first: what a writer adds from here on stays beside the new ones.
  const old = (await backend.list("index")).filter(({ name }) => indexOfPath(name) !== undefined);
  const sizes = new Map<PackName, number>();
  for (const { name, size } of await backend.list("packs")) {
    const pack = packOfPath(name);
    if (pack !== undefined && !without.has(pack)) sizes.set(pack, size);
  }
  const { packs, home } = await readDirectories(backend, [...sizes.keys()], { condemned, onDamage });

  const batch = new Batch(backend);
  const totalBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  let bytesRead = 0;
  let usable: IndexSet | undefined;
  try {
    for (const pack of packs) {
      throwIfAborted(signal);
      if (condemned.has(pack) && usable === undefined) {
        await batch.write();
        usable = await IndexSet.open(backend, () => {});
      }
      const entries = await entriesOfPack(backend, pack, (id) => home.get(id) === pack, onDamage);
      await batch.add(usable === undefined ? entries : onlyNew(entries, usable, batch.written));
      bytesRead += sizes.get(pack)!;
      onProgress?.(bytesRead, totalBytes);
    }
  } finally {
    usable?.close();
  }
  await batch.write();
  for (const { name } of old) if (!batch.written.has(indexOfPath(name)!)) await backend.remove(name);
  return { packs: packs.length, segments: home.size, bytesRead };
}

interface Directories {
  /** Those that can be read, in the order in which they count: of two recipes of one blob the later one is kept. */
  readonly packs: readonly PackName[];
  /** The pack from which each segment is taken. */
  readonly home: ReadonlyMap<SegmentId, PackName>;
}

/** A pack with a higher epoch was written later; condemned packs come last, and give only what no other pack has. */
async function readDirectories(
  backend: Backend,
  names: readonly PackName[],
  {
    condemned,
    onDamage,
  }: { readonly condemned: ReadonlySet<PackName>; readonly onDamage: RebuildOptions["onDamage"] },
): Promise<Directories> {
  const readable: {
    readonly pack: PackName;
    readonly epoch: number;
    readonly segments: readonly SegmentId[];
  }[] = [];
  for (const pack of names) {
    try {
      const { epoch, frames } = await readPackDirectory(backend, pack);
      readable.push({
        pack,
        epoch,
        segments: frames.flatMap(({ segments }) => segments.map(({ id }) => id)),
      });
    } catch (error) {
      if (!isTenonError(error)) throw error;
      // A version number that was changed is damage, and the pack's name tells.
      if (error.code !== "unsupported" || (await fileDigest(backend, packPath(pack))) === pack)
        refuseNewer(error);
      onDamage?.(error);
    }
  }
  const rank = (pack: PackName) => Number(condemned.has(pack));
  readable.sort((a, b) => rank(a.pack) - rank(b.pack) || a.epoch - b.epoch);
  const home = new Map<SegmentId, PackName>();
  for (const { pack, segments } of readable) for (const id of segments) if (!home.has(id)) home.set(id, pack);
  return { packs: readable.map(({ pack }) => pack), home };
}

/** Without the keys that files of this rebuild already lead to packs which stay. */
function onlyNew(entries: IndexEntries, usable: IndexSet, written: ReadonlySet<string>): IndexEntries {
  const files = usable.files.filter(({ name }) => written.has(name));
  const left = (places: ReadonlyMap<string, AtomPlace>, table: "findBlob" | "findChunk") =>
    new Map([...places].filter(([key]) => files.every((file) => file[table](key) === undefined)));
  return { ...entries, blobs: left(entries.blobs, "findBlob"), chunks: left(entries.chunks, "findChunk") };
}
