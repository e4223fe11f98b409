/** All index files of a repository together: look-ups, reloading, merging. */
import type { Backend, RandomFile } from "../backend/index.ts";
import type { Digest } from "../digest/index.ts";
import { isTenonError, type TenonError } from "../errors/index.ts";
import { type AtomPlace, IndexFile } from "./index-file.ts";
import { indexOfPath, indexPath } from "./index-format.ts";
import type { RandomBytes } from "./index-table.ts";
import { mergeIndexes } from "./index-writer.ts";
import type { PackName, SegmentPlace } from "./pack.ts";
import type { SegmentId } from "./segment.ts";

/** Files up to this size are read whole; larger ones are looked up on disk, a page at a time. */
const WHOLE_FILE_BYTES = 8 << 20;
const WHOLE_FILES_BYTES = 48 << 20;
/** More files than this are merged: a look-up asks each. */
const MAX_FILES = 8;
/** A file may disappear between listing and opening, when somebody merges: then list again. */
const MAX_RELOADS = 10;

interface OpenFile {
  readonly index: IndexFile;
  readonly bytes: number;
  readonly modified: number;
  readonly file: RandomFile | undefined;
}

/** Which packs count: a writer leaves out the condemned ones. */
export type PackFilter = (pack: PackName) => boolean;
const everyPack: PackFilter = () => true;

export class IndexSet {
  readonly #backend: Backend;
  /** Newest last. */
  #open: OpenFile[] = [];
  readonly #onDamage: ((error: TenonError) => void) | undefined;

  private constructor(backend: Backend, onDamage: ((error: TenonError) => void) | undefined) {
    this.#backend = backend;
    this.#onDamage = onDamage;
  }

  /** Without `onDamage` a damaged file or page is an error; with it that is reported and left out. */
  static async open(backend: Backend, onDamage?: (error: TenonError) => void): Promise<IndexSet> {
    const set = new IndexSet(backend, onDamage);
    await set.reload();
    return set;
  }

  /** Oldest first. */
  get files(): readonly IndexFile[] {
    return this.#open.map((open) => open.index);
  }

  /** True when there are more files than look-ups should have to ask. */
  get needsMerge(): boolean {
    return this.#open.length > MAX_FILES;
  }

  /** Every pack that some file names. */
  packs(): Set<PackName> {
    return new Set(this.#open.flatMap((open) => open.index.footer.packs));
  }

  /** Reads the list of index files again and opens what is new. */
  async reload(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await this.#reloadOnce();
        return;
      } catch (error) {
        if (!isTenonError(error, "not-found") || attempt >= MAX_RELOADS) throw error;
      }
    }
  }

  async #reloadOnce(): Promise<void> {
    const before = new Map(this.#open.map((open) => [open.index.name, open]));
    const next: OpenFile[] = [];
    let whole = 0;
    const opened: OpenFile[] = [];
    try {
      for (const { name: path, size, mtimeMs } of await this.#backend.list("index/")) {
        const name = indexOfPath(path);
        if (name === undefined) continue;
        const known = before.get(name);
        if (known !== undefined) {
          next.push(known);
          if (known.file === undefined) whole += known.bytes;
          continue;
        }
        const inMemory = size <= WHOLE_FILE_BYTES && whole + size <= WHOLE_FILES_BYTES;
        if (inMemory) whole += size;
        const open = await this.#openFile(name, inMemory, size, mtimeMs);
        if (open !== undefined) {
          next.push(open);
          opened.push(open);
        }
      }
    } catch (error) {
      for (const open of opened) void open.file?.close();
      throw error;
    }
    const kept = next.sort((a, b) => a.modified - b.modified || (a.index.name < b.index.name ? -1 : 1));
    for (const open of [...this.#open, ...opened]) if (!kept.includes(open)) void open.file?.close();
    this.#open = kept;
  }

  async #openFile(
    name: Digest,
    inMemory: boolean,
    bytes: number,
    modified: number,
  ): Promise<OpenFile | undefined> {
    const path = indexPath(name);
    let file: RandomFile | undefined;
    try {
      let source: RandomBytes;
      if (inMemory) source = inMemoryBytes(await this.#backend.read(path));
      else source = file = await this.#backend.openRandom(path);
      return { index: new IndexFile(name, source), bytes, modified, file };
    } catch (error) {
      await file?.close();
      if (this.#onDamage === undefined || !isTenonError(error) || error.code === "not-found") throw error;
      this.#onDamage(error);
      return undefined;
    }
  }

  findSegment(id: SegmentId, usable: PackFilter = everyPack): SegmentPlace | undefined {
    return this.#newest((index) => {
      const place = index.findSegment(id);
      return place && usable(place.pack) ? place : undefined;
    });
  }

  findBlob(digest: Digest, usable: PackFilter = everyPack): AtomPlace | undefined {
    return this.#newest((index) => {
      const place = index.findBlob(digest);
      return place && usable(place.pack) ? place : undefined;
    });
  }

  findChunk(digest: Digest, usable: PackFilter = everyPack): AtomPlace | undefined {
    return this.#newest((index) => {
      const place = index.findChunk(digest);
      return place && usable(place.pack) ? place : undefined;
    });
  }

  #newest<T>(find: (index: IndexFile) => T | undefined): T | undefined {
    for (let i = this.#open.length - 1; i >= 0; i--) {
      const found = this.#tolerating(() => find(this.#open[i]!.index));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** A damaged page is passed over when damage is only reported: another file may know. */
  #tolerating<T>(look: () => T | undefined): T | undefined {
    try {
      return look();
    } catch (error) {
      if (this.#onDamage === undefined || !isTenonError(error, "damaged")) throw error;
      this.#onDamage(error);
      return undefined;
    }
  }

  /** Keys of blobs that begin with the hexadecimal digits, sorted, each once, at most `limit`. */
  blobKeys(prefix: string, limit: number): string[] {
    const keys = new Set<string>();
    for (const { index } of this.#open) for (const key of index.blobKeys(prefix, limit)) keys.add(key);
    return [...keys].sort().slice(0, limit);
  }

  /**
   * When there are many files, merges the small ones, so that each remaining file is at least as large as all
   * smaller ones together. The caller holds the maintenance lease: a merge beside garbage collection could bring
   * back packs that are gone.
   */
  async mergeSmall(): Promise<boolean> {
    if (!this.needsMerge) return false;
    const bySize = [...this.#open].sort((a, b) => a.bytes - b.bytes);
    let sum = 0;
    let count = 0;
    for (const open of bySize) {
      if (count >= 2 && open.bytes > sum) break;
      sum += open.bytes;
      count++;
    }
    const chosen = new Set(bySize.slice(0, count));
    await this.#replace(this.#open.filter((open) => chosen.has(open)));
    return true;
  }

  /** One file in place of all, without the packs in `drop`. The caller holds the maintenance lease. */
  async mergeAll(drop: ReadonlySet<PackName>): Promise<void> {
    await this.#replace(this.#open, drop);
  }

  async #replace(old: readonly OpenFile[], drop: ReadonlySet<PackName> = new Set()): Promise<void> {
    const merged = await mergeIndexes(
      this.#backend,
      old.map((open) => open.index),
      drop,
    );
    for (const open of old) {
      if (open.index.name !== merged.name) await this.#backend.remove(indexPath(open.index.name));
    }
    await this.reload();
  }

  close(): void {
    for (const open of this.#open) void open.file?.close();
    this.#open = [];
  }
}

function inMemoryBytes(bytes: Uint8Array): RandomBytes {
  return {
    size: bytes.length,
    readSync(into, offset) {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
  };
}
