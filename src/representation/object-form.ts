/**
 * The level form of a relocatable object file (docs/formats/object.md): as long as the file, and made back into it, with
 * numbers that shift when something is inserted said by what is before them. Two versions are alike in more of it.
 *
 * What is levelled follows from the section headers alone, which are levelled last and restored first. Nothing here is
 * believed: what looks wrong is left as it is, and what comes back is compared with a digest by whoever asks.
 */
import { invalid } from "../errors/index.ts";

const FORMAT = "relocatable object";
const EHDR_BYTES = 64;
const SHDR_BYTES = 64;
const SYM_BYTES = 24;
const RELA_BYTES = 24;
const GROUP_WORD_BYTES = 4;

const ET_REL = 1;
const SHT_SYMTAB = 2;
const SHT_RELA = 4;
const SHT_NOBITS = 8;
const SHT_REL = 9;
const SHT_GROUP = 17;
const SHF_LINK_ORDER = 0x80;
const SHN_LORESERVE = 0xff00;
/** Section numbers that a symbol can name directly: 1 to SHN_LORESERVE - 1. */
const ORDINARY = SHN_LORESERVE - 1;

/** A section's content that is levelled: in the file, behind its header and outside of all other such contents. */
export interface LevelledTable {
  /** Number of the section. */
  readonly section: number;
  readonly type: number;
  /** Of the content; in bytes. */
  readonly offset: number;
  readonly bytes: number;
  /** sh_link and sh_info. */
  readonly link: number;
  readonly info: number;
}

export interface ObjectHeaders {
  /** Where the section headers are, and how many. */
  readonly shoff: number;
  readonly shnum: number;
}

/** True for ELF64 files, little-endian, of type ET_REL; the rest may be anything. */
export function isObjectFile(start: Uint8Array): boolean {
  return (
    start.length >= EHDR_BYTES &&
    start[0] === 0x7f &&
    start[1] === 0x45 &&
    start[2] === 0x4c &&
    start[3] === 0x46 &&
    start[4] === 2 &&
    start[5] === 1 &&
    start[16] === ET_REL &&
    start[17] === 0
  );
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The section header table. Errors: `invalid` for what has none in the file. */
export function readObjectHeaders(bytes: Uint8Array): ObjectHeaders {
  if (!isObjectFile(bytes)) throw invalid(FORMAT, "e_ident", 0, "not a little-endian ELF64 relocatable file");
  const view = viewOf(bytes);
  const shoff = word64(view, 40);
  if (view.getUint16(58, true) !== SHDR_BYTES) throw invalid(FORMAT, "e_shentsize", 58, "not 64");
  if (shoff < EHDR_BYTES || shoff + SHDR_BYTES > bytes.length)
    throw invalid(FORMAT, "e_shoff", 40, "no section headers in the file");
  // More than 65279 sections are counted in the first header.
  const shnum = view.getUint16(60, true) || word64(view, shoff + 32);
  if (shnum < 1 || shoff + shnum * SHDR_BYTES > bytes.length)
    throw invalid(FORMAT, "e_shnum", 60, "more section headers than the file has");
  return { shoff, shnum };
}

/** Rounded where it is beyond 2^53, which no file is. */
function word64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** The contents that are levelled, by offset: of several that overlap the one that begins first. */
export function levelledTables(bytes: Uint8Array, { shoff, shnum }: ObjectHeaders): LevelledTable[] {
  const view = viewOf(bytes);
  const found: LevelledTable[] = [];
  for (let section = 0; section < shnum; section++) {
    const at = shoff + section * SHDR_BYTES;
    const type = view.getUint32(at + 4, true);
    const unit = unitBytes(type);
    if (unit === 0) continue;
    const offset = word64(view, at + 24);
    const size = word64(view, at + 32);
    if (size === 0 || size % unit !== 0 || offset < EHDR_BYTES || offset + size > bytes.length) continue;
    if (offset < shoff + shnum * SHDR_BYTES && offset + size > shoff) continue;
    const link = view.getUint32(at + 40, true);
    const info = view.getUint32(at + 44, true);
    found.push({ section, type, offset, bytes: size, link, info });
  }
  found.sort((a, b) => a.offset - b.offset || a.section - b.section);
  let end = 0;
  return found.filter(({ offset, bytes: size }) => {
    if (offset < end) return false;
    end = offset + size;
    return true;
  });
}

function unitBytes(type: number): number {
  if (type === SHT_SYMTAB) return SYM_BYTES;
  if (type === SHT_RELA) return RELA_BYTES;
  return type === SHT_GROUP ? GROUP_WORD_BYTES : 0;
}

/** The level form, as a copy. Errors: `invalid`. */
export function levelObject(bytes: Uint8Array): Uint8Array {
  const headers = readObjectHeaders(bytes);
  // Not slice: a Buffer's is no copy.
  const out = new Uint8Array(bytes);
  const view = viewOf(out);
  for (const table of levelledTables(bytes, headers)) walkTable(view, table, 1);
  walkHeaders(view, headers, 1);
  return out;
}

/** Makes the file of its level form, in place. Errors: `invalid`. */
export function unlevelObject(bytes: Uint8Array): void {
  const headers = readObjectHeaders(bytes);
  const view = viewOf(bytes);
  walkHeaders(view, headers, -1);
  for (const table of levelledTables(bytes, headers)) walkTable(view, table, -1);
}

/** 1: fields become differences. -1: the other way round. */
type Direction = 1 | -1;

/** A 32-bit field less what it is expected to be, or back; its original value. */
function shift32(view: DataView, at: number, expected: number, direction: Direction): number {
  const value = view.getUint32(at, true);
  const changed = (value - direction * expected) >>> 0;
  view.setUint32(at, changed, true);
  return direction === 1 ? value : changed;
}

function walkTable(view: DataView, table: LevelledTable, direction: Direction): void {
  const end = table.offset + table.bytes;
  if (table.type === SHT_RELA) {
    let last = 0;
    for (let at = table.offset; at < end; at += RELA_BYTES) last = shift32(view, at, last, direction);
  } else if (table.type === SHT_GROUP) {
    // The first word are flags.
    for (let at = table.offset + GROUP_WORD_BYTES; at < end; at += GROUP_WORD_BYTES)
      shift32(view, at, table.section, direction);
  } else {
    let name = 0;
    let section = 0;
    for (let at = table.offset; at < end; at += SYM_BYTES) {
      name = shift32(view, at, name, direction);
      const shndx = view.getUint16(at + 6, true);
      if (shndx === 0 || shndx >= SHN_LORESERVE) continue;
      // Turned within the ordinary numbers: none becomes one of those that mean something else.
      const turned = 1 + ((shndx - 1 - direction * section + ORDINARY) % ORDINARY);
      view.setUint16(at + 6, turned, true);
      section = direction === 1 ? shndx : turned;
    }
  }
}

/** Relocation tables stand together behind the contents, or all in order: each goes on where the last of its class ended. */
function walkHeaders(view: DataView, { shoff, shnum }: ObjectHeaders, direction: Direction): void {
  let symtab = 0;
  for (let i = shnum - 1; i >= 0; i--) {
    if (view.getUint32(shoff + i * SHDR_BYTES + 4, true) === SHT_SYMTAB) symtab = i;
  }
  let name = 0;
  const ends = [0, 0];
  // The first is no section: it may hold the number of all, which says where the table ends.
  for (let i = 1; i < shnum; i++) {
    const at = shoff + i * SHDR_BYTES;
    const type = view.getUint32(at + 4, true);
    const flags = view.getUint32(at + 8, true);
    const size = type === SHT_NOBITS ? 0 : view.getUint32(at + 32, true);
    const align = view.getUint32(at + 48, true);
    name = shift32(view, at, name, direction);
    const relocates = type === SHT_RELA || type === SHT_REL;
    const which = relocates ? 1 : 0;
    const offset = shift32(view, at + 24, alignUp(ends[which]!, align), direction);
    ends[which] = (offset + size) >>> 0;
    if (relocates || type === SHT_GROUP) shift32(view, at + 40, symtab, direction);
    else if (type === SHT_SYMTAB || (flags & SHF_LINK_ORDER) !== 0) shift32(view, at + 40, i, direction);
    if (relocates) shift32(view, at + 44, i, direction);
  }
}

/** Modulo 2^32; what is no power of two aligns nothing. */
function alignUp(offset: number, align: number): number {
  if (align === 0 || (align & (align - 1)) !== 0) return offset;
  return ((offset + align - 1) & -align) >>> 0;
}

/** Gives symbols in relocations and groups of a level form other numbers, in place. Errors: `invalid`. */
export function renumberSymbols(
  level: Uint8Array,
  tables: readonly LevelledTable[],
  { shoff }: ObjectHeaders,
  numbers: Uint32Array,
): void {
  const view = viewOf(level);
  const renumber = (at: number) => {
    const symbol = view.getUint32(at, true);
    if (symbol < numbers.length) view.setUint32(at, numbers[symbol]!, true);
  };
  for (const { section, type, offset, bytes } of tables) {
    if (type === SHT_GROUP) renumber(shoff + section * SHDR_BYTES + 44);
    if (type !== SHT_RELA) continue;
    for (let at = offset; at < offset + bytes; at += RELA_BYTES) renumber(at + 12);
  }
}

/** The file's first symbol table among the levelled ones. */
export function symbolTableOf(tables: readonly LevelledTable[]): LevelledTable | undefined {
  return tables.find(({ type }) => type === SHT_SYMTAB);
}
