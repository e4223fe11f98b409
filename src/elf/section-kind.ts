/** What a section holds, from its type and flags first, from its name only where those don't tell. */
import {
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_TLS,
  SHF_WRITE,
  SHT_DYNAMIC,
  SHT_DYNSYM,
  SHT_FINI_ARRAY,
  SHT_GNU_HASH,
  SHT_GNU_VERDEF,
  SHT_GNU_VERNEED,
  SHT_GNU_VERSYM,
  SHT_GROUP,
  SHT_HASH,
  SHT_INIT_ARRAY,
  SHT_NOBITS,
  SHT_NOTE,
  SHT_NULL,
  SHT_PREINIT_ARRAY,
  SHT_REL,
  SHT_RELA,
  SHT_RELR,
  SHT_STRTAB,
  SHT_SYMTAB,
  SHT_SYMTAB_SHNDX,
  SHT_X86_64_UNWIND,
} from "./constants.ts";
import type { Elf64Shdr, Section } from "./sections.ts";

export type SectionKind =
  | "null"
  | "code"
  | "plt"
  | "read-only"
  | "data"
  | "got"
  | "bss"
  | "tls"
  | "unwind"
  | "unwind-index"
  | "exception-table"
  | "go-functions"
  | "symbols"
  | "strings"
  | "relocations"
  | "dynamic"
  | "hash"
  | "version"
  | "address-array"
  | "notes"
  | "group"
  | "debug"
  | "other";

const BY_TYPE: Readonly<Record<number, SectionKind>> = {
  [SHT_NULL]: "null",
  [SHT_SYMTAB]: "symbols",
  [SHT_DYNSYM]: "symbols",
  [SHT_SYMTAB_SHNDX]: "symbols",
  [SHT_STRTAB]: "strings",
  [SHT_RELA]: "relocations",
  [SHT_REL]: "relocations",
  [SHT_RELR]: "relocations",
  [SHT_HASH]: "hash",
  [SHT_GNU_HASH]: "hash",
  [SHT_DYNAMIC]: "dynamic",
  [SHT_NOTE]: "notes",
  [SHT_INIT_ARRAY]: "address-array",
  [SHT_FINI_ARRAY]: "address-array",
  [SHT_PREINIT_ARRAY]: "address-array",
  [SHT_GROUP]: "group",
  [SHT_GNU_VERDEF]: "version",
  [SHT_GNU_VERNEED]: "version",
  [SHT_GNU_VERSYM]: "version",
};

export function sectionKind(header: Elf64Shdr, name: Pick<Section, "isNamed" | "startsWith">): SectionKind {
  const { sh_type, sh_flags } = header;
  const byType = BY_TYPE[sh_type];
  if (byType !== undefined) return byType;
  if (!(sh_flags & SHF_ALLOC)) {
    return name.startsWith(".debug_") || name.startsWith(".zdebug_") ? "debug" : "other";
  }
  if (sh_flags & SHF_TLS) return "tls";
  if (sh_flags & SHF_EXECINSTR) return name.isNamed(".plt") || name.startsWith(".plt.") ? "plt" : "code";
  if (sh_type === SHT_NOBITS) return "bss";
  if (sh_type === SHT_X86_64_UNWIND || name.isNamed(".eh_frame")) return "unwind";
  if (name.isNamed(".eh_frame_hdr")) return "unwind-index";
  if (name.startsWith(".gcc_except_table")) return "exception-table";
  if (name.isNamed(".gopclntab") || name.isNamed(".data.rel.ro.gopclntab")) return "go-functions";
  if (name.isNamed(".got") || name.isNamed(".got.plt")) return "got";
  return sh_flags & SHF_WRITE ? "data" : "read-only";
}
