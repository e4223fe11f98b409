/**
 * The piece of code by which a changed one is said: its instructions, and what its operands foretell. The twins are
 * src/executable/code-split-twin.ts and code-operand-model.ts.
 */
import { copyRun, ENTRIES, LOOKAHEAD_BYTES, zeros } from "./code-columns";
import { INSTRUCTION_TRUNCATED } from "./x86-64-opcodes";
import {
  BRANCH,
  BYTE,
  baseOf,
  displacementOf,
  headOf,
  immediateOf,
  lengthOf,
  OTHER,
  partsAt,
  SHORT_BRANCH,
} from "./x86-64-parts";

/** Code of the source. */
export const SOURCE: usize = memory.data((1 << 18) + 64, 64);
export const SOURCE_SKELETON: usize = memory.data((1 << 18) + 64, 64);
/** Columns of its instructions, u32 or i32 each. */
export const SOURCE_STARTS: usize = memory.data(ENTRIES * 4, 64);
export const SOURCE_HEADS: usize = memory.data(ENTRIES * 4, 64);
export const SOURCE_PARTS: usize = memory.data(ENTRIES * 4, 64);
const DISPLACEMENTS: usize = memory.data(ENTRIES * 4, 64);
const IMMEDIATES: usize = memory.data(ENTRIES * 4, 64);
/** By offset of the code the instruction that begins there; of use only where `SOURCE_STARTS` agrees. */
const BEGINNING: usize = memory.data(ENTRIES * 4, 64);

export const BLANK_BRANCH: i32 = -1;
export const ODD_BRANCH: i32 = -2;

/** Instructions of the source. */
export let sourceCount: u32 = 0;
/** Bytes at its end that are none. */
export let sourceTail: u32 = 0;

/** Takes `bytes` of code at `SOURCE` apart. Returns the skeleton's length, with the tail. */
export function splitSource(bytes: u32): u32 {
  const end = SOURCE + <usize>bytes;
  zeros(end);
  let at = SOURCE;
  let out = SOURCE_SKELETON;
  let place: usize = 0;
  while (at < end) {
    const parts = partsAt(at, end);
    if ((parts & INSTRUCTION_TRUNCATED) != 0) break;
    store<u32>(BEGINNING + ((at - SOURCE) << 2), <u32>place);
    store<u32>(SOURCE_STARTS + (place << 2), <u32>(at - SOURCE));
    store<u32>(SOURCE_HEADS + (place << 2), <u32>(out - SOURCE_SKELETON));
    store<u32>(SOURCE_PARTS + (place << 2), parts);
    const next = at + <usize>lengthOf(parts);
    const head = <usize>headOf(parts);
    // More than the head is copied: what is too much is overwritten.
    v128.store(out, v128.load(at));
    at += head;
    out += head;
    const displacement = displacementOf(parts);
    store<i32>(DISPLACEMENTS + (place << 2), displacement == 1 ? <i32>load<i8>(at) : load<i32>(at));
    at += <usize>displacement;
    const immediate = immediateOf(parts);
    if (immediate == OTHER) {
      while (at < next) store<u8>(out++, load<u8>(at++));
    } else {
      const isShort = immediate == BYTE || immediate == SHORT_BRANCH;
      store<i32>(IMMEDIATES + (place << 2), isShort ? <i32>load<i8>(at) : load<i32>(at));
    }
    place++;
    at = next;
  }
  store<u32>(BEGINNING + ((at - SOURCE) << 2), <u32>place);
  store<u32>(SOURCE_STARTS + (place << 2), <u32>(at - SOURCE));
  store<u32>(SOURCE_HEADS + (place << 2), <u32>(out - SOURCE_SKELETON));
  sourceCount = <u32>place;
  sourceTail = <u32>(end - at);
  copyRun(out, at, end - at);
  return <u32>(out - SOURCE_SKELETON) + sourceTail;
}

// @ts-ignore: decorator
@inline
export function sourceDisplacement(place: i32): i32 {
  return load<i32>(DISPLACEMENTS + (<usize>place << 2));
}

// @ts-ignore: decorator
@inline
export function sourceImmediate(place: i32): i32 {
  return load<i32>(IMMEDIATES + (<usize>place << 2));
}

/** Where a branch leads: an instruction, the end, `BLANK_BRANCH` or `ODD_BRANCH`. */
// @ts-ignore: decorator
@inline
export function sourceTarget(place: i32, immediate: u32): i32 {
  const distance = sourceImmediate(place);
  if (immediate == BRANCH && distance == 0) return BLANK_BRANCH;
  const offset = <i64>load<u32>(SOURCE_STARTS + (<usize>place << 2), 4) + <i64>distance;
  if (offset < 0 || offset > <i64>load<u32>(SOURCE_STARTS + (<usize>sourceCount << 2))) return ODD_BRANCH;
  const found = load<u32>(BEGINNING + (<usize>offset << 2));
  if (found > sourceCount || load<u32>(SOURCE_STARTS + (<usize>found << 2)) != <u32>offset) return ODD_BRANCH;
  return <i32>found;
}

const PLACES: u32 = 1024;
/** Immediates are learned beside displacements: as of one more base. */
export const IMMEDIATE_BASE: u32 = 16;
const KEYS: usize = memory.data(1024 * 4, 64);
const VALUES: usize = memory.data(1024 * 4, 64);
const BASES: usize = memory.data(1024, 64);
const SHIFTS: usize = memory.data(17 * 4, 16);

/** Forgets what the source's operands became. */
export function clearLearned(): void {
  memory.fill(BASES, 0xff, <usize>PLACES);
  memory.fill(SHIFTS, 0, 17 * 4);
}

// @ts-ignore: decorator
@inline
function placeOf(base: u32, operand: i32): usize {
  return <usize>((<u32>operand + 61 * base) & (PLACES - 1));
}

/** What an operand of the source becomes. */
// @ts-ignore: decorator
@inline
export function foretell(base: u32, operand: i32): i32 {
  const place = placeOf(base, operand);
  if (<u32>load<u8>(BASES + place) == base && load<i32>(KEYS + (place << 2)) == operand)
    return load<i32>(VALUES + (place << 2));
  return operand + load<i32>(SHIFTS + (<usize>base << 2));
}

// @ts-ignore: decorator
@inline
export function learn(base: u32, operand: i32, became: i32): void {
  const place = placeOf(base, operand);
  store<u8>(BASES + place, base);
  store<i32>(KEYS + (place << 2), operand);
  store<i32>(VALUES + (place << 2), became);
  if (base != IMMEDIATE_BASE) store<i32>(SHIFTS + (<usize>base << 2), became - operand);
}
