/**
 * Recipes: how the image of a flavour is made again, from that of its parent or by itself.
 *
 *    0  version u32, frames u32, image bytes u64
 *   16  lowest address u64, that of the parent u64
 *   32  tag u32, space u32, addresses that the parent spans u32, 0 u32
 *   48  bytes of the numbers u32, packed bytes of the numbers u32
 *   56  for each frame: image bytes u64, offset u64 and bytes u64 in the parent's image, packed bytes u64
 *       packed numbers, packed frames
 *
 * What is packed is a Zstandard frame each; docs/formats/fat.md has the numbers and the rest.
 */
import { constants, zstdDecompressSync } from "node:zlib";
import { ByteReader, ByteWriter } from "../../bytes/index.ts";
import { invalid, TenonError } from "../../errors/index.ts";
import { identityMap, type Piece, PlaceMap } from "./place-map.ts";
import type { Geography, Region } from "./regions.ts";
import { type Fixups, toDistances, toPlaces } from "./rewrite.ts";

export const FORMAT = "recipe of a flavour";
const VERSION = 1;
const HEADER_BYTES = 56;
const FRAME_BYTES = 32;
/** Fields have 32 bits, and some of their values must stay for what is no place. */
export const MAX_SPACE = 2 ** 30;
/** More than any program, and below what a typed array may have. */
const MAX_IMAGE_BYTES = 2 ** 36;
/** More than all that a recipe can use: 2^32 bytes are decoded in one piece by nobody. */
const MAX_SIDE_BYTES = 2 ** 30;

export interface Frame {
  readonly imageBytes: number;
  readonly prefixOffset: number;
  readonly prefixBytes: number;
  readonly packed: Uint8Array;
}

/** A recipe's parts before they are packed into bytes. */
export interface Recipe {
  readonly imageBytes: number;
  readonly target: Geography;
  readonly base: Geography;
  readonly tag: number;
  readonly space: number;
  readonly pieces: readonly Piece[];
  readonly fixups: Fixups;
  readonly frames: readonly Frame[];
}

const fold = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value);
const unfold = (value: number) => (value % 2 === 1 ? -(value + 1) / 2 : value / 2);

/** Numbers of seven bits a byte, the lowest first. */
function writeNumber(writer: ByteWriter, value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) writer.u8((rest % 128) + 128);
  writer.u8(rest);
}

function writeRegions(writer: ByteWriter, regions: readonly Region[]): void {
  writeNumber(writer, regions.length);
  let end = 0;
  for (const { kind, offset, bytes, place } of regions) {
    for (const value of [kind, offset - end, bytes, place]) writeNumber(writer, value);
    end = offset + bytes;
  }
}

/** The numbers of a recipe, not packed yet. */
export function sideOf({ base, target, pieces, fixups }: Recipe): Uint8Array {
  const writer = new ByteWriter(1024);
  writeRegions(writer, base.regions);
  writeRegions(writer, target.regions);
  writeNumber(writer, pieces.length);
  let start = 0;
  let shift = 0;
  for (const piece of pieces) {
    writeNumber(writer, piece.start - start);
    writeNumber(writer, fold(piece.shift - shift));
    ({ start, shift } = piece);
  }
  writeNumber(writer, fixups.at.length);
  let last = 0;
  for (const [i, at] of fixups.at.entries()) {
    writeNumber(writer, at - last);
    writeNumber(writer, fixups.values[i]!);
    last = at;
  }
  return writer.finish();
}

/** A recipe as bytes; `pack` compresses its numbers. */
export function writeRecipe(recipe: Recipe, pack: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  const { imageBytes, target, base, tag, space, frames } = recipe;
  const side = sideOf(recipe);
  const packedSide = pack(side);
  const writer = new ByteWriter(HEADER_BYTES + frames.length * FRAME_BYTES);
  writer.u32(VERSION).u32(frames.length).u64(imageBytes).u64(target.low).u64(base.low);
  writer.u32(tag).u32(space).u32(base.span).u32(0).u32(side.length).u32(packedSide.length);
  for (const { imageBytes: bytes, prefixOffset, prefixBytes, packed } of frames)
    writer.u64(bytes).u64(prefixOffset).u64(prefixBytes).u64(packed.length);
  writer.raw(packedSide);
  for (const { packed } of frames) writer.raw(packed);
  return writer.finish();
}

/** One Zstandard frame that must give so many bytes. */
function unpack(
  packed: Uint8Array,
  length: number,
  prefix: Uint8Array | undefined,
  what: string,
): Uint8Array {
  try {
    const bytes = zstdDecompressSync(packed, {
      ...(prefix && prefix.length > 0 && { dictionary: prefix }),
      maxOutputLength: Math.max(1, length),
      params: { [constants.ZSTD_d_windowLogMax]: 31 },
    });
    if (bytes.length === length) return bytes;
  } catch (error) {
    throw new TenonError("invalid", `${FORMAT}: ${what} can't be unpacked: ${(error as Error).message}`, {
      format: FORMAT,
    });
  }
  throw invalid(FORMAT, what, 0, `it doesn't give ${length} bytes`);
}

class Numbers {
  readonly #reader: ByteReader;

  constructor(bytes: Uint8Array) {
    this.#reader = new ByteReader(bytes, FORMAT);
  }

  next(field: string, most = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    for (let unit = 1; unit <= 2 ** 49; unit *= 128) {
      const byte = this.#reader.u8(field);
      value += (byte & 127) * unit;
      if (byte < 128) {
        if (value > most) throw invalid(FORMAT, field, this.#reader.offset, `${value} is more than ${most}`);
        return value;
      }
    }
    throw invalid(FORMAT, field, this.#reader.offset, "a number is too long");
  }

  get remaining(): number {
    return this.#reader.remaining;
  }
}

function readRegions(numbers: Numbers, imageBytes: number): Region[] {
  const regions: Region[] = [];
  let at = 0;
  // Each takes four bytes at least.
  const count = numbers.next("regions", numbers.remaining / 4);
  for (let i = 0; i < count; i++) {
    const kind = numbers.next("region kind", 5);
    at += numbers.next("region gap", imageBytes - at);
    const bytes = numbers.next("region bytes", imageBytes - at);
    regions.push({ kind, offset: at, bytes, place: numbers.next("region place", 2 ** 32 - 1) });
    if (kind === 0) throw invalid(FORMAT, "region kind", 0, "0 is none");
    at += bytes;
  }
  return regions;
}

function readSide(side: Uint8Array, imageBytes: number, baseBytes: number) {
  const numbers = new Numbers(side);
  const base = readRegions(numbers, baseBytes);
  const target = readRegions(numbers, imageBytes);
  const pieces: Piece[] = [];
  const pieceCount = numbers.next("pieces", numbers.remaining / 2);
  if (pieceCount === 0) throw invalid(FORMAT, "pieces", 0, "there is none");
  let [start, shift] = [0, 0];
  for (let i = 0; i < pieceCount; i++) {
    start += numbers.next("piece start", MAX_SPACE);
    shift += unfold(numbers.next("piece shift", 2 ** 33));
    if (start > MAX_SPACE || Math.abs(shift) > 2 ** 31) throw invalid(FORMAT, "piece", 0, "out of range");
    pieces.push({ start, shift });
  }
  const fixups = { at: [] as number[], values: [] as number[] };
  const fixupCount = numbers.next("fixups", numbers.remaining / 2);
  let at = 0;
  for (let i = 0; i < fixupCount; i++) {
    at += numbers.next("fixup gap", imageBytes - 4 - at);
    fixups.at.push(at);
    fixups.values.push(numbers.next("fixup value", 2 ** 32 - 1));
  }
  if (numbers.remaining !== 0) throw invalid(FORMAT, "numbers", 0, "there are more than needed");
  return { base, target, pieces, fixups };
}

/**
 * Carries out a recipe: the image that it makes, of the length that the manifest tells. Errors: `invalid` and
 * `unsupported` with field and offset within the recipe. The digest is for the caller to compare.
 */
export function carryOut(recipe: Uint8Array, imageBytes: number, parent: Uint8Array | undefined): Uint8Array {
  const reader = new ByteReader(recipe, FORMAT);
  const version = reader.u32("version");
  if (version !== VERSION)
    throw new TenonError("unsupported", `${FORMAT}: version ${version} is not supported`, { format: FORMAT });
  const frameCount = reader.u32("frames");
  if (reader.u64("image bytes") !== imageBytes || imageBytes > MAX_IMAGE_BYTES)
    throw reader.error("image bytes", "not those of the manifest", 8);
  const low = reader.u64("lowest address");
  const baseLow = reader.u64("lowest address of the parent");
  const [tag, space, baseSpan] = [reader.u32("tag"), reader.u32("space"), reader.u32("span of the parent")];
  if (space === 0 || space > MAX_SPACE || baseSpan > space) throw reader.error("space", "out of range", 36);
  reader.skip(4, "reserved");
  const sideBytes = reader.u32("bytes of numbers");
  const packedSideBytes = reader.u32("packed bytes of numbers");
  if (sideBytes > MAX_SIDE_BYTES || frameCount > reader.remaining / FRAME_BYTES)
    throw reader.error("frames", "more than there is room for", 4);
  const base = parent ?? new Uint8Array(0);
  let left = imageBytes;
  const frames = Array.from({ length: frameCount }, () => {
    const at = reader.offset;
    const bytes = reader.u64("frame bytes");
    const prefixOffset = reader.u64("prefix offset");
    const prefixBytes = reader.u64("prefix bytes");
    if (bytes > left || prefixOffset > base.length || prefixBytes > base.length - prefixOffset)
      throw reader.error("frame", "it reaches outside of the images", at);
    left -= bytes;
    return { bytes, prefixOffset, prefixBytes, packedBytes: reader.u64("packed bytes") };
  });
  if (left !== 0) throw reader.error("frames", `${left} bytes are missing`);
  const side = unpack(reader.view(packedSideBytes, "numbers"), sideBytes, undefined, "numbers");
  const { base: baseRegions, target, pieces, fixups } = readSide(side, imageBytes, base.length);
  const map = new PlaceMap(space, pieces);
  const baseGeography = { low: baseLow, span: baseSpan, regions: baseRegions };
  const parts = frames.map(({ bytes, prefixOffset, prefixBytes, packedBytes }) => {
    const packed = reader.view(packedBytes, "frame");
    return unpack(
      packed,
      bytes,
      prefixOf(base, { prefixOffset, prefixBytes, tag, space }, baseGeography),
      "frame",
    );
  });
  if (reader.remaining !== 0) throw reader.error("end", "bytes are left over");
  const image = new Uint8Array(imageBytes);
  let at = 0;
  for (const part of parts) {
    image.set(part, at);
    at += part.length;
  }
  toDistances(image, { low, span: space, regions: target }, map, { tag, low }, fixups);
  return image;
}

/** What a frame's matches may reach into: a part of the parent with its fields as places. */
export function prefixOf(
  base: Uint8Array,
  frame: { prefixOffset: number; prefixBytes: number; tag: number; space: number },
  geography: Geography,
): Uint8Array {
  const { prefixOffset, prefixBytes, tag, space } = frame;
  const prefix = base.slice(prefixOffset, prefixOffset + prefixBytes);
  toPlaces(prefix, prefixOffset, geography, identityMap(space), { tag, low: geography.low });
  return prefix;
}
