/**
 * x86-64: instruction lengths and address fields of a run of code. The twin, and what the words mean, is
 * src/isa/x86-64/; the tables are built there and copied into `tables()` once.
 *
 * Nearly every instruction is [REX] opcode or [REX] 0F opcode, so these two run without a branch on their bytes; all
 * else goes through `loop`. An entry of each output is written for every instruction, and kept by moving on.
 */

import {
  ENTRY_IMM32,
  ENTRY_IMMEDIATE,
  ENTRY_REL32,
  entryOf,
  INSTRUCTION_INVALID,
  INSTRUCTION_TRUNCATED,
  MAP_0F,
  MAX_INSTRUCTION_BYTES,
  MODRM_KIND,
  MODRM_KIND_SHIFT,
  MODRM_LENGTH,
  modrmOf,
  OPCODE_BAD,
  OPCODE_ENTRY,
  OPCODE_PLACE_SHIFT,
  prefixedOpcode,
  TABLES,
  X86_64_IMM32,
  X86_64_REL32,
  X86_64_RIP32,
} from "./shared/x86-64-opcodes";

/** Bytes of code that fit into the window. */
export const WINDOW_BYTES: u32 = 65536;
/** A scan that is not final stops this far before its end: no instruction looks further ahead. */
export const LOOKAHEAD_BYTES: u32 = 32;

// For a test that compares them with src/isa/x86-64/layout.ts.
export {
  ACTION_ESCAPE_0F,
  ACTION_ESCAPE_0F38,
  ACTION_ESCAPE_0F3A,
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
  ENTRY_REL32,
  ENTRY_REL8,
  INSTRUCTION_INVALID,
  INSTRUCTION_TRUNCATED,
  MAP_0F,
  MAP_0F38,
  MAP_0F3A,
  MAP_EVEX,
  MAP_PRIMARY_66,
  MAP_PRIMARY_W,
  MAP_VEX,
  MAP_XOP,
  MAX_INSTRUCTION_BYTES,
  MODRM_KIND,
  MODRM_KIND_SHIFT,
  MODRM_LENGTH,
  MODRM_RIP,
  MODRM_TABLE_OFFSET,
  TABLE_BYTES,
  X86_64_IMM32,
  X86_64_REL32,
  X86_64_RIP32,
} from "./shared/x86-64-opcodes";

/** A field has 4 bytes, no two overlap, and its instruction has one more: so many fit, and one is scratch. */
const FIELDS: usize = <usize>WINDOW_BYTES / 4;

const WINDOW: usize = memory.data(<i32>WINDOW_BYTES + <i32>LOOKAHEAD_BYTES, 64);
const OFFSETS: usize = memory.data(<i32>FIELDS * 4, 64);
const SHAPES: usize = memory.data(<i32>FIELDS, 64);
const INSTRUCTIONS: usize = memory.data(<i32>WINDOW_BYTES, 64);

/** Pieces that are handed over at once: 30 to 300 fit into a window, unless they are stubs. */
export const MAX_PIECES: u32 = 4096;
const PIECES: usize = memory.data(<i32>MAX_PIECES * 12, 64);

/** A branch has two bytes at least. */
const BRANCHES: usize = <usize>WINDOW_BYTES / 2 + 1;
const BRANCH_SITES: usize = memory.data(<i32>BRANCHES * 4, 64);
const BRANCH_WIDTHS: usize = memory.data(<i32>BRANCHES, 64);

let fieldCount: u32 = 0;
let instructionCount: u32 = 0;
let invalidCount: u32 = 0;
let truncatedCount: u32 = 0;

/** Where the tables go. */
export function tables(): usize {
  return TABLES;
}

/** Where the code goes. */
export function input(): usize {
  return WINDOW;
}

/** Offsets of the fields found since `reset`, u32 each. */
export function offsets(): usize {
  return OFFSETS;
}

/** Shapes of these fields, one byte each. */
export function shapes(): usize {
  return SHAPES;
}

/** Instructions since `reset`, one byte each. */
export function instructions(): usize {
  return INSTRUCTIONS;
}

/** Where pieces go: begin and end in the window, and what is added to fields' offsets, u32 each. */
export function pieces(): usize {
  return PIECES;
}

export function fields(): u32 {
  return fieldCount;
}

export function decoded(): u32 {
  return instructionCount;
}

export function invalid(): u32 {
  return invalidCount;
}

export function truncated(): u32 {
  return truncatedCount;
}

/** Forgets what was found: the outputs have been read. At most one window of code may be scanned between. */
export function reset(): void {
  fieldCount = 0;
  instructionCount = 0;
  invalidCount = 0;
  truncatedCount = 0;
}

// @ts-ignore: decorator
@inline
function run(from: u32, to: u32, final: bool, base: u32, absolute: bool): u32 {
  const end: usize = WINDOW + <usize>to;
  const stop: usize = final ? end : end - <usize>LOOKAHEAD_BYTES;
  const delta: u32 = base - <u32>WINDOW;
  let start: usize = WINDOW + <usize>from;
  let field: usize = <usize>fieldCount;
  let out: usize = INSTRUCTIONS + <usize>instructionCount;
  while (start < stop) {
    let at = start;
    let head = load<u64>(at);
    const rex: u32 = <u32>((<u32>head & 0xf0) == 0x40);
    const rexW: u32 = rex & (<u32>head >> 3);
    at += <usize>rex;
    head >>= <u64>(rex << 3);
    let op: u32 = <u32>head & 0xff;
    let entry: u32 = entryOf(rexW << 1, op);
    let bad = false;
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
        bad = (found & OPCODE_BAD) != 0;
        entry = found & OPCODE_ENTRY;
        head = load<u64>(at);
      }
    }

    const modrm = modrmOf(<u32>head) & -((entry >> 4) & 1);
    const operandsEnd = at + 1 + <usize>(modrm & MODRM_LENGTH);
    const instructionEnd = operandsEnd + <usize>(entry & ENTRY_IMMEDIATE);
    let flags: u32 = <u32>(instructionEnd - start);

    if (bad || flags > MAX_INSTRUCTION_BYTES || instructionEnd > end) {
      const seen: u32 = <u32>(at - start);
      if (bad ? seen >= MAX_INSTRUCTION_BYTES || at < end : flags > MAX_INSTRUCTION_BYTES) {
        store<u8>(out, 1 | INSTRUCTION_INVALID);
        start++;
        invalidCount++;
      } else {
        store<u8>(out, <u32>(end - start) | INSTRUCTION_TRUNCATED);
        start = end;
        truncatedCount++;
      }
      out++;
      continue;
    }

    if (absolute) {
      const displacementKind = (modrm >> MODRM_KIND_SHIFT) & MODRM_KIND;
      store<u32>(OFFSETS + (field << 2), <u32>operandsEnd - 4 + delta);
      store<u8>(SHAPES + field, displacementKind | ((entry & ENTRY_IMMEDIATE) << 4));
      field += <usize>(displacementKind != 0);
      const immediateKind = ((entry & ENTRY_REL32) >> 5) * X86_64_REL32 + ((entry & ENTRY_IMM32) >> 6) * X86_64_IMM32;
      store<u32>(OFFSETS + (field << 2), <u32>operandsEnd + delta);
      store<u8>(SHAPES + field, immediateKind);
      field += <usize>(immediateKind != 0);
    } else {
      // A branch distance and a RIP-relative displacement never meet in one instruction.
      const branch = (entry >> 5) & 1;
      const relative = modrm >> 7;
      store<u32>(OFFSETS + (field << 2), <u32>operandsEnd - 4 + (branch << 2) + delta);
      store<u8>(
        SHAPES + field,
        branch * X86_64_REL32 + relative * (X86_64_RIP32 | ((entry & ENTRY_IMMEDIATE) << 4)),
      );
      field += <usize>(branch | relative);
    }
    store<u8>(out, flags);
    out++;
    start = instructionEnd;
  }
  fieldCount = <u32>field;
  instructionCount = <u32>(out - INSTRUCTIONS);
  return <u32>(start - WINDOW);
}

/**
 * Decodes the window's bytes from `from` on and returns where it stopped: at `to` when `final`, which makes `to` the
 * end of the code (bytes beyond it count as zero); else at the first instruction that begins within
 * `LOOKAHEAD_BYTES` of `to`, or where it was. `base` is the offset of the window in the code, added to every field's.
 * `absolute` also gives displacements and immediates that may hold 32-bit addresses.
 */
export function scan(from: u32, to: u32, final: bool, base: u32, absolute: bool): u32 {
  if (!final && from + LOOKAHEAD_BYTES >= to) return from;
  const beyond: usize = WINDOW + <usize>to;
  const saved0 = load<u64>(beyond);
  const saved1 = load<u64>(beyond, 8);
  const saved2 = load<u64>(beyond, 16);
  const saved3 = load<u64>(beyond, 24);
  if (final) {
    store<u64>(beyond, 0);
    store<u64>(beyond, 0, 8);
    store<u64>(beyond, 0, 16);
    store<u64>(beyond, 0, 24);
  }
  const stopped = absolute ? run(from, to, final, base, true) : run(from, to, final, base, false);
  store<u64>(beyond, saved0);
  store<u64>(beyond, saved1, 8);
  store<u64>(beyond, saved2, 16);
  store<u64>(beyond, saved3, 24);
  return stopped;
}

/** Of the fields from the `first` on keeps those that are blanked: zero, or `absoluteBlank` where addresses may be. */
export function keepBlank(first: u32, base: u32, absoluteBlank: u32): void {
  const window: usize = WINDOW - <usize>base;
  const end: usize = <usize>fieldCount;
  let kept: usize = <usize>first;
  for (let field: usize = kept; field < end; field++) {
    const offset = load<u32>(OFFSETS + (field << 2));
    const shape: u32 = load<u8>(SHAPES + field);
    const blank: u32 = (shape & 15) <= X86_64_RIP32 ? 0 : absoluteBlank;
    store<u32>(OFFSETS + (kept << 2), offset);
    store<u8>(SHAPES + kept, shape);
    kept += <usize>(load<u32>(window + <usize>offset) == blank);
  }
  fieldCount = <u32>kept;
}

/** Decodes `count` pieces that are in the window, each by itself; `onlyBlank` as `keepBlank`. */
export function scanPieces(count: u32, absolute: bool, onlyBlank: bool, absoluteBlank: u32): void {
  const end: usize = PIECES + <usize>count * 12;
  for (let piece: usize = PIECES; piece < end; piece += 12) {
    const first = fieldCount;
    const base = load<u32>(piece, 8);
    scan(load<u32>(piece), load<u32>(piece, 4), true, base, absolute);
    if (onlyBlank) keepBlank(first, base, absoluteBlank);
  }
}

/** Where the fields of branches go: offsets (u32), and how many bytes each has (one byte). */
export function branchSites(): usize {
  return BRANCH_SITES;
}

export function branchWidths(): usize {
  return BRANCH_WIDTHS;
}

/** JMP, Jcc, LOOP and JRCXZ with 8 bits of distance. */
// @ts-ignore: decorator
@inline
function isShortBranch(op: u32): bool {
  return (op & 0xf0) == 0x70 || op == 0xeb || (op & 0xfc) == 0xe0;
}

/**
 * Of the piece [0, to) the fields of branches: all short ones without prefixes, and of those with 32 bits the ones
 * that hold `mark`, or when that is 0 any other value. Returns their number.
 */
export function scanBranches(to: u32, mark: u32): u32 {
  reset();
  scan(0, to, true, 0, false);
  let count: usize = 0;
  let field: usize = 0;
  let at: usize = 0;
  const end: usize = INSTRUCTIONS + <usize>instructionCount;
  for (let instruction: usize = INSTRUCTIONS; instruction < end; instruction++) {
    const packed: u32 = load<u8>(instruction);
    const next = at + <usize>(packed & 15);
    if (packed == 2 && isShortBranch(load<u8>(WINDOW + at))) {
      store<u32>(BRANCH_SITES + (count << 2), <u32>at + 1);
      store<u8>(BRANCH_WIDTHS + count, 1);
      count++;
    }
    for (; field < <usize>fieldCount; field++) {
      const offset = load<u32>(OFFSETS + (field << 2));
      if (<usize>offset >= next) break;
      if ((load<u8>(SHAPES + field) & 15) != X86_64_REL32) continue;
      const word = load<u32>(WINDOW + <usize>offset);
      if (mark != 0 ? word != mark : word == 0) continue;
      store<u32>(BRANCH_SITES + (count << 2), offset);
      store<u8>(BRANCH_WIDTHS + count, 4);
      count++;
    }
    at = next;
  }
  reset();
  return <u32>count;
}
