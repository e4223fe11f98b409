/**
 * Where the well-known parts of a file are, with or without section headers.
 *
 * A linked file can be run without section headers, so the parts that the loader or the unwinder needs are also
 * reachable from the program headers and the dynamic table. Sections are taken first, since only they give
 * every size; without a section of a name the area is derived, and called as linkers call its section.
 */
import { PT_GNU_EH_FRAME, PT_INTERP, PT_LOAD, PT_NOTE, PT_TLS } from "./constants.ts";
import type { Elf } from "./elf.ts";
import type { DynamicArea } from "./hash-tables.ts";
import { readEncodedPointer, UNRESOLVED } from "./pointer-encoding.ts";
import type { Segment } from "./segments.ts";
import { TOO_LARGE } from "./view.ts";

export interface Area {
  readonly name: string;
  readonly offset: number;
  readonly sizeBytes: number;
  /** Virtual address, 0 when it isn't loaded. */
  readonly address: number;
  readonly from: "section" | "dynamic" | "segment";
  /** Section index, when `from` is "section". */
  readonly section: number | undefined;
  /** False when only an upper bound of the size is known (.eh_frame found through .eh_frame_hdr). */
  readonly sizeIsExact: boolean;
}

/**
 * Areas with bytes in the file and a given name: sections in order, then what the loader's tables add. No name
 * is decoded, so that a hostile string table costs nothing.
 */
export function areasNamed(elf: Elf, name: string): Area[] {
  const found: Area[] = [];
  for (const section of elf.sections) {
    const { sh_addr, sh_size } = section.header;
    if (section.fileSizeBytes === 0 || sh_addr + sh_size >= TOO_LARGE || !section.isNamed(name)) continue;
    found.push({
      name,
      offset: section.header.sh_offset,
      sizeBytes: section.fileSizeBytes,
      address: sh_addr,
      from: "section",
      section: section.index,
      sizeIsExact: true,
    });
  }
  if (found.length > 0) return found;
  return derivedAreas(elf).filter((area) => area.name === name);
}

/** The areas that follow from program headers and dynamic table alone, by offset; sections are not looked at. */
export function derivedAreas(elf: Elf): Area[] {
  const found: Area[] = [];
  if (elf.debugOnly) return found;
  for (const { header, usable } of elf.segments) {
    if (!usable || header.p_filesz === 0) continue;
    const name = SEGMENT_NAMES[header.p_type];
    if (name === undefined) continue;
    found.push({
      name,
      offset: header.p_offset,
      sizeBytes: header.p_filesz,
      address: header.p_vaddr,
      from: "segment",
      section: undefined,
      sizeIsExact: true,
    });
  }
  const unwind = ehFrameThroughIndex(elf);
  if (unwind !== undefined) found.push(unwind);
  const { dynamic } = elf;
  if (dynamic !== undefined) {
    const add = (name: string, area: DynamicArea | undefined) => {
      if (area === undefined) return;
      const { offset, sizeBytes, address } = area;
      found.push({
        name,
        offset,
        sizeBytes,
        address,
        from: "dynamic",
        section: undefined,
        sizeIsExact: true,
      });
    };
    add(".hash", dynamic.hash);
    add(".gnu.hash", dynamic.gnuHash);
    add(".dynsym", dynamic.symtab);
    add(".dynstr", dynamic.strtab);
    add(".rela.dyn", dynamic.rela);
    add(".rel.dyn", dynamic.rel);
    add(".relr.dyn", dynamic.relr);
    add(dynamic.jmprel?.isRela === false ? ".rel.plt" : ".rela.plt", dynamic.jmprel);
    add(".preinit_array", dynamic.preinitArray);
    add(".init_array", dynamic.initArray);
    add(".fini_array", dynamic.finiArray);
    found.push({
      name: ".dynamic",
      offset: dynamic.offset,
      sizeBytes: dynamic.count * 16,
      address: elf.addresses.addressOf(dynamic.offset) ?? 0,
      from: "dynamic",
      section: undefined,
      sizeIsExact: true,
    });
  }
  return found.sort((a, b) => a.offset - b.offset);
}

const SEGMENT_NAMES: Readonly<Record<number, string>> = {
  [PT_INTERP]: ".interp",
  [PT_NOTE]: ".note",
  [PT_TLS]: ".tdata",
  [PT_GNU_EH_FRAME]: ".eh_frame_hdr",
};

/**
 * PT_LOAD segments with all of some flags, for a search through their bytes: as many as together are no larger
 * than the file, so that thousands of segments over the same bytes don't make it quadratic.
 */
export function segmentsToSearch(elf: Elf, flags: number): Segment[] {
  const found: Segment[] = [];
  let budget = elf.bytes.length;
  for (const segment of elf.segments) {
    const { p_type, p_flags, p_filesz } = segment.header;
    if (p_type !== PT_LOAD || !segment.usable || (p_flags & flags) !== flags || p_filesz > budget) continue;
    budget -= p_filesz;
    found.push(segment);
  }
  return found;
}

/** .eh_frame by the pointer in .eh_frame_hdr; it reaches at most to the end of its segment's file bytes. */
function ehFrameThroughIndex(elf: Elf): Area | undefined {
  const segment = elf.segments.find(({ header, usable }) => usable && header.p_type === PT_GNU_EH_FRAME);
  if (segment === undefined || segment.header.p_filesz < 8) return undefined;
  const { p_offset, p_vaddr, p_filesz } = segment.header;
  if (elf.view.u8(p_offset) !== 1) return undefined;
  const pointer = readEncodedPointer(elf.view, p_offset + 4, p_offset + p_filesz, elf.view.u8(p_offset + 1), {
    address: p_vaddr + 4,
    dataBase: p_vaddr,
  });
  if (pointer === undefined || pointer.value === UNRESOLVED) return undefined;
  const range = elf.addresses.rangeOf(pointer.value);
  const offset = elf.addresses.offsetOf(pointer.value);
  if (range === undefined || offset === undefined) return undefined;
  return {
    name: ".eh_frame",
    offset,
    sizeBytes: range.offset + range.fileSizeBytes - offset,
    address: pointer.value,
    from: "segment",
    section: undefined,
    sizeIsExact: false,
  };
}
