/**
 * Decoded bases. Executables lean on each other as a graph: without this, one that leans on two, of which each leans
 * on two, and so on, would have the same base decoded as often as there are ways to it.
 */
import type { Digest } from "../digest/index.ts";
import type { Dissection } from "../executable/index.ts";
import type { HashedExecutable, Movable } from "../workers/index.ts";

/** What stays between two executables: some dozens of a system's usual programs, or one large one. */
const KEPT_BYTES = 192 << 20;

/** An executable that others are coded by. */
export type Base = Movable<HashedExecutable>;

export class DecodedCache {
  readonly #entries = new Map<Digest, Base>();
  #bytes = 0;

  get(digest: Digest): Base | undefined {
    const found = this.#entries.get(digest);
    if (found?.isLost) {
      this.#entries.delete(digest);
      this.#bytes -= found.bytes;
      return undefined;
    }
    if (found !== undefined) {
      // The last used is the last to go.
      this.#entries.delete(digest);
      this.#entries.set(digest, found);
    }
    return found;
  }

  /** `siblings`: how many bases whoever asked for this one leans on: as many stay, whatever they take. */
  add(digest: Digest, base: Base, siblings: number): void {
    if (this.#entries.has(digest)) return;
    this.#entries.set(digest, base);
    this.#bytes += base.bytes;
    this.#trim(siblings);
  }

  /** Nothing is being decoded: large ones go. */
  rest(): void {
    this.#trim(0);
  }

  /** Memory is needed for something else. */
  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #trim(least: number): void {
    for (const [digest, { bytes }] of this.#entries) {
      if (this.#bytes <= KEPT_BYTES || this.#entries.size <= least) return;
      this.#entries.delete(digest);
      this.#bytes -= bytes;
    }
  }
}

/** About; in bytes. */
export function memoryOf({
  fileBytes,
  pieces,
  references,
}: Pick<Dissection, "fileBytes" | "pieces" | "references">): number {
  return fileBytes + 41 * pieces.count + 18 * references.count;
}
