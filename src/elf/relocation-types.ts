/**
 * Relocation types by number, for x86-64 and AArch64.
 *
 * Sources: x86-64 psABI, table "Relocation Types"; "ELF for the Arm 64-bit Architecture", "Relocations".
 */
import type { Machine } from "./elf.ts";

export const R_X86_64_64 = 1;
export const R_X86_64_PC32 = 2;
export const R_X86_64_PLT32 = 4;
export const R_X86_64_COPY = 5;
export const R_X86_64_GLOB_DAT = 6;
export const R_X86_64_JUMP_SLOT = 7;
export const R_X86_64_RELATIVE = 8;
export const R_X86_64_GOTPCREL = 9;
export const R_X86_64_32 = 10;
export const R_X86_64_32S = 11;
export const R_X86_64_PC64 = 24;
export const R_X86_64_IRELATIVE = 37;
export const R_X86_64_GOTPCRELX = 41;
export const R_X86_64_REX_GOTPCRELX = 42;

export const R_AARCH64_ABS64 = 257;
export const R_AARCH64_ABS32 = 258;
export const R_AARCH64_PREL64 = 260;
export const R_AARCH64_PREL32 = 261;
export const R_AARCH64_ADR_PREL_PG_HI21 = 275;
export const R_AARCH64_ADD_ABS_LO12_NC = 277;
export const R_AARCH64_JUMP26 = 282;
export const R_AARCH64_CALL26 = 283;
export const R_AARCH64_COPY = 1024;
export const R_AARCH64_GLOB_DAT = 1025;
export const R_AARCH64_JUMP_SLOT = 1026;
export const R_AARCH64_RELATIVE = 1027;
export const R_AARCH64_IRELATIVE = 1032;

const X86_64: Readonly<Record<number, string>> = {
  0: "NONE",
  1: "64",
  2: "PC32",
  3: "GOT32",
  4: "PLT32",
  5: "COPY",
  6: "GLOB_DAT",
  7: "JUMP_SLOT",
  8: "RELATIVE",
  9: "GOTPCREL",
  10: "32",
  11: "32S",
  12: "16",
  13: "PC16",
  14: "8",
  15: "PC8",
  16: "DTPMOD64",
  17: "DTPOFF64",
  18: "TPOFF64",
  19: "TLSGD",
  20: "TLSLD",
  21: "DTPOFF32",
  22: "GOTTPOFF",
  23: "TPOFF32",
  24: "PC64",
  25: "GOTOFF64",
  26: "GOTPC32",
  27: "GOT64",
  28: "GOTPCREL64",
  29: "GOTPC64",
  31: "PLTOFF64",
  32: "SIZE32",
  33: "SIZE64",
  34: "GOTPC32_TLSDESC",
  35: "TLSDESC_CALL",
  36: "TLSDESC",
  37: "IRELATIVE",
  38: "RELATIVE64",
  41: "GOTPCRELX",
  42: "REX_GOTPCRELX",
};

const AARCH64: Readonly<Record<number, string>> = {
  0: "NONE",
  257: "ABS64",
  258: "ABS32",
  259: "ABS16",
  260: "PREL64",
  261: "PREL32",
  262: "PREL16",
  263: "MOVW_UABS_G0",
  264: "MOVW_UABS_G0_NC",
  265: "MOVW_UABS_G1",
  266: "MOVW_UABS_G1_NC",
  267: "MOVW_UABS_G2",
  268: "MOVW_UABS_G2_NC",
  269: "MOVW_UABS_G3",
  273: "LD_PREL_LO19",
  274: "ADR_PREL_LO21",
  275: "ADR_PREL_PG_HI21",
  276: "ADR_PREL_PG_HI21_NC",
  277: "ADD_ABS_LO12_NC",
  278: "LDST8_ABS_LO12_NC",
  279: "TSTBR14",
  280: "CONDBR19",
  282: "JUMP26",
  283: "CALL26",
  284: "LDST16_ABS_LO12_NC",
  285: "LDST32_ABS_LO12_NC",
  286: "LDST64_ABS_LO12_NC",
  299: "LDST128_ABS_LO12_NC",
  311: "ADR_GOT_PAGE",
  312: "LD64_GOT_LO12_NC",
  313: "LD64_GOTPAGE_LO15",
  314: "PLT32",
  541: "TLSIE_ADR_GOTTPREL_PAGE21",
  542: "TLSIE_LD64_GOTTPREL_LO12_NC",
  549: "TLSLE_ADD_TPREL_HI12",
  550: "TLSLE_ADD_TPREL_LO12",
  551: "TLSLE_ADD_TPREL_LO12_NC",
  562: "TLSDESC_ADR_PAGE21",
  563: "TLSDESC_LD64_LO12",
  564: "TLSDESC_ADD_LO12",
  569: "TLSDESC_CALL",
  1024: "COPY",
  1025: "GLOB_DAT",
  1026: "JUMP_SLOT",
  1027: "RELATIVE",
  1028: "TLS_DTPMOD",
  1029: "TLS_DTPREL",
  1030: "TLS_TPREL",
  1031: "TLSDESC",
  1032: "IRELATIVE",
};

/** Specification name such as `R_X86_64_RELATIVE`, or `R_X86_64_<number>` for one that isn't listed. */
export function relocationName(machine: Machine, type: number): string {
  return machine === "x86-64" ? `R_X86_64_${X86_64[type] ?? type}` : `R_AARCH64_${AARCH64[type] ?? type}`;
}

/** What the loader does with a type: the classes that matter where tables are derived instead of stored. */
export type RelocationClass = "relative" | "irelative" | "absolute" | "got" | "plt" | "copy" | "other";

export function relocationClass(machine: Machine, type: number): RelocationClass {
  const x86 = machine === "x86-64";
  switch (type) {
    case x86 ? R_X86_64_RELATIVE : R_AARCH64_RELATIVE:
      return "relative";
    case x86 ? R_X86_64_IRELATIVE : R_AARCH64_IRELATIVE:
      return "irelative";
    case x86 ? R_X86_64_64 : R_AARCH64_ABS64:
      return "absolute";
    case x86 ? R_X86_64_GLOB_DAT : R_AARCH64_GLOB_DAT:
      return "got";
    case x86 ? R_X86_64_JUMP_SLOT : R_AARCH64_JUMP_SLOT:
      return "plt";
    case x86 ? R_X86_64_COPY : R_AARCH64_COPY:
      return "copy";
    default:
      return "other";
  }
}
