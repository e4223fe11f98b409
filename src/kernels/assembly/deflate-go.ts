/**
 * deflate-go: the output of Go's compress/flate, bit for bit, as of Go 1.7 to 1.26: level -2 (codes only), 1 (one
 * table, blocks of 65535 bytes), 2 and 3 (greedy), 4 to 9 (lazy). Algorithms: RFC 1951; hash chains over four
 * bytes; for level 1 the table of Snappy's encoder.
 *
 * Lazy levels don't walk all of a chain to find what Go would: longer matches are found by a second chain over five
 * bytes, and `ordinals` tell whether Go would have come so far before giving up.
 */
import { sendStored, writeBlock, writeLiterals } from "./shared/go-blocks";
import {
  drain,
  initBlock,
  outputEnd,
  setOutput,
  symbolsOfBlock,
  tallyDistance,
  tallyLiteral,
  trees,
} from "./shared/trees";

const WINDOW: i32 = 32768;
const WINDOW_MASK: i32 = WINDOW - 1;
const MIN_MATCH: i32 = 4;
const MAX_MATCH: i32 = 258;
const BLOCK_SYMBOLS: u32 = 16384;
/** A match of four bytes from further away is not worth it. */
const NEAR: i32 = 4096;
const CHAIN_BITS: u32 = 17;
const MULTIPLIER: u32 = 0x1e35a7bd;
/** Positions are counted from the beginning of the stream, and begin anew before they get too large. */
const MAX_HASH_OFFSET: i32 = 1 << 24;

/** What level 1 and -2 take at once. */
const SPEED_BLOCK: i32 = 65535;
const SPEED_BITS: u32 = 14;
const SPEED_MARGIN: i32 = 15;
const SPEED_RESET: i32 = i32.MAX_VALUE - 2 * SPEED_BLOCK;

const window: usize = memory.data(2 * 32768 + 64, 16);
const before: usize = memory.data(65536 + 64, 16);
const previous: usize = memory.data(4 * 32768, 16);
/** Chains' heads; for level 1 pairs of value and position. */
const heads: usize = memory.data(4 * 131072, 16);
/** The second chain, and for each position how many stood before it in its first one, modulo 2^16. */
const SECOND_BITS: u32 = 16;
const SECOND_MASK: u64 = 0xffffffffff;
const SECOND_BYTES: i32 = 5;
const secondHeads: usize = memory.data(4 * 65536, 16);
const secondPrevious: usize = memory.data(4 * 32768, 16);
const ordinals: usize = memory.data(2 * 32768, 16);
const input: usize = memory.data(1 << 17, 16);
const output: usize = memory.data(1 << 20, 16);

let level: i32 = 0;
let lazy: i32 = 0;
let nice: i32 = 0;
let chain: i32 = 0;
/** Greedy levels: matches up to this length are entered into the chains. */
let skipAbove: i32 = 0;

let index: i32 = 0;
let windowEnd: i32 = 0;
let blockStart: i32 = 0;
let byteAvailable: bool = false;
let length: i32 = 0;
let offset: i32 = 0;
let hashOffset: i32 = 1;
let chainHead: i32 = -1;
let secondHead: i32 = 0;
/** The ordinal that stood where that of the string inserted last is now: of the position one window before. */
let lostOrdinal: u32 = 0;

let beforeBytes: i32 = 0;
let current: i32 = 0;

export function inputAddress(): usize {
  return input;
}

export function outputAddress(): usize {
  return output;
}

export function outputBytes(): u32 {
  return <u32>(outputEnd() - output);
}

export function takeOutput(): void {
  setOutput(output);
}

/** Begins a stream. `skipAboveLength` 0: matching is lazy. */
export function configure(
  levelNumber: i32,
  maxLazy: i32,
  niceLength: i32,
  maxChain: i32,
  skipAboveLength: i32,
): void {
  level = levelNumber;
  lazy = maxLazy;
  nice = niceLength;
  chain = maxChain;
  skipAbove = skipAboveLength;
  memory.fill(heads, 0, 4 * 131072);
  memory.fill(previous, 0, 4 * 32768);
  memory.fill(secondHeads, 0, 4 * 65536);
  trees(BLOCK_SYMBOLS, false);
  initBlock();
  setOutput(output);
  index = 0;
  windowEnd = 0;
  blockStart = 0;
  byteAvailable = false;
  length = MIN_MATCH - 1;
  offset = 0;
  hashOffset = 1;
  chainHead = -1;
  beforeBytes = 0;
  current = SPEED_BLOCK;
}

// @ts-ignore: decorator
@inline
function insert(at: i32): i32 {
  const slot = heads + ((bswap(load<u32>(window + at)) * MULTIPLIER) >> (32 - CHAIN_BITS) << 2);
  const head = load<i32>(slot);
  store<i32>(previous + ((at & WINDOW_MASK) << 2), head);
  store<i32>(slot, at + hashOffset);
  if (skipAbove == 0) {
    const second = secondHeads + (<usize>(((load<u64>(window + at) << 24) * 0x9e3779b97f4a7c15) >> (64 - SECOND_BITS)) << 2);
    secondHead = load<i32>(second);
    store<i32>(secondPrevious + ((at & WINDOW_MASK) << 2), secondHead);
    store<i32>(second, at + hashOffset);
    const ordinal = ordinals + ((at & WINDOW_MASK) << 1);
    lostOrdinal = load<u16>(ordinal);
    store<u16>(ordinal, <u16>(<u32>load<u16>(ordinals + (((head - hashOffset) & WINDOW_MASK) << 1)) + 1));
  }
  return head;
}

function rebase(table: usize, entries: i32, delta: i32): void {
  for (let i = 0; i < entries; i++) {
    const at = table + (i << 2);
    store<i32>(at, max(0, load<i32>(at) - delta));
  }
}

/** Copies input into the window; how much. */
function fill(from: usize, bytes: i32): i32 {
  if (index >= 2 * WINDOW - (MIN_MATCH + MAX_MATCH)) {
    memory.copy(window, window + WINDOW, WINDOW);
    index -= WINDOW;
    windowEnd -= WINDOW;
    blockStart = blockStart >= WINDOW ? blockStart - WINDOW : i32.MAX_VALUE;
    hashOffset += WINDOW;
    if (hashOffset > MAX_HASH_OFFSET) {
      const delta = hashOffset - 1;
      hashOffset = 1;
      chainHead -= delta;
      rebase(previous, WINDOW, delta);
      rebase(heads, 1 << CHAIN_BITS, delta);
      rebase(secondPrevious, WINDOW, delta);
      rebase(secondHeads, 1 << SECOND_BITS, delta);
    }
  }
  const some = min(bytes, 2 * WINDOW - windowEnd);
  memory.copy(window + windowEnd, from, some);
  windowEnd += some;
  return some;
}

// @ts-ignore: decorator
@inline
function lengthOf(here: usize, there: usize, from: i32): i32 {
  let n = from;
  while (n + 8 <= MAX_MATCH) {
    const difference = load<u64>(here + n) ^ load<u64>(there + n);
    if (difference != 0) return n + <i32>(ctz(difference) >> 3);
    n += 8;
  }
  while (n < MAX_MATCH && load<u8>(here + n) == load<u8>(there + n)) n++;
  return n;
}

/**
 * What `findMatch` gives if it is longer than `least`, sooner. A match must be complete in the window, and the string
 * be inserted last.
 */
function findMatchSoon(least: i32): void {
  const lowest = max(0, index - WINDOW);
  const here = window + index;
  const newest: u32 = load<u16>(ordinals + ((index & WINDOW_MASK) << 1));
  const long = load<u64>(here) & SECOND_MASK;
  let best = max(least, MIN_MATCH);
  let end: u32 = load<u16>(here + best - 1);
  let at = secondHead - hashOffset;
  while (at >= lowest) {
    const there = window + at;
    if ((load<u64>(there) & SECOND_MASK) == long) {
      const ordinal: u32 = at == index - WINDOW ? lostOrdinal : <u32>load<u16>(ordinals + ((at & WINDOW_MASK) << 1));
      // The string itself has a place in the chain, before its head.
      if (((newest - 1 - ordinal) & 0xffff) >= <u32>chain) break;
      if (load<u16>(there + best - 1) == end) {
        const n = lengthOf(here, there, SECOND_BYTES);
        if (n > best) {
          best = n;
          length = n;
          offset = index - at;
          if (n >= nice) return;
          end = load<u16>(here + n - 1);
        }
      }
    }
    if (at == index - WINDOW) break;
    at = load<i32>(secondPrevious + ((at & WINDOW_MASK) << 2)) - hashOffset;
  }
  if (best > MIN_MATCH || least >= MIN_MATCH) return;
  // Four bytes count only when they are near.
  const near = max(lowest, index - NEAR);
  const start = load<u32>(here);
  at = chainHead - hashOffset;
  for (let tries = chain; tries > 0 && at >= near; tries--) {
    if (load<u32>(window + at) == start) {
      length = MIN_MATCH;
      offset = index - at;
      return;
    }
    at = load<i32>(previous + ((at & WINDOW_MASK) << 2)) - hashOffset;
  }
}

function findMatch(lookahead: i32): void {
  const most = min(MAX_MATCH, lookahead);
  const enough = min(nice, most);
  const lowest = index - WINDOW;
  const here = window + index;
  let best = MIN_MATCH - 1;
  let end = load<u8>(here + best);
  let at = chainHead - hashOffset;
  for (let tries = chain; tries > 0; tries--) {
    const there = window + at;
    if (load<u8>(there + best) == end) {
      let n = 0;
      while (n + 8 <= most) {
        const difference = load<u64>(here + n) ^ load<u64>(there + n);
        if (difference != 0) {
          n += <i32>(ctz(difference) >> 3);
          break;
        }
        n += 8;
      }
      if (n + 8 > most) {
        while (n < most && load<u8>(here + n) == load<u8>(there + n)) n++;
      }
      if (n > best && (n > MIN_MATCH || index - at <= NEAR)) {
        best = n;
        length = n;
        offset = index - at;
        if (n >= enough) break;
        end = load<u8>(here + n);
      }
    }
    if (at == lowest) break;
    at = load<i32>(previous + ((at & WINDOW_MASK) << 2)) - hashOffset;
    if (at < lowest || at < 0) break;
  }
}

function flush(until: i32): void {
  if (until > 0) {
    writeBlock(blockStart <= until ? window + blockStart : 0, <u32>(until - blockStart), false);
    blockStart = until;
  }
}

function search(last: bool): void {
  if (windowEnd - index < MIN_MATCH + MAX_MATCH && !last) return;
  const insertEnd = windowEnd - (MIN_MATCH - 1);
  const isLazy = skipAbove == 0;
  while (true) {
    const lookahead = windowEnd - index;
    if (lookahead < MIN_MATCH + MAX_MATCH) {
      if (!last) return;
      if (lookahead == 0) {
        if (byteAvailable) {
          tallyLiteral(load<u8>(window + index - 1), 0);
          byteAvailable = false;
        }
        if (symbolsOfBlock() > 0) flush(index);
        return;
      }
    }
    if (index < insertEnd) chainHead = insert(index);
    const previousLength = length;
    const previousOffset = offset;
    length = MIN_MATCH - 1;
    offset = 0;
    const isSought = isLazy ? lookahead > previousLength && previousLength < lazy : lookahead > MIN_MATCH - 1;
    if (isSought && chainHead - hashOffset >= max(0, index - WINDOW)) {
      if (isLazy && lookahead >= MIN_MATCH + MAX_MATCH) findMatchSoon(previousLength);
      else findMatch(lookahead);
    }
    if (isLazy ? previousLength >= MIN_MATCH && length <= previousLength : length >= MIN_MATCH) {
      const found = isLazy ? previousLength : length;
      const full = tallyDistance(<u32>(isLazy ? previousOffset : offset), <u32>(found - 3), 0);
      if (isLazy || length <= skipAbove) {
        const next = isLazy ? index + previousLength - 1 : index + length;
        for (index++; index < next; index++) if (index < insertEnd) insert(index);
        if (isLazy) {
          byteAvailable = false;
          length = MIN_MATCH - 1;
        }
      } else index += length;
      if (full) flush(index);
    } else {
      if (!isLazy || byteAvailable) {
        const at = isLazy ? index - 1 : index;
        if (tallyLiteral(load<u8>(window + at), 0)) flush(at + 1);
      }
      index++;
      if (isLazy) byteAvailable = true;
    }
  }
}

// @ts-ignore: decorator
@inline
function speedSlot(value: u32): usize {
  return heads + ((value * MULTIPLIER) >> (32 - SPEED_BITS) << 3);
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

function speedMatch(s: i32, t: i32): i32 {
  const end = min(s + MAX_MATCH - 4, windowEnd);
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

function speedSymbols(): void {
  if (current >= SPEED_RESET) {
    for (let slot = heads; slot < heads + (8 << SPEED_BITS); slot += 8) {
      store<i32>(slot, max(0, load<i32>(slot, 4) - current + WINDOW + 1), 4);
    }
    current = WINDOW + 1;
  }
  if (windowEnd < 2 + SPEED_MARGIN) {
    current += SPEED_BLOCK;
    beforeBytes = 0;
    literals(0, windowEnd);
    return;
  }
  const limit = windowEnd - SPEED_MARGIN;
  let emitted = 0;
  let s = 0;
  let value = load<u32>(window);
  let slot = speedSlot(value);
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
      slot = speedSlot(now);
      if (s - (candidate - current) <= WINDOW && value == there) break;
      value = now;
    }
    if (isEnd) break;
    literals(emitted, s);
    while (true) {
      s += 4;
      const t = candidate - current + 4;
      const more = speedMatch(s, t);
      tallyDistance(<u32>(s - t), <u32>(more + 1), 0);
      s += more;
      emitted = s;
      if (s >= limit) {
        isEnd = true;
        break;
      }
      const wide = load<u64>(window + s - 1);
      enter(speedSlot(<u32>wide), <u32>wide, current + s - 1);
      const here = <u32>(wide >> 8);
      const slotHere = speedSlot(here);
      const there = load<u32>(slotHere);
      candidate = load<i32>(slotHere, 4);
      enter(slotHere, here, current + s);
      if (s - (candidate - current) > WINDOW || here != there) {
        value = <u32>(wide >> 16);
        slot = speedSlot(value);
        s++;
        break;
      }
    }
    if (isEnd) break;
  }
  literals(emitted, windowEnd);
  current += windowEnd;
  beforeBytes = windowEnd;
  memory.copy(before, window, windowEnd);
}

/** A block of level 1 or -2 from all that is in the window. */
function speedBlock(): void {
  if (windowEnd == 0) return;
  if (level < 0) writeLiterals(window, <u32>windowEnd);
  else if (windowEnd <= 16) sendStored(window, <u32>windowEnd, false);
  else if (windowEnd < 128) writeLiterals(window, <u32>windowEnd);
  else {
    speedSymbols();
    if (<i32>symbolsOfBlock() > windowEnd - (windowEnd >> 4)) writeLiterals(window, <u32>windowEnd);
    else writeBlock(window, <u32>windowEnd, true);
  }
  windowEnd = 0;
}

/** Takes `bytes` bytes of the input buffer; `last` ends the stream. */
export function feed(bytes: u32, last: bool): void {
  let from = input;
  const end = input + bytes;
  while (from < end) {
    if (level < 2) {
      const some = min(<i32>(end - from), SPEED_BLOCK - windowEnd);
      memory.copy(window + windowEnd, from, some);
      windowEnd += some;
      from += some;
      if (windowEnd == SPEED_BLOCK) speedBlock();
    } else {
      search(false);
      from += fill(from, <i32>(end - from));
    }
  }
  if (last) {
    if (level < 2) speedBlock();
    else search(true);
    sendStored(0, 0, true);
  }
  drain();
}
