/**
 * .go.buildinfo: which Go release built the file, and its modules.
 *
 *   0  ff " Go buildinf:" (14 bytes), pointer size u8, flags u8 (1: big-endian, 2: strings follow)
 *  32  flag 2 (Go 1.18 and later): version and module text, each uvarint length and UTF-8
 *  16  else: addresses of two Go strings (address u64, length u64)
 * Source: Go's debug/buildinfo.
 */
import { areasNamed, segmentsToSearch } from "./areas.ts";
import { PF_W } from "./constants.ts";
import type { Elf } from "./elf.ts";
import { readLeb128 } from "./pointer-encoding.ts";

export interface GoBuildInfo {
  readonly offset: number;
  /** Such as "go1.26.4". */
  readonly version: string;
  /** The module information, a line for each fact, without the two marks around it; empty when there is none. */
  readonly modules: string;
}

const MAGIC = [0xff, 0x20, 0x47, 0x6f, 0x20, 0x62, 0x75, 0x69, 0x6c, 0x64, 0x69, 0x6e, 0x66, 0x3a];
const HEADER_BYTES = 32;
/** The linker aligns it to 16, and looks for nothing else. */
const ALIGNMENT = 16;
/** A version is some 10 characters, with experiments a hundred; modules of large programs reach 100 KB. */
const MAX_VERSION_BYTES = 1024;
const MAX_MODULES_BYTES = 1 << 24;

/** Reads it by section, else by its magic in writable segments; undefined when there is none or it is damaged. */
export function readGoBuildInfo(elf: Elf): GoBuildInfo | undefined {
  const offset = areasNamed(elf, ".go.buildinfo")[0]?.offset ?? findByMagic(elf);
  if (offset === undefined || !hasMagic(elf, offset)) return undefined;
  const { view } = elf;
  const flags = view.u8(offset + 15);
  let version: Text | undefined;
  let modules: Text | undefined;
  if (flags & 2) {
    version = inlineString(elf, offset + HEADER_BYTES, MAX_VERSION_BYTES);
    modules = version && inlineString(elf, version.offset + version.sizeBytes, MAX_MODULES_BYTES);
  } else if (flags === 0 && view.u8(offset + 14) === 8) {
    version = goString(elf, view.u64(offset + 16), MAX_VERSION_BYTES);
    modules = goString(elf, view.u64(offset + 24), MAX_MODULES_BYTES);
  }
  if (version === undefined) return undefined;
  const text = view.text(version.offset, version.sizeBytes);
  return { offset, version: text, modules: modules === undefined ? "" : withoutMarks(elf, modules) };
}

interface Text {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** 16 random bytes before and after, by which older tools found the text. */
const MARK_BYTES = 16;

function withoutMarks(elf: Elf, { offset, sizeBytes }: Text): string {
  const inner = sizeBytes - 2 * MARK_BYTES;
  return inner > 0 ? elf.view.text(offset + MARK_BYTES, inner) : "";
}

function hasMagic(elf: Elf, offset: number): boolean {
  return elf.view.has(offset, HEADER_BYTES) && MAGIC.every((byte, i) => elf.bytes[offset + i] === byte);
}

function findByMagic(elf: Elf): number | undefined {
  for (const { header } of segmentsToSearch(elf, PF_W)) {
    const end = header.p_offset + header.p_filesz;
    const first = header.p_offset + ((ALIGNMENT - (header.p_vaddr % ALIGNMENT)) % ALIGNMENT);
    for (let at = first; at + HEADER_BYTES <= end; at += ALIGNMENT) {
      if (elf.bytes[at] === MAGIC[0] && hasMagic(elf, at)) return at;
    }
  }
  return undefined;
}

function inlineString(elf: Elf, offset: number, maxBytes: number): Text | undefined {
  const length = readLeb128(elf.view, offset, elf.bytes.length, false);
  if (length === undefined || length.value > maxBytes || !elf.view.has(length.next, length.value))
    return undefined;
  return { offset: length.next, sizeBytes: length.value };
}

/** A Go string header at an address: pointer and length. */
function goString(elf: Elf, address: number, maxBytes: number): Text | undefined {
  const at = elf.addresses.offsetOf(address, 16);
  if (at === undefined) return undefined;
  const sizeBytes = elf.view.u64(at + 8);
  if (sizeBytes === 0) return { offset: at, sizeBytes };
  const offset = sizeBytes > maxBytes ? undefined : elf.addresses.offsetOf(elf.view.u64(at), sizeBytes);
  return offset === undefined ? undefined : { offset, sizeBytes };
}
