/**
 * x86-64 instruction lengths and address fields, one instruction at a time: the kernel's twin and its oracle.
 *
 * An instruction is prefixes, opcode, ModRM part (ModRM, SIB, displacement), immediate. Its length and the positions
 * of its fields follow from prefixes, opcode, ModRM and SIB alone, never from a displacement, an immediate or a
 * branch distance: a decoder that sees these fields blanked finds the same places.
 */
import {
  ACTION_ESCAPE_0F,
  ACTION_ESCAPE_0F3A,
  ACTION_ESCAPE_0F38,
  ACTION_EVEX,
  ACTION_EXTRQ,
  ACTION_INVALID,
  ACTION_MOFFS,
  ACTION_PREFIX,
  ACTION_REGISTERS,
  ACTION_REX,
  ACTION_TEST_GROUP,
  ACTION_VEX2,
  ACTION_VEX3,
  ACTION_XBEGIN,
  ACTION_XOP,
  ENTRY_ACTION_SHIFT,
  ENTRY_IMM32,
  ENTRY_IMMEDIATE,
  ENTRY_MODRM,
  ENTRY_REL8,
  ENTRY_REL32,
  INSTRUCTION_INVALID,
  INSTRUCTION_LENGTH,
  INSTRUCTION_TRUNCATED,
  MAP_0F,
  MAP_0F3A,
  MAP_0F38,
  MAP_EVEX,
  MAP_PRIMARY,
  MAP_PRIMARY_66,
  MAP_PRIMARY_W,
  MAP_VEX,
  MAP_XOP,
  MAX_INSTRUCTION_BYTES,
  MODRM_KIND,
  MODRM_KIND_SHIFT,
  MODRM_LENGTH,
  X86_64_IMM32,
  X86_64_REL8,
  X86_64_REL32,
} from "./layout.ts";
import { entries, modrmEntries } from "./tables.ts";

/*
 * A decoded instruction in one integer. Bits 0 to 7: the byte that a batch gives for an instruction (length and
 * flags). Bits 8 to 11 and 12 to 14: where the displacement lies, counted from the first byte, and its kind (0:
 * none to report). Bits 16 to 19 and 20 to 22: the same for the immediate. Bits 24 to 27: bytes up to the immediate.
 * Bits 28 to 30: bytes of ModRM, SIB and displacement among them. The last two are 0 for what is no instruction.
 */
const DISPLACEMENT_SHIFT = 8;
const IMMEDIATE_SHIFT = 16;
const FIELD_OFFSET = 0x0f;
const FIELD_KIND_SHIFT = 4;
const FIELD_KIND = 0x07;
const OPERANDS_END_SHIFT = 24;
const MODRM_BYTES_SHIFT = 28;

/** EVEX: which table a value of the 3-bit map field names; -1 for none (4 and 7 belong to APX). */
const EVEX_MAPS = [-1, MAP_EVEX, MAP_EVEX + 1, MAP_EVEX + 2, -1, MAP_EVEX + 3, MAP_EVEX + 4, -1] as const;

/** One field of an instruction that may hold an address. */
export interface X86_64Field {
  /** `X86_64_REL32` and so on. */
  readonly kind: number;
  /** Offset of the field in the code. 4 bytes, little-endian, signed; 1 byte for `X86_64_REL8`. */
  readonly offset: number;
}

export interface X86_64Instruction {
  readonly offset: number;
  readonly lengthBytes: number;
  /** Not an instruction of this decoder's maps: one byte is stepped over. */
  readonly invalid: boolean;
  /** The code ends inside the instruction, which takes what is left. */
  readonly truncated: boolean;
  /** Branch distance, displacement and immediate, in order of position. A distance counts from the end. */
  readonly fields: readonly X86_64Field[];
}

function primaryMap(operandSize16: boolean, rexW: number): number {
  if (rexW !== 0) return MAP_PRIMARY_W;
  return operandSize16 ? MAP_PRIMARY_66 : MAP_PRIMARY;
}

/** No instruction: whether that was found out inside the code, or needed bytes up to `at` that it hasn't. */
function stopped(start: number, at: number, end: number): number {
  if (at - start >= MAX_INSTRUCTION_BYTES) return 1 | INSTRUCTION_INVALID;
  if (at >= end) return (end - start) | INSTRUCTION_TRUNCATED;
  return 1 | INSTRUCTION_INVALID;
}

/**
 * Decodes the instruction at `start` of the code [start, end); `end > start`. Bytes from `end` on read as zero, and
 * an instruction that reaches beyond it is truncated. Returns the packed form above.
 */
export function decodePacked(code: Uint8Array, start: number, end: number): number {
  const byte = (at: number) => (at < end ? code[at]! : 0);
  let at = start; // of the byte that is looked at
  let op = byte(at);
  let operandSize16 = false;
  let address32 = false;
  let repeatF2 = false;
  let barsVex = false; // 66, F0, F2 or F3, which VEX, EVEX and XOP don't tolerate; nor do they REX
  let rex = false; // right before the opcode: anywhere else it counts for nothing
  let rexW = 0;
  let entry = entries[MAP_PRIMARY * 256 + op]!;
  for (;;) {
    const action = entry >> ENTRY_ACTION_SHIFT;
    if (action === 0) break;
    if (action === ACTION_PREFIX || action === ACTION_REX) {
      if (action === ACTION_REX) {
        rex = true;
        rexW = op & 8;
      } else {
        rex = false;
        rexW = 0;
        if (op === 0x66) operandSize16 = true;
        else if (op === 0x67) address32 = true;
        else if (op === 0xf2) repeatF2 = true;
        barsVex ||= op === 0x66 || op >= 0xf0;
      }
      at++;
      if (at - start >= MAX_INSTRUCTION_BYTES) return 1 | INSTRUCTION_INVALID;
      op = byte(at);
      entry = entries[primaryMap(operandSize16, rexW) * 256 + op]!;
      continue;
    }
    if (action === ACTION_INVALID) return stopped(start, at, end);
    if (action === ACTION_ESCAPE_0F || action === ACTION_ESCAPE_0F38 || action === ACTION_ESCAPE_0F3A) {
      at++;
      op = byte(at);
      const map = action === ACTION_ESCAPE_0F ? MAP_0F : action === ACTION_ESCAPE_0F38 ? MAP_0F38 : MAP_0F3A;
      entry = entries[map * 256 + op]!;
      continue;
    }
    const next = byte(at + 1);
    if (action === ACTION_VEX2 || action === ACTION_VEX3 || action === ACTION_EVEX || action === ACTION_XOP) {
      let map: number;
      if (action === ACTION_VEX2) {
        map = MAP_VEX;
        at += 2;
      } else if (action === ACTION_VEX3) {
        const field = next & 0x1f;
        map = field >= 1 && field <= 3 ? MAP_VEX + field - 1 : -1;
        at += 3;
      } else if (action === ACTION_XOP) {
        const field = next & 0x1f;
        if (field < 8) {
          entry &= 0xff; // POP
          break;
        }
        map = field <= 10 ? MAP_XOP + field - 8 : -1;
        at += 3;
      } else {
        // The other fixed bits (payload 0 bit 3, payload 1 bit 2) belong to APX and AVX10 and aren't looked at: payload 1
        // may lie in a field of what is decoded next when this is no instruction.
        map = EVEX_MAPS[next & 7]!;
        at += 4;
      }
      if (barsVex || rex || map < 0) return stopped(start, at, end);
      op = byte(at);
      entry = entries[map * 256 + op]!;
      continue;
    }
    entry &= 0xff;
    if (action === ACTION_TEST_GROUP) {
      if ((next & 0x38) >= 0x10) entry = ENTRY_MODRM;
    } else if (action === ACTION_XBEGIN) {
      if (next === 0xf8 && (entry & ENTRY_IMM32) !== 0) entry ^= ENTRY_IMM32 | ENTRY_REL32;
    } else if (action === ACTION_MOFFS) {
      if (address32) entry = 4;
    } else if (action === ACTION_REGISTERS) {
      entry = 1;
    } else if (action === ACTION_EXTRQ) {
      if (operandSize16 || repeatF2) entry |= 2;
    }
    break;
  }

  let modrm = 0;
  if ((entry & ENTRY_MODRM) !== 0) {
    modrm = modrmEntries[byte(at + 1) | ((byte(at + 2) & 7) === 5 ? 0x100 : 0)]!;
  }
  const operandsEnd = at + 1 + (modrm & MODRM_LENGTH);
  const instructionEnd = operandsEnd + (entry & ENTRY_IMMEDIATE);
  const length = instructionEnd - start;
  if (length > MAX_INSTRUCTION_BYTES) return 1 | INSTRUCTION_INVALID;
  if (instructionEnd > end) return (end - start) | INSTRUCTION_TRUNCATED;

  let packed = length;
  packed |= (operandsEnd - start) << OPERANDS_END_SHIFT;
  packed |= (modrm & MODRM_LENGTH) << MODRM_BYTES_SHIFT;
  const displacementKind = (modrm >> MODRM_KIND_SHIFT) & MODRM_KIND;
  if (displacementKind !== 0) {
    packed |= ((operandsEnd - 4 - start) | (displacementKind << FIELD_KIND_SHIFT)) << DISPLACEMENT_SHIFT;
  }
  let immediateKind = 0;
  if ((entry & ENTRY_REL32) !== 0) immediateKind = X86_64_REL32;
  else if ((entry & ENTRY_IMM32) !== 0) immediateKind = X86_64_IMM32;
  else if ((entry & ENTRY_REL8) !== 0) immediateKind = X86_64_REL8;
  if (immediateKind !== 0) {
    packed |= ((operandsEnd - start) | (immediateKind << FIELD_KIND_SHIFT)) << IMMEDIATE_SHIFT;
  }
  return packed;
}

/** Kind of the displacement of a packed instruction, 0 for none; and its offset from the first byte. */
export function packedDisplacement(packed: number): { kind: number; offset: number } {
  return fieldAt(packed >> DISPLACEMENT_SHIFT);
}

/** The same for the immediate or branch distance. */
export function packedImmediate(packed: number): { kind: number; offset: number } {
  return fieldAt(packed >> IMMEDIATE_SHIFT);
}

/** Where the immediate of a packed instruction begins, counted from the first byte: its end when there is none. */
export function packedOperandsEnd(packed: number): number {
  return (packed >> OPERANDS_END_SHIFT) & 0x0f;
}

/** How many bytes before that are ModRM, SIB and displacement. */
export function packedModrmBytes(packed: number): number {
  return (packed >> MODRM_BYTES_SHIFT) & 0x07;
}

function fieldAt(bits: number): { kind: number; offset: number } {
  return { kind: (bits >> FIELD_KIND_SHIFT) & FIELD_KIND, offset: bits & FIELD_OFFSET };
}

/**
 * The instruction at `offset` of code that ends at `end`. For looking at a few instructions; `scanX86_64` is for
 * many. `offset` must be below `end`, and `end` at most `code.length`.
 */
export function decodeX86_64(code: Uint8Array, offset: number, end = code.length): X86_64Instruction {
  if (!(offset >= 0 && offset < end && end <= code.length)) {
    throw new RangeError(`no code at ${offset}: it ends at ${Math.min(end, code.length)}`);
  }
  const packed = decodePacked(code, offset, end);
  const fields: X86_64Field[] = [];
  for (const field of [packedDisplacement(packed), packedImmediate(packed)]) {
    if (field.kind !== 0) fields.push({ kind: field.kind, offset: offset + field.offset });
  }
  return {
    offset,
    lengthBytes: packed & INSTRUCTION_LENGTH,
    invalid: (packed & INSTRUCTION_INVALID) !== 0,
    truncated: (packed & INSTRUCTION_TRUNCATED) !== 0,
    fields,
  };
}
