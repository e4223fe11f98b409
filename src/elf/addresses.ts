/**
 * Virtual addresses to file offsets and back.
 *
 * Built from PT_LOAD (what the loader uses). A file that keeps only debug information has program headers whose
 * bytes are gone, and an object file has none: there the allocated sections that have addresses are used.
 */
import { PF_X, PT_LOAD, SHF_ALLOC, SHF_EXECINSTR, SHF_TLS, SHT_NOBITS, SHT_NULL } from "./constants.ts";
import type { Section } from "./sections.ts";
import type { Segment } from "./segments.ts";
import { TOO_LARGE } from "./view.ts";

/** A run of addresses: the first `fileSizeBytes` have bytes in the file, the rest up to `sizeBytes` is zero. */
export interface MappedRange {
  readonly address: number;
  readonly sizeBytes: number;
  readonly offset: number;
  readonly fileSizeBytes: number;
  readonly executable: boolean;
  /** Index of the segment, or of the section when `from` is "section". */
  readonly index: number;
  readonly from: "segment" | "section";
}

export class AddressMap {
  /** By address, ascending, not overlapping. */
  readonly ranges: readonly MappedRange[];
  readonly #byOffset: readonly MappedRange[];
  /** The range that answered last: look-ups come in runs. */
  #last: MappedRange | undefined;

  constructor(ranges: readonly MappedRange[]) {
    const sorted = ranges.filter((range) => range.sizeBytes > 0);
    sorted.sort((a, b) => a.address - b.address || a.index - b.index);
    const kept: MappedRange[] = [];
    let end = 0;
    for (const range of sorted) {
      // Of two ranges that overlap the first keeps its addresses: one address must have one answer.
      if (range.address < end) continue;
      kept.push(range);
      end = range.address + range.sizeBytes;
    }
    this.ranges = kept;
    this.#byOffset = kept
      .filter((range) => range.fileSizeBytes > 0)
      .sort((a, b) => a.offset - b.offset || a.index - b.index);
  }

  /** The range that holds an address, by binary search; undefined when it isn't mapped. */
  rangeOf(address: number): MappedRange | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.address && address - last.address < last.sizeBytes) return last;
    const { ranges } = this;
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranges[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    const found = ranges[low - 1];
    if (found === undefined || address - found.address >= found.sizeBytes) return undefined;
    this.#last = found;
    return found;
  }

  /**
   * File offset of `lengthBytes` bytes at an address. Undefined when they are not mapped, or mapped without
   * bytes in the file (.bss): `rangeOf` tells the two apart.
   */
  offsetOf(address: number, lengthBytes = 1): number | undefined {
    const range = this.rangeOf(address);
    if (range === undefined) return undefined;
    const within = address - range.address;
    return within + lengthBytes <= range.fileSizeBytes ? range.offset + within : undefined;
  }

  /** Address of a byte of the file; undefined when it isn't loaded. The first range by offset answers. */
  addressOf(offset: number): number | undefined {
    const ranges = this.#byOffset;
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranges[middle]!.offset <= offset) low = middle + 1;
      else high = middle;
    }
    const found = ranges[low - 1];
    if (found === undefined || offset - found.offset >= found.fileSizeBytes) return undefined;
    return found.address + (offset - found.offset);
  }

  /** True when the address is in memory that may be executed. */
  isExecutable(address: number): boolean {
    return this.rangeOf(address)?.executable === true;
  }
}

/** The map that the loader would make. */
export function mapFromSegments(segments: readonly Segment[]): AddressMap {
  const ranges: MappedRange[] = [];
  for (const { header, index, usable } of segments) {
    if (header.p_type !== PT_LOAD || !usable) continue;
    ranges.push({
      address: header.p_vaddr,
      sizeBytes: header.p_memsz,
      offset: header.p_offset,
      fileSizeBytes: header.p_filesz,
      executable: (header.p_flags & PF_X) !== 0,
      index,
      from: "segment",
    });
  }
  return new AddressMap(ranges);
}

/** The map by sections, for files whose segments have no bytes. */
export function mapFromSections(sections: readonly Section[]): AddressMap {
  const ranges: MappedRange[] = [];
  for (const { header, index, fileSizeBytes } of sections) {
    const { sh_type, sh_flags, sh_addr, sh_size } = header;
    if (!(sh_flags & SHF_ALLOC) || sh_type === SHT_NULL || sh_addr === 0) continue;
    // .tbss has an address range of its own per thread, and shares the file's with what follows.
    if (sh_type === SHT_NOBITS && sh_flags & SHF_TLS) continue;
    if (sh_addr + sh_size >= TOO_LARGE) continue;
    if (sh_type !== SHT_NOBITS && fileSizeBytes !== sh_size) continue;
    ranges.push({
      address: sh_addr,
      sizeBytes: sh_size,
      offset: header.sh_offset,
      fileSizeBytes,
      executable: (sh_flags & SHF_EXECINSTR) !== 0,
      index,
      from: "section",
    });
  }
  return new AddressMap(ranges);
}
