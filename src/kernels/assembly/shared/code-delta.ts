/**
 * The delta that makes a changed piece's skeleton of its source's, and which instruction stands in the place of which.
 * The twins are `DeltaReader` of src/delta/codec.ts and src/executable/code-alignment.ts.
 */
import { copyRun, ENTRIES, HEADS, PARTS, STARTS } from "./code-columns";
import { SOURCE_HEADS, SOURCE_PARTS, SOURCE_SKELETON, SOURCE_STARTS, sourceCount } from "./code-source";
import {
  CODE,
  cursor,
  DELTA_COPIES,
  DELTA_HEADS,
  DELTA_NUMBERS,
  DELTA_VALUES,
  setCursor,
  windowEnd,
} from "./code-windows";
import { failed, unzigzag, value, varint } from "./varints";
import { lengthOf } from "./x86-64-parts";

const LONG_LITERAL: u32 = 15;
const MOVE_SHIFT: u32 = 4;
const MOVE_BIAS: i64 = 8;
const LONG_COPY: u32 = 255;
const MAX_VALUE_BYTES: u32 = 8;

/** Deltas of more steps are left to the twin. */
const MAX_STEPS: u32 = 1 << 16;

const LITERALS: usize = memory.data((1 << 16) * 4, 64);
const FROMS: usize = memory.data((1 << 16) * 4, 64);
const COPIES: usize = memory.data((1 << 16) * 4, 64);

/** The skeleton that the delta makes. */
export const SKELETON: usize = memory.data((1 << 18) + 64, 64);

/** For each instruction the one of the source, or -1; for each of the source, and its end, the one that stands for it. */
export const PARTNERS: usize = memory.data(ENTRIES * 4, 64);
export const COUNTERPARTS: usize = memory.data(ENTRIES * 4, 64);

/** The delta of bytes: u32 each. */
export const BYTE_LITERALS: usize = memory.data(ENTRIES * 4, 64);
export const BYTE_FROMS: usize = memory.data(ENTRIES * 4, 64);
export const BYTE_COPIES: usize = memory.data(ENTRIES * 4, 64);

let steps: u32 = 0;

/**
 * Reads a delta against a base of `baseBytes` and makes the skeleton, of `mostBytes` at most. Returns its length, or -1
 * for what no writer makes.
 */
export function readDelta(baseBytes: u32, mostBytes: u32): i32 {
  const numbersEnd = windowEnd(DELTA_NUMBERS);
  const literalsEnd = windowEnd(CODE);
  const valuesEnd = windowEnd(DELTA_VALUES);
  let numbers = varint(cursor(DELTA_NUMBERS), numbersEnd);
  let heads = cursor(DELTA_HEADS);
  let copies = cursor(DELTA_COPIES);
  let literals = cursor(CODE);
  let values = cursor(DELTA_VALUES);
  if (value > <u64>MAX_STEPS || value > <u64>(windowEnd(DELTA_HEADS) - heads)) return -1;
  steps = <u32>value;
  if (<usize>steps > windowEnd(DELTA_COPIES) - copies) return -1;
  let out = SKELETON;
  let left = <u64>mostBytes;
  let expected: i64 = 0;
  for (let step: usize = 0; step < <usize>steps; step++) {
    const head: u32 = load<u8>(heads++);
    let literal = <u64>(head & LONG_LITERAL);
    let copy = <u64>load<u8>(copies++);
    let move = <i64>(head >> MOVE_SHIFT) - MOVE_BIAS;
    if (literal == LONG_LITERAL) {
      numbers = varint(numbers, numbersEnd);
      literal = value;
    }
    if (head >> MOVE_SHIFT == 0) {
      numbers = varint(numbers, numbersEnd);
      move = unzigzag(value);
    }
    if (copy == LONG_COPY) {
      numbers = varint(numbers, numbersEnd);
      copy = value;
    }
    const from = expected + <i64>literal + move;
    if (failed || literal > left || copy > left - literal || from < 0 || from > 0xffffffff) return -1;
    if (copy > 0 && from + <i64>copy > <i64>baseBytes) return -1;
    left -= literal + copy;
    store<u32>(LITERALS + (step << 2), <u32>literal);
    store<u32>(FROMS + (step << 2), <u32>from);
    store<u32>(COPIES + (step << 2), <u32>copy);
    if (literal > 0) {
      if (literal <= MAX_VALUE_BYTES && move == 0 && from <= <i64>baseBytes) {
        if (<usize>literal > valuesEnd - values) return -1;
        let replaced = SOURCE_SKELETON + <usize>expected;
        for (let i: u32 = 0; i < <u32>literal; i++) store<u8>(out++, load<u8>(values++) + load<u8>(replaced++));
      } else {
        if (<usize>literal > literalsEnd - literals) return -1;
        copyRun(out, literals, <usize>literal);
        literals += <usize>literal;
        out += <usize>literal;
      }
    }
    if (copy > 0) {
      copyRun(out, SOURCE_SKELETON + <usize>from, <usize>copy);
      out += <usize>copy;
    }
    expected = from + <i64>copy;
  }
  setCursor(DELTA_NUMBERS, numbers);
  setCursor(DELTA_HEADS, heads);
  setCursor(DELTA_COPIES, copies);
  setCursor(DELTA_VALUES, values);
  setCursor(CODE, literals);
  return <i32>(out - SKELETON);
}

// @ts-ignore: decorator
@inline
function column(at: usize, place: i32): i32 {
  return load<i32>(at + (<usize>place << 2));
}

/** Takes the instruction of the source that has a byte of the skeleton; mostly the one behind `last`. */
// @ts-ignore: decorator
@inline
function pair(instruction: i32, byte: i64, last: i32): i32 {
  const count = <i32>sourceCount;
  if (byte < 0 || byte >= <i64>column(SOURCE_HEADS, count)) return -1;
  const wanted = <i32>byte;
  let low = last + 1;
  if (low >= count || column(SOURCE_HEADS, low) > wanted || column(SOURCE_HEADS, low + 1) <= wanted)
    low = search(wanted);
  store<i32>(PARTNERS + (<usize>instruction << 2), low);
  return low;
}

function search(byte: i32): i32 {
  let low = 0;
  let high = <i32>sourceCount;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (column(SOURCE_HEADS, middle) <= byte) low = middle;
    else high = middle;
  }
  return low;
}

/** Finds partners and counterparts for the skeleton's instructions, so many of them. */
export function align(count: u32): void {
  const all = <i32>count;
  const sources = <i32>sourceCount;
  memory.fill(PARTNERS, 0xff, <usize>count << 2);
  memory.fill(COUNTERPARTS, 0xff, <usize>(sourceCount + 1) << 2);
  let instruction: i32 = 0;
  let last: i32 = -1;
  let at: i64 = 0;
  let expected: i64 = 0;
  for (let step: usize = 0; step < <usize>steps; step++) {
    const literal = <i64>load<u32>(LITERALS + (step << 2));
    const copied = <i64>load<u32>(COPIES + (step << 2));
    const begin = copied == 0 ? expected + literal : <i64>load<u32>(FROMS + (step << 2));
    // New bytes that replace as many are in the source's place as well.
    const start = begin == expected + literal ? at : at + literal;
    const shift = begin - at - literal;
    at += literal + copied;
    expected = begin + copied;
    while (instruction < all && <i64>column(HEADS, instruction) < start) {
      // An instruction of which only the end was copied.
      last = <i64>column(HEADS, instruction + 1) > start ? pair(instruction, start + shift, last) : -1;
      instruction++;
    }
    while (instruction < all) {
      const head = <i64>column(HEADS, instruction);
      if (head >= at) break;
      last = pair(instruction, head + shift, last);
      instruction++;
    }
  }
  for (let i: i32 = 0; i < all; i++) {
    const partner = column(PARTNERS, i);
    if (partner < 0) continue;
    const place = COUNTERPARTS + (<usize>partner << 2);
    if (load<i32>(place) == -1) store<i32>(place, i);
  }
  let before: i32 = -1;
  for (let j: i32 = 0; j <= sources; j++) {
    const place = COUNTERPARTS + (<usize>j << 2);
    const found = load<i32>(place);
    if (found != -1) before = found;
    else {
      before = min(all, before + 1);
      store<i32>(place, before);
    }
  }
}

/** The same as a delta of the code's bytes. Returns how many steps it has. */
export function byteDelta(count: u32): u32 {
  let step: usize = 0;
  let at: u32 = 0;
  let next: u32 = 0xffffffff;
  for (let i: usize = 0; i < <usize>count; i++) {
    const partner = load<i32>(PARTNERS + (i << 2));
    if (partner < 0) continue;
    const toBytes = lengthOf(load<u32>(PARTS + (i << 2)));
    const fromBytes = lengthOf(load<u32>(SOURCE_PARTS + (<usize>partner << 2)));
    const bytes = min(toBytes, fromBytes);
    const place = load<u32>(STARTS + (i << 2)) + toBytes - bytes;
    const from = load<u32>(SOURCE_STARTS + (<usize>partner << 2)) + fromBytes - bytes;
    if (place == at && from == next) {
      const copy = BYTE_COPIES + ((step - 1) << 2);
      store<u32>(copy, load<u32>(copy) + bytes);
    } else {
      store<u32>(BYTE_LITERALS + (step << 2), place - at);
      store<u32>(BYTE_FROMS + (step << 2), from);
      store<u32>(BYTE_COPIES + (step << 2), bytes);
      step++;
    }
    at = place + bytes;
    next = from + bytes;
  }
  return <u32>step;
}
