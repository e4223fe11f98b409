/**
 * The PT_LOAD segments of an ELF file of any class, byte order and machine, from the few bytes that say them.
 *
 * The `elf` room reads ELF64 files for two machines, whole. Pages have the same meaning in all files, kernels for
 * emulators are often ELF32, and a memory dump is larger than memory: here the headers alone are read.
 *
 *   offset in Ehdr   32: e_phoff 28 u32, e_shoff 32 u32, e_phentsize 42, e_phnum 44, e_shentsize 46
 *                    64: e_phoff 32 u64, e_shoff 40 u64, e_phentsize 54, e_phnum 56, e_shentsize 58
 *   Elf32_Phdr, 32 bytes: p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align
 *   Elf64_Phdr, 56 bytes: p_type, p_flags u32; p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align u64
 */
import { EHDR_BYTES, ET_REL, identifyElf, PHDR_BYTES, PN_XNUM, PT_LOAD } from "../elf/index.ts";
import { invalid, TenonError } from "../errors/index.ts";

/** As many bytes of the file's beginning as `programHeaders` wants to see. */
export const HEADER_BYTES = EHDR_BYTES;

const EHDR32_BYTES = 52;
const PHDR32_BYTES = 32;
const FORMAT = "elf";

/** Where the table of program headers is. */
export interface ProgramHeaders {
  readonly bits: 32 | 64;
  readonly isLittleEndian: boolean;
  readonly offset: number;
  readonly count: number;
  readonly sizeBytes: number;
}

/** A PT_LOAD segment. Addresses take all of 64 bits in kernels. */
export interface LoadSegment {
  readonly address: bigint;
  /** p_memsz. */
  readonly sizeBytes: bigint;
  readonly offset: number;
  /** p_filesz, at most `sizeBytes`; lies in the file. */
  readonly fileSizeBytes: number;
}

/**
 * Where the program headers are; undefined if the file isn't ELF. `head` is its first `HEADER_BYTES` bytes, or all of it.
 * Errors: `invalid` for a header that is cut or says what can't be, `unsupported` for object files, for files without
 * program headers, and for 65535 or more of them (PN_XNUM).
 */
export function programHeaders(head: Uint8Array, fileBytes: number): ProgramHeaders | undefined {
  const identity = identifyElf(head);
  if (identity === undefined) return undefined;
  const { bits, byteOrder } = identity;
  if (bits === undefined) throw invalid(FORMAT, "EI_CLASS", 4, "neither 1 (32 bits) nor 2 (64 bits)");
  if (byteOrder === undefined) throw invalid(FORMAT, "EI_DATA", 5, "neither 1 (little) nor 2 (big endian)");
  const headerBytes = bits === 64 ? EHDR_BYTES : EHDR32_BYTES;
  if (head.length < headerBytes) {
    throw invalid(
      FORMAT,
      "Ehdr",
      head.length,
      `the file header has ${headerBytes} bytes, the file ends here`,
    );
  }
  const isLittleEndian = byteOrder === "little";
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (view.getUint16(16, isLittleEndian) === ET_REL) {
    throw new TenonError("unsupported", "an object file has no pages yet: link it first", { format: FORMAT });
  }
  const at = bits === 64 ? { phoff: 32, phentsize: 54, phnum: 56 } : { phoff: 28, phentsize: 42, phnum: 44 };
  const count = view.getUint16(at.phnum, isLittleEndian);
  if (count === 0)
    throw new TenonError("unsupported", "no program headers: nothing of it is mapped", { format: FORMAT });
  if (count === PN_XNUM) {
    const why = `${PN_XNUM} program headers or more are not supported`;
    throw new TenonError("unsupported", why, { format: FORMAT, field: "e_phnum", offset: at.phnum });
  }
  const entryBytes = view.getUint16(at.phentsize, isLittleEndian);
  const expected = bits === 64 ? PHDR_BYTES : PHDR32_BYTES;
  if (entryBytes !== expected) {
    throw invalid(FORMAT, "e_phentsize", at.phentsize, `${entryBytes} instead of ${expected}`);
  }
  const offset =
    bits === 64
      ? Number(view.getBigUint64(at.phoff, isLittleEndian))
      : view.getUint32(at.phoff, isLittleEndian);
  const sizeBytes = count * entryBytes;
  if (offset + sizeBytes > fileBytes) {
    throw invalid(
      FORMAT,
      "e_phoff",
      at.phoff,
      `${count} program headers at ${offset} reach outside the file`,
    );
  }
  return { bits, isLittleEndian, offset, count, sizeBytes };
}

/**
 * The segments that have memory, by address. `table` is what the file holds at `headers.offset`.
 * Errors: `invalid` for segments outside the file or the address space, with more bytes than memory, or on top of each
 * other; `unsupported` if there are none.
 */
export function readLoadSegments(
  headers: ProgramHeaders,
  table: Uint8Array,
  fileBytes: number,
): readonly LoadSegment[] {
  const { bits, isLittleEndian, count, sizeBytes } = headers;
  if (table.length < sizeBytes) throw new RangeError("the table of program headers is cut");
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const word = (at: number) =>
    bits === 64 ? view.getBigUint64(at, isLittleEndian) : BigInt(view.getUint32(at, isLittleEndian));
  const wordBytes = bits / 8;
  const entryBytes = sizeBytes / count;
  const segments: (LoadSegment & { readonly at: number })[] = [];
  for (let index = 0; index < count; index++) {
    const start = index * entryBytes;
    if (view.getUint32(start, isLittleEndian) !== PT_LOAD) continue;
    // p_offset follows p_type, after p_flags in the wider format; the fields behind it are in the same order.
    const first = start + wordBytes;
    const field = (n: number) => word(first + n * wordBytes);
    const at = headers.offset + first;
    const [p_offset, p_vaddr, p_filesz, p_memsz] = [field(0), field(1), field(3), field(4)];
    if (p_filesz > p_memsz) {
      throw invalid(FORMAT, "p_filesz", at + 3 * wordBytes, `${p_filesz} is larger than p_memsz ${p_memsz}`);
    }
    if (p_filesz > 0n && p_offset + p_filesz > BigInt(fileBytes)) {
      throw invalid(FORMAT, "p_offset", at, `${p_filesz} bytes at ${p_offset} reach outside the file`);
    }
    if (p_vaddr + p_memsz > 1n << BigInt(bits)) {
      throw invalid(FORMAT, "p_memsz", at + 4 * wordBytes, `${p_memsz} bytes reach beyond the address space`);
    }
    if (p_memsz === 0n) continue;
    segments.push({
      address: p_vaddr,
      sizeBytes: p_memsz,
      // Without bytes in the file the offset has no meaning, and may be anything.
      offset: p_filesz === 0n ? 0 : Number(p_offset),
      fileSizeBytes: Number(p_filesz),
      at: at + wordBytes,
    });
  }
  if (segments.length === 0) {
    throw new TenonError("unsupported", "no PT_LOAD segment: nothing of it is mapped", { format: FORMAT });
  }
  // Linux' own image has its per-CPU segment at 0 behind others.
  segments.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.at - b.at));
  for (const [i, { address, at }] of segments.entries()) {
    const before = segments[i - 1];
    if (before !== undefined && address < before.address + before.sizeBytes) {
      throw invalid(FORMAT, "p_vaddr", at, `the segment at 0x${address.toString(16)} lies on another one`);
    }
  }
  return segments.map(({ at: _at, ...segment }) => segment);
}
