/** The file as a whole: header, segments, sections, addresses, dynamic table. */
import { type AddressMap, mapFromSections, mapFromSegments } from "./addresses.ts";
import {
  DF_1_PIE,
  EM_AARCH64,
  ET_CORE,
  ET_DYN,
  ET_EXEC,
  ET_REL,
  PT_DYNAMIC,
  PT_INTERP,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHT_NOBITS,
} from "./constants.ts";
import { type DynamicTable, readDynamic } from "./dynamic.ts";
import { type Elf64Ehdr, readHeader } from "./header.ts";
import { type Problem, ProblemList } from "./problems.ts";
import { readSections, readSectionZero, type Section } from "./sections.ts";
import { readSegments, type Segment } from "./segments.ts";
import { FileView } from "./view.ts";

export type Machine = "x86-64" | "aarch64";

/**
 * What kind of file it is: `object` (ET_REL), `static` and `dynamic` (ET_EXEC without and with an interpreter),
 * `static-pie` and `pie` (the same of ET_DYN), `shared` (a library), `core`, `other`.
 */
export type ElfKind = "object" | "static" | "dynamic" | "static-pie" | "pie" | "shared" | "core" | "other";

export interface Elf {
  /** The whole file; a view, not a copy: it must not change while this is used. */
  readonly bytes: Uint8Array;
  readonly view: FileView;
  readonly header: Elf64Ehdr;
  readonly machine: Machine;
  readonly kind: ElfKind;
  /** True when the code was taken out (`objcopy --only-keep-debug`): executable sections are SHT_NOBITS. */
  readonly debugOnly: boolean;
  readonly segments: readonly Segment[];
  /** By index, section 0 included; empty when the section headers were stripped. */
  readonly sections: readonly Section[];
  readonly addresses: AddressMap;
  readonly dynamic: DynamicTable | undefined;
  /** What is wrong with the parts above; an empty list doesn't vouch for tables that are read later. */
  readonly problems: readonly Problem[];
}

/**
 * Reads the structure of an ELF64 little-endian file for x86-64 or AArch64.
 *
 * Work and memory are bounded by the number of headers (at most 2^20 each). Errors: `invalid` when it isn't ELF
 * or its file header is cut; `unsupported` for another class, byte order, version or machine. Anything else that
 * is wrong is listed in `problems`, and what it concerns is left out.
 */
export function parseElf(bytes: Uint8Array): Elf {
  const view = new FileView(bytes);
  const header = readHeader(view);
  const problems = new ProblemList();
  const zero = readSectionZero(view, header);
  const sections = readSections(view, header, zero, problems);
  const segments = readSegments(view, header, zero?.sh_info, problems);
  const debugOnly = sections.some(
    ({ header: { sh_type, sh_flags, sh_size } }) =>
      sh_type === SHT_NOBITS &&
      sh_size > 0 &&
      (sh_flags & SHF_ALLOC) !== 0 &&
      (sh_flags & SHF_EXECINSTR) !== 0,
  );
  const bySections = debugOnly || segments.length === 0;
  const addresses = bySections ? mapFromSections(sections) : mapFromSegments(segments);
  const dynamic = debugOnly ? undefined : readDynamic(view, segments, sections, addresses, problems);
  return {
    bytes,
    view,
    header,
    machine: header.e_machine === EM_AARCH64 ? "aarch64" : "x86-64",
    kind: elfKind(header, segments, dynamic),
    debugOnly,
    segments,
    sections,
    addresses,
    dynamic,
    problems: problems.list(),
  };
}

function elfKind(
  header: Elf64Ehdr,
  segments: readonly Segment[],
  dynamic: DynamicTable | undefined,
): ElfKind {
  const has = (type: number) => segments.some((segment) => segment.header.p_type === type);
  switch (header.e_type) {
    case ET_REL:
      return "object";
    case ET_EXEC:
      return has(PT_INTERP) || has(PT_DYNAMIC) ? "dynamic" : "static";
    case ET_DYN: {
      const declared = ((dynamic?.flags1 ?? 0) & DF_1_PIE) !== 0;
      if (has(PT_INTERP)) return declared || dynamic?.soname === undefined ? "pie" : "shared";
      return declared ? "static-pie" : "shared";
    }
    case ET_CORE:
      return "core";
    default:
      return "other";
  }
}

/** The first section with a name, or undefined; O(sections). */
export function sectionNamed(elf: Elf, name: string): Section | undefined {
  return elf.sections.find((section) => section.isNamed(name));
}
