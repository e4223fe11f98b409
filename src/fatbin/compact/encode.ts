/** Finds a recipe for a program: its fields rewritten into the geography of its parent, then Zstandard. */
import { constants, zstdCompressSync } from "node:zlib";
import { equalBytes } from "../../bytes/index.ts";
import { type Alignment, align, piecesOf } from "./align.ts";
import { visitFields } from "./fields.ts";
import { identityMap, PlaceMap } from "./place-map.ts";
import { carryOut, type Frame, MAX_SPACE, prefixOf, type Recipe, writeRecipe } from "./recipe.ts";
import { type Geography, geographyOf } from "./regions.ts";
import { toPlaces } from "./rewrite.ts";

/** Two programs up to this size together are one frame with the whole parent as its prefix. */
const SINGLE_FRAME_BYTES = 24 << 20;
/** Larger ones are cut, so that the tables of the match finder stay small enough to be fast. */
const FRAME_BYTES = 4 << 20;
/** Of the parent around what a frame corresponds to. */
const MARGIN_BYTES = 1 << 20;
const MAX_PREFIX_BYTES = 12 << 20;
/** Bytes that make a decoder of dictionaries expect tables behind them, which a prefix hasn't. */
const DICTIONARY_MAGIC = 0xec30a437;
/** Linked without an address map: a program whose addresses span more than fields can hold. */
const NO_PLACES = 1 << 12;
const LEVEL = 19;
/** Of frames that the image was cut into: a third faster, and half a percent larger. */
const LARGE_LEVEL = 18;
/** Beyond this a program is cut and compressed fast, without a parent: it would take minutes and many gigabytes. */
const MAX_COMPARED_BYTES = 512 << 20;
const HUGE_LEVEL = 9;
const HUGE_FRAME_BYTES = 64 << 20;
/** What a place needs beyond the larger program, where the map shifts the last ones up. */
const SPARE_SPACE = 1 << 20;

function pack(bytes: Uint8Array, level: number, prefix?: Uint8Array): Uint8Array {
  const hasPrefix = prefix !== undefined && prefix.length > 0;
  const reach = bytes.length + (hasPrefix ? prefix.length : 0);
  // A window over all that a match may reach.
  const windowLog = Math.min(27, Math.max(17, Math.ceil(Math.log2(reach + 1))));
  return zstdCompressSync(bytes, {
    ...(hasPrefix && { dictionary: prefix }),
    pledgedSrcSize: bytes.length,
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_windowLog]: windowLog,
      // A binary tree keeps two links for each place; without them most of a prefix can't be found.
      ...(hasPrefix && { [constants.ZSTD_c_chainLog]: Math.min(27, windowLog + 1) }),
    },
  });
}

/** Whether two programs can be compared at a bearable cost. */
export function isComparable(...images: readonly Uint8Array[]): boolean {
  return images.every(({ length }) => length <= MAX_COMPARED_BYTES);
}

/** How well two programs match: the fields that say the same, for choosing among parents. */
export function likeness({ votes }: Alignment): number {
  let sum = 0;
  for (let i = 0; i < votes.count; i++) sum += votes.weight[i]!;
  return sum;
}

export interface RecipeInput {
  readonly image: Uint8Array;
  /** What the image is made from; nothing: from itself. */
  readonly parent?: { readonly image: Uint8Array; readonly alignment: Alignment };
}

/** Yields after each part of the work, with the bytes of the image that are done; returns the recipe. */
export function* encodeRecipe({ image, parent }: RecipeInput): Generator<number, Uint8Array> {
  const target = geographyOf(image);
  const base = parent ? geographyOf(parent.image) : { low: 0, span: 0, regions: [] };
  const usable = target.regions.length > 0 && (!parent || base.regions.length > 0);
  const space = usable ? Math.min(MAX_SPACE, Math.max(base.span, target.span) + SPARE_SPACE) : NO_PLACES;
  const plan: Recipe = {
    imageBytes: image.length,
    target: usable ? target : { low: 0, span: 0, regions: [] },
    base: usable ? base : { low: 0, span: 0, regions: [] },
    tag: usable ? rareTag(image, target, space) : 0,
    space,
    pieces: [{ start: 0, shift: 0 }],
    fixups: { at: [], values: [] },
    frames: [],
  };
  const pieces = parent && usable ? piecesOf(parent.alignment.votes) : plan.pieces;
  const map = parent && usable ? mapOf(space, pieces, parent.alignment) : identityMap(space);
  const rewritten = image.slice();
  const fixups = toPlaces(rewritten, 0, plan.target, map, { tag: plan.tag, low: plan.target.low });
  const frames: Frame[] = [];
  const parts = partsOf(image.length, parent);
  const level = image.length > MAX_COMPARED_BYTES ? HUGE_LEVEL : parts.length > 1 ? LARGE_LEVEL : LEVEL;
  for (const part of parts) {
    const prefix = prefixOf(parent?.image ?? new Uint8Array(0), { ...part, ...plan }, plan.base);
    const packed = pack(rewritten.subarray(part.start, part.end), level, prefix);
    const { start, end, prefixOffset, prefixBytes } = part;
    frames.push({ imageBytes: end - start, prefixOffset, prefixBytes, packed });
    yield end;
  }
  const recipe = writeRecipe({ ...plan, pieces, fixups, frames }, (side) => pack(side, LEVEL));
  if (!equalBytes(carryOut(recipe, image.length, parent?.image), image))
    throw new TypeError("a recipe doesn't give back its image");
  return recipe;
}

function mapOf(space: number, pieces: Recipe["pieces"], { votes }: Alignment): PlaceMap {
  const preferred = new Map<number, number>();
  for (let i = 0; i < votes.count; i++) preferred.set(votes.target[i]!, votes.base[i]!);
  return new PlaceMap(space, pieces, preferred);
}

/** The upper byte of a tag such that few fields which mean no place begin with it. */
function rareTag(image: Uint8Array, { regions, span }: Geography, space: number): number {
  const counts = new Uint32Array(256);
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const visitor = {
    distance(at: number, origin: number) {
      if ((view.getUint32(at, true) + origin) >>> 0 < span) return true;
      counts[image[at]!]!++;
      return false;
    },
    word() {},
    branch() {},
    page() {},
  };
  for (const region of regions) visitFields(image, 0, region, 0, image.length, visitor);
  const width = Math.ceil(space / 2 ** 24);
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let first = 1; first + width <= 256; first++) {
    let sum = 0;
    for (let i = first; i < first + width; i++) sum += counts[i]!;
    if (sum < least) {
      least = sum;
      best = first;
    }
  }
  return best * 2 ** 24;
}

interface Part {
  readonly start: number;
  readonly end: number;
  readonly prefixOffset: number;
  readonly prefixBytes: number;
}

/** How an image is cut into frames, and what of the parent each may use. */
function partsOf(length: number, parent: RecipeInput["parent"]): Part[] {
  if (parent === undefined) {
    const unit = length > MAX_COMPARED_BYTES ? HUGE_FRAME_BYTES : Math.max(1, length);
    return Array.from({ length: Math.ceil(length / unit) }, (_, i) => ({
      ...{ start: i * unit, end: Math.min(length, (i + 1) * unit) },
      ...{ prefixOffset: 0, prefixBytes: 0 },
    }));
  }
  const { image, alignment } = parent;
  if (length + image.length <= SINGLE_FRAME_BYTES) return [withPrefix(image, 0, length, 0, image.length)];
  const parts: Part[] = [];
  const { runs } = alignment;
  let run = 0;
  for (let start = 0; start < length; start += FRAME_BYTES) {
    const end = Math.min(length, start + FRAME_BYTES);
    // Where in the parent most of this part is, by the diagonals that pass through it.
    const spans: { at: number; bytes: number }[] = [];
    while (run > 0 && (runs[run]?.at ?? length) > start) run--;
    for (; run < runs.length && runs[run]!.at < end; run++) {
      const from = Math.max(start, runs[run]!.at);
      const to = Math.min(end, runs[run + 1]?.at ?? length);
      if (to > from) spans.push({ at: from + runs[run]!.diagonal, bytes: to - from });
    }
    if (spans.length === 0) spans.push({ at: start, bytes: end - start });
    const [low, high] = middleOf(spans);
    parts.push(withPrefix(image, start, end, low - MARGIN_BYTES, high + MARGIN_BYTES));
  }
  return parts;
}

/** The range that holds nine tenths of the bytes, without outliers on either side. */
function middleOf(spans: { at: number; bytes: number }[]): [number, number] {
  spans.sort((a, b) => a.at - b.at);
  const total = spans.reduce((sum, { bytes }) => sum + bytes, 0);
  let low = spans[0]!.at;
  let high = low;
  let passed = 0;
  for (const { at, bytes } of spans) {
    if (passed < total / 20) low = at;
    passed += bytes;
    high = at + bytes;
    if (passed > (total * 19) / 20) break;
  }
  return [low, high];
}

function withPrefix(image: Uint8Array, start: number, end: number, low: number, high: number): Part {
  let from = Math.max(0, Math.min(image.length, low));
  const to = Math.max(from, Math.min(image.length, high, from + MAX_PREFIX_BYTES));
  const wide = start === 0 && low === 0 && high === image.length ? image.length : to;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (from + 4 <= wide && view.getUint32(from, true) === DICTIONARY_MAGIC) from++;
  return { start, end, prefixOffset: from, prefixBytes: wide - from };
}

export { type Alignment, align, geographyOf };
