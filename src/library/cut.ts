/**
 * Sections cut into units, and which unit holds an offset of a section.
 *
 * Of COMDAT groups with one signature the first is kept, as linkers do. A section of mergeable strings or constants
 * is cut into its entries, unless it holds what can't be cut (a relocation across entries, a last string without end).
 */
import {
  relocationField,
  type Section,
  SHF_EXECINSTR,
  SHF_MERGE,
  SHF_STRINGS,
  SHF_TLS,
  SHF_WRITE,
  SHT_FINI_ARRAY,
  SHT_INIT_ARRAY,
  SHT_NOBITS,
  SHT_NOTE,
  SHT_PREINIT_ARRAY,
  SHT_X86_64_UNWIND,
  STT_SECTION,
} from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";
import type { Unit, UnitKind, UnitRelocation, UnitSymbol } from "./model.ts";
import { isLinked, type ObjectFile, type ObjectRelocation } from "./object-file.ts";

/** A unit that is still being made. */
export type UnitDraft = { -readonly [K in keyof Unit]: Unit[K] } & {
  relocations: UnitRelocation[];
  symbols: UnitSymbol[];
};

/** What became of a section. */
export type SectionFate =
  | { readonly kind: "unit"; readonly unit: number }
  /** Cut: where in the section each unit begins. */
  | { readonly kind: "pieces"; readonly first: number; readonly starts: readonly number[] }
  /** A copy of a COMDAT group that another object has already. */
  | { readonly kind: "duplicate"; readonly signature: string }
  | { readonly kind: "unwind" }
  | { readonly kind: "not-linked" };

/** They take some 1.5 KB each. SQLite has 4000; hostile string tables could have one for each byte. */
const MAX_UNITS = 1 << 20;

export interface CutResult {
  readonly units: UnitDraft[];
  /** By object, then by section. */
  readonly fates: readonly (readonly SectionFate[])[];
}

const NO_FACETS = { bytes: "", relocations: "", flags: "", binding: "" };

/** Cuts all objects. Errors: `limit`. */
export function cutUnits(objects: readonly ObjectFile[]): CutResult {
  const units: UnitDraft[] = [];
  const keptIn = new Map<string, number>();
  const fates = objects.map((object) => {
    let nameBytes = 0;
    const used = usedSections(object);
    return object.elf.sections.map((section): SectionFate => {
      if (!isLinked(section)) return { kind: "not-linked" };
      if (section.header.sh_size === 0 && !used.has(section.index)) return { kind: "not-linked" };
      if (isUnwind(section)) return { kind: "unwind" };
      const signature = object.comdat.get(section.index);
      if (signature !== undefined) {
        const keeper = keptIn.get(signature) ?? object.index;
        keptIn.set(signature, keeper);
        if (keeper !== object.index) return { kind: "duplicate", signature };
      }
      const sectionName = section.name;
      nameBytes += sectionName.length;
      if (units.length >= MAX_UNITS || nameBytes > 16 * object.elf.bytes.length)
        throw new TenonError("limit", `${object.name}: more units than ${MAX_UNITS}, or endless names`, {
          path: object.name,
        });
      return cutSection(object, section, sectionName, signature, units);
    });
  });
  return { units, fates };
}

/**
 * Sections with symbols, or that relocations refer to. Of the others, empty ones are left out: compilers write .text,
 * .data and .bss even when everything has a section of its own.
 */
function usedSections({ symbols, relocations }: ObjectFile): ReadonlySet<number> {
  const used = new Set<number>();
  for (const { type, section } of symbols) if (type !== STT_SECTION) used.add(section);
  for (const list of relocations.values())
    for (const { symbol } of list) used.add(symbols[symbol]?.section ?? 0);
  return used;
}

/** .eh_frame is not placed by units: its entries go with the functions that they describe. */
export function isUnwind(section: Section): boolean {
  return section.header.sh_type === SHT_X86_64_UNWIND || section.isNamed(".eh_frame");
}

function cutSection(
  object: ObjectFile,
  section: Section,
  sectionName: string,
  group: string | undefined,
  units: UnitDraft[],
): SectionFate {
  const { sh_type, sh_flags, sh_size, sh_addralign, sh_entsize } = section.header;
  const add = (start: number, end: number, kind: UnitKind, alignment: number) => {
    const bytes = section.bytes;
    units.push({
      index: units.length,
      object: object.index,
      section: section.index,
      sectionOffset: start,
      sectionName,
      kind,
      type: sh_type,
      flags: sh_flags,
      alignment,
      entrySize: sh_entsize,
      sizeBytes: end - start,
      bytes: sh_type === SHT_NOBITS ? bytes.subarray(0, 0) : bytes.subarray(start, end),
      relocations: [],
      symbols: [],
      group,
      bundle: -1,
      name: "",
      anonymous: false,
      facets: NO_FACETS,
      identity: "",
    });
  };
  const alignment = Math.max(1, sh_addralign);
  const starts = entryStarts(section, object.relocations.get(section.index) ?? [], object);
  if (starts === undefined) {
    add(0, sh_size, unitKind(section, sectionName), alignment);
    return { kind: "unit", unit: units.length - 1 };
  }
  const isString = (sh_flags & SHF_STRINGS) !== 0;
  const first = units.length;
  if (first + starts.length > MAX_UNITS)
    throw new TenonError("limit", `${object.name}: ${sectionName}: more than ${MAX_UNITS} units`, {
      path: object.name,
    });
  for (const [i, start] of starts.entries()) {
    // Padding behind a string belongs to no unit.
    const end = isString ? stringEnd(section.bytes, start, sh_entsize) : (starts[i + 1] ?? sh_size);
    const own = start === 0 ? alignment : Math.min(alignment, lowestBit(start));
    add(start, end, isString ? "string" : unitKind(section, sectionName), own);
  }
  return { kind: "pieces", first, starts };
}

function lowestBit(value: number): number {
  let bit = 1;
  while (value % (bit * 2) === 0) bit *= 2;
  return bit;
}

/**
 * Where the entries of a mergeable section begin; undefined when it is to be left whole. Strings that are aligned
 * have NULs in front of the next one: these are no empty strings, as linkers see it. Constants may have relocations
 * (addresses, where code doesn't move), as long as each lies in one entry.
 */
function entryStarts(
  section: Section,
  relocations: readonly ObjectRelocation[],
  { elf: { machine } }: ObjectFile,
): number[] | undefined {
  const { sh_flags, sh_type, sh_size, sh_entsize, sh_addralign } = section.header;
  const cut = (sh_flags & SHF_MERGE) !== 0 && (sh_flags & (SHF_WRITE | SHF_EXECINSTR)) === 0;
  if (!cut || sh_type === SHT_NOBITS || sh_size === 0) return undefined;
  if (sh_entsize === 0 || sh_size % sh_entsize !== 0) return undefined;
  const starts: number[] = [];
  if ((sh_flags & SHF_STRINGS) === 0) {
    const isInside = ({ offset, type }: ObjectRelocation) =>
      (offset % sh_entsize) + relocationField(machine, type)!.sizeBytes <= sh_entsize;
    if (!relocations.every(isInside)) return undefined;
    for (let at = 0; at < sh_size; at += sh_entsize) starts.push(at);
    return starts;
  }
  if (relocations.length > 0) return undefined;
  // char, char16_t, char32_t
  if (sh_entsize !== 1 && sh_entsize !== 2 && sh_entsize !== 4) return undefined;
  const { bytes } = section;
  const alignment = Math.max(sh_addralign, sh_entsize);
  for (let at = 0; at < sh_size; ) {
    starts.push(at);
    at = stringEnd(bytes, at, sh_entsize);
    if (at > sh_size) return undefined;
    while (at % alignment !== 0 && at < sh_size && isNul(bytes, at, sh_entsize)) at += sh_entsize;
  }
  return starts;
}

function isNul(bytes: Uint8Array, at: number, entryBytes: number): boolean {
  for (let i = 0; i < entryBytes; i++) if (bytes[at + i] !== 0) return false;
  return true;
}

/** Behind the terminator of the string at `at`; past the end when it has none. */
function stringEnd(bytes: Uint8Array, at: number, entryBytes: number): number {
  if (entryBytes === 1) {
    const nul = bytes.indexOf(0, at);
    return nul < 0 ? bytes.length + 1 : nul + 1;
  }
  for (let end = at; end < bytes.length; end += entryBytes)
    if (isNul(bytes, end, entryBytes)) return end + entryBytes;
  return bytes.length + entryBytes;
}

function unitKind({ header: { sh_type, sh_flags } }: Section, name: string): UnitKind {
  if (sh_type === SHT_NOTE) return "note";
  if (sh_type === SHT_INIT_ARRAY || sh_type === SHT_FINI_ARRAY || sh_type === SHT_PREINIT_ARRAY)
    return "init";
  if (/^\.(init|fini|preinit|ctors|dtors)(_array)?(\.|$)/.test(name)) return "init";
  if (sh_flags & SHF_TLS) return sh_type === SHT_NOBITS ? "tls-bss" : "tls-data";
  if (sh_flags & SHF_EXECINSTR) return "code";
  if (sh_type === SHT_NOBITS) return "bss";
  if (sh_flags & SHF_WRITE) return "data";
  // SHT_LOUSER and below: what processors and systems define for themselves, such as Unikraft's own tables.
  return sh_type === 1 ? "rodata" : "other";
}

/** The unit that holds an offset of a section that was cut, and where in it; the end belongs to the last one. */
export function pieceAt(
  fate: Extract<SectionFate, { kind: "pieces" }>,
  units: readonly UnitDraft[],
  offset: number,
): { readonly unit: number; readonly offset: number } {
  const { first, starts } = fate;
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  const unit = first + low;
  const inside = offset - starts[low]!;
  const { sizeBytes, kind, entrySize } = units[unit]!;
  // An offset in the padding behind a string is an empty string: its terminator says the same.
  return { unit, offset: kind === "string" && inside >= sizeBytes ? sizeBytes - entrySize : inside };
}
