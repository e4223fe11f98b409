/** Where pieces are: in the file by adding up their lengths, in memory by the program headers among them. */
import type { AddressMap } from "../elf/index.ts";
import { invalid, TenonError } from "../errors/index.ts";
import { PieceKind, type PieceTable } from "./types.ts";

/** Linked files have 2 to 8 loaded segments. The bound keeps every search below a constant. */
const MAX_RANGES = 256;

/** Offsets and lengths are computed in 32 bits in places; larger files are kept in chunks. */
export const MAX_FILE_BYTES = 2 ** 31 - 1;

/** A run of addresses, of which the first `fileBytes` are in the file. */
export interface LoadRange {
  readonly address: number;
  readonly memoryBytes: number;
  readonly offset: number;
  readonly fileBytes: number;
  readonly executable: boolean;
}

/** Loaded ranges that overlap neither in memory nor in the file, so that one byte has one address. */
export interface LoadMap {
  /** By address. */
  readonly ranges: readonly LoadRange[];
  /** By offset, those with bytes in the file. */
  readonly inFile: readonly LoadRange[];
}

/** Of ranges that share bytes of the file only the first counts. Errors: `limit`. */
export function loadMap(addresses: AddressMap): LoadMap {
  if (addresses.ranges.length > MAX_RANGES) {
    throw new TenonError("limit", `${addresses.ranges.length} loaded ranges, at most ${MAX_RANGES}`);
  }
  const byOffset = addresses.ranges
    .map(({ address, sizeBytes, offset, fileSizeBytes, executable }) => ({
      address,
      memoryBytes: sizeBytes,
      offset,
      fileBytes: fileSizeBytes,
      executable,
    }))
    .sort((a, b) => a.offset - b.offset || a.address - b.address);
  const kept: LoadRange[] = [];
  let end = 0;
  for (const range of byOffset) {
    if (range.fileBytes > 0 && range.offset < end) continue;
    kept.push(range);
    if (range.fileBytes > 0) end = range.offset + range.fileBytes;
  }
  const inFile = kept.filter(({ fileBytes }) => fileBytes > 0);
  return { ranges: kept.sort((a, b) => a.address - b.address), inFile };
}

/**
 * Bytes that aren't loaded have labels too: their "address" is this plus the file offset. Above every address, and
 * exact as a double.
 */
export const UNLOADED = 2 ** 52;

/** Where a piece begins, in addresses or above `UNLOADED`. */
export function labelAddress(pieces: PieceTable, piece: number): number {
  const address = pieces.address[piece]!;
  return address >= 0 ? address : UNLOADED + pieces.offset[piece]!;
}

/** Number of a range that holds an address or ends at it; -1 for none. */
export function rangeAt({ ranges }: LoadMap, address: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.address <= address) low = middle + 1;
    else high = middle;
  }
  const found = ranges[low - 1];
  return found !== undefined && address - found.address <= found.memoryBytes ? low - 1 : -1;
}

/**
 * Offsets and addresses of pieces. File pieces tile the file; memory pieces tile what the ranges have beyond their
 * file bytes, by address. Errors: `invalid` when they don't.
 */
export function placePieces(
  map: LoadMap,
  pieces: { readonly kind: Uint8Array; readonly length: Float64Array; readonly fileBytes: number },
): PieceTable {
  const { kind, length, fileBytes } = pieces;
  const count = kind.length;
  const offset = new Float64Array(count);
  const address = new Float64Array(count);
  const tails = map.ranges.filter((range) => range.memoryBytes > range.fileBytes);
  let at = 0;
  let range = 0;
  let tail = 0;
  let within = 0;
  for (let piece = 0; piece < count; piece++) {
    const bytes = length[piece]!;
    if (!(bytes >= 0)) throw invalid("dissection", "length", piece, `a piece of ${bytes} bytes`);
    if (kind[piece] === PieceKind.memory) {
      const place = tails[tail];
      if (at !== fileBytes || place === undefined)
        throw invalid("dissection", "kind", piece, "no place for memory");
      offset[piece] = fileBytes;
      address[piece] = place.address + place.fileBytes + within;
      within += bytes;
      const left = place.memoryBytes - place.fileBytes - within;
      if (left < 0) throw invalid("dissection", "length", piece, "memory beyond its range");
      if (left === 0) {
        tail++;
        within = 0;
      }
      continue;
    }
    offset[piece] = at;
    while (range < map.inFile.length && at >= map.inFile[range]!.offset + map.inFile[range]!.fileBytes)
      range++;
    const loaded = map.inFile[range];
    address[piece] = loaded !== undefined && at >= loaded.offset ? loaded.address + at - loaded.offset : -1;
    at += bytes;
    if (at > fileBytes) throw invalid("dissection", "length", piece, "pieces are longer than the file");
  }
  if (at !== fileBytes) throw invalid("dissection", "length", count, "pieces are shorter than the file");
  return { count, kind, offset, length, address };
}
