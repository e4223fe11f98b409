/** The symbol table of an object that is written: its order, its bytes, its names. */
import { ByteWriter, utf8 } from "../bytes/index.ts";
import {
  SHN_ABS,
  SHN_COMMON,
  SHN_LORESERVE,
  SHN_UNDEF,
  SHN_XINDEX,
  STB_LOCAL,
  STT_SECTION,
} from "./constants.ts";
import type { ObjectSymbol } from "./write-object.ts";

export interface WrittenSymbols {
  /** .symtab, .symtab_shndx and .strtab. */
  readonly bytes: Uint8Array;
  readonly extended: Uint8Array;
  readonly names: Uint8Array;
  /** Index of the first symbol that is not local. */
  readonly firstGlobal: number;
  /** From a position in the given list to the index in the table. */
  readonly position: readonly number[];
  /** From the position of a section to the index of its STT_SECTION symbol. */
  readonly sectionSymbol: ReadonlyMap<number, number>;
}

interface Entry {
  readonly name: string;
  readonly info: number;
  readonly visibility: number;
  /** Section index; of 0xff00 and above only those that are not in a section. */
  readonly shndx: number;
  readonly isSpecial: boolean;
  readonly value: number;
  readonly sizeBytes: number;
}

/** Null symbol, one STT_SECTION for each of `sections`, locals, then the others, each in the given order. */
export function orderSymbols(
  symbols: readonly ObjectSymbol[],
  sections: ReadonlySet<number>,
  sectionIndex: (position: number) => number,
): WrittenSymbols {
  const entries: Entry[] = [entry("", 0, 0, SHN_UNDEF, true, 0, 0)];
  const sectionSymbol = new Map<number, number>();
  for (const position of [...sections].sort((a, b) => a - b)) {
    sectionSymbol.set(position, entries.length);
    entries.push(entry("", STT_SECTION, 0, sectionIndex(position), false, 0, 0));
  }
  const position: number[] = new Array(symbols.length).fill(0);
  let firstGlobal = 0;
  for (const wantsLocal of [true, false]) {
    for (const [i, symbol] of symbols.entries()) {
      if ((symbol.binding === STB_LOCAL) !== wantsLocal) continue;
      position[i] = entries.length;
      const { section, binding, type, value, sizeBytes } = symbol;
      const isSpecial = typeof section !== "number";
      const shndx = isSpecial ? SPECIAL[section] : sectionIndex(section);
      const info = (binding << 4) | type;
      entries.push(entry(symbol.name, info, symbol.visibility, shndx, isSpecial, value, sizeBytes));
    }
    if (wantsLocal) firstGlobal = entries.length;
  }
  return { ...encode(entries), firstGlobal, position, sectionSymbol };
}

const SPECIAL = { undefined: SHN_UNDEF, absolute: SHN_ABS, common: SHN_COMMON } as const;

function entry(
  name: string,
  info: number,
  visibility: number,
  shndx: number,
  isSpecial: boolean,
  value: number,
  sizeBytes: number,
): Entry {
  return { name, info, visibility, shndx, isSpecial, value, sizeBytes };
}

function encode(entries: readonly Entry[]): Pick<WrittenSymbols, "bytes" | "extended" | "names"> {
  const bytes = new ByteWriter(entries.length * 24);
  const extended = new ByteWriter(entries.length * 4);
  const names = new ByteWriter(4096).u8(0);
  const known = new Map<string, number>([["", 0]]);
  for (const { name, info, visibility, shndx, isSpecial, value, sizeBytes } of entries) {
    let at = known.get(name);
    if (at === undefined) {
      at = names.length;
      known.set(name, at);
      names.raw(utf8(name)).u8(0);
    }
    const isExtended = !isSpecial && shndx >= SHN_LORESERVE;
    bytes
      .u32(at)
      .u8(info)
      .u8(visibility)
      .u16(isExtended ? SHN_XINDEX : shndx);
    bytes.u64(value).u64(sizeBytes);
    extended.u32(isExtended ? shndx : 0);
  }
  return { bytes: bytes.finish(), extended: extended.finish(), names: names.finish() };
}
