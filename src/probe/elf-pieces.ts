/**
 * The first ancestor's way to take an executable apart: cut at sections and at the symbols of .symtab, with or without
 * undoing the relocations that `ld --emit-relocs` leaves in the file.
 */
import {
  type Elf,
  readRelocationTables,
  readSymbolTables,
  SHF_ALLOC,
  SHT_REL,
  SHT_RELA,
  SHT_STRTAB,
  SHT_SYMTAB,
} from "../elf/index.ts";

/** STT_SECTION and STT_FILE name no part of their own. */
const STT_SECTION = 3;
const STT_FILE = 4;

/** Offsets in the file where a piece begins or ends, ascending, with 0 and the file's length. */
export function elfCuts(elf: Elf): Float64Array {
  const cuts: number[] = [0, elf.bytes.length];
  for (const { header, fileSizeBytes } of elf.sections) {
    if (fileSizeBytes > 0) cuts.push(header.sh_offset, header.sh_offset + fileSizeBytes);
  }
  const { symtab } = readSymbolTables(elf);
  for (let i = 0; i < (symtab?.count ?? 0); i++) {
    const type = symtab!.type(i);
    if (type === STT_SECTION || type === STT_FILE) continue;
    const section = elf.sections[symtab!.sectionIndex(i)];
    if (section === undefined || section.fileSizeBytes === 0) continue;
    const { sh_offset, sh_addr } = section.header;
    const within = symtab!.st_value(i) - (elf.kind === "object" ? 0 : sh_addr);
    const size = symtab!.st_size(i);
    if (within < 0 || within > section.fileSizeBytes) continue;
    cuts.push(sh_offset + within);
    if (within + size <= section.fileSizeBytes) cuts.push(sh_offset + within + size);
  }
  const sorted = Float64Array.from(cuts).sort();
  let kept = 0;
  for (const cut of sorted) if (kept === 0 || cut > sorted[kept - 1]!) sorted[kept++] = cut;
  return sorted.subarray(0, kept);
}

/** Bits that a relocation of a type writes: bytes of a whole field, or a mask of an instruction word. */
function fieldOf(elf: Elf, type: number): { readonly bytes: number } | { readonly mask: number } | undefined {
  if (elf.machine === "x86-64") {
    // 64, PC64, GOTOFF64, GOTPC64 and their like; TPOFF64 and DTPOFF64; then those of 16 and 8 bits.
    if ([1, 16, 17, 18, 24, 25, 27, 28, 29, 30, 31, 33].includes(type)) return { bytes: 8 };
    if (type === 12 || type === 13) return { bytes: 2 };
    if (type === 14 || type === 15) return { bytes: 1 };
    return type === 0 || type > 42 ? undefined : { bytes: 4 };
  }
  if (type === 257 || type === 260) return { bytes: 8 };
  if (type === 258 || type === 261 || type === 314) return { bytes: 4 };
  if (type === 259 || type === 262) return { bytes: 2 };
  if (type === 282 || type === 283) return { mask: 0x03ffffff };
  if (type === 279) return { mask: 0x0007ffe0 };
  if (type === 280 || type === 273) return { mask: 0x00ffffe0 };
  // ADRP and ADR: to a symbol, its slot of the GOT, a thread-local variable.
  if ([274, 275, 276, 311, 541, 562].includes(type)) return { mask: 0x60ffffe0 };
  // The 12 bits of ADD, loads and stores.
  if ((type >= 277 && type <= 299) || [312, 313, 542, 549, 550, 551, 563, 564].includes(type)) {
    return { mask: 0x003ffc00 };
  }
  return undefined;
}

/**
 * A copy of the file in which each field that the linker wrote is zero, as far as the file's own relocation
 * sections tell; undefined when it was linked without --emit-relocs.
 */
export function dislocated(elf: Elf): Uint8Array | undefined {
  if (elf.kind === "object") return undefined;
  let copy: Uint8Array | undefined;
  let view: DataView | undefined;
  for (const table of readRelocationTables(elf)) {
    const section = table.section === undefined ? undefined : elf.sections[table.section];
    // The loader's own relocations are allocated; those left for us are not.
    if (section === undefined || section.header.sh_flags & SHF_ALLOC) continue;
    copy ??= elf.bytes.slice();
    view ??= new DataView(copy.buffer);
    for (let i = 0; i < table.count; i++) {
      const field = fieldOf(elf, table.type(i));
      const offset = elf.addresses.offsetOf(table.r_offset(i));
      if (field === undefined || offset === undefined) continue;
      if ("bytes" in field) {
        if (offset + field.bytes > copy.length) continue;
        copy.fill(0, offset, offset + field.bytes);
      } else {
        if (offset + 4 > copy.length) continue;
        view.setUint32(offset, (view.getUint32(offset, true) & ~field.mask) >>> 0, true);
      }
    }
  }
  return copy;
}

/** File ranges of what `strip` removes: relocations for us, .symtab and its names. Ascending, apart. */
export function relocationInfo(elf: Elf): readonly (readonly [start: number, end: number])[] {
  const ranges: [number, number][] = [];
  const namesOfSections = elf.header.e_shstrndx;
  for (const { header, fileSizeBytes, index } of elf.sections) {
    const { sh_type, sh_flags, sh_offset } = header;
    if (fileSizeBytes === 0 || sh_flags & SHF_ALLOC || index === namesOfSections) continue;
    if ([SHT_RELA, SHT_REL, SHT_SYMTAB, SHT_STRTAB].includes(sh_type)) {
      ranges.push([sh_offset, sh_offset + fileSizeBytes]);
    }
  }
  return ranges.sort((a, b) => a[0] - b[0]);
}
