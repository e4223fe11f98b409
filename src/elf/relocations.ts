/**
 * Relocations.
 *
 * Elf64_Rela, 24 bytes: r_offset u64, r_info u64 (type in the low 32 bits, symbol in the high), r_addend i64.
 * Elf64_Rel, 16 bytes: the same without r_addend, which is in the field that is relocated.
 * RELR: u64 words. An even word is an address to relocate; an odd one is a bitmap for the 63 words after the last
 * address covered, lowest bit (bit 1) first. Source: "Proposal for a new section type SHT_RELR", generic-abi.
 */
import { REL_BYTES, RELA_BYTES, SHT_REL, SHT_RELA, SHT_RELR } from "./constants.ts";
import type { Elf } from "./elf.ts";
import { type Problem, ProblemList } from "./problems.ts";
import type { Section } from "./sections.ts";
import { type FileView, TOO_LARGE } from "./view.ts";

/** One table of SHT_RELA or SHT_REL read in place. Indexes must be below `count`. */
export class RelocationTable {
  readonly kind: "rela" | "rel";
  readonly offset: number;
  readonly count: number;
  readonly entryBytes: number;
  /** Section index of the table itself, or undefined when it was found through the dynamic table. */
  readonly section: number | undefined;
  /** sh_info: in object files the section that the offsets count in; 0 when they are addresses. */
  readonly target: number;
  readonly #view: FileView;
  readonly #name: string | Section;

  constructor(
    view: FileView,
    table: {
      readonly kind: "rela" | "rel";
      readonly name: string | Section;
      readonly offset: number;
      readonly sizeBytes: number;
      readonly target: number;
    },
  ) {
    this.kind = table.kind;
    this.#name = table.name;
    this.offset = table.offset;
    this.entryBytes = table.kind === "rela" ? RELA_BYTES : REL_BYTES;
    this.count = Math.floor(table.sizeBytes / this.entryBytes);
    this.section = typeof table.name === "string" ? undefined : table.name.index;
    this.target = table.target;
    this.#view = view;
  }

  /** Name of the section, or the one that linkers would give it. */
  get name(): string {
    return typeof this.#name === "string" ? this.#name : this.#name.name;
  }

  #at(index: number): number {
    if (!(index >= 0 && index < this.count)) throw new RangeError(`relocation ${index} of ${this.count}`);
    return this.offset + this.entryBytes * index;
  }

  /** An address, or in object files an offset in the section `target`. */
  r_offset(index: number): number {
    return this.#view.u64(this.#at(index));
  }

  /** ELF64_R_TYPE. */
  type(index: number): number {
    return this.#view.u32(this.#at(index) + 8);
  }

  /** ELF64_R_SYM. */
  symbol(index: number): number {
    return this.#view.u32(this.#at(index) + 12);
  }

  /** 0 for SHT_REL, whose addends are in the relocated fields; plus or minus 2^53 when outside of that. */
  r_addend(index: number): number {
    const at = this.#at(index);
    return this.kind === "rela" ? this.#view.i64(at + 16) : 0;
  }
}

/**
 * Tables of SHT_RELA and SHT_REL: by sections, in order, then what the dynamic table adds. As many as together
 * are no larger than the file: more share bytes, and whoever reads them all must not take quadratic time.
 */
export function readRelocationTables(elf: Elf): RelocationTable[] {
  const tables: RelocationTable[] = [];
  const covered = new Set<number>();
  let budget = elf.bytes.length;
  for (const section of elf.sections) {
    const { sh_type, sh_offset, sh_info } = section.header;
    if ((sh_type !== SHT_RELA && sh_type !== SHT_REL) || section.fileSizeBytes === 0) continue;
    if (section.fileSizeBytes > budget) continue;
    budget -= section.fileSizeBytes;
    covered.add(sh_offset);
    tables.push(
      new RelocationTable(elf.view, {
        kind: sh_type === SHT_RELA ? "rela" : "rel",
        name: section,
        offset: sh_offset,
        sizeBytes: section.fileSizeBytes,
        target: elf.kind === "object" ? sh_info : 0,
      }),
    );
  }
  const { dynamic } = elf;
  const plt = dynamic?.jmprel?.isRela === false ? "rel" : "rela";
  const derived = [
    { kind: "rela", name: ".rela.dyn", area: dynamic?.rela },
    { kind: "rel", name: ".rel.dyn", area: dynamic?.rel },
    { kind: plt, name: `.${plt}.plt`, area: dynamic?.jmprel },
  ] as const;
  for (const { kind, name, area } of derived) {
    if (area === undefined || covered.has(area.offset) || area.sizeBytes > budget) continue;
    budget -= area.sizeBytes;
    const { offset, sizeBytes } = area;
    tables.push(new RelocationTable(elf.view, { kind, name, offset, sizeBytes, target: 0 }));
  }
  return tables;
}

export interface RelrTable {
  readonly offset: number;
  readonly sizeBytes: number;
  /** Addresses to relocate, in the order in which the table gives them. */
  readonly addresses: Float64Array;
  readonly problems: readonly Problem[];
}

/**
 * Decodes SHT_RELR (else DT_RELR); undefined when there is none. Each relocated word has its addend in the
 * file, so a table with more addresses than the file has words is declined: no addresses and a problem.
 */
export function readRelr(elf: Elf): RelrTable | undefined {
  const section = elf.sections.find(
    ({ header, fileSizeBytes }) => header.sh_type === SHT_RELR && fileSizeBytes > 0,
  );
  const place =
    section !== undefined
      ? { offset: section.header.sh_offset, sizeBytes: section.fileSizeBytes }
      : elf.dynamic?.relr;
  if (place === undefined) return undefined;
  const { offset, sizeBytes } = place;
  const problems = new ProblemList();
  const addresses = decodeRelr(elf.view, offset, Math.floor(sizeBytes / 8), problems);
  return { offset, sizeBytes, addresses, problems: problems.list() };
}

function decodeRelr(view: FileView, offset: number, words: number, problems: ProblemList): Float64Array {
  let count = 0;
  for (let i = 0; i < words; i++) {
    const low = view.u32(offset + 8 * i);
    count += low & 1 ? bitCount(low) - 1 + bitCount(view.u32(offset + 8 * i + 4)) : 1;
  }
  if (count > view.length / 8) {
    problems.add("RELR", offset, `${count} addresses, more than the file has words`);
    return new Float64Array(0);
  }
  const addresses = new Float64Array(count);
  let filled = 0;
  let next = TOO_LARGE;
  for (let i = 0; i < words; i++) {
    const at = offset + 8 * i;
    const low = view.u32(at);
    if (!(low & 1)) {
      const address = view.u64(at);
      addresses[filled++] = address;
      next = address + 8;
      continue;
    }
    if (next >= TOO_LARGE) {
      problems.add("RELR", at, "a bitmap without an address before it");
      return new Float64Array(0);
    }
    const high = view.u32(at + 4);
    for (let bit = 1; bit < 32; bit++) if (low & (1 << bit)) addresses[filled++] = next + 8 * (bit - 1);
    for (let bit = 0; bit < 32; bit++) if (high & (1 << bit)) addresses[filled++] = next + 8 * (bit + 31);
    next += 8 * 63;
  }
  return addresses;
}

/** Number of bits set in 32. */
function bitCount(value: number): number {
  let v = value - ((value >>> 1) & 0x5555_5555);
  v = (v & 0x3333_3333) + ((v >>> 2) & 0x3333_3333);
  return (((v + (v >>> 4)) & 0x0f0f_0f0f) * 0x0101_0101) >>> 24;
}
