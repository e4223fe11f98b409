/**
 * Notes and small facts that tools leave in a file.
 *
 * Elf64_Nhdr: namesz u32, descsz u32, type u32, then name and description, each padded to 4 bytes (to 8 where the
 * note section is aligned to 8). .gnu_debuglink: file name, NUL, padding to 4, CRC-32. .comment: strings with NUL.
 * Elf64_Chdr, before the bytes of an SHF_COMPRESSED section: ch_type u32, 0 u32, ch_size u64, ch_addralign u64.
 */
import { toHex } from "../bytes/index.ts";
import { areasNamed } from "./areas.ts";
import {
  CHDR_BYTES,
  NT_GNU_BUILD_ID,
  NT_GO_BUILD_ID,
  PT_NOTE,
  SHF_COMPRESSED,
  SHT_NOTE,
} from "./constants.ts";
import type { Elf } from "./elf.ts";
import { type Problem, ProblemList } from "./problems.ts";
import type { Section } from "./sections.ts";

export interface Note {
  /** File offset of its header. */
  readonly offset: number;
  readonly name: string;
  readonly type: number;
  readonly descriptionOffset: number;
  readonly descriptionBytes: number;
}

/** Files annotated by compiler plug-ins have some thousand notes. */
const MAX_NOTES = 65_536;
/** Owners' names are a few letters. */
const MAX_NAME_BYTES = 256;

/** All notes, by section, or without section headers by segment, in file order of their containers. */
export function readNotes(elf: Elf): { notes: readonly Note[]; problems: readonly Problem[] } {
  const problems = new ProblemList();
  const notes: Note[] = [];
  const places: { offset: number; sizeBytes: number; align: number }[] = [];
  for (const { header, fileSizeBytes } of elf.sections) {
    if (header.sh_type !== SHT_NOTE || fileSizeBytes === 0) continue;
    places.push({ offset: header.sh_offset, sizeBytes: fileSizeBytes, align: header.sh_addralign });
  }
  if (elf.sections.length === 0) {
    for (const { header, usable } of elf.segments) {
      if (header.p_type !== PT_NOTE || !usable) continue;
      places.push({ offset: header.p_offset, sizeBytes: header.p_filesz, align: header.p_align });
    }
  }
  for (const place of places) {
    const align = place.align === 8 ? 8 : 4;
    const end = place.offset + place.sizeBytes;
    for (let at = place.offset; end - at >= 12; ) {
      const nameBytes = elf.view.u32(at);
      const descriptionBytes = elf.view.u32(at + 4);
      const descriptionOffset = place.offset + roundUp(at - place.offset + 12 + nameBytes, align);
      if (descriptionOffset + descriptionBytes > end) {
        problems.add("n_descsz", at + 4, "the note reaches past its section");
        break;
      }
      if (notes.length >= MAX_NOTES) {
        problems.add("notes", at, `more than ${MAX_NOTES} notes`);
        return { notes, problems: problems.list() };
      }
      const name = elf.view.text(at + 12, Math.min(nameBytes, MAX_NAME_BYTES)).replace(/\0+$/, "");
      notes.push({ offset: at, name, type: elf.view.u32(at + 8), descriptionOffset, descriptionBytes });
      at = place.offset + roundUp(descriptionOffset - place.offset + descriptionBytes, align);
    }
  }
  return { notes, problems: problems.list() };
}

function roundUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

/** Build IDs that linkers write: 20 bytes of SHA-1 by default, never above 64. */
const MAX_BUILD_ID_BYTES = 64;

/** GNU build ID in lowercase hexadecimal. */
export function buildId(elf: Elf, notes: readonly Note[]): string | undefined {
  const note = notes.find(({ name, type }) => name === "GNU" && type === NT_GNU_BUILD_ID);
  if (note === undefined || note.descriptionBytes > MAX_BUILD_ID_BYTES) return undefined;
  const { descriptionOffset, descriptionBytes } = note;
  return toHex(elf.bytes.subarray(descriptionOffset, descriptionOffset + descriptionBytes));
}

/** True when a note says that Go's linker made the file. */
export function hasGoBuildId(notes: readonly Note[]): boolean {
  return notes.some(({ name, type }) => name === "Go" && type === NT_GO_BUILD_ID);
}

/** Name and CRC-32 of the file that has the debug information. */
export function readDebugLink(elf: Elf): { name: string; crc32: number } | undefined {
  const area = areasNamed(elf, ".gnu_debuglink")[0];
  if (area === undefined) return undefined;
  const end = area.offset + area.sizeBytes;
  const length = elf.view.stringLength(area.offset, end);
  const crcAt = area.offset + roundUp(length + 1, 4);
  if (length < 0 || crcAt + 4 > end) return undefined;
  return { name: elf.view.text(area.offset, length), crc32: elf.view.u32(crcAt) };
}

/** One line per compiler and linker version; more than this is not a list of tools. */
const MAX_COMMENTS = 256;

/** The strings of .comment: compilers and linkers, each once. */
export function readComments(elf: Elf): string[] {
  const area = areasNamed(elf, ".comment")[0];
  if (area === undefined) return [];
  const end = area.offset + area.sizeBytes;
  const comments: string[] = [];
  for (let at = area.offset; at < end && comments.length < MAX_COMMENTS; ) {
    const length = elf.view.stringLength(at, end);
    if (length < 0) break;
    if (length > 0) comments.push(elf.view.text(at, length));
    at += length + 1;
  }
  return comments;
}

/** Elf64_Chdr. `ch_type` is ELFCOMPRESS_ZLIB or ELFCOMPRESS_ZSTD; `ch_size` is a claim, not checked here. */
export interface Elf64Chdr {
  readonly ch_type: number;
  readonly ch_size: number;
  readonly ch_addralign: number;
}

/** The compression header of a section with SHF_COMPRESSED; undefined for other ones and where it is cut. */
export function compressionHeader(elf: Elf, section: Section): Elf64Chdr | undefined {
  const { sh_flags, sh_offset } = section.header;
  if (!(sh_flags & SHF_COMPRESSED) || section.fileSizeBytes < CHDR_BYTES) return undefined;
  return {
    ch_type: elf.view.u32(sh_offset),
    ch_size: elf.view.u64(sh_offset + 8),
    ch_addralign: elf.view.u64(sh_offset + 16),
  };
}
