/**
 * pages: which pages linked images share once they are loaded.
 *
 * Nouns: an *image* is a file whose bytes end up in memory: an executable, a kernel, or memory itself. Its *memory map*
 * has *spans* (pages that are mapped) and *extents* (which bytes of the file lie where); the *loader* decides how the two
 * belong together: `mmap` maps whole pages of the file, `copy` copies segments byte by byte. The *census* sees every page
 * once and keeps its hash. A page is *zero*, *shared* (its content occurs more than once) or *unique*; the pages that are
 * left when each content is kept once are the *pool*.
 * Invariants: nothing is read outside the file; memory grows with the number of pages that have bytes in files, by some
 * 50 bytes each, never with addresses or sizes that a header claims; every page is counted in one class only.
 */
export { type AddedPages, PageCensus } from "./census.ts";
export type { NeighbourCounts, PageCounts, PageSizeReport, PageTotals } from "./counts.ts";
export {
  type Extent,
  type Loader,
  type MemoryMap,
  PAGE_BYTES,
  type Span,
  segmentMap,
  wholeFileMap,
} from "./memory-map.ts";
export { type PageClass, pageMapSvg } from "./page-map.ts";
export {
  HEADER_BYTES,
  type LoadSegment,
  type ProgramHeaders,
  programHeaders,
  readLoadSegments,
} from "./program-headers.ts";
export { readWindow, type Window, windows } from "./windows.ts";
