/**
 * Section headers.
 *
 * Elf64_Shdr, 64 bytes: sh_name u32, sh_type u32, sh_flags u64, sh_addr u64, sh_offset u64, sh_size u64,
 * sh_link u32, sh_info u32, sh_addralign u64, sh_entsize u64. Section 0 is null; where a count doesn't fit into
 * the file header, section 0 holds it: e_shnum in sh_size, e_shstrndx in sh_link, e_phnum in sh_info.
 */
import { SHDR_BYTES, SHF_ALLOC, SHN_XINDEX, SHT_NOBITS, SHT_NULL, SHT_STRTAB } from "./constants.ts";
import type { Elf64Ehdr } from "./header.ts";
import type { ProblemList } from "./problems.ts";
import { type SectionKind, sectionKind } from "./section-kind.ts";
import { type FileView, TOO_LARGE } from "./view.ts";

/** Elf64_Shdr as it stands in the file. */
export interface Elf64Shdr {
  readonly sh_name: number;
  readonly sh_type: number;
  readonly sh_flags: number;
  readonly sh_addr: number;
  readonly sh_offset: number;
  readonly sh_size: number;
  readonly sh_link: number;
  readonly sh_info: number;
  readonly sh_addralign: number;
  readonly sh_entsize: number;
}

/** One section. Its name is decoded when asked for. */
export class Section {
  readonly index: number;
  /** File offset of the header itself. */
  readonly headerOffset: number;
  readonly header: Elf64Shdr;
  /** How many bytes it has in the file: 0 for SHT_NOBITS, and 0 when it reaches outside (see the problems). */
  readonly fileSizeBytes: number;
  readonly #view: FileView;
  readonly #nameOffset: number;
  readonly #nameEnd: number;

  constructor(
    view: FileView,
    index: number,
    headerOffset: number,
    header: Elf64Shdr,
    names: { readonly offset: number; readonly end: number },
  ) {
    this.index = index;
    this.headerOffset = headerOffset;
    this.header = header;
    const inFile = header.sh_type !== SHT_NOBITS && header.sh_type !== SHT_NULL;
    this.fileSizeBytes = inFile && view.has(header.sh_offset, header.sh_size) ? header.sh_size : 0;
    this.#view = view;
    this.#nameOffset = names.offset + header.sh_name;
    this.#nameEnd = names.end;
  }

  /** The name; empty when there is none or it isn't in the string table. */
  get name(): string {
    return this.#view.string(this.#nameOffset, this.#nameEnd) ?? "";
  }

  get kind(): SectionKind {
    return sectionKind(this.header, this);
  }

  /** A view of its bytes in the file; empty for SHT_NOBITS and for what reaches outside. */
  get bytes(): Uint8Array {
    const { sh_offset } = this.header;
    if (this.fileSizeBytes === 0) return this.#view.bytes.subarray(0, 0);
    return this.#view.bytes.subarray(sh_offset, sh_offset + this.fileSizeBytes);
  }

  /** True when it is called `name` (ASCII), without decoding anything. */
  isNamed(name: string): boolean {
    return this.startsWith(name) && this.#view.bytes[this.#nameOffset + name.length] === 0;
  }

  /** True when its name begins with `prefix` (ASCII), without decoding anything. */
  startsWith(prefix: string): boolean {
    const at = this.#nameOffset;
    // The NUL at the end must fit as well.
    if (at + prefix.length >= this.#nameEnd) return false;
    const { bytes } = this.#view;
    for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix.charCodeAt(i)) return false;
    return true;
  }
}

/** What section 0 says where the file header has no room. */
export interface SectionZero {
  readonly sh_size: number;
  readonly sh_link: number;
  readonly sh_info: number;
}

/** Objects made for a hostile count stay bounded; the largest real object files have some 300,000. */
const MAX_SECTIONS = 1 << 20;

/** Section 0, or undefined when there is no usable section header table. */
export function readSectionZero(view: FileView, header: Elf64Ehdr): SectionZero | undefined {
  const { e_shoff, e_shentsize } = header;
  if (e_shoff === 0 || e_shentsize !== SHDR_BYTES || !view.has(e_shoff, SHDR_BYTES)) return undefined;
  return {
    sh_size: view.u64(e_shoff + 32),
    sh_link: view.u32(e_shoff + 40),
    sh_info: view.u32(e_shoff + 44),
  };
}

/** Reads the section headers. A table that can't be read gives an empty list and a problem. */
export function readSections(
  view: FileView,
  header: Elf64Ehdr,
  zero: SectionZero | undefined,
  problems: ProblemList,
): Section[] {
  const { e_shoff, e_shnum, e_shentsize } = header;
  if (e_shoff === 0) {
    if (e_shnum !== 0) problems.add("e_shnum", 60, `${e_shnum} sections but e_shoff is 0`);
    return [];
  }
  if (e_shentsize !== SHDR_BYTES) {
    problems.add("e_shentsize", 58, `${e_shentsize} instead of ${SHDR_BYTES}`);
    return [];
  }
  if (zero === undefined) {
    problems.add("e_shoff", 40, `section headers at ${e_shoff} reach outside the file`);
    return [];
  }
  const count = e_shnum === 0 ? zero.sh_size : e_shnum;
  if (count > MAX_SECTIONS) {
    problems.add("e_shnum", 60, `${count} sections, at most ${MAX_SECTIONS} are read`);
    return [];
  }
  if (!view.has(e_shoff, count * SHDR_BYTES)) {
    problems.add("e_shoff", 40, `${count} section headers at ${e_shoff} reach outside the file`);
    return [];
  }
  const headers: Elf64Shdr[] = [];
  for (let index = 0; index < count; index++) headers.push(readShdr(view, e_shoff + index * SHDR_BYTES));
  const names = nameTable(view, header, zero, headers, problems);
  const sections = headers.map(
    (shdr, index) => new Section(view, index, e_shoff + index * SHDR_BYTES, shdr, names),
  );
  for (const section of sections) checkSection(view, section, problems);
  reportOverlaps(sections, problems);
  return sections;
}

function readShdr(view: FileView, at: number): Elf64Shdr {
  return {
    sh_name: view.u32(at),
    sh_type: view.u32(at + 4),
    sh_flags: view.u64(at + 8),
    sh_addr: view.u64(at + 16),
    sh_offset: view.u64(at + 24),
    sh_size: view.u64(at + 32),
    sh_link: view.u32(at + 40),
    sh_info: view.u32(at + 44),
    sh_addralign: view.u64(at + 48),
    sh_entsize: view.u64(at + 56),
  };
}

/** Where the section names are; an empty range when they are missing. */
function nameTable(
  view: FileView,
  header: Elf64Ehdr,
  zero: SectionZero,
  headers: readonly Elf64Shdr[],
  problems: ProblemList,
): { offset: number; end: number } {
  const index = header.e_shstrndx === SHN_XINDEX ? zero.sh_link : header.e_shstrndx;
  const none = { offset: 0, end: 0 };
  if (index === 0) return none;
  const table = headers[index];
  if (table === undefined || table.sh_type !== SHT_STRTAB || !view.has(table.sh_offset, table.sh_size)) {
    problems.add("e_shstrndx", 62, `section ${index} is not a string table in the file`);
    return none;
  }
  return { offset: table.sh_offset, end: table.sh_offset + table.sh_size };
}

function checkSection(view: FileView, section: Section, problems: ProblemList): void {
  const { sh_type, sh_flags, sh_addr, sh_offset, sh_size } = section.header;
  if (sh_type === SHT_NULL) return;
  if (sh_type !== SHT_NOBITS && !view.has(sh_offset, sh_size)) {
    problems.add(
      "sh_offset",
      section.headerOffset + 24,
      `${sh_size} bytes at ${sh_offset} reach outside the file`,
    );
  }
  if (sh_flags & SHF_ALLOC && sh_addr + sh_size >= TOO_LARGE) {
    problems.add("sh_addr", section.headerOffset + 16, "addresses of 2^53 and above are not supported");
  }
}

/** Sections must not share bytes of the file. */
function reportOverlaps(sections: readonly Section[], problems: ProblemList): void {
  const placed = sections.filter((section) => section.fileSizeBytes > 0);
  placed.sort((a, b) => a.header.sh_offset - b.header.sh_offset || a.index - b.index);
  let last: Section | undefined;
  let end = 0;
  for (const section of placed) {
    const { sh_offset } = section.header;
    if (last !== undefined && sh_offset < end) {
      problems.add("sh_offset", section.headerOffset + 24, `shares bytes with section ${last.index}`);
    }
    if (sh_offset + section.fileSizeBytes > end) {
      end = sh_offset + section.fileSizeBytes;
      last = section;
    }
  }
}
