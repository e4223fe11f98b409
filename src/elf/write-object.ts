/**
 * Writes relocatable objects (ET_REL) for x86-64 and AArch64, as GNU ld, gold and lld take them.
 *
 *   Elf64_Ehdr
 *   contents of the sections, in order, each at its alignment
 *   one SHT_RELA for each section that has relocations
 *   SHT_GROUP sections (before their members in the header table, as the ABI asks), .symtab, .symtab_shndx, .strtab
 *   .shstrtab, section headers
 *
 * .symtab has the null symbol, section symbols, other local symbols, then the rest; sh_info is the first that is
 * not local. An index from SHN_LORESERVE on is SHN_XINDEX with the index in .symtab_shndx, and the counts of the
 * file header move to section 0. `.note.GNU-stack` says that no executable stack is needed.
 */
import { ByteWriter, utf8 } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import {
  EHDR_BYTES,
  ELFCLASS64,
  ELFDATA2LSB,
  EM_AARCH64,
  EM_X86_64,
  ET_REL,
  EV_CURRENT,
  RELA_BYTES,
  SHDR_BYTES,
  SHF_GROUP,
  SHF_INFO_LINK,
  SHN_LORESERVE,
  SHN_XINDEX,
  SHT_GROUP,
  SHT_NOBITS,
  SHT_PROGBITS,
  SHT_RELA,
  SHT_STRTAB,
  SHT_SYMTAB,
  SHT_SYMTAB_SHNDX,
  SYM_BYTES,
} from "./constants.ts";
import type { Machine } from "./elf.ts";
import { orderSymbols } from "./write-symbols.ts";

/** What a relocation refers to: a section's beginning, or a symbol by its position in `ObjectContent.symbols`. */
export type ObjectTarget = { readonly section: number } | { readonly symbol: number };

export interface ObjectRelocation {
  readonly offset: number;
  readonly type: number;
  readonly addend: bigint;
  readonly target: ObjectTarget;
}

export interface ObjectSection {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly alignment: number;
  readonly entrySize?: number;
  /** Empty for SHT_NOBITS, whose size is `sizeBytes`. */
  readonly bytes: Uint8Array;
  readonly sizeBytes?: number;
  readonly relocations?: readonly ObjectRelocation[];
  /** Position in `ObjectContent.groups`. */
  readonly group?: number;
}

export interface ObjectSymbol {
  readonly name: string;
  readonly binding: number;
  readonly type: number;
  readonly visibility: number;
  /** Position in `ObjectContent.sections`, or where it is not in a section. */
  readonly section: number | "undefined" | "absolute" | "common";
  /** Offset in the section; for common symbols the alignment. */
  readonly value: number;
  readonly sizeBytes: number;
}

/** A section group; `signature` is a position in `symbols`. */
export interface ObjectGroup {
  readonly signature: number;
  readonly isComdat: boolean;
}

export interface ObjectContent {
  readonly machine: Machine;
  readonly sections: readonly ObjectSection[];
  readonly symbols: readonly ObjectSymbol[];
  readonly groups?: readonly ObjectGroup[];
}

/** A section header to be; `content` are its bytes in the file. */
interface Planned {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly alignment: number;
  readonly entrySize: number;
  readonly link: number;
  readonly info: number;
  readonly content: Uint8Array;
  readonly sizeBytes: number;
}

const GRP_COMDAT = 1;
/** What the reader of this room accepts, so that what is written can be read again. */
const MAX_SECTIONS = 1 << 20;

/** Errors: `limit` for more than 2^20 sections. Positions outside the lists are a programming error. */
export function writeObject(content: ObjectContent): Uint8Array {
  const { sections, symbols, groups = [] } = content;
  const relocated = sections.flatMap((section, i) => ((section.relocations?.length ?? 0) > 0 ? [i] : []));
  // Groups come first: the ABI wants their headers before those of their members.
  const sectionIndex = (position: number) => 1 + groups.length + position;
  const relaIndex = new Map(
    relocated.map((position, i) => [position, sectionIndex(sections.length) + i] as const),
  );
  const stackIndex = sectionIndex(sections.length) + relocated.length;
  const symtabIndex = stackIndex + 1;
  const needsExtended = sectionIndex(sections.length) > SHN_LORESERVE;
  const strtabIndex = symtabIndex + (needsExtended ? 2 : 1);
  const count = strtabIndex + 2;
  if (count > MAX_SECTIONS) {
    throw new TenonError(
      "limit",
      `the object would have ${count} sections, at most ${MAX_SECTIONS} are written`,
    );
  }

  const used = new Set<number>();
  for (const { relocations = [] } of sections)
    for (const { target } of relocations) if ("section" in target) used.add(target.section);
  const table = orderSymbols(symbols, used, sectionIndex);
  const symbolOf = (target: ObjectTarget) =>
    "section" in target ? table.sectionSymbol.get(target.section)! : table.position[target.symbol]!;

  const headers: Planned[] = [];
  const plan = (header: Partial<Planned> & Pick<Planned, "name" | "type" | "content">) =>
    headers.push({
      ...{ flags: 0, alignment: 1, entrySize: 0, link: 0, info: 0, sizeBytes: header.content.length },
      ...header,
    });
  for (const [g, { signature, isComdat }] of groups.entries()) {
    const members = sections.flatMap((section, i) => {
      if (section.group !== g) return [];
      const rela = relaIndex.get(i);
      return rela === undefined ? [sectionIndex(i)] : [sectionIndex(i), rela];
    });
    const words = new ByteWriter(4 + 4 * members.length).u32(isComdat ? GRP_COMDAT : 0);
    for (const member of members) words.u32(member);
    plan({
      ...{ name: ".group", type: SHT_GROUP, content: words.finish(), alignment: 4, entrySize: 4 },
      ...{ link: symtabIndex, info: table.position[signature]! },
    });
  }
  for (const { name, type, flags, alignment, entrySize = 0, bytes, sizeBytes, group } of sections) {
    const content = type === SHT_NOBITS ? new Uint8Array(0) : bytes;
    const size = type === SHT_NOBITS ? (sizeBytes ?? 0) : bytes.length;
    const own = group === undefined ? flags : flags | SHF_GROUP;
    plan({ name, type, flags: own, alignment, entrySize, content, sizeBytes: size });
  }
  for (const position of relocated) {
    const { name, relocations, group } = sections[position]!;
    plan({
      ...{ name: `.rela${name}`, type: SHT_RELA, content: relaBytes(relocations!, symbolOf), alignment: 8 },
      ...{ flags: SHF_INFO_LINK | (group === undefined ? 0 : SHF_GROUP), entrySize: RELA_BYTES },
      ...{ link: symtabIndex, info: sectionIndex(position) },
    });
  }
  plan({ name: ".note.GNU-stack", type: SHT_PROGBITS, content: new Uint8Array(0) });
  plan({
    ...{ name: ".symtab", type: SHT_SYMTAB, content: table.bytes, alignment: 8, entrySize: SYM_BYTES },
    ...{ link: strtabIndex, info: table.firstGlobal },
  });
  if (needsExtended) {
    plan({
      ...{ name: ".symtab_shndx", type: SHT_SYMTAB_SHNDX, content: table.extended, alignment: 4 },
      ...{ entrySize: 4, link: symtabIndex },
    });
  }
  plan({ name: ".strtab", type: SHT_STRTAB, content: table.names });
  return assemble(content.machine, headers);
}

function relaBytes(
  relocations: readonly ObjectRelocation[],
  symbolOf: (target: ObjectTarget) => number,
): Uint8Array {
  const bytes = new Uint8Array(relocations.length * RELA_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, { offset, type, addend, target }] of relocations.entries()) {
    view.setBigUint64(i * RELA_BYTES, BigInt(offset), true);
    view.setUint32(i * RELA_BYTES + 8, type, true);
    view.setUint32(i * RELA_BYTES + 12, symbolOf(target), true);
    view.setBigInt64(i * RELA_BYTES + 16, addend, true);
  }
  return bytes;
}

/** Puts contents, names and headers into one file. `headers` lacks section 0 and .shstrtab. */
function assemble(machine: Machine, headers: readonly Planned[]): Uint8Array {
  const names = new ByteWriter().u8(0);
  const nameOffsets = new Map<string, number>([["", 0]]);
  const nameOf = (name: string) => {
    let at = nameOffsets.get(name);
    if (at === undefined) {
      at = names.length;
      nameOffsets.set(name, at);
      names.raw(utf8(name)).u8(0);
    }
    return at;
  };
  const nameFields = headers.map(({ name }) => nameOf(name));
  nameFields.push(nameOf(".shstrtab"));
  const all: Planned[] = [
    ...headers,
    {
      ...{ name: ".shstrtab", type: SHT_STRTAB, flags: 0, alignment: 1, entrySize: 0, link: 0, info: 0 },
      ...{ content: names.view(), sizeBytes: names.length },
    },
  ];
  const offsets: number[] = [];
  let at = EHDR_BYTES;
  for (const { alignment, content } of all) {
    at = roundUp(at, alignment);
    offsets.push(at);
    at += content.length;
  }
  const headersAt = roundUp(at, 8);
  const count = all.length + 1;
  const file = new Uint8Array(headersAt + count * SHDR_BYTES);
  for (const [i, { content }] of all.entries()) file.set(content, offsets[i]!);

  const isLarge = count >= SHN_LORESERVE;
  const nameTable = count - 1;
  const header = new ByteWriter(EHDR_BYTES)
    .raw(
      new Uint8Array([
        0x7f,
        0x45,
        0x4c,
        0x46,
        ELFCLASS64,
        ELFDATA2LSB,
        EV_CURRENT,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
      ]),
    )
    .u16(ET_REL)
    .u16(machine === "x86-64" ? EM_X86_64 : EM_AARCH64)
    .u32(EV_CURRENT)
    .u64(0)
    .u64(0)
    .u64(headersAt)
    .u32(0)
    .u16(EHDR_BYTES)
    .u16(0)
    .u16(0)
    .u16(SHDR_BYTES)
    .u16(isLarge ? 0 : count)
    .u16(nameTable >= SHN_LORESERVE ? SHN_XINDEX : nameTable);
  file.set(header.view(), 0);

  const table = new ByteWriter(count * SHDR_BYTES);
  table.raw(new Uint8Array(32)).u64(isLarge ? count : 0);
  table
    .u32(nameTable >= SHN_LORESERVE ? nameTable : 0)
    .u32(0)
    .u64(0)
    .u64(0);
  for (const [i, { type, flags, link, info, alignment, entrySize, sizeBytes }] of all.entries()) {
    table.u32(nameFields[i]!).u32(type).u64(flags).u64(0).u64(offsets[i]!).u64(sizeBytes);
    table.u32(link).u32(info).u64(alignment).u64(entrySize);
  }
  file.set(table.view(), headersAt);
  return file;
}

function roundUp(value: number, alignment: number): number {
  return alignment > 1 ? Math.ceil(value / alignment) * alignment : value;
}
