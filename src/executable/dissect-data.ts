/** References in data: relocated words, words of files that are linked to fixed addresses, symbols, jump tables. */
import {
  type Elf,
  EM_AARCH64,
  ET_EXEC,
  R_AARCH64_RELATIVE,
  R_X86_64_RELATIVE,
  type RelocationTable,
  readRelocationTables,
  readRelr,
  readSymbolTables,
  relocationClass,
  SHN_LORESERVE,
} from "../elf/index.ts";
import { DerivedRule } from "./derived-tables.ts";
import type { TableCandidate } from "./dissect-code.ts";
import type { Marks } from "./dissect-marks.ts";
import { type Region, Role } from "./dissect-regions.ts";
import { rangeAt, UNLOADED } from "./join-layout.ts";
import { ReferenceKind } from "./types.ts";

/** Where things were found that later steps need. */
export interface DataNotes {
  /** Addends of the fields that leave them to their relocation. */
  readonly addends: Addends;
  /** Derived pieces by the offset where they begin. */
  readonly derived: Map<number, { readonly rule: number; readonly end: number }>;
  /** Addresses of functions by the offset of their jump tables. */
  readonly tables: Map<number, number>;
}

/** Addends by the offset of their field. */
export class Addends {
  #offset = new Uint32Array(64);
  #addend = new Float64Array(64);
  #next = 0;
  #sorted = true;
  count = 0;

  add(offset: number, addend: number): void {
    if (this.count === this.#offset.length) {
      const offsets = new Uint32Array(2 * this.count);
      const addends = new Float64Array(2 * this.count);
      offsets.set(this.#offset);
      addends.set(this.#addend);
      this.#offset = offsets;
      this.#addend = addends;
    }
    if (this.count > 0 && offset < this.#offset[this.count - 1]!) this.#sorted = false;
    this.#offset[this.count] = offset;
    this.#addend[this.count++] = addend;
  }

  /** The addend of a field; -1 for none. Fast when offsets ascend from call to call. */
  at(offset: number): number {
    if (!this.#sorted) this.#sort();
    const offsets = this.#offset;
    let next = this.#next;
    if (next > 0 && offsets[next - 1]! >= offset) next = 0;
    while (next < this.count && offsets[next]! < offset) next++;
    this.#next = next;
    return next < this.count && offsets[next] === offset ? this.#addend[next]! : -1;
  }

  #sort(): void {
    const { count } = this;
    const order = new Uint32Array(count).map((_, i) => i);
    order.sort((a, b) => this.#offset[a]! - this.#offset[b]!);
    this.#offset = Uint32Array.from(order, (i) => this.#offset[i]!);
    this.#addend = Float64Array.from(order, (i) => this.#addend[i]!);
    this.#sorted = true;
    this.#next = 0;
  }

  /** The file with all addends in their fields: a copy, if there are any. */
  within(file: Uint8Array): DataView {
    if (this.count === 0) return new DataView(file.buffer, file.byteOffset, file.byteLength);
    const view = new DataView(Uint8Array.from(file).buffer);
    for (let i = 0; i < this.count; i++) {
      view.setUint32(this.#offset[i]!, this.#addend[i]! >>> 0, true);
      view.setUint32(this.#offset[i]! + 4, Math.floor(this.#addend[i]! / 2 ** 32), true);
    }
    return view;
  }
}

/** The region that holds a byte; undefined for raw parts. */
export function regionAt(regions: readonly Region[], offset: number): Region | undefined {
  let low = 0;
  let high = regions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (regions[middle]!.offset <= offset) low = middle + 1;
    else high = middle;
  }
  const found = regions[low - 1];
  return found !== undefined && offset < found.end ? found : undefined;
}

/** File offset of bytes at an address, when they lie in a part that may have references. */
function fieldOffset(marks: Marks, regions: readonly Region[], address: number, bytes: number): number {
  const number = rangeAt(marks.map, address);
  if (number < 0) return -1;
  const range = marks.map.ranges[number]!;
  const within = address - range.address;
  if (within + bytes > range.fileBytes) return -1;
  const offset = range.offset + within;
  const region = regionAt(regions, offset);
  const usable = region !== undefined && (region.role === Role.data || region.role === Role.exceptions);
  return usable && offset + bytes <= region.end ? offset : -1;
}

/** RELATIVE relocations and RELR: their words are references, their tables are derived. */
export function noteRelocations(elf: Elf, regions: readonly Region[], marks: Marks, notes: DataNotes): void {
  const relative = elf.header.e_machine === EM_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
  if (elf.kind === "object") return;
  for (const table of readRelocationTables(elf)) {
    const region = regionAt(regions, table.offset);
    if (table.kind !== "rela" || region?.role !== Role.relocations || region.offset !== table.offset)
      continue;
    noteRela(elf, table, region, relative, regions, marks, notes);
  }
  const relr = readRelr(elf);
  if (relr === undefined) return;
  const region = regionAt(regions, relr.offset);
  if (region?.role !== Role.relr || region.offset !== relr.offset) return;
  for (const address of relr.addresses) {
    const at = fieldOffset(marks, regions, address, 8);
    if (at >= 0 && marks.label(elf.view.u64(at))) marks.site(at, ReferenceKind.relr64);
  }
  notes.derived.set(region.offset, { rule: DerivedRule.relr, end: region.end });
}

function noteRela(
  elf: Elf,
  table: RelocationTable,
  region: Region,
  relative: number,
  regions: readonly Region[],
  marks: Marks,
  notes: DataNotes,
): void {
  let run = -1;
  for (let i = 0; i <= table.count; i++) {
    const at = region.offset + i * table.entryBytes;
    let kind = -1;
    if (i < table.count && table.type(i) === relative && table.symbol(i) === 0) {
      const addend = table.r_addend(i);
      const field = fieldOffset(marks, regions, table.r_offset(i), 8);
      if (field >= 0 && addend >= 0 && marks.label(addend)) {
        kind = elf.view.u64(field) === addend ? ReferenceKind.relative64 : ReferenceKind.addend64;
        if (!marks.site(field, kind)) kind = -1;
        else if (kind === ReferenceKind.addend64) notes.addends.add(field, addend);
      }
    }
    if (kind >= 0 && run < 0) {
      run = at;
      marks.cut(at);
    } else if (kind < 0 && run >= 0) {
      notes.derived.set(run, { rule: DerivedRule.relative, end: at });
      run = -1;
      marks.cut(at);
    }
    // Other entries are data: the address that they relocate is a reference.
    if (kind >= 0 || i === table.count) continue;
    if (marks.label(table.r_offset(i))) marks.site(at, ReferenceKind.abs64);
    const isResolver = relocationClass(elf.machine, table.type(i)) === "irelative";
    if (isResolver && table.r_addend(i) >= 0 && marks.label(table.r_addend(i)))
      marks.site(at + 16, ReferenceKind.abs64);
  }
}

/** Lengths of strings and slices beside their pointers are below this. */
const MAX_LENGTH = 1 << 20;
/** Structures with pointers have the next one within so many bytes. */
const NEAR_BYTES = 32;

/**
 * Words of data that hold a loaded address, in files that are linked to fixed addresses. In read-only data, and in
 * Go's, where numbers, bitmaps and pointers lie side by side, a word must lead to something that is named otherwise,
 * have a length behind it, or stand beside a word that does: a false one would cut data where the next release isn't.
 */
export function noteFixedWords(elf: Elf, regions: readonly Region[], marks: Marks, isGo: boolean): void {
  if (elf.header.e_type !== ET_EXEC) return;
  const lowest = Math.max(marks.map.ranges[0]?.address ?? 0, 0x1_0000);
  const { data } = elf.view;
  for (const region of regions) {
    if (region.role !== Role.data || region.address < 0) continue;
    const strict = isGo || !region.writable;
    const first = region.offset + ((8 - (region.address % 8)) % 8);
    const doubtful: number[] = [];
    const sure: number[] = [];
    for (let at = first; at + 8 <= region.end; at += 8) {
      // No address of such a file is above 4 GiB.
      if (data.getUint32(at + 4, true) !== 0) continue;
      const value = data.getUint32(at, true);
      if (value < lowest || rangeAt(marks.map, value) < 0) continue;
      if (!strict || isPointer(data, at, region, value, marks)) sure.push(at);
      else doubtful.push(at);
    }
    for (const at of [...sure, ...besides(doubtful, sure)]) {
      if (marks.site(at, ReferenceKind.abs64)) marks.label(data.getUint32(at, true));
    }
  }
}

/** A number with so many low bits zero is a bitmap or a constant as often as an address. */
const ROUND = 4096;
/** Jump tables have entries that lie this near to each other. */
const FUNCTION_BYTES = 1 << 16;

/** Whether a word that holds a loaded address is a pointer by itself. */
function isPointer(data: DataView, at: number, region: Region, value: number, marks: Marks): boolean {
  if (value % ROUND !== 0 && marks.isNamedAddress(value)) return true;
  if (hasLength(data, at, region.end, value, marks)) return true;
  const number = rangeAt(marks.map, value);
  const before = at - 8 >= region.offset ? neighbour(data, at - 8, number, marks) : -1;
  const after = at + 16 <= region.end ? neighbour(data, at + 8, number, marks) : -1;
  if (marks.map.ranges[number]!.executable) {
    // Entries of a jump table.
    return (
      (before >= 0 && Math.abs(value - before) < FUNCTION_BYTES) ||
      (after >= 0 && Math.abs(value - after) < FUNCTION_BYTES)
    );
  }
  // Three in a row.
  return before >= 0 && after >= 0;
}

/** The address in a word, if it is in the given range; else -1. */
function neighbour(data: DataView, at: number, range: number, marks: Marks): number {
  if (data.getUint32(at + 4, true) !== 0) return -1;
  const value = data.getUint32(at, true);
  return rangeAt(marks.map, value) === range ? value : -1;
}

/** True for a pointer that has a length of bytes behind it, all within one loaded range. */
function hasLength(data: DataView, at: number, end: number, value: number, marks: Marks): boolean {
  if (at + 16 > end || data.getUint32(at + 12, true) !== 0) return false;
  const length = data.getUint32(at + 8, true);
  return (
    length > 0 && length < MAX_LENGTH && rangeAt(marks.map, value) === rangeAt(marks.map, value + length)
  );
}

/** Those of `doubtful` that stand near one of `sure`, or near one that was found so. Both ascend. */
function besides(doubtful: readonly number[], sure: readonly number[]): number[] {
  const near = new Uint8Array(doubtful.length);
  let next = 0;
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < doubtful.length; i++) {
    while (next < sure.length && sure[next]! < doubtful[i]!) last = Math.max(last, sure[next++]!);
    if (doubtful[i]! - last > NEAR_BYTES) continue;
    near[i] = 1;
    last = doubtful[i]!;
  }
  next = sure.length - 1;
  let following = Number.POSITIVE_INFINITY;
  for (let i = doubtful.length - 1; i >= 0; i--) {
    while (next >= 0 && sure[next]! > doubtful[i]!) following = Math.min(following, sure[next--]!);
    if (near[i] === 0 && following - doubtful[i]! > NEAR_BYTES) continue;
    near[i] = 1;
    following = doubtful[i]!;
  }
  return doubtful.filter((_, i) => near[i] === 1);
}

const STT_TLS = 6;

/** Symbol tables are cut before one entry in so many, by the symbols' sizes, so that a new one moves no other cut. */
const SYMBOLS_A_PIECE = 16;

/** Symbols: their names and values are references. Returns where names count from, by reference kind. */
export function noteSymbols(elf: Elf, regions: readonly Region[], marks: Marks): Map<number, number> {
  const bases = new Map<number, number>();
  if (elf.kind === "object") return bases;
  const { symtab, dynsym } = readSymbolTables(elf);
  for (const table of [symtab, dynsym]) {
    if (table === undefined) continue;
    const region = regionAt(regions, table.offset);
    if (region?.role !== Role.symbols || region.offset !== table.offset) continue;
    const kind = table === symtab ? ReferenceKind.symbolName : ReferenceKind.dynamicName;
    const strings = elf.sections[elf.sections[table.section ?? 0]?.header.sh_link ?? 0];
    const names = regionAt(regions, strings?.header.sh_offset ?? -1);
    const base = names?.role === Role.strings ? labelOf(names) : -1;
    if (base >= 0) bases.set(kind, base);
    for (let i = 0; i < table.count; i++) {
      const at = table.offset + SYMBOL_BYTES * i;
      const name = table.st_name(i);
      if (base >= 0 && name !== 0 && name < names!.end - names!.offset && marks.label(base + name))
        marks.site(at, kind);
      const size = table.st_size(i);
      if (size !== 0 && Math.imul(size, MULTIPLIER) >>> 0 < 2 ** 32 / SYMBOLS_A_PIECE) marks.cut(at);
      const section = table.st_shndx(i);
      if (section === 0 || section >= SHN_LORESERVE || table.type(i) === STT_TLS) continue;
      const value = table.st_value(i);
      if (marks.label(value) && value < UNLOADED) marks.site(at + 8, ReferenceKind.abs64);
    }
  }
  return bases;
}

const SYMBOL_BYTES = 24;
/** Spreads sizes over 32 bits: 2^32 divided by the golden ratio (Knuth, The Art of Computer Programming, 6.4). */
const MULTIPLIER = 0x9e37_79b1;

function labelOf(region: Region): number {
  return region.address >= 0 ? region.address : UNLOADED + region.offset;
}

/** The fewest entries that make a table: compilers use jump tables from four cases on. */
const LEAST_ENTRIES = 3;

/**
 * Tables of 32-bit distances from their own start. Those that lead into the function that loads them are jump tables:
 * one reference each. Where code was seen to read distances, the entries may lead anywhere: a reference each.
 * They end where something else is named, or an entry leads nowhere.
 */
export function noteTables(
  elf: Elf,
  candidates: readonly TableCandidate[],
  regions: readonly Region[],
  marks: Marks,
  notes: DataNotes,
): void {
  const { view } = elf;
  const anywhere: { readonly table: number; readonly end: number; readonly address: number }[] = [];
  // Each is looked at once, and once more by code that was seen to read distances.
  const seen = new Map<number, boolean>();
  for (const { table, functionStart, functionEnd, isRead } of candidates) {
    const region = regionAt(regions, table);
    const before = seen.get(table);
    if (region?.role !== Role.data || (before !== undefined && (before || !isRead))) continue;
    seen.set(table, isRead);
    const address = region.address + table - region.offset;
    let end = table;
    let isLocal = true;
    for (; end + 4 <= region.end; end += 4) {
      if (end > table && marks.isNamed(end)) break;
      const entry = address + view.i32(end);
      if (entry >= functionStart && entry < functionEnd) continue;
      if (!isRead || entry === address || rangeAt(marks.map, entry) < 0) break;
      isLocal = false;
    }
    if (end - table < 4 * LEAST_ENTRIES || hasSite(marks, table - 7, end)) continue;
    seen.set(table, true);
    marks.cut(table);
    marks.cut(end);
    if (isLocal) {
      notes.tables.set(table, functionStart);
      marks.site(table, ReferenceKind.table32);
    } else {
      for (let at = table; at < end; at += 4) marks.site(at, ReferenceKind.rel32);
      anywhere.push({ table, end, address });
    }
  }
  // Only now, so that the order of tables has no say in where they end.
  for (const { table, end, address } of anywhere) {
    for (let at = table; at < end; at += 4) marks.label(address + view.i32(at));
  }
}

function hasSite(marks: Marks, from: number, to: number): boolean {
  for (let at = Math.max(from, 0); at < to; at++) if (marks.kindAt(at) >= 0) return true;
  return false;
}
