/** What each part of a file is for: from section headers, or from what the loader and the unwinder need. */
import {
  type Area,
  derivedAreas,
  EHDR_BYTES,
  type Elf,
  type FunctionStarts,
  PHDR_BYTES,
  type Section,
  SHF_ALLOC,
  SHT_NOBITS,
} from "../elf/index.ts";
import type { LoadMap } from "./join-layout.ts";

export const Role = {
  raw: 0,
  code: 1,
  data: 2,
  unwind: 3,
  exceptions: 4,
  unwindIndex: 5,
  relocations: 6,
  relr: 7,
  symbols: 8,
  strings: 9,
  goFunctions: 10,
} as const;

/** Part of a file. Regions are in order of offset and don't overlap; what they leave out is raw. */
export interface Region {
  readonly offset: number;
  readonly end: number;
  readonly role: number;
  /** Address of the first byte; -1 when it isn't loaded. */
  readonly address: number;
  readonly writable: boolean;
  /** Procedure linkage tables: bytes of an entry. */
  readonly entryBytes?: number;
}

const ROLES: Readonly<Record<string, number>> = {
  code: Role.code,
  plt: Role.code,
  data: Role.data,
  "read-only": Role.data,
  got: Role.data,
  tls: Role.data,
  "address-array": Role.data,
  unwind: Role.unwind,
  "unwind-index": Role.unwindIndex,
  "exception-table": Role.exceptions,
  relocations: Role.relocations,
  symbols: Role.symbols,
  strings: Role.strings,
  "go-functions": Role.goFunctions,
};

/** By name of an area that was found without sections. */
const AREA_ROLES: Readonly<Record<string, number>> = {
  ".eh_frame": Role.unwind,
  ".eh_frame_hdr": Role.unwindIndex,
  ".rela.dyn": Role.relocations,
  ".rela.plt": Role.relocations,
  ".relr.dyn": Role.relr,
  ".dynsym": Role.symbols,
  ".dynstr": Role.strings,
  ".tdata": Role.data,
  ".init_array": Role.data,
  ".fini_array": Role.data,
  ".preinit_array": Role.data,
};

/** On both machines, but for .plt.got of some linkers, where a cut inside an entry does no harm. */
const PLT_ENTRY_BYTES = 16;

const SHT_RELR = 19;
const SHF_WRITE = 1;

/** Regions of a file; parts that overlap an earlier one are left out. */
export function findRegions(elf: Elf, map: LoadMap, functions: FunctionStarts): Region[] {
  // Nothing has an address in an object file, and fields that will be relocated are zero already.
  if (elf.kind === "object") return [];
  const allocated = elf.sections.some(({ header }) => (header.sh_flags & SHF_ALLOC) !== 0);
  const found = allocated ? fromSections(elf) : fromSegments(elf, map, functions);
  found.sort((a, b) => a.offset - b.offset || b.end - a.end);
  const kept: Region[] = [];
  let end = 0;
  for (const region of found) {
    if (region.offset < end || region.end <= region.offset) continue;
    const loaded = map.inFile.find(
      (range) => region.offset >= range.offset && region.end <= range.offset + range.fileBytes,
    );
    const address = loaded === undefined ? -1 : loaded.address + region.offset - loaded.offset;
    // Loaded parts must lie where the loader puts them.
    if (region.address >= 0 && address !== region.address) continue;
    kept.push({ ...region, address });
    end = region.end;
  }
  return kept;
}

function fromSections(elf: Elf): Region[] {
  const regions: Region[] = [];
  for (const section of elf.sections) {
    const { sh_type, sh_offset, sh_addr, sh_flags } = section.header;
    if (sh_type === SHT_NOBITS || section.fileSizeBytes === 0) continue;
    const role = sh_type === SHT_RELR ? Role.relr : roleOf(section);
    const loaded = (sh_flags & SHF_ALLOC) !== 0;
    if (role === Role.raw || (!loaded && role !== Role.symbols && role !== Role.strings)) continue;
    regions.push({
      offset: sh_offset,
      end: sh_offset + section.fileSizeBytes,
      role,
      address: loaded ? sh_addr : -1,
      writable: (sh_flags & SHF_WRITE) !== 0,
      ...(section.kind === "plt" && { entryBytes: PLT_ENTRY_BYTES }),
    });
  }
  return regions;
}

function roleOf(section: Section): number {
  return ROLES[section.kind] ?? Role.raw;
}

/** Without sections: code from the first known function to the last, areas as found, the rest of the segments data. */
function fromSegments(elf: Elf, map: LoadMap, functions: FunctionStarts): Region[] {
  const areas = derivedAreas(elf).filter((area) => AREA_ROLES[area.name] !== undefined);
  const regions: Region[] = [];
  for (const range of map.inFile) {
    const end = range.offset + range.fileBytes;
    const inside = areas
      .filter(({ offset, sizeBytes }) => offset >= range.offset && offset + sizeBytes <= end && sizeBytes > 0)
      .map((area) => areaRegion(area, range.address - range.offset));
    const code = range.executable ? codeRegion(functions, range) : undefined;
    if (code !== undefined) inside.push(code);
    // What says where everything is must be there before anything can be placed.
    for (const region of headerRegions(elf)) {
      if (region.offset >= range.offset && region.end <= end) inside.push(region);
    }
    inside.sort((a, b) => a.offset - b.offset);
    let at = range.offset;
    const data = (to: number) => {
      if (to <= at) return;
      regions.push({
        offset: at,
        end: to,
        role: range.executable && code === undefined ? Role.raw : Role.data,
        address: range.address + at - range.offset,
        writable: true,
      });
    };
    for (const region of inside) {
      if (region.offset < at) continue;
      data(region.offset);
      regions.push(region);
      at = region.end;
    }
    data(end);
  }
  return regions;
}

/** File header and program headers: kept as they are. */
function headerRegions({ header, segments }: Elf): Region[] {
  const { e_phoff } = header;
  const raw = (offset: number, end: number) => ({
    offset,
    end,
    role: Role.raw,
    address: -1,
    writable: false,
  });
  return [raw(0, EHDR_BYTES), raw(e_phoff, e_phoff + segments.length * PHDR_BYTES)];
}

function areaRegion(area: Area, toAddress: number): Region {
  const { offset, sizeBytes, name } = area;
  return {
    offset,
    end: offset + sizeBytes,
    role: AREA_ROLES[name]!,
    address: offset + toAddress,
    writable: false,
  };
}

function codeRegion(functions: FunctionStarts, range: LoadMap["ranges"][number]): Region | undefined {
  let first = -1;
  let last = -1;
  for (let i = 0; i < functions.count; i++) {
    const at = functions.address[i]! - range.address;
    if (at < 0 || at >= range.fileBytes) continue;
    if (first < 0) first = at;
    last = Math.max(last, Math.min(at + Math.max(functions.sizeBytes[i]!, 1), range.fileBytes));
  }
  if (first < 0) return undefined;
  return {
    offset: range.offset + first,
    end: range.offset + last,
    role: Role.code,
    address: range.address + first,
    writable: false,
  };
}
