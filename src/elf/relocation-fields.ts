/**
 * Which bits of an object file a relocation fills in.
 *
 * Sources: x86-64 psABI, table "Relocation Types"; "ELF for the Arm 64-bit Architecture", "Relocations", and the
 * immediate fields of the instructions that it names.
 */
import type { Machine } from "./elf.ts";

/** A field from the relocation's offset on, little-endian. */
export interface RelocationField {
  /** 0 for types that only mark an instruction. */
  readonly sizeBytes: 0 | 1 | 2 | 4 | 8;
  /** Bits of an instruction of 4 bytes that are its immediate; undefined when the whole field is filled in. */
  readonly mask: number | undefined;
}

const MARK: RelocationField = { sizeBytes: 0, mask: undefined };
const ONE: RelocationField = { sizeBytes: 1, mask: undefined };
const TWO: RelocationField = { sizeBytes: 2, mask: undefined };
const FOUR: RelocationField = { sizeBytes: 4, mask: undefined };
const EIGHT: RelocationField = { sizeBytes: 8, mask: undefined };

/** MOVZ, MOVN, MOVK: imm16. */
const MOVW: RelocationField = { sizeBytes: 4, mask: 0x001f_ffe0 };
/** ADR, ADRP: immlo and immhi. */
const ADR: RelocationField = { sizeBytes: 4, mask: 0x60ff_ffe0 };
/** LDR (literal), B.cond, CBZ: imm19. */
const IMM19: RelocationField = { sizeBytes: 4, mask: 0x00ff_ffe0 };
/** TBZ, TBNZ: imm14. */
const IMM14: RelocationField = { sizeBytes: 4, mask: 0x0007_ffe0 };
/** ADD, LDR, STR with an offset: imm12. */
const IMM12: RelocationField = { sizeBytes: 4, mask: 0x003f_fc00 };
/** B, BL: imm26. */
const IMM26: RelocationField = { sizeBytes: 4, mask: 0x03ff_ffff };

type Ranges = readonly (readonly [first: number, last: number, field: RelocationField])[];

const X86_64: Ranges = [
  [0, 0, MARK], // NONE
  [1, 1, EIGHT], // 64
  [2, 4, FOUR], // PC32, GOT32, PLT32
  [9, 11, FOUR], // GOTPCREL, 32, 32S
  [12, 13, TWO], // 16, PC16
  [14, 15, ONE], // 8, PC8
  [17, 18, EIGHT], // DTPOFF64, TPOFF64
  [19, 23, FOUR], // TLSGD, TLSLD, DTPOFF32, GOTTPOFF, TPOFF32
  [24, 25, EIGHT], // PC64, GOTOFF64
  [26, 26, FOUR], // GOTPC32
  [27, 31, EIGHT], // GOT64, GOTPCREL64, GOTPC64, GOTPLT64, PLTOFF64
  [32, 32, FOUR], // SIZE32
  [33, 33, EIGHT], // SIZE64
  [34, 34, FOUR], // GOTPC32_TLSDESC
  [35, 35, MARK], // TLSDESC_CALL
  [41, 42, FOUR], // GOTPCRELX, REX_GOTPCRELX
];

const AARCH64: Ranges = [
  [0, 0, MARK], // NONE
  [257, 257, EIGHT], // ABS64
  [258, 258, FOUR], // ABS32
  [259, 259, TWO], // ABS16
  [260, 260, EIGHT], // PREL64
  [261, 261, FOUR], // PREL32
  [262, 262, TWO], // PREL16
  [263, 272, MOVW], // MOVW_UABS_*, MOVW_SABS_*
  [273, 273, IMM19], // LD_PREL_LO19
  [274, 276, ADR], // ADR_PREL_LO21, ADR_PREL_PG_HI21(_NC)
  [277, 278, IMM12], // ADD_ABS_LO12_NC, LDST8_ABS_LO12_NC
  [279, 279, IMM14], // TSTBR14
  [280, 280, IMM19], // CONDBR19
  [282, 283, IMM26], // JUMP26, CALL26
  [284, 286, IMM12], // LDST16, LDST32, LDST64_ABS_LO12_NC
  [287, 293, MOVW], // MOVW_PREL_*
  [299, 299, IMM12], // LDST128_ABS_LO12_NC
  [300, 306, MOVW], // MOVW_GOTOFF_*
  [307, 307, EIGHT], // GOTREL64
  [308, 308, FOUR], // GOTREL32
  [309, 309, IMM19], // GOT_LD_PREL19
  [310, 310, IMM12], // LD64_GOTOFF_LO15
  [311, 311, ADR], // ADR_GOT_PAGE
  [312, 313, IMM12], // LD64_GOT_LO12_NC, LD64_GOTPAGE_LO15
  [314, 315, FOUR], // PLT32, GOTPCREL32
  [512, 513, ADR], // TLSGD_ADR_*
  [514, 514, IMM12], // TLSGD_ADD_LO12_NC
  [515, 516, MOVW], // TLSGD_MOVW_*
  [517, 518, ADR], // TLSLD_ADR_*
  [519, 519, IMM12], // TLSLD_ADD_LO12_NC
  [520, 521, MOVW], // TLSLD_MOVW_*
  [522, 522, IMM19], // TLSLD_LD_PREL19
  [523, 527, MOVW], // TLSLD_MOVW_DTPREL_*
  [528, 538, IMM12], // TLSLD_ADD_DTPREL_*, TLSLD_LDST*_DTPREL_*
  [539, 540, MOVW], // TLSIE_MOVW_*
  [541, 541, ADR], // TLSIE_ADR_GOTTPREL_PAGE21
  [542, 542, IMM12], // TLSIE_LD64_GOTTPREL_LO12_NC
  [543, 543, IMM19], // TLSIE_LD_GOTTPREL_PREL19
  [544, 548, MOVW], // TLSLE_MOVW_TPREL_*
  [549, 559, IMM12], // TLSLE_ADD_TPREL_*, TLSLE_LDST*_TPREL_*
  [560, 560, IMM19], // TLSDESC_LD_PREL19
  [561, 562, ADR], // TLSDESC_ADR_*
  [563, 564, IMM12], // TLSDESC_LD64_LO12, TLSDESC_ADD_LO12
  [565, 566, MOVW], // TLSDESC_OFF_*
  [567, 569, MARK], // TLSDESC_LDR, TLSDESC_ADD, TLSDESC_CALL
  [570, 573, IMM12], // TLSLE_LDST128_*, TLSLD_LDST128_*
];

function table(ranges: Ranges): ReadonlyMap<number, RelocationField> {
  const fields = new Map<number, RelocationField>();
  for (const [first, last, field] of ranges)
    for (let type = first; type <= last; type++) fields.set(type, field);
  return fields;
}

const FIELDS: Readonly<Record<Machine, ReadonlyMap<number, RelocationField>>> = {
  "x86-64": table(X86_64),
  aarch64: table(AARCH64),
};

/** The field that a type fills in; undefined for types that don't occur in object files, or aren't known. */
export function relocationField(machine: Machine, type: number): RelocationField | undefined {
  return FIELDS[machine].get(type);
}
