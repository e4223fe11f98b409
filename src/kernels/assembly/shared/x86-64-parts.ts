/** The parts of an x86-64 instruction, packed in one integer: the twin, which explains them, is src/isa/x86-64/parts.ts. */
import {
  ENTRY_IMM32,
  ENTRY_IMMEDIATE,
  ENTRY_MODRM,
  ENTRY_REL8,
  ENTRY_REL32,
  entryOf,
  INSTRUCTION_INVALID,
  INSTRUCTION_TRUNCATED,
  MAP_0F,
  MAX_INSTRUCTION_BYTES,
  MODRM_KIND,
  MODRM_KIND_SHIFT,
  MODRM_LENGTH,
  MODRM_RIP,
  modrmOf,
  OPCODE_BAD,
  OPCODE_ENTRY,
  OPCODE_PLACE_SHIFT,
  prefixedOpcode,
} from "./x86-64-opcodes";

// What the immediate of an instruction is.
export const OTHER: u32 = 0;
export const BYTE: u32 = 1;
export const WORD: u32 = 2;
export const SHORT_BRANCH: u32 = 3;
export const BRANCH: u32 = 4;

const LENGTH: u32 = 0x0f;
const HEAD_SHIFT: u32 = 8;
const DISPLACEMENT_SHIFT: u32 = 12;
const RIP_SHIFT: u32 = 15;
const IMMEDIATE_SHIFT: u32 = 16;
const SIB_SHIFT: u32 = 19;

// @ts-ignore: decorator
@inline
export function lengthOf(parts: u32): u32 {
  return parts & LENGTH;
}

// @ts-ignore: decorator
@inline
export function headOf(parts: u32): u32 {
  return (parts >> HEAD_SHIFT) & 0x0f;
}

/** Bytes of displacement: 0, 1 or 4. */
// @ts-ignore: decorator
@inline
export function displacementOf(parts: u32): u32 {
  return (parts >> DISPLACEMENT_SHIFT) & 7;
}

/** 1 for a displacement that counts from the instruction's end. */
// @ts-ignore: decorator
@inline
export function ripOf(parts: u32): u32 {
  return (parts >> RIP_SHIFT) & 1;
}

// @ts-ignore: decorator
@inline
export function immediateOf(parts: u32): u32 {
  return (parts >> IMMEDIATE_SHIFT) & 7;
}

/** What a displacement is added to; `headEnd` is behind the head. */
// @ts-ignore: decorator
@inline
export function baseOf(parts: u32, headEnd: usize): u32 {
  return (<u32>load<u8>(headEnd - 1) & 7) | (((parts >> SIB_SHIFT) & 1) << 3);
}

/** Parts of the instruction at `start`; from `end` on all is zero, 16 bytes at least. */
// @ts-ignore: decorator
@inline
export function partsAt(start: usize, end: usize): u32 {
  // Nearly every instruction is [REX] opcode or [REX] 0F opcode: these run without a branch on their bytes.
  let at = start;
  let head = load<u64>(at);
  const rex: u32 = <u32>((<u32>head & 0xf0) == 0x40);
  const rexW: u32 = rex & (<u32>head >> 3);
  at += <usize>rex;
  head >>= <u64>(rex << 3);
  let op: u32 = <u32>head & 0xff;
  let entry: u32 = entryOf(rexW << 1, op);
  if (entry >= 0x100) {
    if (op == 0x0f) {
      at++;
      head >>= 8;
      op = <u32>head & 0xff;
      entry = entryOf(MAP_0F, op);
    }
    if (entry >= 0x100) {
      const found = prefixedOpcode(start);
      at = start + <usize>(found >> OPCODE_PLACE_SHIFT);
      if ((found & OPCODE_BAD) != 0) {
        if (at - start >= <usize>MAX_INSTRUCTION_BYTES) return invalid();
        return at >= end ? truncated(start, end) : invalid();
      }
      entry = found & OPCODE_ENTRY;
      head = load<u64>(at);
    }
  }
  const modrm = modrmOf(<u32>head) & -((entry >> 4) & 1);
  const modrmBytes = modrm & MODRM_LENGTH;
  const operandsBytes = <u32>(at + 1 - start) + modrmBytes;
  const length = operandsBytes + (entry & ENTRY_IMMEDIATE);
  if (length > MAX_INSTRUCTION_BYTES) return invalid();
  if (start + <usize>length > end) return truncated(start, end);
  // Without a 4-byte displacement more than one byte is ModRM with SIB, or with 1 byte of displacement (mod 1).
  const is4: u32 = <u32>(((modrm >> MODRM_KIND_SHIFT) & MODRM_KIND) != 0);
  const is1: u32 = <u32>(modrmBytes > 1) & <u32>((<u32>head & 0xc000) == 0x4000) & (is4 ^ 1);
  const displacement = (is4 << 2) | is1;
  // BYTE, and with REL8 SHORT_BRANCH; IMM32 is WORD, REL32 BRANCH: no two but the first meet.
  const immediate =
    <u32>((entry & ENTRY_IMMEDIATE) == 1) |
    (((entry & ENTRY_REL8) >> 7) << 1) |
    (((entry & ENTRY_IMM32) >> 6) << 1) |
    (((entry & ENTRY_REL32) >> 5) << 2);
  return (
    length |
    ((operandsBytes - displacement) << HEAD_SHIFT) |
    (displacement << DISPLACEMENT_SHIFT) |
    (((modrm & MODRM_RIP) >> 7) << RIP_SHIFT) |
    (immediate << IMMEDIATE_SHIFT) |
    (<u32>(modrmBytes - displacement == 2) << SIB_SHIFT)
  );
}

// @ts-ignore: decorator
@inline
function invalid(): u32 {
  return 1 | INSTRUCTION_INVALID | (1 << HEAD_SHIFT);
}

// @ts-ignore: decorator
@inline
function truncated(start: usize, end: usize): u32 {
  const length = <u32>(end - start);
  return length | INSTRUCTION_TRUNCATED | (length << HEAD_SHIFT);
}
