/** A memory map in order, in parts that fit into memory. */
import { type Extent, type MemoryMap, PAGE_BYTES } from "./memory-map.ts";

/** Consecutive pages; without reads they are zero, and may be any number. */
export interface Window {
  readonly firstPage: number;
  readonly pages: number;
  /** What of the file goes where in the window; the rest is zero. */
  readonly reads: readonly { readonly at: number; readonly offset: number; readonly lengthBytes: number }[];
}

const endPage = ({ page, skipBytes, lengthBytes }: Extent) =>
  page + Math.ceil((skipBytes + lengthBytes) / PAGE_BYTES);

/** All mapped pages, ascending, in windows of at most `maxPages`; runs of pages without bytes are one window each. */
export function* windows({ spans, extents }: MemoryMap, maxPages: number): Generator<Window> {
  let next = 0;
  for (const span of spans) {
    const spanEnd = span.firstPage + span.pages;
    let page = span.firstPage;
    while (page < spanEnd) {
      while (next < extents.length && endPage(extents[next]!) <= page) next++;
      const extent = extents[next];
      const filledFrom = extent === undefined ? spanEnd : Math.min(spanEnd, Math.max(page, extent.page));
      if (filledFrom > page) {
        yield { firstPage: page, pages: filledFrom - page, reads: [] };
        page = filledFrom;
        continue;
      }
      const pages = Math.min(maxPages, Math.min(spanEnd, endPage(extent!)) - page);
      yield { firstPage: page, pages, reads: readsOf(extents, next, page, pages) };
      page += pages;
    }
  }
}

function readsOf(
  extents: readonly Extent[],
  from: number,
  firstPage: number,
  pages: number,
): Window["reads"] {
  const reads: Window["reads"][number][] = [];
  const windowBytes = pages * PAGE_BYTES;
  for (let i = from; i < extents.length && extents[i]!.page < firstPage + pages; i++) {
    const { page, skipBytes, offset, lengthBytes } = extents[i]!;
    const start = (page - firstPage) * PAGE_BYTES + skipBytes;
    const at = Math.max(0, start);
    const end = Math.min(windowBytes, start + lengthBytes);
    if (end > at) reads.push({ at, offset: offset + at - start, lengthBytes: end - at });
  }
  return reads;
}

/** The bytes of a window, when the whole file is in memory. */
export function readWindow(file: Uint8Array, { pages, reads }: Window): Uint8Array {
  const bytes = new Uint8Array(pages * PAGE_BYTES);
  for (const { at, offset, lengthBytes } of reads) bytes.set(file.subarray(offset, offset + lengthBytes), at);
  return bytes;
}
