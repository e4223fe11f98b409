/** The index made anew from the packs alone. The caller holds the maintenance lease. */
import type { Backend } from "../backend/index.ts";
import type { Digest } from "../digest/index.ts";
import { isTenonError, TenonError, throwIfAborted } from "../errors/index.ts";
import type { AtomPlace } from "./index-file.ts";
import { indexOfPath, indexPath } from "./index-format.ts";
import { IndexSet } from "./index-set.ts";
import { type IndexEntries, writeIndexOf } from "./index-writer.ts";
import {
  type PackName,
  packOfPath,
  packPath,
  placesOfPack,
  readFrame,
  readPackDirectory,
  type SegmentPlace,
} from "./pack.ts";
import { fileDigest, scanFrames } from "./pack-scan.ts";
import { decodeBlobRecord } from "./record.ts";
import { decodeRunNodeAtom, isLeaf, type RunNode, type RunSubtree } from "./run-list.ts";
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
 * What an index says about one pack: the segments that are taken from it, with their places and keys. Reads the whole
 * pack. A segment that is not what its name says is left out, and a recipe that names a segment which is nowhere:
 * so nothing relies on them, another recipe of the same blob counts, and the same content can be stored anew.
 */
async function entriesOfPack(
  backend: Backend,
  pack: PackName,
  places: Places,
  onDamage: (error: TenonError) => void,
): Promise<IndexEntries> {
  const isHere = (id: SegmentId) => places.get(id)?.pack === pack;
  const segments = new Map<SegmentId, SegmentPlace>();
  const tables = { blobs: new Map<string, AtomPlace>(), chunks: new Map<string, AtomPlace>() };
  const { frames } = await readPackDirectory(backend, pack);
  const wanted = frames.filter((frame) => frame.segments.some(({ id }) => isHere(id)));
  const path = packPath(pack);
  const nodes = new NodeLoader(backend, places);
  for await (const { frame, segments: scanned, problem } of scanFrames(backend, pack, wanted)) {
    if (problem !== undefined) {
      refuseNewer(problem);
      onDamage(problem);
    }
    for (const { segment, body, intact } of scanned) {
      if (!isHere(segment.id)) continue;
      const decoded = intact ? new Segment(frame.kind, body) : undefined;
      const keys = decoded && readKeys(decoded);
      if (decoded === undefined || keys === undefined) {
        onDamage(
          new TenonError("damaged", `${path}: segment ${segment.id} was changed`, {
            path,
            segment: segment.id,
          }),
        );
        continue;
      }
      segments.set(segment.id, places.get(segment.id)!);
      for (const { table, key, atom } of keys) {
        if (table === "blobs" && !(await nodes.isComplete(decodeBlobRecord(decoded.atom(atom)).runs)))
          continue;
        tables[table].set(key, { segment: segment.id, atom, pack });
      }
    }
  }
  return { packs: [pack], segments, ...tables };
}

/** Follows run lists while there is no index. */
class NodeLoader {
  readonly #backend: Backend;
  readonly #places: Places;
  /** Nodes of one list stand together: the segment read last is the likeliest. */
  #last: { readonly id: SegmentId; readonly segment: Segment } | undefined;

  constructor(backend: Backend, places: Places) {
    this.#backend = backend;
    this.#places = places;
  }

  /** True when every segment that a run list names, on all levels, is in some pack. */
  async isComplete(node: RunNode): Promise<boolean> {
    if (!node.entries.every(({ segment }) => this.#places.has(segment))) return false;
    if (isLeaf(node)) return true;
    try {
      for (const { segment, atom } of node.entries as readonly RunSubtree[]) {
        const child = decodeRunNodeAtom((await this.#segment(segment)).atom(atom), node.level - 1);
        if (!(await this.isComplete(child))) return false;
      }
      return true;
    } catch (error) {
      if (isTenonError(error) && ["damaged", "invalid"].includes(error.code)) return false;
      throw error;
    }
  }

  async #segment(id: SegmentId): Promise<Segment> {
    if (this.#last?.id === id) return this.#last.segment;
    const place = this.#places.get(id)!;
    const raw = await readFrame(this.#backend, place);
    const segment = new Segment(
      place.kind,
      raw.subarray(place.offsetInFrame, place.offsetInFrame + place.bodyBytes),
    );
    this.#last = { id, segment };
    return segment;
  }
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
  readonly #damaged: ReadonlySet<Digest>;
  readonly written = new Set<Digest>();

  /** `damaged`: index files that are there and whose bytes are not what their names say. */
  constructor(backend: Backend, damaged: ReadonlySet<Digest>) {
    this.#backend = backend;
    this.#damaged = damaged;
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
    const { name } = await writeIndexOf(this.#backend, entries);
    this.written.add(name);
    if (this.#damaged.has(name)) {
      // The very file that was damaged: a backend keeps a file of the same name and length.
      await this.#backend.remove(indexPath(name));
      await writeIndexOf(this.#backend, entries);
    }
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
    onDamage = () => {},
    onProgress,
  } = options;
  // The old files first: what a writer adds from here on stays beside the new ones.
  const old = (await backend.list("index")).filter(({ name }) => indexOfPath(name) !== undefined);
  const sizes = new Map<PackName, number>();
  for (const { name, size } of await backend.list("packs")) {
    const pack = packOfPath(name);
    if (pack !== undefined && !without.has(pack)) sizes.set(pack, size);
  }
  const { packs, places } = await readDirectories(backend, [...sizes.keys()], { condemned, onDamage });

  const batch = new Batch(backend, await damagedIndexes(backend, old));
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
      const entries = await entriesOfPack(backend, pack, places, onDamage);
      await batch.add(usable === undefined ? entries : onlyNew(entries, usable, batch.written));
      bytesRead += sizes.get(pack)!;
      onProgress?.(bytesRead, totalBytes);
    }
  } finally {
    usable?.close();
  }
  await batch.write();
  for (const { name } of old) if (!batch.written.has(indexOfPath(name)!)) await backend.remove(name);
  return { packs: packs.length, segments: places.size, bytesRead };
}

/** The pack, and the place in it, from which each segment is taken. */
type Places = ReadonlyMap<SegmentId, SegmentPlace>;

interface Directories {
  /** Those that can be read: condemned packs come last, and give only what no other pack has. */
  readonly packs: readonly PackName[];
  readonly places: Places;
}

async function readDirectories(
  backend: Backend,
  names: readonly PackName[],
  {
    condemned,
    onDamage,
  }: { readonly condemned: ReadonlySet<PackName>; readonly onDamage: (error: TenonError) => void },
): Promise<Directories> {
  const packs: PackName[] = [];
  const places = new Map<SegmentId, SegmentPlace>();
  const ordered = [...names].sort((a, b) => Number(condemned.has(a)) - Number(condemned.has(b)));
  for (const pack of ordered) {
    try {
      const found = placesOfPack(pack, await readPackDirectory(backend, pack));
      for (const [id, place] of found) if (!places.has(id)) places.set(id, place);
      packs.push(pack);
    } catch (error) {
      if (!isTenonError(error)) throw error;
      // A version number that was changed is damage, and the pack's name tells.
      if (error.code !== "unsupported" || (await fileDigest(backend, packPath(pack))) === pack)
        refuseNewer(error);
      onDamage(error);
    }
  }
  return { packs, places };
}

async function damagedIndexes(
  backend: Backend,
  files: readonly { readonly name: string }[],
): Promise<Set<Digest>> {
  const damaged = new Set<Digest>();
  for (const { name: path } of files) {
    const name = indexOfPath(path)!;
    if ((await fileDigest(backend, path)) !== name) damaged.add(name);
  }
  return damaged;
}

/** Without the keys that files of this rebuild already lead to packs which stay. */
function onlyNew(entries: IndexEntries, usable: IndexSet, written: ReadonlySet<Digest>): IndexEntries {
  const files = usable.files.filter(({ name }) => written.has(name));
  const left = (places: ReadonlyMap<string, AtomPlace>, table: "findBlob" | "findChunk") =>
    new Map([...places].filter(([key]) => files.every((file) => file[table](key) === undefined)));
  return { ...entries, blobs: left(entries.blobs, "findBlob"), chunks: left(entries.chunks, "findChunk") };
}
