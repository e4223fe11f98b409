/**
 * The shape of a dissected executable. Columns instead of objects: there are some 300,000 pieces and a million
 * references in a 100 MB program.
 */

/** What a piece is; decides its stream, and how references in it are found. Numbers are in the format. */
export const PieceKind = {
  /** Headers, notes, debug sections, whatever is not understood: kept as it is. */
  raw: 0,
  /** A function with the fill behind it, or code between two known starts: the frozen decoder finds its references. */
  code: 1,
  /** Data between two labels. */
  data: 2,
  /** Call frame information: a CIE or an FDE. */
  unwind: 3,
  /** Exception tables (LSDA). */
  exceptions: 4,
  /** Zero-terminated strings that were merged by the linker. */
  strings: 5,
  /** Fill that doesn't belong to the piece before it. */
  padding: 6,
  /**
   * Bytes that follow from everything else (.rela.dyn, .eh_frame_hdr, Go's functab ...). Its bytes in `blanked` are the
   * real ones XOR the foretold ones: all zero when the rule holds, and right in any case.
   */
  derived: 7,
  /** Memory without file bytes (.bss): a place for labels. */
  memory: 8,
  /** Go's per-function records, tables of types and names: offsets from bases that move. */
  go: 9,
} as const;
export type PieceKindNumber = (typeof PieceKind)[keyof typeof PieceKind];

/** How a reference's field gives its target. Numbers are in the format; 31 and above don't fit into a site. */
export const ReferenceKind = {
  /** 32-bit displacement from the end of the instruction (x86-64 call, jmp, jcc, RIP-relative operand). */
  pc32: 0,
  /** 64-bit absolute address without a relocation. */
  abs64: 1,
  /** 32-bit absolute address (non-PIE). */
  abs32: 2,
  /** 32-bit difference to another label: entry of a jump table (base: start of the piece), eh_frame datarel. */
  rel32: 3,
  /** AArch64 B, BL. */
  branch26: 4,
  /** AArch64 ADRP: distance in pages of 4 KiB. Its target is the one that the first low12 completes it to. */
  page21: 5,
  /** AArch64 ADD, load or store behind an ADRP: the address's low 12 bits, scaled. */
  low12: 6,
  /** AArch64 ADR. */
  adr21: 7,
  /** AArch64 B.cond, CBZ, LDR (literal): 19 bits, words. */
  word19: 8,
  /** AArch64 TBZ: 14 bits, words. */
  branch14: 9,
  /** 32-bit distance from the field itself (unwind tables, LSDA). */
  field32: 10,
  /** 32-bit distance back: the field's address minus the target's (an FDE's pointer to its CIE). */
  back32: 11,
  /** 64-bit address in the field, and the same in the addend of a RELATIVE entry of .rela.dyn. */
  relative64: 12,
  /** 64-bit address in the addend of a RELATIVE entry alone: the field has bytes of its own (zero, with lld). */
  addend64: 13,
  /** 64-bit address in the field, listed in .relr.dyn. */
  relr64: 14,
  /**
   * A whole piece of 32-bit jump table entries relative to its start. One reference, to the function: the entries
   * stay in the content, as distances from its target.
   */
  table32: 15,
  /** 32-bit offset from the beginning of Go's code. */
  goText: 16,
  /** 32-bit offset into a part of Go's pclntab: function names, compilation units (in words), files, pc-value tables. */
  goName: 17,
  goUnit: 18,
  goFile: 19,
  goPcValue: 20,
  /** 32-bit offset from the beginning of Go's types, and of its funcdata. */
  goType: 21,
  goFuncdata: 22,
  /** The same from the beginning of Go's read-only data. */
  goRodata: 23,
  /** 32-bit offset into .strtab (a symbol's name), and into .dynstr. */
  symbolName: 24,
  dynamicName: 25,
} as const;
/** Kinds from here on are 32-bit offsets from a base that the file has once: see `BaseTable`. */
export const FIRST_BASED_KIND = 16;
export type ReferenceKindNumber = (typeof ReferenceKind)[keyof typeof ReferenceKind];

/** Pieces in file order: their file bytes tile the file; pieces of kind memory come last. */
export interface PieceTable {
  readonly count: number;
  readonly kind: Uint8Array;
  /** Where the piece begins in the file; for memory pieces the size of the file. */
  readonly offset: Float64Array;
  readonly length: Float64Array;
  /** Virtual address, -1 for bytes that are not loaded. */
  readonly address: Float64Array;
}

/**
 * What can't be found again in a piece's bytes: references that the decoder doesn't find, and fields that it finds
 * but that are none. Positions count from the piece's start, so this belongs to the piece's content: two pieces are
 * equal when kind, blanked bytes and sites are. Most pieces of code have no site bytes at all.
 *
 * A piece's sites are varints: gap * 32 + kind, in order of position; the gap counts from the end of the field before.
 * Kind `NOT_A_REFERENCE` marks a 4-byte field found by the decoder that looks blanked but isn't.
 */
export interface SiteTable {
  /** The site bytes of all pieces, in order. */
  readonly bytes: Uint8Array;
  /** For each piece where its site bytes end; they begin where the piece before ends. */
  readonly end: Uint32Array;
}

/** In a piece's sites: see `SiteTable`. */
export const NOT_A_REFERENCE = 31;

/** References in order of their fields' file offsets. */
export interface ReferenceTable {
  readonly count: number;
  readonly kind: Uint8Array;
  /** File offset of the field (of the instruction word on AArch64). */
  readonly site: Uint32Array;
  /** Number of the piece in which the field lies. */
  readonly piece: Uint32Array;
  /** pc32: bytes of the instruction behind the field. low12: its scale. Otherwise 0. */
  readonly shape: Uint8Array;
  /** For each piece the number of its first reference; behind the last their count. */
  readonly first: Uint32Array;
  /** The piece that is referred to. */
  readonly target: Uint32Array;
  /** Distance from the target piece's start: may be negative, or past its end. */
  readonly targetOffset: Int32Array;
}

/**
 * What the offsets in Go's tables and of symbols' names count from, as labels: few, each given once for the file, kind
 * ascending.
 */
export interface BaseTable {
  /** Reference kind, at least `FIRST_BASED_KIND`. */
  readonly kind: Uint8Array;
  readonly target: Uint32Array;
  readonly targetOffset: Int32Array;
}

/** A file taken apart. `join` gives back the very bytes. */
export interface Dissection {
  /** elf machine: 62 x86-64, 183 AArch64. */
  readonly machine: number;
  readonly fileBytes: number;
  /** Rules that hold for the whole file: bits of RULE_*. */
  readonly rules: number;
  /** The file with every reference's field blanked, and derived pieces as their difference to what was foretold. */
  readonly blanked: Uint8Array;
  readonly pieces: PieceTable;
  readonly sites: SiteTable;
  readonly references: ReferenceTable;
  readonly bases: BaseTable;
}

/** What says where the references of a file are: everything but their targets. */
export interface SiteInput {
  readonly machine: number;
  readonly rules: number;
  /** Kind of each piece, in file order, memory last. */
  readonly kind: Uint8Array;
  /** Length in bytes of each piece. */
  readonly length: Float64Array;
  /** Blanked bytes of the pieces, without memory: as long as the file. */
  readonly blanked: Uint8Array;
  readonly sites: SiteTable;
}

/** What a file is joined from. Piece offsets, addresses and most reference sites are computed. */
export interface JoinInput extends SiteInput {
  /** For each reference, in order of sites: piece number, and distance from that piece's start. */
  readonly target: Uint32Array;
  readonly targetOffset: Int32Array;
  readonly bases: BaseTable;
}

/** x86-64: 32-bit displacements and immediates may be absolute addresses (`abs32`). */
export const RULE_ABSOLUTE32 = 1;
