/**
 * By what an object file is found again: the least hashes of the names and of the contents of what it defines, and the
 * hash of its source file's name. A matter of finding only: another way to compute them is no other format.
 *
 * Names stay from version to version; contents tell which of many versions is nearest.
 */
import { readObjectHeaders, viewOf } from "./object-form.ts";
import { type ObjectSymbols, objectSymbols } from "./object-symbols.ts";

const SHDR_BYTES = 64;
const SHT_PROGBITS = 1;
const STT_OBJECT = 1;
const STT_FUNC = 2;
const STT_FILE = 4;
/** Shorter contents are the same in files that have nothing else in common. */
const MIN_CONTENT_BYTES = 32;
/** Symbols may overlap: as much of a file is hashed, all in all. */
const MAX_HASHED_PER_BYTE = 4;
/** Keys of a large file: as many as executables have, each costs 34 bytes. */
const MAX_CONTENT_KEYS = 24;
const MAX_NAME_KEYS = 4;
/** A file gets one key more for so many bytes. */
const BYTES_PER_CONTENT_KEY = 8192;
const BYTES_PER_NAME_KEY = 16384;
/** The first byte: no key of executables begins so. */
const MARK = "0e";
const DIGITS = 14;

const NAME = 1;
const CONTENT = 2;
const SOURCE = 3;

/** What a file defines, as hashes. */
export interface ObjectContents {
  /** The file's own length. */
  readonly fileBytes: number;
  readonly names: ReadonlySet<number>;
  /** Of functions, data and sections, with their bytes. */
  readonly contents: ReadonlyMap<number, number>;
  /** Of the source file's name, or none. */
  readonly sources: readonly number[];
}

/** Errors: `invalid`. */
export function objectContents(bytes: Uint8Array): ObjectContents {
  const symbols = objectSymbols(bytes);
  const names = new Set<number>();
  const contents = new Map<number, number>();
  const sources: number[] = [];
  let left = bytes.length * MAX_HASHED_PER_BYTE;
  const content = ({ offset, bytes: length }: { readonly offset: number; readonly bytes: number }) => {
    if (length < MIN_CONTENT_BYTES || length > left) return;
    left -= length;
    contents.set(hash53(bytes.subarray(offset, offset + length), CONTENT), length);
  };
  for (let symbol = 1; symbol < symbols.count; symbol++) {
    const type = symbols.type(symbol);
    if (type === STT_FILE && sources.length === 0) sources.push(hashOf(symbols, symbol, SOURCE));
    if (type !== STT_FUNC && type !== STT_OBJECT) continue;
    const found = symbols.content(symbol);
    if (found.bytes === 0) continue;
    names.add(hashOf(symbols, symbol, NAME));
    content(found);
  }
  // What assembly defines has no size, and strings have no symbols.
  for (const section of contentSections(bytes)) content(section);
  return { fileBytes: bytes.length, names, contents, sources };
}

/** Keys for a handprint, 16 hexadecimal digits each; none for a file that defines nothing. */
export function objectKeys({ fileBytes, names, contents, sources }: ObjectContents): string[] {
  const contentKeys = Math.min(MAX_CONTENT_KEYS, 1 + Math.floor(fileBytes / BYTES_PER_CONTENT_KEY));
  const nameKeys = Math.min(MAX_NAME_KEYS, 1 + Math.floor(fileBytes / BYTES_PER_NAME_KEY));
  return [...least(contents.keys(), contentKeys), ...least(names, nameKeys), ...sources].map(
    (hash) => MARK + hash.toString(16).padStart(DIGITS, "0"),
  );
}

/** Bytes of contents that two files have both. */
export function sharedBytes(a: ObjectContents, b: ObjectContents): number {
  let sum = 0;
  for (const [hash, length] of a.contents) if (b.contents.has(hash)) sum += length;
  return sum;
}

function hashOf(symbols: ObjectSymbols, symbol: number, kind: number): number {
  return hash53(Buffer.from(symbols.name(symbol), "latin1"), kind);
}

function least(hashes: Iterable<number>, count: number): number[] {
  return [...hashes].sort((a, b) => a - b).slice(0, count);
}

/** Sections with a content of the program, as far as they are in the file. */
function* contentSections(bytes: Uint8Array): Generator<{ readonly offset: number; readonly bytes: number }> {
  const headers = readObjectHeaders(bytes);
  const view = viewOf(bytes);
  for (let i = 1; i < headers.shnum; i++) {
    const at = headers.shoff + i * SHDR_BYTES;
    if (view.getUint32(at + 4, true) !== SHT_PROGBITS) continue;
    const offset = view.getUint32(at + 24, true);
    const size = view.getUint32(at + 32, true);
    if (offset + size <= bytes.length) yield { offset, bytes: size };
  }
}

/** Two lanes of multiply and rotate over words, 53 bits of them. */
function hash53(bytes: Uint8Array, seed: number): number {
  let a = Math.imul(seed ^ bytes.length, 0x9e3779b1);
  let b = Math.imul(seed + 1, 0x85ebca6b);
  const words = bytes.length & ~3;
  for (let i = 0; i < words; i += 4) {
    const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    a = Math.imul(a ^ word, 0xcc9e2d51);
    a ^= a >>> 15;
    b = Math.imul(b + word, 0x1b873593);
    b = (b << 13) | (b >>> 19);
  }
  for (let i = words; i < bytes.length; i++) {
    a = Math.imul(a ^ bytes[i]!, 0xcc9e2d51);
    a ^= a >>> 15;
    b = Math.imul(b + bytes[i]!, 0x1b873593);
    b = (b << 13) | (b >>> 19);
  }
  a = Math.imul(a ^ (b >>> 16), 0x7feb352d);
  b = Math.imul(b ^ (a >>> 15), 0x846ca68b);
  a ^= b >>> 13;
  b ^= a >>> 16;
  return (a >>> 0) + (b & 0x1fffff) * 2 ** 32;
}
