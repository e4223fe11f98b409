/**
 * Files with holes as GNU tar keeps them: the data of a member are its parts one behind the other, a map says where they
 * belong.
 *
 *     old    typeflag S, map in the header: 386 4 times (offset 12, length 12) | 482 more 1 | real size 483 12
 *            while `more` is 1 a block follows: 21 times (offset 12, length 12) | 504 more 1
 *     0.0    pax: GNU.sparse.size, then GNU.sparse.offset and GNU.sparse.numbytes by turns
 *     0.1    pax: GNU.sparse.size, GNU.sparse.map=offset,length,...
 *     1.0    pax: GNU.sparse.major=1, GNU.sparse.realsize; the map begins the data: decimal lines, first how many
 *            parts, then offset and length of each, padded to whole blocks
 */
import { BLOCK_BYTES, parseNumber } from "./header.ts";

/** Offset and length of each part by turns, ascending and apart. */
export type SparseMap = readonly number[];

export interface SparseLayout {
  /** Of the file with its holes. */
  readonly realBytes: number;
  /** Undefined when the map is at the beginning of the data. */
  readonly map: SparseMap | undefined;
}

/** More parts than this are not understood: a map is held in memory. */
const MAX_PARTS = 1 << 20;
const ENTRY_BYTES = 24;
const NUMBER_BYTES = 12;
const LINE_FEED = 0x0a;

/** Whether parts are in order, within the file, and as long together as the data. */
export function isSparseMap(
  map: SparseMap,
  { realBytes, dataBytes }: { realBytes: number; dataBytes: number },
) {
  let end = 0;
  let sum = 0;
  for (let i = 0; i < map.length; i += 2) {
    const offset = map[i]!;
    const length = map[i + 1]!;
    if (offset < end) return false;
    end = offset + length;
    sum += length;
  }
  return map.length % 2 === 0 && map.length <= 2 * MAX_PARTS && end <= realBytes && sum === dataBytes;
}

/** The map of an old header, as its blocks come; undefined where it is none. */
export class OldSparseMap {
  readonly realBytes: number | undefined;
  readonly #map: number[] = [];
  #isValid = true;

  constructor(header: Uint8Array) {
    this.realBytes = parseNumber(header.subarray(483, 483 + NUMBER_BYTES));
    this.#take(header.subarray(386, 386 + 4 * ENTRY_BYTES));
  }

  /** True when another block follows. */
  extend(block: Uint8Array): boolean {
    this.#take(block.subarray(0, 21 * ENTRY_BYTES));
    return block[504] === 1;
  }

  #take(entries: Uint8Array): void {
    for (let at = 0; at < entries.length && this.#isValid; at += ENTRY_BYTES) {
      const field = entries.subarray(at, at + ENTRY_BYTES);
      if (field[NUMBER_BYTES] === 0) return;
      const offset = parseNumber(field.subarray(0, NUMBER_BYTES));
      const length = parseNumber(field.subarray(NUMBER_BYTES));
      this.#isValid = offset !== undefined && length !== undefined && this.#map.length < 2 * MAX_PARTS;
      if (this.#isValid) this.#map.push(offset!, length!);
    }
  }

  get layout(): SparseLayout | undefined {
    const { realBytes } = this;
    return this.#isValid && realBytes !== undefined ? { realBytes, map: this.#map } : undefined;
  }
}

/** From the map of version 0.1: decimal numbers with commas between. */
export function parseSparseMap(text: Uint8Array): SparseMap | undefined {
  const parts = Buffer.from(text).toString("latin1").split(",");
  const map = parts.map((part) => (/^[0-9]{1,16}$/.test(part) ? Number(part) : Number.NaN));
  return map.every(Number.isSafeInteger) ? map : undefined;
}

export interface LeadingMap {
  readonly map: SparseMap;
  /** What the map takes of the data, in whole blocks. */
  readonly mapBytes: number;
}

/** Reads the map that begins the data of version 1.0, from pieces of any length. */
export class LeadingMapReader {
  readonly #numbers: number[] = [];
  #digits = "";
  #bytes = 0;

  /** The map when it is whole, `more` when it goes on, undefined when it is none. */
  take(piece: Uint8Array): LeadingMap | "more" | undefined {
    for (const byte of piece) {
      this.#bytes++;
      if (byte !== LINE_FEED) {
        if (byte < 0x30 || byte > 0x39 || this.#digits.length === 16) return undefined;
        this.#digits += String.fromCharCode(byte);
        continue;
      }
      const number = this.#digits === "" ? Number.NaN : Number(this.#digits);
      const parts = this.#numbers[0] ?? number;
      if (!Number.isSafeInteger(number) || parts > MAX_PARTS) return undefined;
      this.#digits = "";
      this.#numbers.push(number);
      if (this.#numbers.length === 1 + 2 * parts) {
        const mapBytes = Math.ceil(this.#bytes / BLOCK_BYTES) * BLOCK_BYTES;
        return { map: this.#numbers.slice(1), mapBytes };
      }
    }
    return "more";
  }
}
