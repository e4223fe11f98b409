/**
 * x86-64: from an instruction's first byte to its opcode's entry, through prefixes and escapes. The twin, and what the
 * words mean, is src/isa/x86-64/; the tables are built there and copied to `TABLES` once.
 */

// The numbers of src/isa/x86-64/layout.ts, compared with them by a test.
export const MAX_INSTRUCTION_BYTES: u32 = 15;
export const X86_64_REL32: u32 = 1;
export const X86_64_RIP32: u32 = 2;
export const X86_64_IMM32: u32 = 5;
export const ENTRY_IMMEDIATE: u32 = 0x0f;
export const ENTRY_MODRM: u32 = 0x10;
export const ENTRY_REL32: u32 = 0x20;
export const ENTRY_IMM32: u32 = 0x40;
export const ENTRY_REL8: u32 = 0x80;
export const ENTRY_ACTION_SHIFT: u32 = 8;
export const ACTION_PREFIX: u32 = 1;
export const ACTION_REX: u32 = 2;
export const ACTION_ESCAPE_0F: u32 = 3;
export const ACTION_ESCAPE_0F38: u32 = 4;
export const ACTION_ESCAPE_0F3A: u32 = 5;
export const ACTION_VEX2: u32 = 6;
export const ACTION_VEX3: u32 = 7;
export const ACTION_EVEX: u32 = 8;
export const ACTION_XOP: u32 = 9;
export const ACTION_TEST_GROUP: u32 = 10;
export const ACTION_XBEGIN: u32 = 11;
export const ACTION_MOFFS: u32 = 12;
export const ACTION_REGISTERS: u32 = 13;
export const ACTION_EXTRQ: u32 = 14;
export const ACTION_INVALID: u32 = 15;
export const MAP_PRIMARY_66: u32 = 1;
export const MAP_PRIMARY_W: u32 = 2;
export const MAP_0F: u32 = 3;
export const MAP_0F38: u32 = 4;
export const MAP_0F3A: u32 = 5;
export const MAP_VEX: u32 = 6;
export const MAP_EVEX: u32 = 9;
export const MAP_XOP: u32 = 14;
export const MODRM_LENGTH: u32 = 0x07;
export const MODRM_KIND_SHIFT: u32 = 4;
export const MODRM_KIND: u32 = 0x07;
export const MODRM_RIP: u32 = 0x80;
export const MODRM_TABLE_OFFSET: u32 = 17 * 512;
export const TABLE_BYTES: u32 = MODRM_TABLE_OFFSET + 512;
export const INSTRUCTION_TRUNCATED: u32 = 0x40;
export const INSTRUCTION_INVALID: u32 = 0x80;

export const TABLES: usize = memory.data(<i32>TABLE_BYTES, 64);

/** What `prefixedOpcode` gives: the entry, whether there is none, and from here on the opcode's place. */
export const OPCODE_ENTRY: u32 = 0xff;
export const OPCODE_BAD: u32 = 0x100;
export const OPCODE_PLACE_SHIFT: u32 = 16;

// @ts-ignore: decorator
@inline
export function entryOf(map: u32, op: u32): u32 {
  return <u32>load<u16>(TABLES + <usize>((map << 9) + (op << 1)));
}

/** The ModRM entry for bytes behind an opcode: `head` has the opcode, ModRM and SIB in its lowest three. */
// @ts-ignore: decorator
@inline
export function modrmOf(head: u32): u32 {
  const sib5: u32 = <u32>((head & 0x70000) == 0x50000);
  return <u32>load<u8>(TABLES + <usize>(((head >> 8) & 0xff) | (sib5 << 8)), <usize>MODRM_TABLE_OFFSET);
}

/** The opcode of an instruction that doesn't begin with [REX] opcode or [REX] 0F opcode alone. */
export function prefixedOpcode(start: usize): u32 {
  let at = start;
  let op: u32 = load<u8>(at);
  let entry: u32 = entryOf(0, op);
  let operandSize16: u32 = 0;
  let address32 = false;
  let repeatF2 = false;
  let barsVex = false;
  let rex = false;
  let rexW: u32 = 0;
  let bad: u32 = 0;
  while (true) {
    const action = entry >> ENTRY_ACTION_SHIFT;
    if (action == 0) break;
    if (action <= ACTION_REX) {
      if (action == ACTION_REX) {
        rex = true;
        rexW = (op >> 3) & 1;
      } else {
        rex = false;
        rexW = 0;
        if (op == 0x66) operandSize16 = 1;
        else if (op == 0x67) address32 = true;
        else if (op == 0xf2) repeatF2 = true;
        if (op == 0x66 || op >= 0xf0) barsVex = true;
      }
      at++;
      if (at - start >= <usize>MAX_INSTRUCTION_BYTES) {
        bad = OPCODE_BAD;
        break;
      }
      op = load<u8>(at);
      entry = entryOf(rexW != 0 ? MAP_PRIMARY_W : operandSize16, op);
      continue;
    }
    if (action == ACTION_INVALID) {
      bad = OPCODE_BAD;
      break;
    }
    const next: u32 = load<u8>(at, 1);
    if (action <= ACTION_ESCAPE_0F3A) {
      at++;
      op = next;
      entry = entryOf(action - ACTION_ESCAPE_0F + MAP_0F, op);
      continue;
    }
    entry &= 0xff;
    if (action > ACTION_XOP) {
      if (action == ACTION_TEST_GROUP) {
        if ((next & 0x38) >= 0x10) entry = ENTRY_MODRM;
      } else if (action == ACTION_XBEGIN) {
        if (next == 0xf8 && (entry & ENTRY_IMM32) != 0) entry ^= ENTRY_IMM32 | ENTRY_REL32;
      } else if (action == ACTION_MOFFS) {
        if (address32) entry = 4;
      } else if (action == ACTION_REGISTERS) {
        entry = 1;
      } else if (operandSize16 != 0 || repeatF2) {
        entry |= 2; // ACTION_EXTRQ
      }
      break;
    }
    let map: u32 = 0;
    if (action == ACTION_VEX2) {
      map = MAP_VEX;
      at += 2;
    } else if (action == ACTION_EVEX) {
      const named = (next & 7) - 1;
      if (named <= 2) map = MAP_EVEX + named;
      else if (named - 4 <= 1) map = MAP_EVEX + named - 1;
      at += 4;
    } else {
      let named = next & 0x1f;
      if (action == ACTION_VEX3) {
        if (named - 1 <= 2) map = MAP_VEX + named - 1;
      } else {
        if (named < 8) break; // POP
        if (named - 8 <= 2) map = MAP_XOP + named - 8;
      }
      at += 3;
    }
    if (barsVex || rex || map == 0) {
      bad = OPCODE_BAD;
      break;
    }
    op = load<u8>(at);
    entry = entryOf(map, op);
  }
  return (entry & OPCODE_ENTRY) | bad | (<u32>(at - start) << OPCODE_PLACE_SHIFT);
}
