/**
 * The fastest level of Go's compress/flate, and the one that only codes: blocks of 65535 bytes, matches by one table of
 * four bytes and their position. Algorithm: Snappy's encoder.
 */
import { sendStored, writeBlock, writeLiterals } from "./go-blocks";
import { symbolsOfBlock, tallyDistance, tallyLiteral } from "./trees";

/** What is taken at once. */
const BLOCK: i32 = 65535;
const BITS: u32 = 14;
const MULTIPLIER: u32 = 0x1e35a7bd;
const MARGIN: i32 = 15;
const WINDOW: i32 = 32768;
const MAX_MATCH: i32 = 258;
/** Positions are counted from the beginning of the stream, and begin anew before they get too large. */
const RESET: i32 = i32.MAX_VALUE - 2 * BLOCK;

const window: usize = memory.data(65536 + 64, 16);
/** The block before. */
const before: usize = memory.data(65536 + 64, 16);
/** Pairs of value and position. */
const heads: usize = memory.data(8 * 16384, 16);

let blockBytes: i32 = 0;
let beforeBytes: i32 = 0;
let current: i32 = 0;

export function startSpeed(): void {
  memory.fill(heads, 0, 8 * 16384);
  blockBytes = 0;
  beforeBytes = 0;
  current = BLOCK;
}

// @ts-ignore: decorator
@inline
function slotOf(value: u32): usize {
  return heads + ((value * MULTIPLIER) >> (32 - BITS) << 3);
}

// @ts-ignore: decorator
@inline
function enter(slot: usize, value: u32, position: i32): void {
  store<u32>(slot, value);
  store<i32>(slot, position, 4);
}

function literals(from: i32, to: i32): void {
  for (let i = from; i < to; i++) tallyLiteral(load<u8>(window + i), 0);
}

function lengthAt(s: i32, t: i32): i32 {
  const end = min(s + MAX_MATCH - 4, blockBytes);
  let n = 0;
  let from = t;
  if (t < 0) {
    const start = beforeBytes + t;
    if (start < 0) return 0;
    while (s + n < end && start + n < beforeBytes) {
      if (load<u8>(window + s + n) != load<u8>(before + start + n)) return n;
      n++;
    }
    from = 0;
    if (s + n == end) return n;
    const done = n;
    while (s + n < end && load<u8>(window + s + n) == load<u8>(window + n - done)) n++;
    return n;
  }
  while (s + n < end && load<u8>(window + s + n) == load<u8>(window + from + n)) n++;
  return n;
}

function symbols(): void {
  if (current >= RESET) {
    for (let slot = heads; slot < heads + (8 << BITS); slot += 8) {
      store<i32>(slot, max(0, load<i32>(slot, 4) - current + WINDOW + 1), 4);
    }
    current = WINDOW + 1;
  }
  if (blockBytes < 2 + MARGIN) {
    current += BLOCK;
    beforeBytes = 0;
    literals(0, blockBytes);
    return;
  }
  const limit = blockBytes - MARGIN;
  let emitted = 0;
  let s = 0;
  let value = load<u32>(window);
  let slot = slotOf(value);
  while (true) {
    let skip = 32;
    let next = s;
    let candidate = 0;
    let isEnd = false;
    while (true) {
      s = next;
      const step = skip >> 5;
      next = s + step;
      skip += step;
      if (next > limit) {
        isEnd = true;
        break;
      }
      const there = load<u32>(slot);
      candidate = load<i32>(slot, 4);
      const now = load<u32>(window + next);
      enter(slot, value, s + current);
      slot = slotOf(now);
      if (s - (candidate - current) <= WINDOW && value == there) break;
      value = now;
    }
    if (isEnd) break;
    literals(emitted, s);
    while (true) {
      s += 4;
      const t = candidate - current + 4;
      const more = lengthAt(s, t);
      tallyDistance(<u32>(s - t), <u32>(more + 1), 0);
      s += more;
      emitted = s;
      if (s >= limit) {
        isEnd = true;
        break;
      }
      const wide = load<u64>(window + s - 1);
      enter(slotOf(<u32>wide), <u32>wide, current + s - 1);
      const here = <u32>(wide >> 8);
      const slotHere = slotOf(here);
      const there = load<u32>(slotHere);
      candidate = load<i32>(slotHere, 4);
      enter(slotHere, here, current + s);
      if (s - (candidate - current) > WINDOW || here != there) {
        value = <u32>(wide >> 16);
        slot = slotOf(value);
        s++;
        break;
      }
    }
    if (isEnd) break;
  }
  literals(emitted, blockBytes);
  current += blockBytes;
  beforeBytes = blockBytes;
  memory.copy(before, window, blockBytes);
}

/** A block from all that was added. `isCoded`: codes alone, as level -2 does it. */
export function endSpeedBlock(isCoded: bool): void {
  if (blockBytes == 0) return;
  if (isCoded) writeLiterals(window, <u32>blockBytes);
  else if (blockBytes <= 16) sendStored(window, <u32>blockBytes, false);
  else if (blockBytes < 128) writeLiterals(window, <u32>blockBytes);
  else {
    symbols();
    if (<i32>symbolsOfBlock() > blockBytes - (blockBytes >> 4)) writeLiterals(window, <u32>blockBytes);
    else writeBlock(window, <u32>blockBytes, true);
  }
  blockBytes = 0;
}

/** Adds up to `bytes` bytes; how many. A full block is written. */
export function addToSpeedBlock(from: usize, bytes: i32, isCoded: bool): i32 {
  const some = min(bytes, BLOCK - blockBytes);
  memory.copy(window + blockBytes, from, some);
  blockBytes += some;
  if (blockBytes == BLOCK) endSpeedBlock(isCoded);
  return some;
}
