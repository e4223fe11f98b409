/**
 * x86-64 code taken apart into skeleton and operands, and put together again. The twins, which explain the rules, are
 * src/executable/code-split-twin.ts and src/isa/x86-64/parts.ts; the decoder's tables are copied into `tables()` once.
 */
import {
  ACTION_ESCAPE_0F,
  ACTION_ESCAPE_0F3A,
  ACTION_EVEX,
  ACTION_INVALID,
  ACTION_MOFFS,
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
  INSTRUCTION_INVALID,
  INSTRUCTION_TRUNCATED,
  MAP_0F,
  MAP_EVEX,
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
} from "./isa-x86-64";

/** Longer pieces are left to the twin. */
export const MAX_PIECE_BYTES: u32 = 65536;
/** Zeros behind what is decoded. */
export const LOOKAHEAD_BYTES: u32 = 32;

const ENTRY_REL8: u32 = 0x80;

// What the immediate of an instruction is, and where it stands among the parts: src/isa/x86-64/parts.ts.
const OTHER: u32 = 0;
const BYTE: u32 = 1;
const WORD: u32 = 2;
const SHORT_BRANCH: u32 = 3;
const BRANCH: u32 = 4;
const LENGTH: u32 = 0x0f;
const HEAD_SHIFT: u32 = 8;
const DISPLACEMENT_SHIFT: u32 = 12;
const RIP_SHIFT: u32 = 15;
const IMMEDIATE_SHIFT: u32 = 16;
const SIB_SHIFT: u32 = 19;

/** One more entry than a piece has bytes: the tail's. */
const ENTRIES: i32 = 65536 + 16;

const TABLES: usize = memory.data(<i32>TABLE_BYTES, 64);
const CODE: usize = memory.data(<i32>MAX_PIECE_BYTES + 64, 64);
const SKELETON: usize = memory.data(<i32>MAX_PIECE_BYTES + 64, 64);
const STARTS: usize = memory.data(ENTRIES * 4, 64);
const HEADS: usize = memory.data(ENTRIES * 4, 64);
const PARTS: usize = memory.data(ENTRIES * 4, 64);
const DISPLACEMENTS: usize = memory.data(ENTRIES * 4, 64);
const IMMEDIATES: usize = memory.data(ENTRIES * 4, 64);
const BASES: usize = memory.data(ENTRIES, 64);

let count: u32 = 0;

export function tables(): usize {
  return TABLES;
}

/** Where code goes, or comes from. */
export function code(): usize {
  return CODE;
}

/** Where skeletons come from, or go. */
export function skeleton(): usize {
  return SKELETON;
}

/** Columns of the instructions: u32 each. */
export function starts(): usize {
  return STARTS;
}

export function heads(): usize {
  return HEADS;
}

export function parts(): usize {
  return PARTS;
}

/** i32 each. */
export function displacements(): usize {
  return DISPLACEMENTS;
}

export function immediates(): usize {
  return IMMEDIATES;
}

/** u8 each. */
export function bases(): usize {
  return BASES;
}

/** Instructions that the last call found. */
export function instructions(): u32 {
  return count;
}

// @ts-ignore: decorator
@inline
function entryOf(map: u32, op: u32): u32 {
  return <u32>load<u16>(TABLES + <usize>((map << 9) + (op << 1)));
}

/** Parts of the instruction at `start`; from `end` on all is zero. */
function partsAt(start: usize, end: usize): u32 {
  let at = start;
  let op: u32 = load<u8>(at);
  let entry: u32 = entryOf(0, op);
  if (entry >= 0x100) {
    let operandSize16: u32 = 0;
    let address32 = false;
    let repeatF2 = false;
    let barsVex = false;
    let rex = false;
    let rexW: u32 = 0;
    let bad = false;
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
        if (at - start >= <usize>MAX_INSTRUCTION_BYTES) return invalid();
        op = load<u8>(at);
        entry = entryOf(rexW != 0 ? MAP_PRIMARY_W : operandSize16, op);
        continue;
      }
      if (action == ACTION_INVALID) {
        bad = true;
        break;
      }
      const next: u32 = load<u8>(at, 1);
      if (action <= ACTION_ESCAPE_0F3A) {
        at++;
        op = next;
        entry = entryOf(action - ACTION_ESCAPE_0F + MAP_0F, op);
        continue;
      }
      if (action > ACTION_XOP) {
        entry &= 0xff;
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
          if (named < 8) {
            entry &= 0xff; // POP
            break;
          }
          if (named - 8 <= 2) map = MAP_XOP + named - 8;
        }
        at += 3;
      }
      if (barsVex || rex || map == 0) {
        bad = true;
        break;
      }
      op = load<u8>(at);
      entry = entryOf(map, op);
    }
    if (bad) {
      if (at - start >= <usize>MAX_INSTRUCTION_BYTES) return invalid();
      return at >= end ? truncated(start, end) : invalid();
    }
  }
  let modrm: u32 = 0;
  let mod: u32 = 0;
  if ((entry & ENTRY_MODRM) != 0) {
    mod = load<u8>(at, 1);
    const sib5: u32 = <u32>((load<u8>(at, 2) & 7) == 5);
    modrm = load<u8>(TABLES + <usize>(mod | (sib5 << 8)), <usize>MODRM_TABLE_OFFSET);
    mod >>= 6;
  }
  const modrmBytes = modrm & MODRM_LENGTH;
  const operandsEnd = at + 1 + <usize>modrmBytes;
  const immediateBytes = entry & ENTRY_IMMEDIATE;
  const length = <u32>(operandsEnd - start) + immediateBytes;
  if (length > MAX_INSTRUCTION_BYTES) return invalid();
  if (start + <usize>length > end) return truncated(start, end);
  let displacement: u32 = 0;
  if (((modrm >> MODRM_KIND_SHIFT) & MODRM_KIND) != 0) displacement = 4;
  else if (modrmBytes > 1 && mod == 1) displacement = 1;
  let immediate = OTHER;
  if ((entry & ENTRY_REL32) != 0) immediate = BRANCH;
  else if ((entry & ENTRY_IMM32) != 0) immediate = WORD;
  else if ((entry & ENTRY_REL8) != 0) immediate = SHORT_BRANCH;
  else if (immediateBytes == 1) immediate = BYTE;
  return (
    length |
    ((<u32>(operandsEnd - start) - displacement) << HEAD_SHIFT) |
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

// @ts-ignore: decorator
@inline
function zeros(at: usize): void {
  memory.fill(at, 0, <usize>LOOKAHEAD_BYTES);
}

// @ts-ignore: decorator
@inline
function noteBase(place: usize, headEnd: usize, found: u32): void {
  const last: u32 = load<u8>(headEnd - 1) & 7;
  store<u8>(BASES + place, ((found >> SIB_SHIFT) & 1) != 0 ? 8 | last : last);
}

/** Takes `length` bytes of code apart. Returns the skeleton's length without the tail. */
export function split(length: u32): u32 {
  const end = CODE + <usize>length;
  zeros(end);
  let at = CODE;
  let out = SKELETON;
  let place: usize = 0;
  while (at < end) {
    const found = partsAt(at, end);
    if ((found & INSTRUCTION_TRUNCATED) != 0) break;
    store<u32>(STARTS + (place << 2), <u32>(at - CODE));
    store<u32>(HEADS + (place << 2), <u32>(out - SKELETON));
    store<u32>(PARTS + (place << 2), found);
    const next = at + <usize>(found & LENGTH);
    const head = <usize>((found >> HEAD_SHIFT) & 0x0f);
    // More than the head is copied: what is too much is overwritten.
    v128.store(out, v128.load(at));
    at += head;
    out += head;
    const displacement = (found >> DISPLACEMENT_SHIFT) & 7;
    if (displacement != 0) {
      noteBase(place, out, found);
      store<i32>(DISPLACEMENTS + (place << 2), displacement == 1 ? <i32>load<i8>(at) : load<i32>(at));
      at += <usize>displacement;
    }
    const immediate = (found >> IMMEDIATE_SHIFT) & 7;
    if (immediate == OTHER) {
      while (at < next) store<u8>(out++, load<u8>(at++));
    } else {
      const isShort = immediate == BYTE || immediate == SHORT_BRANCH;
      store<i32>(IMMEDIATES + (place << 2), isShort ? <i32>load<i8>(at) : load<i32>(at));
    }
    place++;
    at = next;
  }
  count = <u32>place;
  store<u32>(STARTS + (place << 2), <u32>(at - CODE));
  store<u32>(HEADS + (place << 2), <u32>(out - SKELETON));
  const skeletonBytes = <u32>(out - SKELETON);
  memory.copy(out, at, end - at);
  return skeletonBytes;
}

/**
 * Finds the instructions of a skeleton, `available` bytes of it: those of `codeBytes` of code, or with `whole` all.
 * Where it stops is in the last entries of the columns.
 */
export function parse(available: u32, codeBytes: u32, whole: bool): void {
  const stop = SKELETON + <usize>available;
  zeros(stop);
  let at: usize = 0;
  let from = SKELETON;
  let place: usize = 0;
  const all = <usize>codeBytes;
  while (from < stop && at < all) {
    let found: u32;
    const end = from + all - at;
    if (whole) found = partsAt(from, stop + <usize>LOOKAHEAD_BYTES);
    else if (all - at >= <usize>LOOKAHEAD_BYTES) found = partsAt(from, end);
    else {
      // What lies behind the piece's end is zero to the decoder.
      const saved0 = v128.load(end);
      const saved1 = v128.load(end, 16);
      zeros(end);
      found = partsAt(from, end);
      v128.store(end, saved0);
      v128.store(end, saved1, 16);
      if ((found & INSTRUCTION_TRUNCATED) != 0) break;
    }
    store<u32>(STARTS + (place << 2), <u32>at);
    store<u32>(HEADS + (place << 2), <u32>(from - SKELETON));
    store<u32>(PARTS + (place << 2), found);
    const head = <usize>((found >> HEAD_SHIFT) & 0x0f);
    const displacement = (found >> DISPLACEMENT_SHIFT) & 7;
    if (displacement != 0) noteBase(place, from + head, found);
    from += ((found >> IMMEDIATE_SHIFT) & 7) == OTHER ? <usize>((found & LENGTH) - displacement) : head;
    at += <usize>(found & LENGTH);
    place++;
  }
  count = <u32>place;
  store<u32>(STARTS + (place << 2), <u32>at);
  store<u32>(HEADS + (place << 2), <u32>(from - SKELETON));
}

/** Puts code together from the skeleton and the columns of the instructions. Returns its length without the tail. */
export function join(instructionCount: u32): u32 {
  let at = CODE;
  let from = SKELETON;
  for (let place: usize = 0; place < <usize>instructionCount; place++) {
    const found = load<u32>(PARTS + (place << 2));
    const next = at + <usize>(found & LENGTH);
    const head = <usize>((found >> HEAD_SHIFT) & 0x0f);
    v128.store(at, v128.load(from));
    at += head;
    from += head;
    const displacement = (found >> DISPLACEMENT_SHIFT) & 7;
    if (displacement != 0) {
      // The immediate behind overwrites what is too much.
      store<i32>(at, load<i32>(DISPLACEMENTS + (place << 2)));
      at += <usize>displacement;
    }
    if (((found >> IMMEDIATE_SHIFT) & 7) == OTHER) {
      while (at < next) store<u8>(at++, load<u8>(from++));
    } else store<i32>(at, load<i32>(IMMEDIATES + (place << 2)));
    at = next;
  }
  return <u32>(at - CODE);
}
