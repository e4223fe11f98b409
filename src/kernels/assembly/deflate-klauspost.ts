/**
 * deflate-klauspost: the output of klauspost/compress/flate at its default level, 5, bit for bit, as of version 1.15:
 * two tables, of four and of seven bytes, the latter with the position before; blocks of 65535 bytes.
 */
import { input, output } from "./shared/buffers";
import { resetBlocks, sendEnd, stored, writeLiteralsOf, writeSymbols } from "./shared/klauspost-blocks";
import { matchLength } from "./shared/match-length";
import { drain, setOutput, symbolsOfBlock, tallyDistance, tallyLiteral, trees } from "./shared/trees";

export { inputAddress, outputAddress, outputBytes, takeOutput } from "./shared/buffers";

const BLOCK: i32 = 65535;
const HISTORY: i32 = 5 * BLOCK;
const MAX_DISTANCE: i32 = 32768;
const MAX_MATCH: i32 = 258;
const MARGIN: i32 = 11;
const TABLE_BITS: u32 = 15;
/** Multipliers of the hashes: primes near 2^32 and 2^56 divided by the golden ratio. */
const PRIME_4: u32 = 2654435761;
const PRIME_7: u64 = 58295818150454627;

const short: usize = memory.data(4 << 15, 16);
/** Pairs: the newest position and the one before. */
const long: usize = memory.data(8 << 15, 16);
const history: usize = memory.data(5 * 65535 + 64, 16);
const window: usize = memory.data(65535 + 65, 16);

let historyEnd: i32 = 0;
let current: i32 = 0;
let windowEnd: i32 = 0;

function forget(): void {
  memory.fill(short, 0, 4 << 15);
  memory.fill(long, 0, 8 << 15);
  historyEnd = 0;
  // Entries of value 0 are out of reach.
  current = BLOCK;
}

export function configure(): void {
  trees(u32.MAX_VALUE, false);
  setOutput(output);
  restart(0);
}

/** Begins anew on a byte boundary; the first bytes of the input buffer stand before the stream. */
export function restart(dictionaryBytes: u32): void {
  resetBlocks();
  forget();
  windowEnd = 0;
  if (dictionaryBytes > 0) {
    encode(input, <i32>dictionaryBytes);
    resetBlocks();
  }
}

// @ts-ignore: decorator
@inline
function shortSlot(value: u64): usize {
  return short + (((<u32>value * PRIME_4) >> (32 - TABLE_BITS)) << 2);
}

// @ts-ignore: decorator
@inline
function longSlot(value: u64): usize {
  return long + ((<usize>(((value << 8) * PRIME_7) >> (64 - TABLE_BITS))) << 3);
}

// @ts-ignore: decorator
@inline
function enterLong(slot: usize, position: i32): void {
  store<i32>(slot, load<i32>(slot), 4);
  store<i32>(slot, position);
}

// @ts-ignore: decorator
@inline
function at64(position: i32): u64 {
  return load<u64>(history + position);
}

// @ts-ignore: decorator
@inline
function at32(position: i32): u32 {
  return load<u32>(history + position);
}

function extend(s: i32, t: i32, end: i32): i32 {
  return matchLength(history + s, history + t, 0, end - s);
}

// @ts-ignore: decorator
@inline
function usual(s: i32, t: i32): i32 {
  return extend(s + 4, t + 4, min(s + MAX_MATCH, historyEnd)) + 4;
}

function literalsUntil(from: i32, to: i32): void {
  for (let i = from; i < to; i++) tallyLiteral(load<u8>(history + i), 0);
}

function match(length: i32, distance: i32): void {
  let left = length;
  while (left > 0) {
    let some = left;
    if (some > MAX_MATCH) some = some > MAX_MATCH + 3 ? MAX_MATCH : MAX_MATCH - 3;
    left -= some;
    tallyDistance(<u32>distance, <u32>(some - 3), 0);
  }
}

/** Makes symbols of the bytes; none at all when nothing matches. */
function encode(from: usize, bytes: i32): void {
  if (historyEnd + bytes > HISTORY) {
    const dropped = historyEnd - MAX_DISTANCE;
    memory.copy(history, history + dropped, MAX_DISTANCE);
    current += dropped;
    historyEnd = MAX_DISTANCE;
  }
  let s = historyEnd;
  memory.copy(history + historyEnd, from, bytes);
  historyEnd += bytes;
  if (bytes < MARGIN + 2) return;
  let emitted = s;
  const limit = historyEnd - MARGIN;
  let value = at64(s);
  let isEnd = false;
  while (true) {
    let next = s;
    let length = 0;
    let t = 0;
    while (true) {
      const shortHere = shortSlot(value);
      const longHere = longSlot(value);
      s = next;
      next = s + 1 + ((s - emitted) >> 6);
      if (next > limit) {
        isEnd = true;
        break;
      }
      const shortCandidate = load<i32>(shortHere);
      const newest = load<i32>(longHere);
      const older = load<i32>(longHere, 4);
      const nextValue = at64(next);
      store<i32>(shortHere, s + current);
      enterLong(longHere, s + current);
      const shortNext = shortSlot(nextValue);
      const longNext = longSlot(nextValue);
      t = newest - current;
      if (s - t < MAX_DISTANCE) {
        const t2 = older - current;
        if (<u32>value == at32(t)) {
          store<i32>(shortNext, next + current);
          enterLong(longNext, next + current);
          if (s - t2 < MAX_DISTANCE && <u32>value == at32(t2)) {
            length = usual(s, t);
            const other = usual(s, t2);
            if (other > length) {
              t = t2;
              length = other;
            }
          }
          break;
        }
        if (s - t2 < MAX_DISTANCE && <u32>value == at32(t2)) {
          t = t2;
          store<i32>(shortNext, next + current);
          enterLong(longNext, next + current);
          break;
        }
      }
      t = shortCandidate - current;
      if (s - t < MAX_DISTANCE && <u32>value == at32(t)) {
        length = usual(s, t);
        const newestNext = load<i32>(longNext);
        const olderNext = load<i32>(longNext, 4);
        store<i32>(shortNext, next + current);
        enterLong(longNext, next + current);
        let t2 = newestNext - current;
        if (next - t2 < MAX_DISTANCE) {
          let found = 0;
          if (at32(t2) == <u32>nextValue) found = usual(next, t2);
          if (found <= length) {
            t2 = olderNext - current;
            found = next - t2 < MAX_DISTANCE && at32(t2) == <u32>nextValue ? usual(next, t2) : 0;
          }
          if (found > length) {
            t = t2;
            s = next;
            length = found;
          }
        }
        break;
      }
      value = nextValue;
    }
    if (isEnd) break;
    if (length == 0) length = extend(s + 4, t + 4, historyEnd) + 4;
    else if (length == MAX_MATCH) length += extend(s + length, t + length, historyEnd);
    // A match that begins two bytes later may reach further: what ends where this one ends tells.
    const end = s + length;
    if (length < 30 && end < limit) {
      const t2 = load<i32>(longSlot(at64(end))) - current - length + 2;
      const s2 = s + 2;
      const distance = s2 - t2;
      if (t2 >= 0 && distance < MAX_DISTANCE && distance > 0) {
        const other = extend(s2, t2, historyEnd);
        if (other > length) {
          t = t2;
          length = other;
          s = s2;
        }
      }
    }
    while (t > 0 && s > emitted && load<u8>(history + t - 1) == load<u8>(history + s - 1)) {
      s--;
      t--;
      length++;
    }
    literalsUntil(emitted, s);
    match(length, s - t);
    s += length;
    emitted = s;
    if (next >= s) s = next + 1;
    if (s >= limit) break;
    let i = s - length + 1;
    if (i < s - 1) {
      let part = at64(i);
      store<i32>(shortSlot(part), i + current);
      enterLong(longSlot(part), i + current);
      part >>= 8;
      enterLong(longSlot(part), i + 1 + current);
      part >>= 8;
      store<i32>(shortSlot(part), i + 2 + current);
      for (i += 4; i < s - 1; i += 3) {
        part = at64(i);
        enterLong(longSlot(part), i + current);
        store<i32>(shortSlot(part >> 8), i + 1 + current);
      }
    }
    const before = at64(s - 1);
    store<i32>(shortSlot(before), current + s - 1);
    enterLong(longSlot(before), current + s - 1);
    value = before >> 8;
  }
  if (symbolsOfBlock() > 0) literalsUntil(emitted, historyEnd);
}

function block(last: bool): void {
  if (windowEnd == 0) return;
  if (windowEnd < 128) {
    if (windowEnd <= 32) stored(window, <u32>windowEnd);
    else writeLiteralsOf(window, <u32>windowEnd, true);
    forget();
  } else {
    encode(window, windowEnd);
    if (symbolsOfBlock() == 0) stored(window, <u32>windowEnd);
    else if (<i32>symbolsOfBlock() > windowEnd - (windowEnd >> 4)) writeLiteralsOf(window, <u32>windowEnd, last);
    else writeSymbols(window, <u32>windowEnd, last);
  }
  windowEnd = 0;
}

/** Takes `bytes` bytes of the input buffer. */
export function feed(bytes: u32): void {
  let from = input;
  const end = input + bytes;
  while (from < end) {
    // A full block waits until it is known whether it is the last.
    if (windowEnd == BLOCK) block(false);
    const some = min(<i32>(end - from), BLOCK - windowEnd);
    memory.copy(window + windowEnd, from, some);
    windowEnd += some;
    from += some;
  }
  drain();
}

/** Writes what there is, and ends on a byte boundary. */
export function flush(): void {
  block(true);
  stored(0, 0);
}

/** Ends the stream. */
export function finish(): void {
  block(true);
  sendEnd();
}
