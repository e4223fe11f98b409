/** What a loader makes of an image: which pages are mapped, and which bytes of the file lie where in them. */
import type { LoadSegment } from "./program-headers.ts";

/** The page of x86-64, and the smallest of AArch64. */
export const PAGE_BYTES = 4096;
const PAGE = BigInt(PAGE_BYTES);

/**
 * How segments come into memory. `mmap`, as Linux does: whole pages of the file, with what stands beside the segment in
 * them; behind p_filesz they are zero only if p_memsz is larger. `copy`, as emulators and boot loaders do: p_filesz
 * bytes, and zeros around them.
 */
export type Loader = "mmap" | "copy";

/** Pages that are mapped, one after the other. Numbers of pages are addresses divided by 4096: below 2^52. */
export interface Span {
  readonly firstPage: number;
  readonly pages: number;
}

/** Bytes of the file in memory. */
export interface Extent {
  readonly page: number;
  /** Where in that page it begins, below 4096. */
  readonly skipBytes: number;
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Both lists ascend by address; spans neither overlap nor touch, extents don't overlap. */
export interface MemoryMap {
  readonly loader: Loader;
  /** Why it isn't the loader that was asked for. */
  readonly reason?: string;
  readonly spans: readonly Span[];
  readonly extents: readonly Extent[];
}

/** A file that is memory already: offset 0 is address 0. */
export function wholeFileMap(fileBytes: number): MemoryMap {
  if (fileBytes === 0) return { loader: "copy", spans: [], extents: [] };
  return {
    loader: "copy",
    spans: [{ firstPage: 0, pages: Math.ceil(fileBytes / PAGE_BYTES) }],
    extents: [{ page: 0, skipBytes: 0, offset: 0, lengthBytes: fileBytes }],
  };
}

const isMappable = ({ address, offset, fileSizeBytes }: LoadSegment) =>
  fileSizeBytes === 0 || Number(address % PAGE) === offset % PAGE_BYTES;

/**
 * The memory of an image whose segments are as `readLoadSegments` gives them. Segments whose addresses and offsets differ
 * modulo the page can't be mapped, and are copied, with a reason.
 */
export function segmentMap(segments: readonly LoadSegment[], fileBytes: number, wanted: Loader): MemoryMap {
  const canMap = segments.every(isMappable);
  const loader = canMap ? wanted : "copy";
  const spans: Span[] = [];
  const extents: Extent[] = [];
  for (const segment of segments) {
    const first = Number(segment.address / PAGE);
    const end = Number((segment.address + segment.sizeBytes + PAGE - 1n) / PAGE);
    const last = spans.at(-1);
    if (last !== undefined && first <= last.firstPage + last.pages) {
      spans[spans.length - 1] = { firstPage: last.firstPage, pages: end - last.firstPage };
    } else spans.push({ firstPage: first, pages: end - first });
    if (segment.fileSizeBytes > 0) addExtent(extents, segment, loader, fileBytes);
  }
  const reason = "segments whose offset and address differ modulo 4096 can't be mapped: copied";
  return { loader, ...(loader !== wanted && { reason }), spans, extents };
}

function addExtent(extents: Extent[], segment: LoadSegment, loader: Loader, fileBytes: number): void {
  const { address, sizeBytes, offset, fileSizeBytes } = segment;
  const page = Number(address / PAGE);
  const inPage = Number(address % PAGE);
  if (loader === "copy") {
    extents.push({ page, skipBytes: inPage, offset, lengthBytes: fileSizeBytes });
    return;
  }
  const start = offset - inPage;
  const end = offset + fileSizeBytes;
  const hasZeroTail = sizeBytes > BigInt(fileSizeBytes);
  // The rest of the last page is there as it stands in the file, which may end in it.
  const mappedEnd = hasZeroTail ? end : Math.min(Math.ceil(end / PAGE_BYTES) * PAGE_BYTES, fileBytes);
  // The later mapping replaces the whole page that it has in common with an earlier one.
  const before = extents.at(-1);
  if (before !== undefined) {
    const room = (page - before.page) * PAGE_BYTES - before.skipBytes;
    if (room <= 0) extents.pop();
    else if (room < before.lengthBytes) extents[extents.length - 1] = { ...before, lengthBytes: room };
  }
  extents.push({ page, skipBytes: 0, offset: start, lengthBytes: mappedEnd - start });
}
