/**
 * Go's type descriptors, found by their shape in the read-only data.
 *
 * 48 bytes: 0 size u64, 8 pointer bytes u64, 16 hash u32, 20 flags u8, 21 alignment u8, 22 field alignment u8,
 * 23 kind u8 (low 5 bits), 24 equality function, 32 pointer bitmap, 40 name i32, 44 pointer type i32 (offsets from
 * types), then what the kind needs. With flag 1 an uncommon type follows: 0 package i32, 4 methods u16, 6 exported
 * u16, 8 distance to the methods u32, 12 zero. A method: name, type, two functions (i32 from text, -1 for none).
 * Names: flags u8 (1 exported, 2 tag, 4 package), length varint, text, [tag], [package: i32, offset of a name].
 * Source: Go's internal/abi/type.go.
 */
import type { FileView } from "../elf/index.ts";
import { regionAt } from "./dissect-data.ts";
import type { Marks } from "./dissect-marks.ts";
import { type Region, Role } from "./dissect-regions.ts";
import { fileOffset, type GoLayout } from "./go-layout.ts";
import { ReferenceKind } from "./types.ts";

const TYPE_BYTES = 48;
const FLAG_UNCOMMON = 1;
/** Go 1.26 has six flags. */
const MAX_FLAGS = 63;
const KIND_INTERFACE = 20;
const KIND_MAP = 21;
const KIND_STRUCT = 25;

/** Bytes of a descriptor without its uncommon part, by kind: two values for maps, whose layout changed in 1.24. */
const BYTES_OF_KIND: Readonly<Record<number, readonly number[]>> = {
  17: [72], // array
  18: [64], // channel
  19: [56], // function
  [KIND_INTERFACE]: [80],
  [KIND_MAP]: [88, 112],
  22: [56], // pointer
  23: [56], // slice
  [KIND_STRUCT]: [80],
};

export function noteGoTypes(
  view: FileView,
  layout: GoLayout,
  regions: readonly Region[],
  marks: Marks,
): void {
  const types = new TypeNotes(view, layout, marks);
  for (const region of regions) {
    if (region.role !== Role.data || region.address < 0) continue;
    const from = Math.max(region.address, layout.types);
    const to = Math.min(region.address + region.end - region.offset, layout.typesEnd);
    const first = Math.ceil(from / 8) * 8 - region.address + region.offset;
    for (let at = first; at + TYPE_BYTES <= to - region.address + region.offset; at += 8) types.noteType(at);
  }
  const links = regionAt(regions, layout.typeLinks);
  if (links?.role !== Role.data) return;
  const end = Math.min(layout.typeLinks + 4 * layout.typeLinkCount, links.end);
  for (let at = layout.typeLinks; at + 4 <= end; at += 4) {
    types.noteOffset(at, ReferenceKind.goType);
    if (types.hashAt(view.u32(at)) % LINKS_A_PIECE === 0) marks.cut(at);
  }
}

/** The list of types is cut before every 16th, by the types' hashes, so that one that is new moves no other cut. */
const LINKS_A_PIECE = 16;

class TypeNotes {
  readonly #view: FileView;
  readonly #layout: GoLayout;
  readonly #marks: Marks;
  readonly #typesBytes: number;
  readonly #textBytes: number;
  /** Lists of members don't overlap: all together are no longer than the file. */
  #budget: number;

  constructor(view: FileView, layout: GoLayout, marks: Marks) {
    this.#view = view;
    this.#layout = layout;
    this.#marks = marks;
    this.#typesBytes = layout.typesEnd - layout.types;
    this.#budget = view.length;
    this.#textBytes = layout.textEnd - layout.table.textStart;
  }

  /** A reference of 32 bits from a base, when it leads into the base's part and isn't 0. */
  noteOffset(at: number, kind: number): void {
    const offset = this.#view.u32(at);
    const limit = kind === ReferenceKind.goText ? this.#textBytes : this.#typesBytes;
    if (offset === 0 || offset >= limit) return;
    if (this.#marks.label(this.#layout.bases[kind]! + offset)) this.#marks.site(at, kind);
  }

  /** Hash of the type at an offset; 1 outside of the file. */
  hashAt(offset: number): number {
    const at = fileOffset(this.#marks.map, this.#layout.types + offset);
    return at >= 0 && this.#view.has(at, TYPE_BYTES) ? this.#view.u32(at + 16) : 1;
  }

  noteType(at: number): void {
    const view = this.#view;
    const kind = view.u8(at + 23) & 31;
    if (!this.#isType(at, kind)) return;
    this.#marks.cut(at);
    this.noteOffset(at + 40, ReferenceKind.goType);
    this.noteOffset(at + 44, ReferenceKind.goType);
    this.#noteName(this.#layout.types + view.u32(at + 40));
    if (kind === KIND_INTERFACE) this.#noteInterface(at);
    else if (kind === KIND_STRUCT) this.#noteStruct(at);
    if ((view.u8(at + 20) & FLAG_UNCOMMON) === 0) return;
    for (const bytes of BYTES_OF_KIND[kind] ?? [TYPE_BYTES]) if (this.#noteUncommon(at + bytes)) return;
  }

  #isType(at: number, kind: number): boolean {
    const view = this.#view;
    if (kind < 1 || kind > 26) return false;
    const size = view.u64(at);
    if (view.u64(at + 8) > size || size > 2 ** 40) return false;
    const alignment = view.u8(at + 21);
    const fieldAlignment = view.u8(at + 22);
    if (alignment === 0 || alignment > 64 || (alignment & (alignment - 1)) !== 0) return false;
    if (fieldAlignment === 0 || fieldAlignment > 64 || (fieldAlignment & (fieldAlignment - 1)) !== 0)
      return false;
    if (view.u32(at + 16) === 0 || view.u8(at + 20) > MAX_FLAGS) return false;
    if (!this.#isPointer(at + 24) || !this.#isPointer(at + 32)) return false;
    const name = view.u32(at + 40);
    if (name === 0 || name >= this.#typesBytes || view.u32(at + 44) >= this.#typesBytes) return false;
    return this.#nameEnd(this.#layout.types + name) > 0;
  }

  #isPointer(at: number): boolean {
    const value = this.#view.u64(at);
    return value === 0 || fileOffset(this.#marks.map, value) >= 0 || this.#marks.kindAt(at) >= 0;
  }

  /** File offset behind a name's text and tag; -1 when it is no name. */
  #nameEnd(address: number): number {
    const view = this.#view;
    const start = fileOffset(this.#marks.map, address);
    if (start < 0 || start + 2 > view.length) return -1;
    const flags = view.u8(start);
    if (flags > 15) return -1;
    let at = start + 1;
    for (let part = 0; part < ((flags & 2) !== 0 ? 2 : 1); part++) {
      // A name is at most 64 KiB: two bytes of varint do for nearly all.
      if (at + 2 > view.length) return -1;
      let length = view.u8(at++);
      if (length >= 128) length = (length & 127) | (view.u8(at++) << 7);
      at += length;
    }
    return at + 4 <= view.length ? at : -1;
  }

  /** The package of a name that isn't exported. */
  #noteName(address: number): void {
    const start = fileOffset(this.#marks.map, address);
    if (start < 0) return;
    const end = this.#nameEnd(address);
    if (end > 0 && (this.#view.u8(start) & 4) !== 0) this.noteOffset(end, ReferenceKind.goType);
  }

  /** A slice of members: file offset of the first, and their number; 0 of them for what is none. */
  #slice(at: number, memberBytes: number): { first: number; count: number } {
    const first = fileOffset(this.#marks.map, this.#view.u64(at));
    const count = this.#view.u64(at + 8);
    const bytes = count * memberBytes;
    if (first < 0 || bytes > this.#budget || !this.#view.has(first, bytes)) return { first: 0, count: 0 };
    this.#budget -= bytes;
    return { first, count };
  }

  #noteInterface(at: number): void {
    const { first, count } = this.#slice(at + 56, 8);
    for (let i = 0; i < count; i++) {
      this.noteOffset(first + 8 * i, ReferenceKind.goType);
      this.noteOffset(first + 8 * i + 4, ReferenceKind.goType);
      this.#noteName(this.#layout.types + this.#view.u32(first + 8 * i));
    }
  }

  #noteStruct(at: number): void {
    const { first, count } = this.#slice(at + 56, 24);
    for (let i = 0; i < count; i++) this.#noteName(this.#view.u64(first + 24 * i));
  }

  #noteUncommon(at: number): boolean {
    const view = this.#view;
    if (!view.has(at, 16) || view.u32(at + 12) !== 0) return false;
    const methods = view.u16(at + 4);
    const first = at + view.u32(at + 8);
    if (view.u16(at + 6) > methods || view.u32(at) >= this.#typesBytes) return false;
    if (first < at + 16 || 16 * methods > this.#budget || !view.has(first, 16 * methods)) return false;
    this.#budget -= 16 * methods;
    this.noteOffset(at, ReferenceKind.goType);
    for (let i = 0; i < methods; i++) {
      const method = first + 16 * i;
      this.noteOffset(method, ReferenceKind.goType);
      this.noteOffset(method + 4, ReferenceKind.goType);
      this.noteOffset(method + 8, ReferenceKind.goText);
      this.noteOffset(method + 12, ReferenceKind.goText);
      this.#noteName(this.#layout.types + view.u32(method));
    }
    return true;
  }
}
