/**
 * The dynamic table: what the loader reads.
 *
 * Elf64_Dyn, 16 bytes: d_tag i64, d_un u64; ends with DT_NULL or with the segment.
 */
import type { AddressMap } from "./addresses.ts";
import {
  DT_FINI_ARRAY,
  DT_FINI_ARRAYSZ,
  DT_FLAGS_1,
  DT_GNU_HASH,
  DT_HASH,
  DT_INIT,
  DT_INIT_ARRAY,
  DT_INIT_ARRAYSZ,
  DT_JMPREL,
  DT_NEEDED,
  DT_NULL,
  DT_PLTREL,
  DT_PLTRELSZ,
  DT_PREINIT_ARRAY,
  DT_PREINIT_ARRAYSZ,
  DT_REL,
  DT_RELA,
  DT_RELASZ,
  DT_RELR,
  DT_RELRSZ,
  DT_RELSZ,
  DT_SONAME,
  DT_STRSZ,
  DT_STRTAB,
  DT_SYMTAB,
  DT_VERNEED,
  DT_VERSYM,
  DYN_BYTES,
  PT_DYNAMIC,
  SHT_DYNAMIC,
  SYM_BYTES,
} from "./constants.ts";
import { type DynamicArea, type GnuHashTable, type HashTable, readGnuHash, readHash } from "./hash-tables.ts";
import type { ProblemList } from "./problems.ts";
import type { Section } from "./sections.ts";
import type { Segment } from "./segments.ts";
import type { FileView } from "./view.ts";

export interface DynamicTable {
  readonly offset: number;
  /** Number of entries, DT_NULL included. */
  readonly count: number;
  /** d_tag and d_un of each entry, in file order; 2^53 where a value is larger than 2^53 - 1. */
  readonly tags: Float64Array;
  readonly values: Float64Array;
  readonly needed: readonly string[];
  readonly soname: string | undefined;
  readonly flags1: number;
  readonly strtab: DynamicArea | undefined;
  readonly symtab: DynamicArea | undefined;
  readonly rela: DynamicArea | undefined;
  readonly rel: DynamicArea | undefined;
  readonly relr: DynamicArea | undefined;
  readonly jmprel: (DynamicArea & { readonly isRela: boolean }) | undefined;
  readonly initArray: DynamicArea | undefined;
  readonly finiArray: DynamicArea | undefined;
  readonly preinitArray: DynamicArea | undefined;
  readonly hash: HashTable | undefined;
  readonly gnuHash: GnuHashTable | undefined;
}

/** Value of the first entry with a tag, or undefined. */
export function dynamicValue(table: Pick<DynamicTable, "tags" | "values">, tag: number): number | undefined {
  const at = table.tags.indexOf(tag);
  return at < 0 ? undefined : table.values[at];
}

/** Real tables have some 40 entries; the loader itself has no bound, strings per DT_NEEDED need one here. */
const MAX_ENTRIES = 65_536;

/** Reads the dynamic table by PT_DYNAMIC, else by SHT_DYNAMIC; undefined when there is none. */
export function readDynamic(
  view: FileView,
  segments: readonly Segment[],
  sections: readonly Section[],
  addresses: AddressMap,
  problems: ProblemList,
): DynamicTable | undefined {
  const place = findPlace(segments, sections);
  if (place === undefined) return undefined;
  const { offset } = place;
  const limit = Math.min(Math.floor(place.sizeBytes / DYN_BYTES), MAX_ENTRIES);
  let count = 0;
  while (count < limit) if (view.i64(offset + DYN_BYTES * count++) === DT_NULL) break;
  const tags = new Float64Array(count);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    tags[i] = view.i64(offset + DYN_BYTES * i);
    values[i] = view.u64(offset + DYN_BYTES * i + 8);
  }
  if (count === 0 || tags[count - 1] !== DT_NULL) {
    problems.add("d_tag", offset + DYN_BYTES * count, "the dynamic table doesn't end with DT_NULL");
  }
  const raw = { tags, values };
  const area = (tag: number, sizeTag: number, what: string): DynamicArea | undefined => {
    const address = dynamicValue(raw, tag);
    const sizeBytes = dynamicValue(raw, sizeTag);
    if (address === undefined || sizeBytes === undefined || sizeBytes === 0) return undefined;
    const at = addresses.offsetOf(address, sizeBytes);
    if (at === undefined) {
      problems.add(what, offset, `${sizeBytes} bytes at address ${address} are not in the file`);
      return undefined;
    }
    return { address, offset: at, sizeBytes };
  };
  const strtab = area(DT_STRTAB, DT_STRSZ, "DT_STRTAB");
  const hash = readHash(view, addresses, dynamicValue(raw, DT_HASH), problems);
  const gnuHash = readGnuHash(view, addresses, dynamicValue(raw, DT_GNU_HASH), problems);
  const jmprel = area(DT_JMPREL, DT_PLTRELSZ, "DT_JMPREL");
  const text = (at: number): string | undefined =>
    strtab === undefined ? undefined : view.string(strtab.offset + at, strtab.offset + strtab.sizeBytes);
  const needed: string[] = [];
  for (let i = 0; i < count; i++) {
    if (tags[i] === DT_NEEDED && needed.length < MAX_NEEDED) needed.push(text(values[i]!) ?? "");
  }
  const sonameAt = dynamicValue(raw, DT_SONAME);
  return {
    offset,
    count,
    tags,
    values,
    needed,
    soname: sonameAt === undefined ? undefined : text(sonameAt),
    flags1: dynamicValue(raw, DT_FLAGS_1) ?? 0,
    strtab,
    symtab: readSymtab(raw, addresses, hash, gnuHash, offset, problems),
    rela: area(DT_RELA, DT_RELASZ, "DT_RELA"),
    rel: area(DT_REL, DT_RELSZ, "DT_REL"),
    relr: area(DT_RELR, DT_RELRSZ, "DT_RELR"),
    jmprel: jmprel === undefined ? undefined : { ...jmprel, isRela: dynamicValue(raw, DT_PLTREL) !== DT_REL },
    initArray: area(DT_INIT_ARRAY, DT_INIT_ARRAYSZ, "DT_INIT_ARRAY"),
    finiArray: area(DT_FINI_ARRAY, DT_FINI_ARRAYSZ, "DT_FINI_ARRAY"),
    preinitArray: area(DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ, "DT_PREINIT_ARRAY"),
    hash,
    gnuHash,
  };
}

/** Names decoded per table, each of at most 64 KiB: libraries have up to some hundred. */
const MAX_NEEDED = 1024;

function findPlace(
  segments: readonly Segment[],
  sections: readonly Section[],
): { offset: number; sizeBytes: number } | undefined {
  for (const { header, usable } of segments) {
    if (header.p_type === PT_DYNAMIC && usable && header.p_filesz > 0) {
      return { offset: header.p_offset, sizeBytes: header.p_filesz };
    }
  }
  for (const { header, fileSizeBytes } of sections) {
    if (header.sh_type === SHT_DYNAMIC && fileSizeBytes > 0) {
      return { offset: header.sh_offset, sizeBytes: fileSizeBytes };
    }
  }
  return undefined;
}

/** Tags whose value is the address of a table: the dynamic symbols end at or before the next one. */
const ADDRESS_TAGS = [
  DT_STRTAB,
  DT_HASH,
  DT_GNU_HASH,
  DT_VERSYM,
  DT_VERNEED,
  DT_RELA,
  DT_REL,
  DT_JMPREL,
  DT_RELR,
  DT_INIT,
  DT_INIT_ARRAY,
];

/** The dynamic symbols: a hash table knows their number, else they reach to the next table. */
function readSymtab(
  raw: Pick<DynamicTable, "tags" | "values">,
  addresses: AddressMap,
  hash: HashTable | undefined,
  gnuHash: GnuHashTable | undefined,
  tableOffset: number,
  problems: ProblemList,
): DynamicArea | undefined {
  const address = dynamicValue(raw, DT_SYMTAB);
  if (address === undefined) return undefined;
  let count = hash?.symbolCount ?? gnuHash?.symbolCount ?? 0;
  // GNU ld writes an empty GNU hash table for an object that exports nothing, and says 1 in it.
  if (count <= 1) {
    const after = ADDRESS_TAGS.map((tag) => dynamicValue(raw, tag) ?? 0).filter((value) => value > address);
    if (after.length > 0) count = Math.floor((Math.min(...after) - address) / SYM_BYTES);
  }
  if (count === 0) return undefined;
  const sizeBytes = count * SYM_BYTES;
  const offset = addresses.offsetOf(address, sizeBytes);
  if (offset === undefined) {
    problems.add("DT_SYMTAB", tableOffset, `${count} symbols at address ${address} are not in the file`);
    return undefined;
  }
  return { address, offset, sizeBytes };
}
