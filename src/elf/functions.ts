/**
 * Where functions begin, from everything in the file that knows: FDEs, symbols, Go's table, the arrays of
 * initialisers, the entry point.
 */
import {
  DT_FINI,
  DT_INIT,
  SHN_LORESERVE,
  SHN_XINDEX,
  SHT_FINI_ARRAY,
  SHT_INIT_ARRAY,
  SHT_PREINIT_ARRAY,
  STT_FUNC,
  STT_GNU_IFUNC,
} from "./constants.ts";
import { dynamicValue } from "./dynamic.ts";
import { type EhFrame, fdeAddressField, readEhFrames } from "./eh-frame.ts";
import type { Elf } from "./elf.ts";
import { FunctionCollector, type FunctionStarts } from "./function-collector.ts";
import { type GoFunctionTable, readGoFunctions } from "./go-functions.ts";
import type { DynamicArea } from "./hash-tables.ts";
import { UNRESOLVED } from "./pointer-encoding.ts";
import { relocationClass } from "./relocation-types.ts";
import { type RelocationTable, readRelocationTables } from "./relocations.ts";
import { readSymbolTables, type SymbolTable } from "./symbols.ts";

/** Who knows about a function; bits, the most trustworthy first. */
export const SOURCE_FDE = 1;
export const SOURCE_SYMBOL = 2;
export const SOURCE_PCLNTAB = 4;
export const SOURCE_INIT_ARRAY = 8;
export const SOURCE_ENTRY = 16;

export type FunctionSource = "fde" | "symbol" | "pclntab" | "init_array" | "entry";

const SOURCE_NAMES: readonly FunctionSource[] = ["fde", "symbol", "pclntab", "init_array", "entry"];

/** Name of the most trustworthy source in a set of bits. */
export function functionSource(sources: number): FunctionSource {
  return SOURCE_NAMES[31 - Math.clz32(sources & -sources)] ?? "entry";
}

/** What was parsed before can be handed in, so that it isn't parsed again. */
export interface KnownTables {
  readonly ehFrames?: readonly EhFrame[];
  readonly goFunctions?: GoFunctionTable | undefined;
}

/**
 * Collects the beginnings of all functions that lie in executable memory. Linear in the size of the tables, and
 * one sort of their addresses.
 */
export function functionStarts(elf: Elf, known: KnownTables = {}): FunctionStarts {
  const ehFrames = known.ehFrames ?? readEhFrames(elf);
  const { symtab, dynsym } = readSymbolTables(elf);
  const isObject = elf.kind === "object";
  const go = "goFunctions" in known ? known.goFunctions : readGoFunctions(elf);
  let capacity = 1 + (symtab?.count ?? 0) + (dynsym?.count ?? 0) + (go?.count ?? 0);
  for (const frame of ehFrames) capacity += frame.fdes.count;
  const found = new FunctionCollector(elf, capacity);
  for (const frame of ehFrames) {
    if (isObject) addObjectFdes(elf, frame, symtab, found);
    else addFdes(frame, found);
  }
  for (const table of [symtab, dynsym]) if (table !== undefined) addSymbols(table, isObject, found);
  if (!isObject) {
    if (go !== undefined) addGoFunctions(go, found);
    addInitialisers(elf, found);
    found.add(elf.header.e_entry, 0, SOURCE_ENTRY);
  }
  return found.finish();
}

function addFdes(frame: EhFrame, found: FunctionCollector): void {
  const { count, cie, address, rangeBytes } = frame.fdes;
  for (let i = 0; i < count; i++) {
    if (cie[i]! >= 0 && frame.cies[cie[i]!]!.usable) found.add(address[i]!, rangeBytes[i]!, SOURCE_FDE);
  }
}

/** In an object file the address of an FDE is a relocation against a symbol. */
function addObjectFdes(
  elf: Elf,
  frame: EhFrame,
  symtab: SymbolTable | undefined,
  found: FunctionCollector,
): void {
  const table = readRelocationTables(elf).find(
    ({ kind, target }) => kind === "rela" && target === frame.area.section,
  );
  if (table === undefined || symtab === undefined) return;
  const byOffset = new Map<number, number>();
  for (let i = 0; i < table.count; i++) byOffset.set(table.r_offset(i), i);
  const { count, offset, rangeBytes } = frame.fdes;
  for (let i = 0; i < count; i++) {
    const field = offset[i]! + fdeAddressField(elf.view, offset[i]!) - frame.area.offset;
    const relocation = byOffset.get(field);
    if (relocation === undefined) continue;
    const symbol = table.symbol(relocation);
    if (symbol >= symtab.count) continue;
    const at = symtab.st_value(symbol) + table.r_addend(relocation);
    found.addInSection(symtab.sectionIndex(symbol), at, rangeBytes[i]!, SOURCE_FDE);
  }
}

function addSymbols(table: SymbolTable, isObject: boolean, found: FunctionCollector): void {
  for (let i = 0; i < table.count; i++) {
    const type = table.type(i);
    if (type !== STT_FUNC && type !== STT_GNU_IFUNC) continue;
    const section = table.st_shndx(i);
    if (section === 0) continue;
    if (isObject)
      found.addInSection(table.sectionIndex(i), table.st_value(i), table.st_size(i), SOURCE_SYMBOL);
    else if (section < SHN_LORESERVE || section === SHN_XINDEX)
      found.add(table.st_value(i), table.st_size(i), SOURCE_SYMBOL);
  }
}

function addGoFunctions(table: GoFunctionTable, found: FunctionCollector): void {
  if (table.textStartSource === "none") return;
  for (let i = 0; i < table.count; i++) {
    const address = table.addresses[i]!;
    found.add(address, table.addresses[i + 1]! - address, SOURCE_PCLNTAB);
  }
}

/** DT_INIT, DT_FINI and the arrays: their words, or the relocations that will fill them in. */
function addInitialisers(elf: Elf, found: FunctionCollector): void {
  const { view, dynamic } = elf;
  if (dynamic !== undefined) {
    for (const tag of [DT_INIT, DT_FINI])
      found.add(dynamicValue(dynamic, tag) ?? UNRESOLVED, 0, SOURCE_INIT_ARRAY);
  }
  const arrays = initialiserArrays(elf);
  if (arrays.length === 0) return;
  const inArrays = (address: number) =>
    arrays.some((array) => address >= array.address && address < array.address + array.sizeBytes);
  for (const { offset, sizeBytes } of arrays) {
    for (let at = offset; at + 8 <= offset + sizeBytes; at += 8)
      found.add(view.u64(at), 0, SOURCE_INIT_ARRAY);
  }
  // RELR needs no look: its addends are the words just read.
  for (const table of readRelocationTables(elf)) addRelative(elf, table, inArrays, found);
}

function addRelative(
  elf: Elf,
  table: RelocationTable,
  inArrays: (address: number) => boolean,
  found: FunctionCollector,
): void {
  for (let i = 0; i < table.count; i++) {
    if (relocationClass(elf.machine, table.type(i)) !== "relative" || !inArrays(table.r_offset(i))) continue;
    found.add(table.r_addend(i), 0, SOURCE_INIT_ARRAY);
  }
}

/** Through the dynamic table, or by section; as many as together are no larger than the file. */
function initialiserArrays(elf: Elf): DynamicArea[] {
  const { dynamic } = elf;
  let arrays = [dynamic?.initArray, dynamic?.finiArray, dynamic?.preinitArray].filter(
    (area) => area !== undefined,
  );
  if (arrays.length === 0) {
    const types = [SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY];
    arrays = elf.sections
      .filter(({ header, fileSizeBytes }) => types.includes(header.sh_type) && fileSizeBytes > 0)
      .slice(0, MAX_ARRAYS)
      .map(({ header: { sh_addr, sh_offset }, fileSizeBytes }) => ({
        address: sh_addr,
        offset: sh_offset,
        sizeBytes: fileSizeBytes,
      }));
  }
  let budget = elf.bytes.length;
  return arrays.filter(({ sizeBytes }) => {
    if (sizeBytes > budget) return false;
    budget -= sizeBytes;
    return true;
  });
}

/** A linked file has one section of each type. */
const MAX_ARRAYS = 8;
