/**
 * The numbers that the tables, the TypeScript twin and the WebAssembly kernel share. They are part of the on-disk
 * format (docs/formats/isa.md): changing one makes another decoder version. The kernel repeats them as
 * exported globals; `kernel.test.ts` compares the two lists.
 */

/** Longest instruction that a processor executes, in bytes. */
export const MAX_INSTRUCTION_BYTES = 15;

/** What a reported field holds. 0 is reserved: no field. Every kind but `REL8` is a 4-byte field. */
export const X86_64_REL32 = 1;
/** Displacement that counts from the end of the instruction (RIP-relative memory operand). */
export const X86_64_RIP32 = 2;
/** Displacement of a memory operand without a base register: [disp32] or [index * scale + disp32]. */
export const X86_64_DISP32 = 3;
/** 4-byte displacement of a memory operand with a base register. */
export const X86_64_BASED_DISP32 = 4;
/** 4-byte immediate. */
export const X86_64_IMM32 = 5;
/** Short branch, 1-byte field: local to its function, never in a batch. */
export const X86_64_REL8 = 6;

/** Opcode entry, 16 bits. Bits 0 to 3: bytes of immediate. */
export const ENTRY_IMMEDIATE = 0x0f;
/** A ModRM byte follows. */
export const ENTRY_MODRM = 0x10;
/** The immediate is a branch distance of 4 bytes. */
export const ENTRY_REL32 = 0x20;
/** The immediate is a value of 4 bytes. */
export const ENTRY_IMM32 = 0x40;
/** The immediate is a branch distance of 1 byte. */
export const ENTRY_REL8 = 0x80;
/** Bits 8 to 11: what else there is to do, 0 for nothing. */
export const ENTRY_ACTION_SHIFT = 8;

/** Legacy prefix: operand size, address size, segment, lock, repeat. */
export const ACTION_PREFIX = 1;
export const ACTION_REX = 2;
export const ACTION_ESCAPE_0F = 3;
export const ACTION_ESCAPE_0F38 = 4;
export const ACTION_ESCAPE_0F3A = 5;
export const ACTION_VEX2 = 6;
export const ACTION_VEX3 = 7;
export const ACTION_EVEX = 8;
/** 8F: POP when the map field is below 8, else XOP. */
export const ACTION_XOP = 9;
/** F6, F7: only /0 and /1 have the immediate. */
export const ACTION_TEST_GROUP = 10;
/** C7: with the ModRM byte F8 (XBEGIN) the immediate is a branch distance. */
export const ACTION_XBEGIN = 11;
/** A0 to A3: the immediate is an address, of 4 bytes under an address-size prefix. */
export const ACTION_MOFFS = 12;
/** 0F 20 to 0F 23: the ModRM byte names registers whatever its mod field says. */
export const ACTION_REGISTERS = 13;
/** 0F 78: two more bytes under 66 or F2 (EXTRQ, INSERTQ), none otherwise (VMREAD). */
export const ACTION_EXTRQ = 14;
export const ACTION_INVALID = 15;

/** Tables, each of 256 opcode entries, in the order in which they lie in memory. */
export const MAP_PRIMARY = 0; // operand size 32
export const MAP_PRIMARY_66 = 1; // operand size 16
export const MAP_PRIMARY_W = 2; // operand size 64
export const MAP_0F = 3;
export const MAP_0F38 = 4;
export const MAP_0F3A = 5;
export const MAP_VEX = 6; // VEX maps 1 to 3
export const MAP_EVEX = 9; // EVEX maps 1 to 3, 5 and 6
export const MAP_XOP = 14; // XOP maps 8 to 10
export const MAP_COUNT = 17;

/** ModRM entry, 8 bits. Bits 0 to 2: bytes of ModRM, SIB and displacement together. */
export const MODRM_LENGTH = 0x07;
/** Bits 4 to 6: kind of the 4-byte displacement, 0 when there is none. */
export const MODRM_KIND_SHIFT = 4;
export const MODRM_KIND = 0x07;
/** Set beside kind `X86_64_RIP32`, so that one bit tells. */
export const MODRM_RIP = 0x80;

/** 512 ModRM entries follow the opcode maps: the second half for a SIB byte whose base field is 5. */
export const MODRM_TABLE_OFFSET = MAP_COUNT * 512;
export const TABLE_BYTES = MODRM_TABLE_OFFSET + 512;

/** One byte an instruction. Bits 0 to 3: its length. */
export const INSTRUCTION_LENGTH = 0x0f;
/** The code ended inside the instruction; the length is what was left. */
export const INSTRUCTION_TRUNCATED = 0x40;
/** Not an instruction; the length is 1. */
export const INSTRUCTION_INVALID = 0x80;
