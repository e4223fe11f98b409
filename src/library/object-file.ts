/**
 * One object file as it stands: sections, symbols, relocations by section, groups. What can't be handled further on
 * is refused here, with the object's and the section's name.
 */
import {
  type Elf,
  GRP_COMDAT,
  parseElf,
  type RelocationTable,
  readRelocationTables,
  readSymbolTables,
  relocationField,
  relocationName,
  type Section,
  SHF_ALLOC,
  SHF_COMPRESSED,
  SHF_EXCLUDE,
  SHN_ABS,
  SHN_COMMON,
  SHN_LORESERVE,
  SHT_GROUP,
  SHT_NOBITS,
  SHT_RELR,
  type SymbolTable,
  TOO_LARGE,
} from "../elf/index.ts";
import { invalid, isTenonError, TenonError } from "../errors/index.ts";
import type { LibraryObject, UnitSymbol } from "./model.ts";

export interface ObjectSymbol {
  readonly index: number;
  readonly name: string;
  /** Offset in its section; of a common symbol its alignment. */
  readonly value: number;
  readonly sizeBytes: number;
  readonly binding: UnitSymbol["binding"];
  readonly visibility: UnitSymbol["visibility"];
  readonly type: number;
  readonly place: "undefined" | "section" | "absolute" | "common";
  /** Section index when `place` is "section". */
  readonly section: number;
}

export interface ObjectRelocation {
  readonly offset: number;
  readonly type: number;
  readonly addend: bigint;
  readonly symbol: number;
}

export interface ObjectFile {
  /** Position in the version. */
  readonly index: number;
  readonly name: string;
  readonly label: string;
  readonly elf: Elf;
  readonly symbols: readonly ObjectSymbol[];
  /** By the section that they apply to, by offset. */
  readonly relocations: ReadonlyMap<number, readonly ObjectRelocation[]>;
  /** Signature of the COMDAT group of each section that is in one. */
  readonly comdat: ReadonlyMap<number, string>;
}

/** Real objects of generated code have some hundred thousand symbols. */
const MAX_SYMBOLS = 1 << 22;
const BINDINGS: Readonly<Record<number, UnitSymbol["binding"]>> = {
  0: "local",
  1: "global",
  2: "weak",
  10: "unique",
};
const VISIBILITIES = ["default", "internal", "hidden", "protected"] as const;

/** An error about one object of a version. */
export function refuse(object: { readonly name: string }, why: string): TenonError {
  return new TenonError("unsupported", `${object.name}: ${why}`, { path: object.name });
}

export function broken(object: { readonly name: string }, field: string, why: string): TenonError {
  return new TenonError("invalid", `${object.name}: ${field}: ${why}`, {
    path: object.name,
    format: "elf",
    field,
  });
}

/** True for a section whose bytes the linker puts into memory. */
export function isLinked({ header }: Section): boolean {
  return (header.sh_flags & SHF_ALLOC) !== 0 && (header.sh_flags & SHF_EXCLUDE) === 0 && header.sh_type !== 0;
}

/** Reads one object. Errors: `invalid`, `unsupported`, `limit`. */
export function readObject(object: LibraryObject, index: number): ObjectFile {
  const elf = parseObject(object);
  const symbols = readSymbols(object, elf);
  const file = { index, name: object.name, label: object.label, elf, symbols };
  return {
    ...file,
    relocations: readRelocations(object, elf, symbols),
    comdat: readGroups(object, elf, symbols),
  };
}

function parseObject(object: LibraryObject): Elf {
  const { bytes } = object;
  if (bytes[0] === 0x42 && bytes[1] === 0x43 && bytes[2] === 0xc0 && bytes[3] === 0xde)
    throw refuse(
      object,
      "LLVM bitcode (-flto); compile without link-time optimisation, or link with -r first",
    );
  let elf: Elf;
  try {
    elf = parseElf(bytes);
  } catch (error) {
    if (!isTenonError(error)) throw error;
    throw new TenonError(error.code, `${object.name}: ${error.message}`, {
      ...error.data,
      path: object.name,
    });
  }
  if (elf.kind !== "object")
    throw refuse(object, `a ${elf.kind} file; only relocatable objects (.o) can be taken`);
  const [problem] = elf.problems;
  if (problem !== undefined) throw broken(object, problem.field, problem.why);
  for (const section of elf.sections) {
    if (section.startsWith(".gnu.lto_"))
      throw refuse(object, `${section.name}: compiled with -flto; compile without link-time optimisation`);
    if (!isLinked(section)) continue;
    const { sh_type, sh_flags, sh_size, sh_addralign } = section.header;
    if (sh_flags & SHF_COMPRESSED) throw refuse(object, `${section.name}: a compressed section in memory`);
    if (sh_size >= TOO_LARGE) throw broken(object, "sh_size", `${section.name}: ${sh_size} bytes`);
    if (sh_flags >= TOO_LARGE) throw refuse(object, `${section.name}: unknown section flags`);
    if (sh_type === SHT_GROUP || sh_type === SHT_RELR)
      throw refuse(object, `${section.name}: a section of type ${sh_type} in memory`);
    if (sh_addralign > MAX_ALIGNMENT || (sh_addralign & (sh_addralign - 1)) !== 0)
      throw broken(object, "sh_addralign", `${section.name}: ${sh_addralign}`);
    if (sh_type !== SHT_NOBITS && section.fileSizeBytes !== sh_size)
      throw broken(object, "sh_offset", `${section.name} reaches outside the file`);
  }
  return elf;
}

/** 1 GiB: the largest page of both machines. */
const MAX_ALIGNMENT = 2 ** 30;

function readSymbols(object: LibraryObject, elf: Elf): ObjectSymbol[] {
  const { symtab } = readSymbolTables(elf);
  if (symtab === undefined) return [];
  if (symtab.count > MAX_SYMBOLS)
    throw new TenonError(
      "limit",
      `${object.name}: ${symtab.count} symbols, at most ${MAX_SYMBOLS} are read`,
      {
        path: object.name,
      },
    );
  const symbols: ObjectSymbol[] = [];
  let nameBytes = 0;
  for (let i = 0; i < symtab.count; i++) {
    const symbol = readSymbol(object, elf, symtab, i);
    nameBytes += symbol.name.length;
    // Names that overlap in the string table would otherwise add up to more than the file holds.
    if (nameBytes > 16 * object.bytes.length) throw broken(object, "st_name", "the names overlap");
    symbols.push(symbol);
  }
  return symbols;
}

function readSymbol(object: LibraryObject, elf: Elf, symtab: SymbolTable, i: number): ObjectSymbol {
  const section = symtab.sectionIndex(i);
  // A resolved SHN_XINDEX may be any number; only the raw value is ever reserved.
  const isReserved = symtab.st_shndx(i) >= SHN_LORESERVE && section === symtab.st_shndx(i);
  const name = symtab.name(i);
  const binding = BINDINGS[symtab.binding(i)];
  if (binding === undefined) throw refuse(object, `${name}: symbol binding ${symtab.binding(i)}`);
  const place =
    section === 0 ? "undefined" : !isReserved ? "section" : section === SHN_ABS ? "absolute" : "common";
  if (isReserved && section !== SHN_ABS && section !== SHN_COMMON)
    throw refuse(object, `${name}: a symbol in the reserved section ${section}`);
  if (place === "section" && elf.sections[section] === undefined)
    throw broken(object, "st_shndx", `${name} is in section ${section}, which there isn't`);
  return {
    index: i,
    name,
    value: symtab.st_value(i),
    sizeBytes: symtab.st_size(i),
    binding,
    visibility: VISIBILITIES[symtab.st_other(i) & 3]!,
    type: symtab.type(i),
    place,
    section: place === "section" ? section : 0,
  };
}

function readRelocations(
  object: LibraryObject,
  elf: Elf,
  symbols: readonly ObjectSymbol[],
): Map<number, readonly ObjectRelocation[]> {
  const bySection = new Map<number, ObjectRelocation[]>();
  for (const table of readRelocationTables(elf)) {
    const section = elf.sections[table.target];
    if (section === undefined) throw broken(object, "sh_info", `${table.name}: no section ${table.target}`);
    if (!isLinked(section)) continue;
    if (table.kind === "rel")
      throw refuse(object, `${table.name}: SHT_REL relocations, which ${elf.machine} doesn't use`);
    const found = bySection.get(section.index) ?? [];
    for (let i = 0; i < table.count; i++) found.push(readRelocation(object, elf, table, i, section, symbols));
    bySection.set(section.index, found);
  }
  // Pairs at one offset (TLS descriptors, R_*_NONE) keep their order: sort is stable.
  for (const found of bySection.values()) found.sort((a, b) => a.offset - b.offset);
  return bySection;
}

function readRelocation(
  object: LibraryObject,
  elf: Elf,
  table: RelocationTable,
  i: number,
  section: Section,
  symbols: readonly ObjectSymbol[],
): ObjectRelocation {
  const [offset, type, symbol] = [table.r_offset(i), table.type(i), table.symbol(i)];
  const field = relocationField(elf.machine, type);
  if (field === undefined)
    throw refuse(object, `${section.name}: relocation ${relocationName(elf.machine, type)} at ${offset}`);
  if (offset + field.sizeBytes > section.header.sh_size || section.header.sh_type === SHT_NOBITS)
    throw broken(object, "r_offset", `${table.name}: ${offset} is outside ${section.name}`);
  if (symbol !== 0 && symbol >= symbols.length)
    throw broken(object, "r_info", `${table.name}: symbol ${symbol} of ${symbols.length}`);
  const addend = elf.view.data.getBigInt64(table.offset + table.entryBytes * i + 16, true);
  return { offset, type, addend, symbol };
}

/** COMDAT groups by the sections in them; `.gnu.linkonce.*` is how they were written before there were groups. */
function readGroups(object: LibraryObject, elf: Elf, symbols: readonly ObjectSymbol[]): Map<number, string> {
  const comdat = new Map<number, string>();
  for (const section of elf.sections) {
    if (section.startsWith(".gnu.linkonce.") && isLinked(section)) comdat.set(section.index, section.name);
    if (section.header.sh_type !== SHT_GROUP) continue;
    const { sh_offset, sh_size, sh_info } = section.header;
    if (sh_size < 4 || sh_size % 4 !== 0) throw invalid("elf", "SHT_GROUP", sh_offset, `${sh_size} bytes`);
    if ((elf.view.u32(sh_offset) & GRP_COMDAT) === 0) continue;
    const symbol = symbols[sh_info];
    if (symbol === undefined) throw broken(object, "sh_info", `${section.name}: no symbol ${sh_info}`);
    // A section symbol has no name of its own.
    const signature = symbol.name !== "" ? symbol.name : (elf.sections[symbol.section]?.name ?? "");
    for (let at = 4; at < sh_size; at += 4) {
      const member = elf.view.u32(sh_offset + at);
      if (elf.sections[member] === undefined)
        throw broken(object, "SHT_GROUP", `${section.name}: no section ${member}`);
      comdat.set(member, signature);
    }
  }
  return comdat;
}
