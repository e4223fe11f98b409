/**
 * Program headers.
 *
 * Elf64_Phdr, 56 bytes: p_type u32, p_flags u32, p_offset u64, p_vaddr u64, p_paddr u64, p_filesz u64,
 * p_memsz u64, p_align u64.
 */
import {
  PF_W,
  PF_X,
  PHDR_BYTES,
  PN_XNUM,
  PT_DYNAMIC,
  PT_GNU_EH_FRAME,
  PT_GNU_PROPERTY,
  PT_GNU_RELRO,
  PT_GNU_STACK,
  PT_INTERP,
  PT_LOAD,
  PT_NOTE,
  PT_PHDR,
  PT_TLS,
} from "./constants.ts";
import type { Elf64Ehdr } from "./header.ts";
import type { ProblemList } from "./problems.ts";
import { type FileView, TOO_LARGE } from "./view.ts";

/** Elf64_Phdr as it stands in the file. */
export interface Elf64Phdr {
  readonly p_type: number;
  readonly p_flags: number;
  readonly p_offset: number;
  readonly p_vaddr: number;
  readonly p_paddr: number;
  readonly p_filesz: number;
  readonly p_memsz: number;
  readonly p_align: number;
}

export type SegmentKind =
  | "code"
  | "read-only"
  | "writable"
  | "dynamic"
  | "interpreter"
  | "notes"
  | "headers"
  | "tls"
  | "unwind"
  | "stack"
  | "relro"
  | "property"
  | "other";

export interface Segment {
  readonly index: number;
  /** File offset of the header itself. */
  readonly headerOffset: number;
  readonly header: Elf64Phdr;
  readonly kind: SegmentKind;
  /** False when its file bytes or its addresses are not usable; the reason is among the problems. */
  readonly usable: boolean;
}

/** More program headers than any core dump has mappings; bounds the objects made for a hostile count. */
const MAX_SEGMENTS = 1 << 20;

const KINDS: Readonly<Record<number, SegmentKind>> = {
  [PT_DYNAMIC]: "dynamic",
  [PT_INTERP]: "interpreter",
  [PT_NOTE]: "notes",
  [PT_PHDR]: "headers",
  [PT_TLS]: "tls",
  [PT_GNU_EH_FRAME]: "unwind",
  [PT_GNU_STACK]: "stack",
  [PT_GNU_RELRO]: "relro",
  [PT_GNU_PROPERTY]: "property",
};

function segmentKind(p_type: number, p_flags: number): SegmentKind {
  if (p_type !== PT_LOAD) return KINDS[p_type] ?? "other";
  return p_flags & PF_X ? "code" : p_flags & PF_W ? "writable" : "read-only";
}

/**
 * Reads the program headers. `extendedCount` is sh_info of section 0, which holds the count when e_phnum is
 * PN_XNUM (undefined without section 0). A table that can't be read gives an empty list and a problem.
 */
export function readSegments(
  view: FileView,
  header: Elf64Ehdr,
  extendedCount: number | undefined,
  problems: ProblemList,
): Segment[] {
  let count = header.e_phnum;
  if (count === PN_XNUM) {
    if (extendedCount === undefined) {
      problems.add("e_phnum", 56, "PN_XNUM without a section 0 that holds the count");
      return [];
    }
    count = extendedCount;
  }
  if (count === 0) return [];
  if (header.e_phentsize !== PHDR_BYTES) {
    problems.add("e_phentsize", 54, `${header.e_phentsize} instead of ${PHDR_BYTES}`);
    return [];
  }
  if (count > MAX_SEGMENTS) {
    problems.add("e_phnum", 56, `${count} program headers, at most ${MAX_SEGMENTS} are read`);
    return [];
  }
  if (!view.has(header.e_phoff, count * PHDR_BYTES)) {
    problems.add("e_phoff", 32, `${count} program headers at ${header.e_phoff} reach outside the file`);
    return [];
  }
  const segments: Segment[] = [];
  for (let index = 0; index < count; index++) {
    const at = header.e_phoff + index * PHDR_BYTES;
    const phdr: Elf64Phdr = {
      p_type: view.u32(at),
      p_flags: view.u32(at + 4),
      p_offset: view.u64(at + 8),
      p_vaddr: view.u64(at + 16),
      p_paddr: view.u64(at + 24),
      p_filesz: view.u64(at + 32),
      p_memsz: view.u64(at + 40),
      p_align: view.u64(at + 48),
    };
    segments.push({
      index,
      headerOffset: at,
      header: phdr,
      kind: segmentKind(phdr.p_type, phdr.p_flags),
      usable: checkSegment(view, phdr, at, problems),
    });
  }
  reportOverlaps(segments, problems);
  return segments;
}

/** True when the file bytes are in the file and the addresses are below 2^53. */
function checkSegment(view: FileView, phdr: Elf64Phdr, at: number, problems: ProblemList): boolean {
  const { p_type, p_offset, p_vaddr, p_filesz, p_memsz, p_align } = phdr;
  if (p_filesz > 0 && !view.has(p_offset, p_filesz)) {
    problems.add("p_offset", at + 8, `${p_filesz} bytes at ${p_offset} reach outside the file`);
    return false;
  }
  if (p_type !== PT_LOAD) return true;
  if (p_filesz > p_memsz) {
    problems.add("p_filesz", at + 32, `${p_filesz} is larger than p_memsz ${p_memsz}`);
    return false;
  }
  if (p_vaddr + p_memsz >= TOO_LARGE) {
    problems.add("p_vaddr", at + 16, "addresses of 2^53 and above are not supported");
    return false;
  }
  if (p_align > 1 && p_filesz > 0 && p_vaddr % p_align !== p_offset % p_align) {
    problems.add("p_align", at + 48, "p_vaddr and p_offset differ modulo p_align");
  }
  return true;
}

/** PT_LOAD must ascend by address without overlap. Overlapping file bytes are legal and not reported. */
function reportOverlaps(segments: readonly Segment[], problems: ProblemList): void {
  let previous: Segment | undefined;
  for (const segment of segments) {
    const { p_type, p_vaddr, p_memsz } = segment.header;
    if (p_type !== PT_LOAD || !segment.usable || p_memsz === 0) continue;
    if (previous !== undefined) {
      const before = previous.header;
      if (p_vaddr < before.p_vaddr) {
        problems.add("p_vaddr", segment.headerOffset + 16, "PT_LOAD segments are not in order of address");
      } else if (p_vaddr < before.p_vaddr + before.p_memsz) {
        problems.add("p_vaddr", segment.headerOffset + 16, `overlaps segment ${previous.index}`);
      }
    }
    previous = segment;
  }
}
