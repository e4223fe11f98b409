/**
 * Symbol tables.
 *
 * Elf64_Sym, 24 bytes: st_name u32, st_info u8, st_other u8, st_shndx u16, st_value u64, st_size u64.
 * Where st_shndx is SHN_XINDEX, the section index is in SHT_SYMTAB_SHNDX.
 */
import { SHN_XINDEX, SHT_DYNSYM, SHT_STRTAB, SHT_SYMTAB, SHT_SYMTAB_SHNDX, SYM_BYTES } from "./constants.ts";
import type { Elf } from "./elf.ts";
import type { FileView } from "./view.ts";

interface Range {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A symbol table read in place. Indexes must be below `count`; names are decoded when asked for. */
export class SymbolTable {
  readonly kind: "symtab" | "dynsym";
  /** Section index, or undefined when it was found through the dynamic table. */
  readonly section: number | undefined;
  readonly offset: number;
  readonly count: number;
  readonly #view: FileView;
  readonly #names: Range;
  readonly #extended: Range | undefined;

  constructor(
    view: FileView,
    kind: "symtab" | "dynsym",
    table: Range & { readonly section: number | undefined },
    names: Range,
    extended: Range | undefined,
  ) {
    this.kind = kind;
    this.section = table.section;
    this.offset = table.offset;
    this.count = Math.floor(table.sizeBytes / SYM_BYTES);
    this.#view = view;
    this.#names = names;
    this.#extended = extended;
  }

  #at(index: number): number {
    if (!(index >= 0 && index < this.count)) throw new RangeError(`symbol ${index} of ${this.count}`);
    return this.offset + SYM_BYTES * index;
  }

  st_name(index: number): number {
    return this.#view.u32(this.#at(index));
  }

  st_info(index: number): number {
    return this.#view.u8(this.#at(index) + 4);
  }

  st_other(index: number): number {
    return this.#view.u8(this.#at(index) + 5);
  }

  st_shndx(index: number): number {
    return this.#view.u16(this.#at(index) + 6);
  }

  /** An address, or in an object file the offset in its section; 2^53 when larger than 2^53 - 1. */
  st_value(index: number): number {
    return this.#view.u64(this.#at(index) + 8);
  }

  st_size(index: number): number {
    return this.#view.u64(this.#at(index) + 16);
  }

  /** STT_FUNC, STT_OBJECT ... */
  type(index: number): number {
    return this.st_info(index) & 0x0f;
  }

  /** STB_LOCAL 0, STB_GLOBAL 1, STB_WEAK 2 ... */
  binding(index: number): number {
    return this.st_info(index) >>> 4;
  }

  /** Index of the section, with SHN_XINDEX resolved; other reserved values as they are. */
  sectionIndex(index: number): number {
    const raw = this.st_shndx(index);
    if (raw !== SHN_XINDEX || this.#extended === undefined) return raw;
    const at = 4 * index;
    return at + 4 <= this.#extended.sizeBytes ? this.#view.u32(this.#extended.offset + at) : raw;
  }

  /** True when it is called `name` (ASCII), without decoding anything. */
  isNamed(index: number, name: string): boolean {
    const at = this.#names.offset + this.st_name(index);
    if (at + name.length >= this.#names.offset + this.#names.sizeBytes) return false;
    const { bytes } = this.#view;
    for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name.charCodeAt(i)) return false;
    return bytes[at + name.length] === 0;
  }

  /** The name; empty when it isn't in the string table. */
  name(index: number): string {
    const { offset, sizeBytes } = this.#names;
    return this.#view.string(offset + this.st_name(index), offset + sizeBytes) ?? "";
  }
}

/**
 * .symtab and .dynsym, whichever exist, the first of each kind. Without section headers .dynsym is found through
 * the dynamic table. Nothing is decoded here.
 */
export function readSymbolTables(elf: Elf): { symtab?: SymbolTable; dynsym?: SymbolTable } {
  const symtab = fromSections(elf, SHT_SYMTAB, "symtab");
  const dynsym = fromSections(elf, SHT_DYNSYM, "dynsym") ?? fromDynamic(elf);
  return { ...(symtab && { symtab }), ...(dynsym && { dynsym }) };
}

function fromSections(elf: Elf, type: number, kind: "symtab" | "dynsym"): SymbolTable | undefined {
  const section = elf.sections.find(
    ({ header, fileSizeBytes }) => header.sh_type === type && fileSizeBytes > 0,
  );
  if (section === undefined) return undefined;
  const strings = elf.sections[section.header.sh_link];
  const names =
    strings?.header.sh_type === SHT_STRTAB
      ? { offset: strings.header.sh_offset, sizeBytes: strings.fileSizeBytes }
      : { offset: 0, sizeBytes: 0 };
  const extended = elf.sections.find(
    ({ header }) => header.sh_type === SHT_SYMTAB_SHNDX && header.sh_link === section.index,
  );
  return new SymbolTable(
    elf.view,
    kind,
    { offset: section.header.sh_offset, sizeBytes: section.fileSizeBytes, section: section.index },
    names,
    extended && { offset: extended.header.sh_offset, sizeBytes: extended.fileSizeBytes },
  );
}

function fromDynamic(elf: Elf): SymbolTable | undefined {
  const table = elf.dynamic?.symtab;
  if (table === undefined) return undefined;
  const { offset, sizeBytes } = table;
  const names = elf.dynamic?.strtab ?? { offset: 0, sizeBytes: 0 };
  return new SymbolTable(elf.view, "dynsym", { offset, sizeBytes, section: undefined }, names, undefined);
}
