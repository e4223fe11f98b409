/**
 * The file header.
 *
 *   0  e_ident[16]   7f 'E' 'L' 'F', class, data, version, OS ABI, ABI version, padding
 *  16  e_type u16, e_machine u16, e_version u32
 *  24  e_entry u64, e_phoff u64, e_shoff u64
 *  48  e_flags u32, e_ehsize u16, e_phentsize u16, e_phnum u16, e_shentsize u16, e_shnum u16, e_shstrndx u16
 */
import { invalid, TenonError } from "../errors/index.ts";
import {
  EHDR_BYTES,
  EI_CLASS,
  EI_DATA,
  EI_VERSION,
  ELFCLASS32,
  ELFCLASS64,
  ELFDATA2LSB,
  ELFDATA2MSB,
  EM_AARCH64,
  EM_X86_64,
  EV_CURRENT,
  MACHINE_NAMES,
} from "./constants.ts";
import type { FileView } from "./view.ts";

/** Elf64_Ehdr as it stands in the file. Sizes and offsets in bytes. */
export interface Elf64Ehdr {
  readonly e_osabi: number;
  readonly e_abiversion: number;
  readonly e_type: number;
  readonly e_machine: number;
  readonly e_version: number;
  readonly e_entry: number;
  readonly e_phoff: number;
  readonly e_shoff: number;
  readonly e_flags: number;
  readonly e_ehsize: number;
  readonly e_phentsize: number;
  readonly e_phnum: number;
  readonly e_shentsize: number;
  readonly e_shnum: number;
  readonly e_shstrndx: number;
}

/** What the first bytes of a file say about it, also when it is declined. */
export interface ElfIdentity {
  readonly bits: 32 | 64 | undefined;
  readonly byteOrder: "little" | "big" | undefined;
  /** e_machine and its name; undefined when the file is cut before it. */
  readonly machine: { readonly number: number; readonly name: string } | undefined;
  /** Why `parseElf` declines it, or undefined when it doesn't. */
  readonly unsupported: string | undefined;
}

/** Recognises an ELF file of any class, byte order and machine by its first 20 bytes; undefined: not ELF. */
export function identifyElf(bytes: Uint8Array): ElfIdentity | undefined {
  if (bytes.length < 4 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) {
    return undefined;
  }
  // A file cut here is damaged, not of an unknown kind.
  const cut = bytes.length <= EI_DATA;
  const elfClass = bytes[EI_CLASS];
  const elfData = bytes[EI_DATA];
  const bits = elfClass === ELFCLASS64 ? 64 : elfClass === ELFCLASS32 ? 32 : undefined;
  const byteOrder = elfData === ELFDATA2LSB ? "little" : elfData === ELFDATA2MSB ? "big" : undefined;
  let machine: ElfIdentity["machine"];
  if (bytes.length >= 20 && byteOrder !== undefined) {
    const number = byteOrder === "little" ? bytes[18]! | (bytes[19]! << 8) : (bytes[18]! << 8) | bytes[19]!;
    machine = { number, name: MACHINE_NAMES[number] ?? `machine ${number}` };
  }
  return { bits, byteOrder, machine, unsupported: cut ? undefined : refusal(bits, byteOrder, machine) };
}

function refusal(
  bits: ElfIdentity["bits"],
  byteOrder: ElfIdentity["byteOrder"],
  machine: ElfIdentity["machine"],
): string | undefined {
  if (bits !== 64) return bits === 32 ? "ELF32 is not supported" : "unknown ELF class";
  if (byteOrder !== "little")
    return byteOrder === "big" ? "big-endian ELF is not supported" : "unknown byte order";
  if (machine === undefined) return undefined;
  if (machine.number === EM_X86_64 || machine.number === EM_AARCH64) return undefined;
  return `ELF for ${machine.name} is not supported`;
}

/**
 * Reads the file header. Errors: `invalid` when it isn't ELF or is cut, `unsupported` for another class, byte
 * order, version or machine.
 */
export function readHeader(view: FileView): Elf64Ehdr {
  const identity = identifyElf(view.bytes);
  if (identity === undefined) throw invalid("elf", "e_ident", 0, "not an ELF file");
  if (identity.unsupported !== undefined) {
    const field =
      identity.bits !== 64 ? "EI_CLASS" : identity.byteOrder !== "little" ? "EI_DATA" : "e_machine";
    const offset = field === "EI_CLASS" ? EI_CLASS : field === "EI_DATA" ? EI_DATA : 18;
    throw unsupported(field, offset, identity.unsupported);
  }
  if (view.length < EHDR_BYTES) {
    throw invalid("elf", "e_ident", 0, `file header needs ${EHDR_BYTES} bytes, the file has ${view.length}`);
  }
  if (view.u8(EI_VERSION) !== EV_CURRENT) {
    throw unsupported("EI_VERSION", EI_VERSION, `ELF version ${view.u8(EI_VERSION)} is not supported`);
  }
  return {
    e_osabi: view.u8(7),
    e_abiversion: view.u8(8),
    e_type: view.u16(16),
    e_machine: view.u16(18),
    e_version: view.u32(20),
    e_entry: view.u64(24),
    e_phoff: view.u64(32),
    e_shoff: view.u64(40),
    e_flags: view.u32(48),
    e_ehsize: view.u16(52),
    e_phentsize: view.u16(54),
    e_phnum: view.u16(56),
    e_shentsize: view.u16(58),
    e_shnum: view.u16(60),
    e_shstrndx: view.u16(62),
  };
}

function unsupported(field: string, offset: number, why: string): TenonError {
  return new TenonError("unsupported", `elf: ${field} at offset ${offset}: ${why}`, {
    format: "elf",
    field,
    offset,
  });
}
