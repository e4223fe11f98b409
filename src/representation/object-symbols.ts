/** What the symbols of an object file are called, and which of two files are the same. */
import {
  type LevelledTable,
  levelledTables,
  readObjectHeaders,
  symbolTableOf,
  viewOf,
} from "./object-form.ts";

const SHDR_BYTES = 64;
const SYM_BYTES = 24;
const STT_SECTION = 3;
const SHN_XINDEX = 0xffff;
const SHN_LORESERVE = 0xff00;
/** Longer names are compared by their beginning: those of C++ and Rust templates have no bound. */
const MAX_NAME_BYTES = 4096;
/** Names may overlap, so that they are longer than the file, all in all: what is beyond this has none. */
const MAX_NAMES_PER_BYTE = 4;

export interface ObjectSymbols {
  readonly count: number;
  /** Name of a symbol; of a section's symbol that of the section. Latin-1, since only equality counts. */
  name(symbol: number): string;
  /** st_info & 15. */
  type(symbol: number): number;
  /** The content in the file that the symbol names: from `offset` on, `bytes` long, 0 for none. */
  content(symbol: number): { readonly offset: number; readonly bytes: number };
}

/** Errors: `invalid` for what is no object file; one without symbols has none. */
export function objectSymbols(bytes: Uint8Array): ObjectSymbols {
  const headers = readObjectHeaders(bytes);
  const view = viewOf(bytes);
  const { shoff, shnum } = headers;
  const table: LevelledTable | undefined = symbolTableOf(levelledTables(bytes, headers));
  const at = (symbol: number) => table!.offset + symbol * SYM_BYTES;
  const section = (number: number) => {
    if (number >= shnum) return { offset: 0, bytes: 0, name: 0, type: 0 };
    const start = shoff + number * SHDR_BYTES;
    const offset = Math.min(view.getUint32(start + 24, true), bytes.length);
    return {
      offset,
      bytes: Math.min(view.getUint32(start + 32, true), bytes.length - offset),
      name: view.getUint32(start, true),
      type: view.getUint32(start + 4, true),
    };
  };
  const strings = section(table?.link ?? 0);
  const declared = view.getUint16(62, true);
  const sectionNames = section(declared === SHN_XINDEX ? view.getUint32(shoff + 40, true) : declared);
  let left = bytes.length * MAX_NAMES_PER_BYTE;
  const text = ({ offset, bytes: length }: { offset: number; bytes: number }, from: number) => {
    if (from >= length || left <= 0) return "";
    const start = offset + from;
    const whole = bytes.subarray(start, Math.min(offset + length, start + MAX_NAME_BYTES));
    const end = whole.indexOf(0);
    const name = end === -1 ? whole : whole.subarray(0, end);
    left -= name.length;
    return latin1(name);
  };
  const type = (symbol: number) => bytes[at(symbol) + 4]! & 15;
  return {
    count: table === undefined ? 0 : table.bytes / SYM_BYTES,
    type,
    name(symbol) {
      if (type(symbol) !== STT_SECTION) return text(strings, view.getUint32(at(symbol), true));
      return text(sectionNames, section(view.getUint16(at(symbol) + 6, true)).name);
    },
    content(symbol) {
      const number = view.getUint16(at(symbol) + 6, true);
      const none = { offset: 0, bytes: 0 };
      if (number === 0 || number >= SHN_LORESERVE || type(symbol) === STT_SECTION) return none;
      const { offset, bytes: length, type: kind } = section(number);
      const value = view.getUint32(at(symbol) + 8, true);
      const size = view.getUint32(at(symbol) + 16, true);
      return kind !== SHT_PROGBITS || value + size > length ? none : { offset: offset + value, bytes: size };
    },
  };
}

const SHT_PROGBITS = 1;

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/**
 * For each symbol of the base its number in the target, or -1. Of several with one name and type the n-th is taken for
 * the n-th. Errors: `invalid`.
 */
export function matchSymbols(base: Uint8Array, target: Uint8Array): Int32Array {
  const key = (symbols: ObjectSymbols, symbol: number) => `${symbols.type(symbol)} ${symbols.name(symbol)}`;
  const of = objectSymbols(target);
  const heads = new Map<string, number>();
  // From behind, so that each leads to the next of its name.
  const next = new Int32Array(of.count).fill(-1);
  for (let symbol = of.count - 1; symbol >= 0; symbol--) {
    const name = key(of, symbol);
    next[symbol] = heads.get(name) ?? -1;
    heads.set(name, symbol);
  }
  const from = objectSymbols(base);
  const numbers = new Int32Array(from.count);
  for (let symbol = 0; symbol < from.count; symbol++) {
    const name = key(from, symbol);
    const number = heads.get(name) ?? -1;
    numbers[symbol] = number;
    if (number !== -1) heads.set(name, next[number]!);
  }
  return numbers;
}
