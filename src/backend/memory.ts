/** A backend in memory: for tests, and for a repository that shall not outlive its process. */
import { concatBytes } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { byName, checkFolder, checkName, checkRange, missing, tooShort } from "./names.ts";
import type { Backend, BackendWriter, ByteRange, FileStat, ListedFile, RandomFile } from "./types.ts";

/** The bytes of one file, wherever they are kept. */
export interface Content {
  readonly size: number;
  /** Fills `into` from `offset` on; returns how many bytes there were. */
  readSync(into: Uint8Array, offset: number): number;
}

interface MemoryFile {
  readonly content: Content;
  readonly mtimeMs: number;
}

export interface MemoryBackendOptions {
  /** Milliseconds since 1970, for `mtimeMs`. */
  readonly now?: () => number;
}

export class MemoryBackend implements Backend {
  readonly location: string = "memory";
  readonly #files = new Map<string, MemoryFile>();
  readonly #unfinished = new Map<MemoryWriter, number>();
  readonly #now: () => number;

  constructor(options: MemoryBackendOptions = {}) {
    this.#now = options.now ?? Date.now;
  }

  async read(name: string, range?: ByteRange): Promise<Uint8Array> {
    const { content } = this.#file(name);
    return readRange(name, content, range ?? { offset: 0, length: content.size });
  }

  async openRandom(name: string): Promise<RandomFile> {
    const { content } = this.#file(name);
    return {
      size: content.size,
      read: async (offset, length) => readRange(name, content, { offset, length }),
      readSync: (into, offset) => content.readSync(into, offset),
      close: async () => {},
    };
  }

  async stat(name: string): Promise<FileStat | undefined> {
    const file = this.#files.get(checkName(name));
    return file && { size: file.content.size, mtimeMs: file.mtimeMs };
  }

  async list(folder: string): Promise<ListedFile[]> {
    const top = checkFolder(folder);
    const files: ListedFile[] = [];
    for (const [name, { content, mtimeMs }] of this.#files) {
      if (top === "" || name.startsWith(`${top}/`)) files.push({ name, size: content.size, mtimeMs });
    }
    return files.sort(byName);
  }

  async listNames(folder: string): Promise<string[]> {
    return (await this.list(folder)).map(({ name }) => name);
  }

  async createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    if (this.#files.has(checkName(name))) return false;
    this.#put(name, [bytes]);
    return true;
  }

  async createWriter(): Promise<BackendWriter> {
    const writer = new MemoryWriter({
      written: (lengthBytes) => this.#unfinished.set(writer, lengthBytes),
      ended: () => this.#unfinished.delete(writer),
      commit: (name, parts) => {
        const size = parts.reduce((sum, { length }) => sum + length, 0);
        if (this.#files.get(checkName(name))?.content.size !== size) this.#put(name, parts);
      },
    });
    return writer;
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    this.#put(checkName(name), [bytes]);
  }

  async remove(name: string): Promise<void> {
    this.#files.delete(checkName(name));
  }

  async totalBytes(): Promise<number> {
    let sum = 0;
    for (const { content } of this.#files.values()) sum += content.size;
    for (const lengthBytes of this.#unfinished.values()) sum += lengthBytes;
    return sum;
  }

  /** Unfinished files end with their writers here: there is never a forgotten one. */
  async removeTemporaries(): Promise<number> {
    return 0;
  }

  #file(name: string): MemoryFile {
    const file = this.#files.get(checkName(name));
    if (file === undefined) throw missing(name);
    return file;
  }

  #put(name: string, parts: readonly Uint8Array[]): void {
    this.#files.set(name, { content: this.keep(parts), mtimeMs: this.#now() });
  }

  /** Takes a copy of a whole file. */
  protected keep(parts: readonly Uint8Array[]): Content {
    const bytes = concatBytes(parts);
    return {
      size: bytes.length,
      readSync(into, offset) {
        const part = bytes.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
    };
  }
}

function readRange(name: string, content: Content, { offset, length }: ByteRange): Uint8Array {
  checkRange(name, { offset, length }, content.size);
  const bytes = new Uint8Array(length);
  const got = content.readSync(bytes, offset);
  if (got !== length) throw tooShort(name, { offset, length }, offset + got);
  return bytes;
}

interface WriterHost {
  written(lengthBytes: number): void;
  ended(): void;
  commit(name: string, parts: readonly Uint8Array[]): void;
}

class MemoryWriter implements BackendWriter {
  bytesWritten = 0;
  readonly #host: WriterHost;
  #parts: Uint8Array[] | undefined = [];

  constructor(host: WriterHost) {
    this.#host = host;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#openParts().push(bytes.slice());
    this.bytesWritten += bytes.length;
    this.#host.written(this.bytesWritten);
  }

  async commit(name: string): Promise<void> {
    const parts = this.#openParts();
    checkName(name);
    this.#parts = undefined;
    this.#host.ended();
    this.#host.commit(name, parts);
  }

  async abort(): Promise<void> {
    this.#parts = undefined;
    this.#host.ended();
  }

  #openParts(): Uint8Array[] {
    if (this.#parts) return this.#parts;
    throw new TenonError("usage", "this file was committed or aborted before");
  }
}
