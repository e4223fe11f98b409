/**
 * Where the parts of a Go program's tables are: .gopclntab's header and moduledata say.
 *
 * moduledata, words of 8 bytes (Go 1.18 and later; from 1.20 on two more, for coverage counters, before `end`):
 *   0 pcHeader, then slices of 3 words: 1 function names, 4 compilation units, 7 files, 10 pc-value tables,
 *   13 functab with records, 16 functab; 19 findfunctab, 20 minpc, 21 maxpc, 22 text, 23 etext,
 *   1.18: 35 types, 36 etypes, 37 rodata, 38 gofunc;  1.20: 37 types, 38 etypes, 39 rodata, 40 gofunc;
 *   behind gofunc (1.26: one word later) a slice of text sections, then the slice typelinks.
 * Source: Go's runtime/symtab.go. Whatever contradicts itself is left out, and its bytes stay as they are.
 */
import type { Elf, GoFunctionTable } from "../elf/index.ts";
import { type Region, Role } from "./dissect-regions.ts";
import { type LoadMap, rangeAt } from "./join-layout.ts";
import { type Bases, noBases } from "./references-fields.ts";
import { ReferenceKind } from "./types.ts";

export interface GoLayout {
  readonly table: GoFunctionTable;
  /** Addresses that offsets count from, by reference kind. */
  readonly bases: Bases;
  /** File offset behind the last function record. */
  readonly recordsEnd: number;
  /** Addresses of the read-only data that type offsets may lead into. */
  readonly types: number;
  readonly typesEnd: number;
  readonly textEnd: number;
  /** File offset of findfunctab; 0 when it isn't known. */
  readonly findFunctions: number;
  /** File offset and number of entries of the list of types; 0 entries when it isn't known. */
  readonly typeLinks: number;
  readonly typeLinkCount: number;
}

/** Words of moduledata that are looked at. */
const WORDS = 52;

/** Undefined for layouts that aren't known, and when there is no moduledata. */
export function findGoLayout(
  elf: Elf,
  table: GoFunctionTable | undefined,
  regions: readonly Region[],
  map: LoadMap,
  values: DataView,
): GoLayout | undefined {
  if (table === undefined || table.count === 0 || table.version === "1.16") return undefined;
  if (table.textStartSource === "none" || table.problems.length > 0) return undefined;
  const namesAddress = table.address + table.namesOffset - table.offset;
  for (const region of regions) {
    if (region.role !== Role.data || !region.writable) continue;
    const first = region.offset + ((8 - (region.address % 8)) % 8);
    for (let at = first; at + 8 * WORDS <= region.end; at += 8) {
      if (word(values, at) !== table.address || word(values, at + 8) !== namesAddress) continue;
      const layout = readModuleData(elf, table, map, values, at);
      if (layout !== undefined) return layout;
    }
  }
  return undefined;
}

function word(values: DataView, at: number): number {
  const high = values.getUint32(at + 4, true);
  return high < 0x20_0000 ? high * 2 ** 32 + values.getUint32(at, true) : -1;
}

function readModuleData(
  elf: Elf,
  table: GoFunctionTable,
  map: LoadMap,
  values: DataView,
  at: number,
): GoLayout | undefined {
  const w = (index: number) => word(values, at + 8 * index);
  const toAddress = table.address - table.offset;
  const offsetOf = (address: number) => fileOffset(map, address);
  // The slices must be the ones of the header.
  const parts = [table.namesOffset, table.unitsOffset, table.filesOffset, table.pcValuesOffset];
  if (parts.some((part, i) => w(1 + 3 * i) !== part + toAddress)) return undefined;
  if (w(13) !== table.functionsOffset + toAddress || w(22) !== table.textStart) return undefined;
  const recordsEnd = table.functionsOffset + w(14);
  if (!(recordsEnd <= table.limitOffset)) return undefined;
  const first = table.version === "1.18" ? 35 : 37;
  const types = w(first);
  const typesEnd = w(first + 1);
  const gofunc = w(first + 3);
  if (!(types > 0 && types < typesEnd) || offsetOf(types) < 0 || offsetOf(typesEnd - 1) < 0) return undefined;
  if (offsetOf(gofunc) < 0 || offsetOf(w(first + 2)) < 0) return undefined;
  const bases = noBases();
  bases[ReferenceKind.goText] = table.textStart;
  bases[ReferenceKind.goName] = table.namesOffset + toAddress;
  bases[ReferenceKind.goUnit] = table.unitsOffset + toAddress;
  bases[ReferenceKind.goFile] = table.filesOffset + toAddress;
  bases[ReferenceKind.goPcValue] = table.pcValuesOffset + toAddress;
  bases[ReferenceKind.goType] = types;
  bases[ReferenceKind.goFuncdata] = gofunc;
  bases[ReferenceKind.goRodata] = w(first + 2);
  const links = [first + 7, first + 8].find(
    (i) => w(i + 1) > 0 && w(i + 1) === w(i + 2) && offsetOf(w(i)) > 0,
  );
  const linksOffset = links === undefined ? 0 : offsetOf(w(links));
  const linkCount = links === undefined ? 0 : w(links + 1);
  const fits = elf.view.has(linksOffset, 4 * linkCount);
  return {
    table,
    bases,
    recordsEnd,
    types,
    typesEnd,
    textEnd: w(23),
    findFunctions: Math.max(offsetOf(w(19)), 0),
    typeLinks: fits ? linksOffset : 0,
    typeLinkCount: fits ? linkCount : 0,
  };
}

/** File offset of an address; -1 for none. */
export function fileOffset(map: LoadMap, address: number): number {
  const number = rangeAt(map, address);
  if (number < 0) return -1;
  const range = map.ranges[number]!;
  return address - range.address < range.fileBytes ? range.offset + address - range.address : -1;
}
