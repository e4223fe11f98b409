/** What a launcher must do to start one program from its file image: which pages go where. */
import {
  EHDR_BYTES,
  type Elf,
  ET_EXEC,
  type Machine,
  PF_R,
  PF_W,
  PF_X,
  PHDR_BYTES,
  PT_GNU_STACK,
  PT_INTERP,
  PT_LOAD,
  PT_PHDR,
  parseElf,
  type Segment,
} from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";

export const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;

/** Pages of the image move to an address; memory there is allowed; bytes there become zero. */
export type Step =
  | { readonly kind: "move"; readonly imageOffset: number; readonly duplicate: number | undefined }
  | { readonly kind: "allow" }
  | { readonly kind: "clear" };

export type PlannedStep = Step & {
  /** Address before the program is placed, and length. */
  readonly to: number;
  readonly bytes: number;
  readonly protection: number;
};

export interface Plan {
  readonly machine: Machine;
  /** Runs at its own addresses only. */
  readonly isFixed: boolean;
  readonly pageBytes: number;
  /** Addresses that the segments span, whole pages. */
  readonly low: number;
  readonly high: number;
  /** Alignment of the place; at least a page. */
  readonly align: number;
  readonly entry: number;
  /** Address and count of the program headers. */
  readonly headers: number;
  readonly headerCount: number;
  /** Bytes at the image's beginning with the file header and the program headers. */
  readonly headBytes: number;
  readonly interpreter: string | undefined;
  readonly needsExecutableStack: boolean;
  readonly steps: readonly PlannedStep[];
  /** Offsets of pages that two segments share: the second gets a copy, the nth copy in this order. */
  readonly duplicates: readonly number[];
}

/** Largest alignment that is honoured: a huge page of 1 GiB. */
const MAX_ALIGN = 2 ** 30;
/** User addresses of both machines with four-level page tables. */
const ADDRESS_LIMIT = 2 ** 47;
/** A path longer than Linux' PATH_MAX can't be opened. */
const MAX_PATH_BYTES = 4096;

function refuse(why: string, field: string): TenonError {
  return new TenonError("unsupported", `this program can't be a flavour: ${why}`, { format: "elf", field });
}

/**
 * Plans how a program is mapped in place. Errors: `invalid` and `unsupported` of `parseElf`, and `unsupported` with
 * the reason for what isn't a program, or wouldn't work from within a fat file.
 */
export function planProgram(bytes: Uint8Array): Plan {
  const elf = parseElf(bytes);
  refuseWhatIsNoProgram(elf);
  const loads = elf.segments.filter(({ header }) => header.p_type === PT_LOAD && header.p_memsz > 0);
  if (loads.length === 0) throw refuse("it has no segment to load", "PT_LOAD");
  for (const { header, usable } of loads) {
    if (!usable || header.p_filesz > header.p_memsz || header.p_vaddr + header.p_memsz > ADDRESS_LIMIT)
      throw refuse("a segment reaches outside of the file or the address space", "PT_LOAD");
  }
  const pageBytes = pageSize(elf.machine, loads);
  const { steps, duplicates } = planSegments(loads, pageBytes);
  const low = floor(loads[0]!.header.p_vaddr, pageBytes);
  const last = loads.at(-1)!.header;
  const { e_entry, e_phnum, e_phoff, e_type } = elf.header;
  return {
    machine: elf.machine,
    isFixed: e_type === ET_EXEC,
    pageBytes,
    low,
    high: ceil(last.p_vaddr + last.p_memsz, pageBytes),
    align: alignment(loads, pageBytes),
    entry: e_entry,
    headers: addressOfHeaders(elf, loads),
    headerCount: e_phnum,
    headBytes: Math.max(EHDR_BYTES, e_phoff + e_phnum * PHDR_BYTES),
    interpreter: interpreterOf(elf),
    needsExecutableStack: elf.segments.some(
      ({ header }) => header.p_type === PT_GNU_STACK && (header.p_flags & PF_X) !== 0,
    ),
    steps,
    duplicates,
  };
}

function refuseWhatIsNoProgram(elf: Elf): void {
  const { kind, debugOnly } = elf;
  if (debugOnly) throw refuse("it holds debug information only", "sh_type");
  if (kind !== "static" && kind !== "dynamic" && kind !== "static-pie" && kind !== "pie") {
    const what = {
      object: "an object file",
      shared: "a shared library",
      core: "a core dump",
      other: "no program",
    };
    throw refuse(`it is ${what[kind]}`, "e_type");
  }
  const appended = appendedBytes(elf);
  if (appended > 0) {
    throw refuse(
      `${appended} bytes are appended to it; a program reads those through /proc/self/exe and would find the end of the fat file instead`,
      "end",
    );
  }
}

/** Bytes after everything that the ELF file itself speaks of; zeros at the end are padding. */
function appendedBytes({ bytes, header, sections, segments }: Elf): number {
  let end = Math.max(EHDR_BYTES, header.e_phoff + header.e_phnum * PHDR_BYTES);
  if (header.e_shoff !== 0) end = Math.max(end, header.e_shoff + sections.length * header.e_shentsize);
  for (const section of sections) {
    if (section.fileSizeBytes > 0) end = Math.max(end, section.header.sh_offset + section.fileSizeBytes);
  }
  for (const { header: segment } of segments) end = Math.max(end, segment.p_offset + segment.p_filesz);
  let last = bytes.length;
  while (last > end && bytes[last - 1] === 0) last--;
  return Math.max(0, last - end);
}

const floor = (value: number, unit: number) => Math.floor(value / unit) * unit;
const ceil = (value: number, unit: number) => Math.ceil(value / unit) * unit;

/** 64 KiB on AArch64 if the program is linked for it, so that it runs on kernels with any page size; else 4 KiB. */
function pageSize(machine: Machine, loads: readonly Segment[]): number {
  const sizes = machine === "aarch64" ? [65_536, 4096] : [4096];
  const size = sizes.find((pageBytes) => {
    let end = 0;
    return loads.every(({ header: { p_offset, p_vaddr, p_memsz } }) => {
      const isFree = floor(p_vaddr, pageBytes) >= end;
      end = ceil(p_vaddr + p_memsz, pageBytes);
      return isFree && (p_vaddr - p_offset) % pageBytes === 0;
    });
  });
  if (size === undefined) throw refuse("its segments are out of order or share pages of memory", "PT_LOAD");
  return size;
}

function alignment(loads: readonly Segment[], pageBytes: number): number {
  const align = Math.max(pageBytes, ...loads.map(({ header }) => header.p_align));
  if (align > MAX_ALIGN || 2 ** Math.round(Math.log2(align)) !== align)
    throw refuse(`it asks for an alignment of ${align}`, "p_align");
  return align;
}

function addressOfHeaders({ header, segments }: Elf, loads: readonly Segment[]): number {
  const own = segments.find((segment) => segment.header.p_type === PT_PHDR);
  if (own) return own.header.p_vaddr;
  const end = header.e_phoff + header.e_phnum * PHDR_BYTES;
  const load = loads.find(
    ({ header: { p_offset, p_filesz } }) => p_offset <= header.e_phoff && end <= p_offset + p_filesz,
  );
  if (load === undefined) throw refuse("its program headers are not in memory", "e_phoff");
  return header.e_phoff - load.header.p_offset + load.header.p_vaddr;
}

function interpreterOf({ segments, bytes }: Elf): string | undefined {
  const interpreter = segments.find(({ header }) => header.p_type === PT_INTERP);
  if (interpreter === undefined) return undefined;
  const { p_offset, p_filesz } = interpreter.header;
  const path = bytes.subarray(p_offset, p_offset + p_filesz);
  const isString = p_filesz > 1 && p_filesz <= MAX_PATH_BYTES && path.indexOf(0) === p_filesz - 1;
  if (!interpreter.usable || !isString) throw refuse("its interpreter's path is malformed", "PT_INTERP");
  return Buffer.from(path.subarray(0, -1)).toString("latin1");
}

function planSegments(
  loads: readonly Segment[],
  pageBytes: number,
): { readonly steps: PlannedStep[]; readonly duplicates: number[] } {
  const steps: PlannedStep[] = [];
  const duplicates: number[] = [];
  /** Pages of the file that earlier segments took: moving a page takes it away, so it can go to one place only. */
  const taken = new Set<number>();
  for (const { header } of loads) {
    const { p_vaddr, p_offset, p_filesz, p_memsz } = header;
    const protection = protectionOf(header.p_flags);
    const start = floor(p_vaddr, pageBytes);
    const fileEnd = p_vaddr + p_filesz;
    const movedEnd = p_filesz === 0 ? start : ceil(fileEnd, pageBytes);
    const end = ceil(p_vaddr + p_memsz, pageBytes);
    const shift = floor(p_offset, pageBytes) - start;
    for (const run of runs(start + shift, movedEnd + shift, pageBytes, taken)) {
      const bytes = run.end - run.start;
      const first = duplicates.length;
      for (let page = run.start; run.isTaken && page < run.end; page += pageBytes) duplicates.push(page);
      const duplicate = run.isTaken ? first : undefined;
      steps.push({
        kind: "move",
        imageOffset: run.start,
        duplicate,
        to: run.start - shift,
        bytes,
        protection,
      });
    }
    if (end > movedEnd) steps.push({ kind: "allow", to: movedEnd, bytes: end - movedEnd, protection });
    if (p_memsz > p_filesz && (protection & PROT_WRITE) !== 0 && movedEnd > fileEnd)
      steps.push({ kind: "clear", to: fileEnd, bytes: movedEnd - fileEnd, protection });
  }
  return { steps, duplicates };
}

/** Cuts a range of file pages into runs that are still free and runs that an earlier segment took; takes them all. */
function runs(
  start: number,
  end: number,
  pageBytes: number,
  taken: Set<number>,
): { start: number; end: number; isTaken: boolean }[] {
  const result: { start: number; end: number; isTaken: boolean }[] = [];
  for (let page = start; page < end; page += pageBytes) {
    const isTaken = taken.has(page);
    taken.add(page);
    const last = result.at(-1);
    if (last?.isTaken === isTaken) last.end = page + pageBytes;
    else result.push({ start: page, end: page + pageBytes, isTaken });
  }
  return result;
}

function protectionOf(flags: number): number {
  return (
    ((flags & PF_R) !== 0 ? PROT_READ : 0) |
    ((flags & PF_W) !== 0 ? PROT_WRITE : 0) |
    ((flags & PF_X) !== 0 ? PROT_EXEC : 0)
  );
}
