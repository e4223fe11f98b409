/** A backend that writes elsewhere: what would happen to a repository can be tried, and nothing happens to it. */
import type {
  Backend,
  BackendWriter,
  ByteRange,
  FileStat,
  ListedFile,
  RandomFile,
} from "../backend/index.ts";

/** Reads files of `upper`, else those of `lower` that were not removed; changes go to `upper` alone. */
export class OverlayBackend implements Backend {
  readonly location: string;
  readonly #upper: Backend;
  readonly #lower: Backend;
  readonly #removed = new Set<string>();

  constructor(upper: Backend, lower: Backend) {
    this.#upper = upper;
    this.#lower = lower;
    this.location = lower.location;
  }

  async #holder(name: string): Promise<Backend> {
    const isAbove = this.#removed.has(name) || (await this.#upper.stat(name)) !== undefined;
    return isAbove ? this.#upper : this.#lower;
  }

  async read(name: string, range?: ByteRange): Promise<Uint8Array> {
    return (await this.#holder(name)).read(name, range);
  }

  async openRandom(name: string): Promise<RandomFile> {
    return (await this.#holder(name)).openRandom(name);
  }

  async stat(name: string): Promise<FileStat | undefined> {
    return (await this.#holder(name)).stat(name);
  }

  async list(folder: string): Promise<ListedFile[]> {
    const above = await this.#upper.list(folder);
    const hidden = new Set([...this.#removed, ...above.map(({ name }) => name)]);
    const below = (await this.#lower.list(folder)).filter(({ name }) => !hidden.has(name));
    return [...above, ...below].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async listNames(folder: string): Promise<string[]> {
    return (await this.list(folder)).map(({ name }) => name);
  }

  async createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    if ((await this.stat(name)) !== undefined) return false;
    return this.#upper.createIfAbsent(name, bytes);
  }

  createWriter(): Promise<BackendWriter> {
    return this.#upper.createWriter();
  }

  replace(name: string, bytes: Uint8Array): Promise<void> {
    return this.#upper.replace(name, bytes);
  }

  async remove(name: string): Promise<void> {
    this.#removed.add(name);
    await this.#upper.remove(name);
  }

  /** Of what was written here. */
  totalBytes(): Promise<number> {
    return this.#upper.totalBytes();
  }

  removeTemporaries(beforeMs: number): Promise<number> {
    return this.#upper.removeTemporaries(beforeMs);
  }
}
