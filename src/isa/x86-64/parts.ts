/**
 * The parts of an x86-64 instruction: its *head* (prefixes, opcode, ModRM, SIB), displacement and immediate. Like
 * lengths and fields they follow from prefixes, opcode, ModRM and SIB alone.
 */
import {
  decodePacked,
  packedDisplacement,
  packedImmediate,
  packedModrmBytes,
  packedOperandsEnd,
} from "./decode.ts";
import {
  INSTRUCTION_INVALID,
  INSTRUCTION_LENGTH,
  INSTRUCTION_TRUNCATED,
  X86_64_IMM32,
  X86_64_REL8,
  X86_64_REL32,
  X86_64_RIP32,
} from "./layout.ts";

/** What an instruction's immediate is. */
export const Immediate = {
  /** None, or one of 2, 3 or 8 bytes, or an address. */
  other: 0,
  /** 1 or 4 bytes of value. */
  byte: 1,
  word: 2,
  /** 1 or 4 bytes of branch distance. */
  shortBranch: 3,
  branch: 4,
} as const;

/*
 * Parts in one integer: bits 0 to 3 the length, 6 and 7 truncated and invalid (these have a head alone); bits 8 to 11
 * the head's bytes, 12 to 14 the displacement's, 15 whether it counts from the instruction's end; 16 to 18 what the
 * immediate is; 19 whether the head ends with SIB.
 */
const HEAD_SHIFT = 8;
const DISPLACEMENT_SHIFT = 12;
const RIP_SHIFT = 15;
const IMMEDIATE_SHIFT = 16;
const SIB_SHIFT = 19;

/** The parts of the instruction at `start` of code that ends at `end`, packed; `end > start`. */
export function partsX86_64(code: Uint8Array, start: number, end: number): number {
  const packed = decodePacked(code, start, end);
  const length = packed & INSTRUCTION_LENGTH;
  const flags = packed & (INSTRUCTION_INVALID | INSTRUCTION_TRUNCATED);
  if (flags !== 0) return length | flags | (length << HEAD_SHIFT);
  const operandsEnd = packedOperandsEnd(packed);
  const modrmBytes = packedModrmBytes(packed);
  const fieldKind = packedDisplacement(packed).kind;
  let displacement = 0;
  if (fieldKind !== 0) displacement = 4;
  else if (modrmBytes > 1 && code[start + operandsEnd - modrmBytes]! >> 6 === 1) displacement = 1;
  const kind = packedImmediate(packed).kind;
  let immediate: number = Immediate.other;
  if (kind === X86_64_REL32) immediate = Immediate.branch;
  else if (kind === X86_64_IMM32) immediate = Immediate.word;
  else if (kind === X86_64_REL8) immediate = Immediate.shortBranch;
  else if (length - operandsEnd === 1) immediate = Immediate.byte;
  return (
    length |
    ((operandsEnd - displacement) << HEAD_SHIFT) |
    (displacement << DISPLACEMENT_SHIFT) |
    ((fieldKind === X86_64_RIP32 ? 1 : 0) << RIP_SHIFT) |
    (immediate << IMMEDIATE_SHIFT) |
    ((modrmBytes - displacement === 2 ? 1 : 0) << SIB_SHIFT)
  );
}

export function partsHeadBytes(parts: number): number {
  return (parts >> HEAD_SHIFT) & 0x0f;
}

/** 0, 1 or 4. */
export function partsDisplacementBytes(parts: number): number {
  return (parts >> DISPLACEMENT_SHIFT) & 0x07;
}

export function partsIsRip(parts: number): boolean {
  return ((parts >> RIP_SHIFT) & 1) !== 0;
}

/** One of `Immediate`. */
export function partsImmediate(parts: number): number {
  return (parts >> IMMEDIATE_SHIFT) & 0x07;
}

/** Whether the head's last byte is SIB, which then stands behind ModRM. */
export function partsHasSib(parts: number): boolean {
  return ((parts >> SIB_SHIFT) & 1) !== 0;
}
