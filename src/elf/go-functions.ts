/**
 * .gopclntab: the Go runtime's table of functions.
 *
 *   0  magic u32, 0 u16, instruction quantum u8 (1 on x86-64, 4 on AArch64), pointer size u8 (8)
 *   8  words of 8 bytes. Go 1.16: nfunc, nfiles, then the offsets (from the header) of function names, compilation
 *      units, file names, pc-value tables, function table. Go 1.18 and later: textStart before the offsets.
 * The function table has nfunc pairs and a last address without partner. Go 1.16: u64 address, u64 offset of the
 * function's record from the table's beginning; Go 1.18 and later: u32 each, addresses counted from textStart.
 * A record begins with the function's address again (u64, or u32 from textStart), then an i32 into the names.
 *
 * Go 1.26 leaves textStart 0, and position-independent executables leave it to a relocation: then it is taken from
 * the relocation, from moduledata (a writable structure whose first word points to this table and whose 23rd is
 * the beginning of the code), from the symbol runtime.text, or from the section .text, in this order.
 * Source: Go's runtime/symtab.go and debug/gosym.
 */
import { areasNamed, segmentsToSearch } from "./areas.ts";
import type { Elf } from "./elf.ts";
import { findTextStart, type TextStartSource } from "./go-text-start.ts";
import { type Problem, ProblemList } from "./problems.ts";
import type { FileView } from "./view.ts";

export type GoTableVersion = "1.16" | "1.18" | "1.20";

const MAGICS: Readonly<Record<number, GoTableVersion>> = {
  4294967290: "1.16",
  4294967280: "1.18",
  4294967281: "1.20",
};

/** Go 1.2 to 1.15; recognised, not read. */
const OLD_MAGIC = 0xffff_fffb;

export interface GoFunctionTable {
  /** First Go release with this layout. */
  readonly version: GoTableVersion;
  readonly offset: number;
  /** Up to the end of the section, or of the segment's bytes when it was found by its magic. */
  readonly limitOffset: number;
  readonly address: number;
  readonly foundBy: "section" | "magic";
  readonly quantum: number;
  readonly fileCount: number;
  /** Address that function addresses count from, and where it was found; 0 and "header" for 1.16. */
  readonly textStart: number;
  readonly textStartSource: TextStartSource;
  /** File offsets of the parts. */
  readonly namesOffset: number;
  readonly unitsOffset: number;
  readonly filesOffset: number;
  readonly pcValuesOffset: number;
  readonly functionsOffset: number;
  readonly count: number;
  /** Address of each function; one more than `count`: the last is the end of the code. */
  readonly addresses: Float64Array;
  /** File offset of each function's record. */
  readonly records: Float64Array;
  /** File offset of each function's name; 0 when the record doesn't lead to one. */
  readonly names: Float64Array;
  readonly problems: readonly Problem[];
}

/** The name at an offset that `names` gives. */
export function goFunctionName(elf: Elf, table: GoFunctionTable, index: number): string {
  const at = table.names[index] ?? 0;
  return at === 0 ? "" : (elf.view.string(at, table.limitOffset) ?? "");
}

interface Candidate {
  readonly offset: number;
  readonly limit: number;
  readonly address: number;
  readonly foundBy: "section" | "magic";
}

/**
 * Reads the function table: by section, or, when the file has no section names, by its magic in the loaded
 * bytes. Undefined when there is none. One that can't be read gives a table of 0 functions and a problem.
 */
export function readGoFunctions(elf: Elf): GoFunctionTable | undefined {
  const [area] = [...areasNamed(elf, ".gopclntab"), ...areasNamed(elf, ".data.rel.ro.gopclntab")];
  if (area !== undefined) {
    const { offset, sizeBytes, address } = area;
    return readTable(elf, { offset, limit: offset + sizeBytes, address, foundBy: "section" });
  }
  if (elf.sections.some(({ header }) => header.sh_name !== 0)) return undefined;
  const found = findByMagic(elf);
  return found && readTable(elf, found);
}

/** Looks at every 8th byte of the loaded bytes; a header must also make sense. */
function findByMagic(elf: Elf): Candidate | undefined {
  const { view } = elf;
  const quantum = elf.machine === "x86-64" ? 1 : 4;
  for (const { header } of segmentsToSearch(elf, 0)) {
    const limit = header.p_offset + header.p_filesz;
    const first = header.p_offset + ((8 - (header.p_vaddr % 8)) % 8);
    for (let offset = first; offset + 72 <= limit; offset += 8) {
      if (view.u32(offset) < OLD_MAGIC - 16 || MAGICS[view.u32(offset)] === undefined) continue;
      if (view.u16(offset + 4) !== 0 || view.u8(offset + 6) !== quantum || view.u8(offset + 7) !== 8)
        continue;
      const address = header.p_vaddr + (offset - header.p_offset);
      const candidate = { offset, limit, address, foundBy: "magic" } as const;
      if (typeof readParts(view, candidate, MAGICS[view.u32(offset)]!) !== "string") return candidate;
    }
  }
  return undefined;
}

interface Parts {
  readonly count: number;
  readonly fileCount: number;
  readonly namesOffset: number;
  readonly unitsOffset: number;
  readonly filesOffset: number;
  readonly pcValuesOffset: number;
  readonly functionsOffset: number;
}

/** The words of the header, checked; a string says what is wrong. */
function readParts(view: FileView, { offset, limit }: Candidate, version: GoTableVersion): Parts | string {
  const first = version === "1.16" ? offset + 24 : offset + 32;
  if (first + 40 > limit) return "the header is cut";
  const at = (word: number) => offset + view.u64(first + 8 * word);
  const parts = {
    count: view.u64(offset + 8),
    fileCount: view.u64(offset + 16),
    namesOffset: at(0),
    unitsOffset: at(1),
    filesOffset: at(2),
    pcValuesOffset: at(3),
    functionsOffset: at(4),
  };
  const order = [first + 40, parts.namesOffset, parts.unitsOffset, parts.filesOffset];
  order.push(parts.pcValuesOffset, parts.functionsOffset, limit);
  for (let i = 1; i < order.length; i++) {
    if (order[i]! < order[i - 1]!) return "its parts are out of order or outside";
  }
  const wordBytes = version === "1.16" ? 8 : 4;
  if ((2 * parts.count + 1) * wordBytes > limit - parts.functionsOffset)
    return `${parts.count} functions don't fit`;
  return parts;
}

function readTable(elf: Elf, candidate: Candidate): GoFunctionTable {
  const { view } = elf;
  const { offset, limit, address, foundBy } = candidate;
  const problems = new ProblemList();
  const magic = limit - offset >= 8 ? view.u32(offset) : 0;
  const version = MAGICS[magic];
  const pointerBytes = version === undefined ? 0 : view.u8(offset + 7);
  const parts =
    version === undefined
      ? magic === OLD_MAGIC
        ? "the layout of Go 1.2 to 1.15 is not supported"
        : `unknown magic ${magic}`
      : pointerBytes !== 8
        ? `pointers of ${pointerBytes} bytes`
        : readParts(view, candidate, version);
  if (typeof parts === "string") {
    problems.add("pcHeader", offset, parts);
    return emptyTable(candidate, version ?? "1.20", problems);
  }
  const textStart =
    version === "1.16"
      ? { address: 0, source: "header" as const }
      : findTextStart(elf, { offset, address, namesAddress: address + parts.namesOffset - offset });
  if (textStart.source === "none") problems.add("textStart", offset + 24, "no base for function addresses");
  const base = {
    version: version!,
    offset,
    limitOffset: limit,
    address,
    foundBy,
    quantum: view.u8(offset + 6),
  };
  const start = { textStart: textStart.address, textStartSource: textStart.source };
  const columns = readColumns(view, candidate, parts, version!, textStart.address, problems);
  return { ...base, ...start, ...parts, ...columns, problems: problems.list() };
}

function emptyTable(candidate: Candidate, version: GoTableVersion, problems: ProblemList): GoFunctionTable {
  const { offset, limit, address, foundBy } = candidate;
  return {
    version,
    offset,
    limitOffset: limit,
    address,
    foundBy,
    quantum: 0,
    fileCount: 0,
    textStart: 0,
    textStartSource: "none",
    namesOffset: limit,
    unitsOffset: limit,
    filesOffset: limit,
    pcValuesOffset: limit,
    functionsOffset: limit,
    count: 0,
    addresses: new Float64Array(1),
    records: new Float64Array(0),
    names: new Float64Array(0),
    problems: problems.list(),
  };
}

function readColumns(
  view: FileView,
  { limit }: Candidate,
  parts: Parts,
  version: GoTableVersion,
  textStart: number,
  problems: ProblemList,
) {
  const { count, functionsOffset, namesOffset, unitsOffset } = parts;
  const wide = version === "1.16";
  const addresses = new Float64Array(count + 1);
  const records = new Float64Array(count);
  const names = new Float64Array(count);
  const nameField = wide ? 8 : 4;
  let ascending = true;
  for (let i = 0; i <= count; i++) {
    const at = functionsOffset + (wide ? 16 : 8) * i;
    addresses[i] = wide ? view.u64(at) : textStart + view.u32(at);
    if (i > 0 && addresses[i]! < addresses[i - 1]!) ascending = false;
    if (i === count) break;
    const record = functionsOffset + (wide ? view.u64(at + 8) : view.u32(at + 4));
    if (record + nameField + 4 > limit) {
      problems.add("funcoff", at, "the record is outside");
      continue;
    }
    records[i] = record;
    const name = namesOffset + view.i32(record + nameField);
    if (name >= namesOffset && name < unitsOffset) names[i] = name;
    else problems.add("nameOff", record + nameField, "the name is outside");
  }
  if (!ascending) problems.add("functab", functionsOffset, "function addresses don't ascend");
  return { addresses, records, names };
}
