/** Packs: their directories against the index, and with `readData` every byte of them. */
import { isTenonError, throwIfAborted } from "../errors/index.ts";
import {
  fileDigest,
  type IndexFile,
  type IndexSet,
  keysOfSegment,
  type PackDirectory,
  type PackName,
  packOfPath,
  packPath,
  placesOfPack,
  readPackDirectory,
  type ScannedFrame,
  Segment,
  type SegmentId,
  type SegmentPlace,
  scanFrames,
} from "../repository/index.ts";
import type { Findings } from "./check-findings.ts";
import type { RepositoryBase } from "./context.ts";

export interface PackCheckOptions {
  readonly readData: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: {
    readonly doneBytes: number;
    readonly totalBytes: number;
    readonly packs: number;
  }) => void;
}

export interface CheckedPacks {
  readonly packs: number;
  readonly bytesRead: number;
  /** Packs that have lost something, or whose bytes are not what was written. */
  readonly damaged: ReadonlySet<PackName>;
  /** An index says something else than the packs. */
  readonly indexDiffers: boolean;
}

export async function checkPacks(
  base: RepositoryBase,
  index: IndexSet,
  findings: Findings,
  options: PackCheckOptions,
): Promise<CheckedPacks> {
  const checker = new PackChecker(base, index, findings, options);
  await checker.run();
  return checker;
}

const where = ({
  pack,
  offset,
  bytes,
  rawBytes,
  offsetInFrame,
  bodyBytes,
  atoms,
  kind,
  codec,
}: SegmentPlace) => [pack, offset, bytes, rawBytes, offsetInFrame, bodyBytes, atoms, kind, codec].join();

class PackChecker implements CheckedPacks {
  packs = 0;
  bytesRead = 0;
  readonly damaged = new Set<PackName>();
  indexDiffers = false;
  readonly #base: RepositoryBase;
  readonly #index: IndexSet;
  readonly #findings: Findings;
  readonly #options: PackCheckOptions;
  /** For each index file: entries that were seen to be true. */
  readonly #proven: Map<IndexFile, { segments: number; blobs: number; chunks: number }>;

  constructor(base: RepositoryBase, index: IndexSet, findings: Findings, options: PackCheckOptions) {
    this.#base = base;
    this.#index = index;
    this.#findings = findings;
    this.#options = options;
    this.#proven = new Map(index.files.map((file) => [file, { segments: 0, blobs: 0, chunks: 0 }]));
  }

  async run(): Promise<void> {
    const { signal, onProgress } = this.#options;
    const sizes = new Map<PackName, number>();
    for (const { name, size } of await this.#base.backend.list("packs")) {
      const pack = packOfPath(name);
      if (pack === undefined) this.#findings.note(`${name}: not a file of the repository`);
      else sizes.set(pack, size);
    }
    const named = this.#index.packs();
    await this.#findMissing(named, sizes);
    const totalBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    let doneBytes = 0;
    for (const [pack, size] of sizes) {
      throwIfAborted(signal);
      await this.#pack(pack, size, named.has(pack));
      doneBytes += size;
      onProgress?.({ doneBytes, totalBytes, packs: this.packs });
    }
    this.#compareCounts();
  }

  /** Packs that an index names and that are gone. */
  async #findMissing(named: ReadonlySet<PackName>, present: ReadonlyMap<PackName, number>): Promise<void> {
    const missing = [...named].filter((pack) => !present.has(pack));
    if (missing.length === 0) return;
    // Garbage collection takes packs out of the index before it removes them: what is gone rightly is not named now.
    await this.#index.reload();
    const still = this.#index.packs();
    for (const pack of missing) {
      if (!still.has(pack)) continue;
      const path = packPath(pack);
      const segments = new Set<SegmentId>();
      for (const file of this.#index.files) {
        this.#tolerating(file, () => {
          for (const [id, place] of file.allSegments()) {
            if (
              place.pack === pack &&
              this.#index.findSegment(id, (other) => present.has(other)) === undefined
            ) {
              segments.add(id);
            }
          }
        });
      }
      this.#findings.add({
        file: path,
        what: `the file is missing; ${segments.size} segments are lost with it`,
        segments,
      });
      this.indexDiffers = true;
    }
  }

  async #pack(pack: PackName, size: number, named: boolean): Promise<void> {
    const { backend } = this.#base;
    const path = packPath(pack);
    try {
      const { readData } = this.#options;
      const intact = !readData || (await fileDigest(backend, path)) === pack;
      let directory: PackDirectory;
      try {
        directory = await readPackDirectory(backend, pack);
      } catch (error) {
        if (!isTenonError(error) || (await backend.stat(path)) === undefined) throw error;
        // In a file that was changed, a new version number is damage as well.
        this.#findings.file(path, intact ? error : error.message);
        this.damaged.add(pack);
        return;
      }
      this.packs++;
      if (named) this.#compareIndex(pack, directory);
      else {
        this.#findings.note(
          `${path}: ${size} bytes that no index names (a writer at work, or stopped: gc removes it)`,
        );
      }
      if (readData) {
        for await (const scanned of scanFrames(backend, pack, directory.frames)) {
          throwIfAborted(this.#options.signal);
          this.#frame(pack, scanned);
        }
        this.bytesRead += size;
        if (!intact) {
          this.#findings.file(path, "its SHA-256 is not its name");
          this.damaged.add(pack);
        }
      }
    } catch (error) {
      if (!isTenonError(error) || error.code === "interrupted") throw error;
      // Garbage collection removed it while this was reading.
      if ((await backend.stat(path)) === undefined) return;
      this.#findings.file(path, error);
      this.damaged.add(pack);
    }
  }

  /** Every segment of the directory stands in the index, and there with the place that the directory gives it. */
  #compareIndex(pack: PackName, directory: PackDirectory): void {
    const places = placesOfPack(pack, directory);
    const unknown: SegmentId[] = [];
    for (const [id, place] of places) {
      let known = false;
      for (const [file, proven] of this.#proven) {
        this.#tolerating(file, () => {
          const found = file.findSegment(id);
          if (found === undefined) return;
          known = true;
          if (found.pack === pack && where(found) === where(place)) proven.segments++;
        });
      }
      if (!known) unknown.push(id);
    }
    if (unknown.length === 0) return;
    this.indexDiffers = true;
    this.#findings.add({
      file: packPath(pack),
      what: `${unknown.length} of its ${places.size} segments are in no index; make it anew with check --rebuild-index`,
    });
  }

  #frame(pack: PackName, { frame, segments, problem }: ScannedFrame): void {
    const file = packPath(pack);
    if (problem !== undefined) {
      this.damaged.add(pack);
      this.#findings.add({
        file,
        what: this.#findings.read(problem),
        segments: frame.segments.map(({ id }) => id),
      });
    }
    for (const { segment, body, intact } of segments) {
      const keys = intact ? this.#keys(frame.kind, body) : undefined;
      if (keys === undefined) {
        this.damaged.add(pack);
        const what = `segment ${segment.id} at offset ${frame.offset} was changed`;
        this.#findings.add({ file, what, segments: [segment.id] });
        continue;
      }
      for (const [index, proven] of this.#proven) {
        this.#tolerating(index, () => {
          if (index.findSegment(segment.id)?.pack !== pack) return;
          for (const { table, key, atom } of keys) {
            const place = table === "blobs" ? index.findBlob(key) : index.findChunk(key);
            if (place?.segment === segment.id && place.atom === atom) proven[table]++;
          }
        });
      }
    }
  }

  #keys(kind: number, body: Uint8Array) {
    try {
      return [...keysOfSegment(new Segment(kind, body))];
    } catch (error) {
      if (isTenonError(error, "invalid")) return undefined;
      throw error;
    }
  }

  /** What was not seen to be true is false, when everything else was in order. */
  #compareCounts(): void {
    for (const [file, proven] of this.#proven) {
      const path = `index/${file.name}.idx`;
      const packs = file.footer.packs;
      if (packs.some((pack) => this.damaged.has(pack))) continue;
      let segments = 0;
      const present = this.#tolerating(file, () => {
        for (const _ of file.allSegments()) segments++;
      });
      if (
        !present ||
        this.#findings.all.some((finding) => packs.some((pack) => finding.file === packPath(pack)))
      )
        continue;
      const wrong = [`${segments - proven.segments} segments`];
      if (this.#options.readData) {
        wrong.push(
          `${file.blobs.entries - proven.blobs} blobs`,
          `${file.chunks.entries - proven.chunks} chunks`,
        );
      }
      if (wrong.every((text) => text.startsWith("0 "))) continue;
      this.indexDiffers = true;
      this.#findings.file(path, `it leads to wrong places: ${wrong.join(", ")}`);
    }
  }

  /** Runs a look at one index file; a damaged page was reported when the files were read. */
  #tolerating(file: IndexFile, look: () => void): boolean {
    try {
      look();
      return true;
    } catch (error) {
      if (!isTenonError(error)) throw error;
      this.#findings.file(`index/${file.name}.idx`, error);
      return false;
    }
  }
}
