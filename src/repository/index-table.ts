/**
 * A sorted table of fixed-width entries in pages: the lookup structure of the index.
 *
 *     page  = count u16, entries (key 16 bytes, value) in ascending order of key, crc32 u32
 *
 * A page is at most 4096 bytes and all but the last are full. What stays in memory is the first 8 bytes of each
 * page's first key: 0.05 bytes an entry for entries of 24 bytes. A lookup reads one page and checks its crc32.
 */
import { crc32 } from "node:zlib";
import type { ByteReader, ByteWriter } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";

export const KEY_BYTES = 16;
export const PAGE_BYTES = 4096;
const PAGE_OVERHEAD_BYTES = 6;
const FENCE_BYTES = 8;

/** Describes a table inside an index file. */
export interface TableHead {
  readonly entries: number;
  /** Where the first page begins in the file. */
  readonly offset: number;
  /** First 8 bytes of the first key of each page. */
  readonly fences: Uint8Array;
}

/** Anything that reads bytes at an offset, synchronously: a file, or a file in memory. */
export interface RandomBytes {
  readonly size: number;
  /** Fills `into` from `offset` on; returns how many bytes there were. */
  readSync(into: Uint8Array, offset: number): number;
}

export function entriesPerPage(valueBytes: number): number {
  return Math.floor((PAGE_BYTES - PAGE_OVERHEAD_BYTES) / (KEY_BYTES + valueBytes));
}

function pageBytes(entries: number, valueBytes: number): number {
  return entries * (KEY_BYTES + valueBytes) + PAGE_OVERHEAD_BYTES;
}

/** Writes entries, given in ascending order of distinct keys, as pages. */
export class TableWriter {
  readonly #valueBytes: number;
  readonly #emit: (page: Uint8Array) => void;
  readonly #page: Uint8Array<ArrayBuffer>;
  readonly #fences: ByteWriter;
  readonly #perPage: number;
  #inPage = 0;
  entries = 0;

  constructor(valueBytes: number, fences: ByteWriter, emit: (page: Uint8Array) => void) {
    this.#valueBytes = valueBytes;
    this.#fences = fences;
    this.#emit = emit;
    this.#perPage = entriesPerPage(valueBytes);
    this.#page = new Uint8Array(PAGE_BYTES);
  }

  add(key: Uint8Array, value: Uint8Array): void {
    const width = KEY_BYTES + this.#valueBytes;
    const at = 2 + this.#inPage * width;
    if (this.#inPage === 0) this.#fences.raw(key.subarray(0, FENCE_BYTES));
    this.#page.set(key, at);
    this.#page.set(value, at + KEY_BYTES);
    this.entries++;
    if (++this.#inPage === this.#perPage) this.finish();
  }

  /** Writes the last, shorter page. */
  finish(): void {
    if (this.#inPage === 0) return;
    const length = pageBytes(this.#inPage, this.#valueBytes);
    const page = Buffer.from(this.#page.buffer, 0, length);
    page.writeUInt16LE(this.#inPage, 0);
    page.writeUInt32LE(crc32(page.subarray(0, length - 4)), length - 4);
    this.#emit(Uint8Array.from(page));
    this.#inPage = 0;
  }
}

/** Looks entries up, one page at a time. */
export class Table {
  readonly entries: number;
  readonly pages: number;
  readonly #file: RandomBytes;
  readonly #name: string;
  readonly #offset: number;
  readonly #valueBytes: number;
  readonly #width: number;
  readonly #perPage: number;
  readonly #fences: DataView;
  readonly #buffer = Buffer.alloc(PAGE_BYTES);
  #loaded = -1;
  #count = 0;

  constructor(file: RandomBytes, name: string, valueBytes: number, head: TableHead) {
    this.#file = file;
    this.#name = name;
    this.#offset = head.offset;
    this.#valueBytes = valueBytes;
    this.#width = KEY_BYTES + valueBytes;
    this.#perPage = entriesPerPage(valueBytes);
    this.entries = head.entries;
    this.pages = Math.ceil(head.entries / this.#perPage);
    if (head.fences.length !== this.pages * FENCE_BYTES) {
      throw new TenonError(
        "damaged",
        `${name}: ${head.entries} entries do not make ${head.fences.length / 8} pages`,
      );
    }
    this.#fences = new DataView(head.fences.buffer, head.fences.byteOffset, head.fences.byteLength);
  }

  /** Bytes that all pages take in the file. */
  static bytes(entries: number, valueBytes: number): number {
    const pages = Math.ceil(entries / entriesPerPage(valueBytes));
    return entries * (KEY_BYTES + valueBytes) + pages * PAGE_OVERHEAD_BYTES;
  }

  #load(page: number): void {
    if (page === this.#loaded) return;
    this.#loaded = -1;
    const first = page * this.#perPage;
    const count = Math.min(this.#perPage, this.entries - first);
    const length = pageBytes(count, this.#valueBytes);
    const offset = this.#offset + page * pageBytes(this.#perPage, this.#valueBytes);
    const bytes = this.#buffer.subarray(0, length);
    const got = this.#file.readSync(bytes, offset);
    if (
      got !== length ||
      bytes.readUInt16LE(0) !== count ||
      bytes.readUInt32LE(length - 4) !== crc32(bytes.subarray(0, length - 4))
    ) {
      throw new TenonError("damaged", `${this.#name}: page at offset ${offset} is damaged; run tenon check`, {
        path: this.#name,
        offset,
      });
    }
    this.#count = count;
    this.#loaded = page;
  }

  /** -1, 0, 1: the first 8 bytes of the key against a page's fence. */
  #compareFence(page: number, hi: number, lo: number): number {
    const at = page * FENCE_BYTES;
    const fenceHi = this.#fences.getUint32(at);
    if (hi !== fenceHi) return hi < fenceHi ? -1 : 1;
    const fenceLo = this.#fences.getUint32(at + 4);
    return lo < fenceLo ? -1 : lo > fenceLo ? 1 : 0;
  }

  /** The first entry whose key is not below `key`; `entries` when there is none. */
  lowerBound(key: Uint8Array): number {
    const view = new DataView(key.buffer, key.byteOffset, KEY_BYTES);
    const hi = view.getUint32(0);
    const lo = view.getUint32(4);
    let low = 0;
    let high = this.pages;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compareFence(middle, hi, lo) > 0) low = middle + 1;
      else high = middle;
    }
    // `low` is the first page whose fence is not below the key: the entry is in the page before it, or, when the
    // first 8 bytes of keys are equal, in one of the pages from there on.
    for (let page = Math.max(0, low - 1); page < this.pages; page++) {
      this.#load(page);
      let from = 0;
      let to = this.#count;
      while (from < to) {
        const middle = (from + to) >>> 1;
        const at = 2 + middle * this.#width;
        if (this.#buffer.compare(key, 0, KEY_BYTES, at, at + KEY_BYTES) < 0) from = middle + 1;
        else to = middle;
      }
      if (from < this.#count || page + 1 >= this.pages || this.#compareFence(page + 1, hi, lo) !== 0) {
        return page * this.#perPage + from;
      }
    }
    return this.entries;
  }

  /** Key and value of an entry; views that are valid until the next call. */
  entry(number: number): { readonly key: Uint8Array; readonly value: Uint8Array } {
    if (number >= this.entries) {
      throw new TenonError("damaged", `${this.#name}: entry ${number} of ${this.entries}`, {
        path: this.#name,
      });
    }
    this.#load(Math.floor(number / this.#perPage));
    const at = 2 + (number % this.#perPage) * this.#width;
    return {
      key: this.#buffer.subarray(at, at + KEY_BYTES),
      value: this.#buffer.subarray(at + KEY_BYTES, at + this.#width),
    };
  }

  /** Value of exactly this key; a view that is valid until the next call. */
  find(key: Uint8Array): Uint8Array | undefined {
    const number = this.lowerBound(key);
    if (number >= this.entries) return undefined;
    const entry = this.entry(number);
    return Buffer.compare(entry.key, key.subarray(0, KEY_BYTES)) === 0 ? entry.value : undefined;
  }
}

/** Reads a table's head from an index file's footer. */
export function readTableHead(reader: ByteReader, valueBytes: number, fileBytes: number): TableHead {
  const entries = reader.varint("entries", Math.floor(fileBytes / (KEY_BYTES + valueBytes)));
  const offset = reader.varint("offset", fileBytes);
  const pages = Math.ceil(entries / entriesPerPage(valueBytes));
  const fences = reader.view(pages * FENCE_BYTES, "fences");
  if (offset + Table.bytes(entries, valueBytes) > fileBytes) {
    throw reader.error("entries", "the table reaches past the end of the file");
  }
  return { entries, offset, fences };
}

export function writeTableHead(out: ByteWriter, head: TableHead): void {
  out.varint(head.entries).varint(head.offset).raw(head.fences);
}
