/** Open pack files: opening and closing one for each frame took longer than reading it. */
import type { Backend, ByteRange, RandomFile } from "../backend/index.ts";

/** Far below the usual limit of 1024 descriptors. */
const MAX_OPEN = 32;

interface OpenPack {
  readonly file: Promise<RandomFile>;
  /** Reads under way: the file is not closed before they end. */
  reads: number;
  evicted: boolean;
}

/** Reads ranges of files, which stay open for the next read. A file that is removed meanwhile stays readable. */
export class PackFiles {
  readonly #backend: Backend;
  readonly #open = new Map<string, OpenPack>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Exactly the bytes of the range. Errors as those of the backend. */
  async read(path: string, { offset, length }: ByteRange): Promise<Uint8Array> {
    let pack = this.#open.get(path);
    if (pack === undefined) pack = { file: this.#backend.openRandom(path), reads: 0, evicted: false };
    else this.#open.delete(path);
    this.#open.set(path, pack);
    pack.reads++;
    for (const [oldest, old] of this.#open) {
      if (this.#open.size <= MAX_OPEN) break;
      this.#evict(oldest, old);
    }
    try {
      return await (await pack.file).read(offset, length);
    } catch (error) {
      if (this.#open.get(path) === pack) this.#evict(path, pack);
      throw error;
    } finally {
      pack.reads--;
      if (pack.evicted) this.#closeIdle(pack);
    }
  }

  #evict(path: string, pack: OpenPack): void {
    this.#open.delete(path);
    pack.evicted = true;
    this.#closeIdle(pack);
  }

  #closeIdle(pack: OpenPack): void {
    if (pack.reads > 0) return;
    // A file that could not be opened has nothing to close; its error went to whoever read.
    pack.file.then((file) => file.close()).catch(() => {});
  }

  close(): void {
    for (const [path, pack] of [...this.#open]) this.#evict(path, pack);
  }
}
