/** Builds small ELF files for this room's tests: exactly the structures that a test asks for, and no others. */
import { ByteWriter, utf8 } from "../../bytes/index.ts";
import {
  EHDR_BYTES,
  EM_X86_64,
  ET_DYN,
  PF_R,
  PF_W,
  PF_X,
  PHDR_BYTES,
  PT_LOAD,
  SHDR_BYTES,
  SHF_ALLOC,
  SHT_NOBITS,
  SHT_PROGBITS,
  SHT_STRTAB,
} from "../constants.ts";

/** Where sections placed earlier are, for the bytes of later ones. */
export interface Placed {
  readonly offset: number;
  readonly address: number;
}

export interface SampleSection {
  readonly name: string;
  readonly type?: number;
  readonly flags?: number;
  readonly data: Uint8Array | ((self: Placed, earlier: ReadonlyMap<string, Placed>) => Uint8Array);
  /** Stated size where it isn't the length of the data (SHT_NOBITS). */
  readonly sizeBytes?: number;
  readonly link?: number;
  readonly info?: number;
  readonly entsize?: number;
}

export interface SampleElf {
  readonly type?: number;
  readonly machine?: number;
  readonly entry?: number;
  readonly sections?: readonly SampleSection[];
  /** Further program headers, each for one section. */
  readonly segments?: readonly { readonly type: number; readonly section: string }[];
  /** Address of the file's first byte; the one PT_LOAD covers all of it. */
  readonly base?: number;
  /** Zero bytes of memory after the file. */
  readonly bssBytes?: number;
  readonly omitSectionHeaders?: boolean;
}

export interface BuiltElf {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly placed: ReadonlyMap<string, Placed>;
  readonly sectionHeadersOffset: number;
}

const DEFAULT_BASE = 0x40_0000;

/** Header, program headers, sections aligned to 16, section names, section headers, in this order. */
export function buildSample(sample: SampleElf): BuiltElf {
  const base = sample.base ?? DEFAULT_BASE;
  const sections = sample.sections ?? [];
  const extra = sample.segments ?? [];
  const out = new ByteWriter();
  out.raw(new Uint8Array(EHDR_BYTES + PHDR_BYTES * (1 + extra.length)));
  const placed = new Map<string, Placed & { sizeBytes: number }>();
  for (const section of sections) {
    pad(out);
    const self = { offset: out.length, address: base + out.length };
    const data = typeof section.data === "function" ? section.data(self, placed) : section.data;
    placed.set(section.name, { ...self, sizeBytes: section.sizeBytes ?? data.length });
    out.raw(data);
  }
  pad(out);
  const namesOffset = out.length;
  const names = utf8(`\0${[...sections.map(({ name }) => name), ".shstrtab"].join("\0")}\0`);
  out.raw(names);
  pad(out);
  const sectionHeadersOffset = out.length;
  let nameAt = 1;
  const shdr = (section: SampleSection | undefined, name: string, place: Placed, sizeBytes: number) => {
    const flags = section?.flags ?? 0;
    out.u32(nameAt).u32(section === undefined ? SHT_STRTAB : (section.type ?? SHT_PROGBITS));
    out
      .u64(flags)
      .u64(flags & SHF_ALLOC ? place.address : 0)
      .u64(place.offset)
      .u64(sizeBytes);
    out
      .u32(section?.link ?? 0)
      .u32(section?.info ?? 0)
      .u64(1)
      .u64(section?.entsize ?? 0);
    nameAt += name.length + 1;
  };
  out.raw(new Uint8Array(SHDR_BYTES));
  for (const section of sections) {
    const place = placed.get(section.name)!;
    shdr(section, section.name, place, place.sizeBytes);
  }
  shdr(undefined, ".shstrtab", { offset: namesOffset, address: 0 }, names.length);
  const bytes = out.finish();
  const head = new ByteWriter();
  head.raw(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  head
    .u16(sample.type ?? ET_DYN)
    .u16(sample.machine ?? EM_X86_64)
    .u32(1);
  head
    .u64(sample.entry ?? 0)
    .u64(EHDR_BYTES)
    .u64(sample.omitSectionHeaders ? 0 : sectionHeadersOffset);
  head
    .u32(0)
    .u16(EHDR_BYTES)
    .u16(PHDR_BYTES)
    .u16(1 + extra.length)
    .u16(SHDR_BYTES);
  head.u16(sample.omitSectionHeaders ? 0 : sections.length + 2);
  head.u16(sample.omitSectionHeaders ? 0 : sections.length + 1);
  phdr(head, PT_LOAD, { offset: 0, address: base }, bytes.length, bytes.length + (sample.bssBytes ?? 0));
  for (const { type, section } of extra) {
    const place = placed.get(section)!;
    phdr(head, type, place, place.sizeBytes, place.sizeBytes);
  }
  bytes.set(head.view());
  return { bytes, placed, sectionHeadersOffset };
}

function phdr(out: ByteWriter, type: number, place: Placed, fileBytes: number, memoryBytes: number): void {
  out.u32(type).u32(PF_R | PF_W | PF_X);
  out.u64(place.offset).u64(place.address).u64(place.address).u64(fileBytes).u64(memoryBytes).u64(1);
}

function pad(out: ByteWriter): void {
  while (out.length % 16 !== 0) out.u8(0);
}

/** A section without bytes in the file. */
export function zeroSection(name: string, sizeBytes: number, flags: number): SampleSection {
  return { name, type: SHT_NOBITS, flags, data: new Uint8Array(0), sizeBytes };
}

/** Little-endian 64-bit words; negative ones in two's complement. */
export function words64(...values: readonly (number | bigint)[]): Uint8Array {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setBigInt64(8 * i, BigInt.asIntN(64, BigInt(value)), true);
  return bytes;
}
