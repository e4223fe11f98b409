/** From contents to counts: how many pages of which class, for each image, between neighbours, and all together. */
import { type PageRun, ZERO } from "./census.ts";
import { KeyTable } from "./key-table.ts";

/** The pages of one image. `pages` is the sum of the others. */
export interface PageCounts {
  readonly pages: number;
  readonly zero: number;
  /** Another image has the same content at the same address. */
  readonly sharedSameAddress: number;
  /** Another image has the same content, but not at this address. */
  readonly sharedOtherAddress: number;
  /** Only this image has the content, and more than once. */
  readonly sharedWithin: number;
  /** The content occurs nowhere else. */
  readonly unique: number;
}

/** An image and the one that was named before it. */
export interface NeighbourCounts {
  /** Index of the earlier one among the images; the other is the next. */
  readonly from: number;
  /** Pages of the later image, and how many of them are zero. */
  readonly pages: number;
  readonly zero: number;
  /** Pages of the later image, not zero, that the earlier has at the same address. */
  readonly sameAddress: number;
  /** The same at any address. */
  readonly sameContent: number;
}

/** All images together. */
export interface PageTotals {
  readonly pages: number;
  readonly zero: number;
  /** Different contents, zero left out: pages of the pool. */
  readonly distinct: number;
  /** Different pairs of address and content: what is left if only equal pages at equal addresses are kept once. */
  readonly distinctAtAddress: number;
  /** Of `distinct`, how many are in every image (of two or more), in several, in one. */
  readonly inAll: number;
  readonly inSome: number;
  readonly inOne: number;
}

export interface PageSizeReport {
  readonly pageBytes: number;
  readonly total: PageTotals;
  readonly images: readonly PageCounts[];
  readonly neighbours: readonly NeighbourCounts[];
}

const HIGH = 2 ** 32;

/** Counts pages of one size. `contentCount` is the highest number of a content. */
export function countPages(
  pageBytes: number,
  images: readonly (readonly PageRun[])[],
  contentCount: number,
): PageSizeReport {
  const occurrences = new Uint32Array(contentCount + 1);
  const imagesWith = new Uint32Array(contentCount + 1);
  const lastWith = new Uint32Array(contentCount + 1);
  const places = new KeyTable();
  const placeOf = (page: number, content: number) => [page | 0, (page / HIGH) | 0, content, 0] as const;
  // Images that have a place; indexed by its number, which grows while images are read.
  let imagesAt = new Uint32Array(1024);
  let pages = 0;
  let zero = 0;
  for (const [index, runs] of images.entries()) {
    for (const { firstPage, pages: length, contents } of runs) {
      pages += length;
      if (contents === undefined) zero += length;
      for (const [i, content] of contents?.entries() ?? []) {
        if (content === ZERO) {
          zero++;
          continue;
        }
        occurrences[content]!++;
        if (lastWith[content] !== index + 1) {
          lastWith[content] = index + 1;
          imagesWith[content]!++;
        }
        const place = places.add(...placeOf(firstPage + i, content));
        if (place >= imagesAt.length) imagesAt = enlarged(imagesAt);
        imagesAt[place]!++;
      }
    }
  }

  const counts: PageCounts[] = [];
  const neighbours: NeighbourCounts[] = [];
  // The last image that had a content, or a place; from here on of the images before the present one.
  lastWith.fill(0);
  const lastAt = new Uint32Array(places.size + 1);
  for (const [index, runs] of images.entries()) {
    const of = { pages: 0, zero: 0, sharedSameAddress: 0, sharedOtherAddress: 0, sharedWithin: 0, unique: 0 };
    let sameAddress = 0;
    let sameContent = 0;
    const mine: Uint32Array[] = [];
    for (const { firstPage, pages: length, contents } of runs) {
      of.pages += length;
      if (contents === undefined) {
        of.zero += length;
        continue;
      }
      mine.push(contents);
      for (const [i, content] of contents.entries()) {
        if (content === ZERO) {
          of.zero++;
          continue;
        }
        const place = places.get(...placeOf(firstPage + i, content));
        if (index > 0 && lastAt[place] === index) sameAddress++;
        if (index > 0 && lastWith[content] === index) sameContent++;
        lastAt[place] = index + 1;
        if (imagesAt[place]! > 1) of.sharedSameAddress++;
        else if (imagesWith[content]! > 1) of.sharedOtherAddress++;
        else if (occurrences[content]! > 1) of.sharedWithin++;
        else of.unique++;
      }
    }
    // Only now: a content that occurs twice in this image would be taken for the previous one's.
    for (const contents of mine) for (const content of contents) lastWith[content] = index + 1;
    counts.push(of);
    if (index > 0)
      neighbours.push({ from: index - 1, pages: of.pages, zero: of.zero, sameAddress, sameContent });
  }

  const inAll =
    images.length < 2 ? 0 : imagesWith.reduce((n, with_) => n + (with_ === images.length ? 1 : 0), 0);
  const inOne = imagesWith.reduce((n, with_) => n + (with_ === 1 ? 1 : 0), 0);
  const total = {
    pages,
    zero,
    distinct: contentCount,
    distinctAtAddress: places.size,
    ...{ inAll, inSome: contentCount - inAll - inOne, inOne },
  };
  return { pageBytes, total, images: counts, neighbours };
}

function enlarged(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
