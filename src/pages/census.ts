/** Every page of every image once: what is kept of it is a number that stands for its content. */
import { equalBytes } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { countPages, type PageSizeReport } from "./counts.ts";
import { KeyTable } from "./key-table.ts";
import { PAGE_BYTES } from "./memory-map.ts";
import type { ClassRun, PageClass } from "./page-map.ts";

/** The number of the content that is all zeros. */
export const ZERO = 0;

/** Consecutive pages of an image; without `contents` they are all zero. Runs of an image ascend. */
export interface PageRun {
  readonly firstPage: number;
  readonly pages: number;
  readonly contents?: Uint32Array;
}

/** What adding pages found. */
export interface AddedPages {
  /** Offsets in the given bytes of pages whose content was never seen before, zero pages left out. */
  readonly newAt: readonly number[];
}

const LARGE_PAGES = 512;
const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

/** The number of bytes with these contents, by the first 128 bits of their SHA-256. */
function numberOf(table: KeyTable, bytes: Uint8Array): number {
  const hex = sha256(bytes);
  const word = (n: number) => Number.parseInt(hex.slice(n * 8, n * 8 + 8), 16);
  return table.add(word(0), word(1), word(2), word(3));
}

export class PageCensus {
  readonly #contents = new KeyTable();
  readonly #images: PageRun[][] = [];

  /** What is added next belongs to a new image. */
  beginImage(): void {
    this.#images.push([]);
  }

  /** Adds pages behind all that the image has so far. `bytes` is a whole number of pages and isn't kept. */
  addPages(firstPage: number, bytes: Uint8Array): AddedPages {
    const pages = bytes.length / PAGE_BYTES;
    const contents = new Uint32Array(pages);
    const newAt: number[] = [];
    for (let i = 0; i < pages; i++) {
      const at = i * PAGE_BYTES;
      const page = bytes.subarray(at, at + PAGE_BYTES);
      if (equalBytes(page, ZERO_PAGE)) continue;
      const known = this.#contents.size;
      contents[i] = numberOf(this.#contents, page);
      if (this.#contents.size > known) newAt.push(at);
    }
    this.#add({ firstPage, pages, contents });
    return { newAt };
  }

  /** Adds pages without bytes; any number costs the same. */
  addZeroPages(firstPage: number, pages: number): void {
    this.#add({ firstPage, pages });
  }

  #add(run: PageRun): void {
    const runs = this.#images.at(-1);
    const last = runs?.at(-1);
    if (runs === undefined) throw new RangeError("pages before the first image");
    if (last !== undefined && run.firstPage < last.firstPage + last.pages) {
      throw new RangeError("pages of an image are added in order");
    }
    if (run.pages > 0) runs.push(run);
  }

  /** The counts for pages of 4 KiB and of 2 MiB. A large page counts where any of its small ones is mapped. */
  report(): readonly PageSizeReport[] {
    const large = new KeyTable();
    const largeImages = this.#images.map((runs) => [...largePages(runs, large)]);
    return [
      countPages(PAGE_BYTES, this.#images, this.#contents.size),
      countPages(PAGE_BYTES * LARGE_PAGES, largeImages, large.size),
    ];
  }

  /** The class of every 4 KiB page of every image, for a map. */
  classes(): readonly (readonly ClassRun[])[] {
    const imagesWith = new Uint32Array(this.#contents.size + 1);
    for (const runs of this.#images) {
      const seen = new Set<number>();
      for (const { contents } of runs) for (const content of contents ?? []) seen.add(content);
      for (const content of seen) imagesWith[content]!++;
    }
    const images = this.#images.length;
    const classOf = (content: number): PageClass => {
      if (content === ZERO) return "zero";
      if (imagesWith[content] === 1) return "own";
      return imagesWith[content] === images ? "all" : "some";
    };
    return this.#images.map((runs) =>
      runs.map(({ firstPage, pages, contents }) => ({
        firstPage,
        pages,
        ...(contents && { classes: Array.from(contents, classOf) }),
      })),
    );
  }
}

/** The same memory in pages of 2 MiB; what isn't mapped in one counts as zero. */
function* largePages(runs: readonly PageRun[], table: KeyTable): Generator<PageRun> {
  let open = -1;
  const inside = new Uint32Array(LARGE_PAGES);
  const bytes = new Uint8Array(inside.buffer);
  /** The large page that is open, closed. */
  const closed = (): PageRun => {
    const content = inside.every((number) => number === ZERO) ? ZERO : numberOf(table, bytes);
    inside.fill(ZERO);
    return { firstPage: open, pages: 1, contents: Uint32Array.of(content) };
  };
  for (const { firstPage, pages, contents } of runs) {
    const first = Math.floor(firstPage / LARGE_PAGES);
    const last = Math.floor((firstPage + pages - 1) / LARGE_PAGES);
    if (first !== open) {
      if (open >= 0) yield closed();
      open = first;
    }
    if (contents === undefined) {
      if (last === first) continue;
      yield closed();
      if (last - first > 1) yield { firstPage: first + 1, pages: last - first - 1 };
      open = last;
      continue;
    }
    for (const [i, content] of contents.entries()) {
      const page = firstPage + i;
      const large = Math.floor(page / LARGE_PAGES);
      if (large !== open) {
        yield closed();
        open = large;
      }
      inside[page % LARGE_PAGES] = content;
    }
  }
  if (open >= 0) yield closed();
}
