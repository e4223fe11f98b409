/**
 * deflate-zlib: the output of zlib's deflate, bit for bit, for levels 1 to 9 (greedy and lazy matching), with the
 * knobs that make the same algorithm pigz or GNU gzip. Algorithm: L. Peter Deutsch's RFC 1951 and Jean-loup
 * Gailly's hash chains with lazy evaluation, as zlib 1.2.11 to 1.3.1 runs them.
 *
 * The window is the real one, 2 x 32 KiB that slides by half: which positions can be matched, and what stands
 * behind the input, depends on it.
 *
 * Where chains are long, not all of a chain is walked to find what zlib would: matches of four bytes and more are found
 * by a second chain over four bytes, and `ordinals` tell whether zlib would have come so far before giving up.
 */
import {
  flushBlock,
  initBlock,
  outputEnd,
  pendingBits,
  sendEmptyFixed,
  sendEmptyStored,
  setOutput,
  tallyDistance,
  tallyLiteral,
  trees,
} from "./shared/trees";

const WINDOW: u32 = 32768;
const WINDOW_MASK: u32 = WINDOW - 1;
const WINDOW_BYTES: u32 = 2 * WINDOW;
const MIN_MATCH: u32 = 3;
const MAX_MATCH: u32 = 258;
/** Matching needs this much ahead: a longest match and the next hash. */
const MIN_LOOKAHEAD: u32 = MAX_MATCH + MIN_MATCH + 1;
const MAX_DISTANCE: u32 = WINDOW - MIN_LOOKAHEAD;
/** Chromium's zlib hashes four bytes. */
const CHROMIUM_FACTOR: u32 = 66521;
/** Matches of three bytes from further away cost more than literals. */
const TOO_FAR: u32 = 4096;

const window: usize = memory.data(2 * 32768 + 512, 16);
const previous: usize = memory.data(2 * 32768, 16);
const heads: usize = memory.data(2 * 65536, 16);
/** The second chain, and for each position how many stood before it in its first one, modulo 2^16. */
const SECOND_BITS: u32 = 16;
const secondHeads: usize = memory.data(2 * 65536, 16);
const secondPrevious: usize = memory.data(2 * 32768, 16);
/** The third chain, over six bytes. */
const thirdHeads: usize = memory.data(2 * 65536, 16);
const thirdPrevious: usize = memory.data(2 * 32768, 16);
const LONGEST_HASH: u32 = 6;
const THIRD_MASK: u64 = 0xffffffffffff;
const ordinals: usize = memory.data(2 * 32768, 16);
/** Chains of this length and more are worth the second one. */
const LONG_CHAIN: u32 = 64;
const input: usize = memory.data(1 << 18, 16);
const output: usize = memory.data(1 << 20, 16);

let good: u32 = 0;
let lazy: u32 = 0;
let nice: u32 = 0;
let chain: u32 = 0;
let isLazy: bool = false;
let isGnu: bool = false;
let isChromium: bool = false;
let isSecond: bool = false;
/** What the second chain had for the string that was inserted last. */
let secondHead: u32 = 0;
let thirdHead: u32 = 0;
/** From this position on, what the longer chains are over was not there yet. */
const NONE: u32 = u32.MAX_VALUE;
let late: u32 = NONE;
let hashShift: u32 = 5;
let hashMask: u32 = 32767;

let strstart: u32 = 0;
let lookahead: u32 = 0;
let blockStart: i32 = 0;
let matchStart: u32 = 0;
let matchLength: u32 = 0;
let previousLength: u32 = 0;
let matchAvailable: bool = false;
let insert: u32 = 0;

let inputAt: u32 = 0;
let inputEnd: u32 = 0;

export function inputAddress(): usize {
  return input;
}

export function outputAddress(): usize {
  return output;
}

/** Bytes of output since the last `takeOutput`. */
export function outputBytes(): u32 {
  return <u32>(outputEnd() - output);
}

export function takeOutput(): void {
  setOutput(output);
}

/**
 * Level's parameters, log2 of the symbols of a block, bits of the hash, whether it is GNU gzip's variant and whether
 * that one guesses where blocks should end.
 */
export function configure(
  goodLength: u32,
  maxLazy: u32,
  niceLength: u32,
  maxChain: u32,
  lazyMatching: bool,
  symbolBits: u32,
  hashBits: u32,
  gnu: bool,
  guessing: bool,
  chromium: bool,
): void {
  good = goodLength;
  lazy = maxLazy;
  nice = niceLength;
  chain = maxChain;
  isLazy = lazyMatching;
  isGnu = gnu;
  isChromium = chromium;
  isSecond = lazyMatching && maxChain >= LONG_CHAIN;
  hashShift = (hashBits + MIN_MATCH - 1) / MIN_MATCH;
  hashMask = (1 << hashBits) - 1;
  trees((1 << symbolBits) - 1, guessing);
  setOutput(output);
  memory.fill(window, 0, 2 * 32768 + 512);
  restart(0);
}

/** Begins a stream anew; the first `dictionaryBytes` of the input buffer (at most 32 KiB) stand before it. */
export function restart(dictionaryBytes: u32): void {
  memory.fill(heads, 0, 2 * 65536);
  if (isSecond) {
    memory.fill(secondHeads, 0, 2 * 65536);
    memory.fill(thirdHeads, 0, 2 * 65536);
  }
  initBlock();
  strstart = dictionaryBytes;
  blockStart = <i32>dictionaryBytes;
  lookahead = 0;
  matchStart = 0;
  previousLength = MIN_MATCH - 1;
  matchLength = isGnu && !isLazy ? 0 : MIN_MATCH - 1;
  matchAvailable = false;
  inputAt = 0;
  inputEnd = 0;
  memory.copy(window, input, dictionaryBytes);
  let at: u32 = 0;
  for (; at + LONGEST_HASH <= dictionaryBytes; at++) insertString(at);
  late = at;
  for (; at + MIN_MATCH <= dictionaryBytes; at++) insertFirst(at);
  insert = dictionaryBytes - at;
}

// @ts-ignore: decorator
@inline
function insertString(at: u32): u32 {
  const head = insertFirst(at);
  if (isSecond) insertSecond(at);
  return head;
}

// @ts-ignore: decorator
@inline
function insertSecond(at: u32): void {
  const slot = secondHeads + (((load<u32>(window + at) * 0x9e3779b1) >> (32 - SECOND_BITS)) << 1);
  secondHead = load<u16>(slot);
  store<u16>(secondPrevious + ((at & WINDOW_MASK) << 1), <u16>secondHead);
  store<u16>(slot, <u16>at);
  const third = thirdHeads + (<usize>(((load<u64>(window + at) << 16) * 0x9e3779b97f4a7c15) >> (64 - SECOND_BITS)) << 1);
  thirdHead = load<u16>(third);
  store<u16>(thirdPrevious + ((at & WINDOW_MASK) << 1), <u16>thirdHead);
  store<u16>(third, <u16>at);
}

// @ts-ignore: decorator
@inline
function insertFirst(at: u32): u32 {
  const w = window + at;
  const hash = isChromium
    ? ((load<u32>(w) * CHROMIUM_FACTOR + CHROMIUM_FACTOR) >> 16) & hashMask
    : ((<u32>load<u8>(w) << (2 * hashShift)) ^ (<u32>load<u8>(w, 1) << hashShift) ^ load<u8>(w, 2)) & hashMask;
  const slot = heads + (hash << 1);
  const head: u32 = load<u16>(slot);
  store<u16>(previous + ((at & WINDOW_MASK) << 1), <u16>head);
  store<u16>(slot, <u16>at);
  if (isSecond) store<u16>(ordinals + ((at & WINDOW_MASK) << 1), <u16>(<u32>load<u16>(ordinals + ((head & WINDOW_MASK) << 1)) + 1));
  return head;
}

function slide(table: usize, entries: u32): void {
  const window16 = i16x8.splat(<i16>WINDOW);
  for (let i: u32 = 0; i < entries; i += 8) {
    const at = table + (i << 1);
    v128.store(at, i16x8.sub_sat_u(v128.load(at), window16));
  }
}

/** True when the window has what the input can give now; false to wait for more. */
function fill(mode: u32): bool {
  while (true) {
    let more = WINDOW_BYTES - lookahead - strstart;
    const slides = strstart >= WINDOW + MAX_DISTANCE;
    const available = inputEnd - inputAt;
    if (mode == 0 && available < more + (slides ? WINDOW : 0)) return false;
    if (slides) {
      memory.copy(window, window + WINDOW, WINDOW);
      matchStart -= WINDOW;
      strstart -= WINDOW;
      blockStart -= <i32>WINDOW;
      slide(heads, hashMask + 1);
      slide(previous, WINDOW);
      if (isSecond) {
        slide(secondHeads, 1 << SECOND_BITS);
        slide(secondPrevious, WINDOW);
        slide(thirdHeads, 1 << SECOND_BITS);
        slide(thirdPrevious, WINDOW);
      }
      more += WINDOW;
    }
    if (available == 0) {
      if (isGnu) memory.fill(window + strstart + lookahead, 0, MIN_MATCH - 1);
      return true;
    }
    const taken = min(available, more);
    memory.copy(window + strstart + lookahead, input + inputAt, taken);
    inputAt += taken;
    lookahead += taken;
    if (isSecond && late != NONE) {
      while (late < strstart - insert) insertSecond(late++);
      late = NONE;
    }
    while (insert > 0 && lookahead + insert >= MIN_MATCH) {
      insertString(strstart - insert);
      insert--;
    }
    if (lookahead >= MIN_LOOKAHEAD) return true;
  }
}

// @ts-ignore: decorator
@inline
function lengthOf(scan: usize, match: usize, from: u32): u32 {
  let length = from;
  while (length + 8 <= MAX_MATCH) {
    const difference = load<u64>(scan + length) ^ load<u64>(match + length);
    if (difference != 0) return length + <u32>(ctz(difference) >> 3);
    length += 8;
  }
  while (length < MAX_MATCH && load<u8>(scan + length) == load<u8>(match + length)) length++;
  return length;
}

/** What `longestMatch` gives, sooner. A match must be complete in the window, and the string be inserted last. */
function longestMatchSoon(from: u32): u32 {
  let best = previousLength;
  const chainLeft = best >= good ? chain >> 2 : chain;
  const scan = window + strstart;
  const limit: u32 = strstart > MAX_DISTANCE ? strstart - MAX_DISTANCE : 0;
  const newest: u32 = load<u16>(ordinals + ((from & WINDOW_MASK) << 1));
  const start = load<u32>(scan);
  let end: u32 = load<u16>(scan + best - 1);
  let current = strstart;
  if (best < 5) for (current = secondHead; current > limit; current = load<u16>(secondPrevious + ((current & WINDOW_MASK) << 1))) {
    const match = window + current;
    if (load<u32>(match) != start) continue;
    if (((newest - <u32>load<u16>(ordinals + ((current & WINDOW_MASK) << 1))) & 0xffff) >= chainLeft) break;
    if (load<u16>(match + best - 1) != end) continue;
    const length = lengthOf(scan, match, 4);
    if (length > best) {
      matchStart = current;
      best = length;
      if (length >= nice) return best;
      if (best >= 5) break;
      end = load<u16>(scan + best - 1);
    }
  }
  if (best >= 5) {
    const long = load<u64>(scan) & THIRD_MASK;
    end = load<u16>(scan + best - 1);
    const found = current;
    for (current = thirdHead; current > limit; current = load<u16>(thirdPrevious + ((current & WINDOW_MASK) << 1))) {
      const match = window + current;
      if (current >= found || (load<u64>(match) & THIRD_MASK) != long) continue;
      if (((newest - <u32>load<u16>(ordinals + ((current & WINDOW_MASK) << 1))) & 0xffff) >= chainLeft) break;
      if (load<u16>(match + best - 1) != end) continue;
      const length = lengthOf(scan, match, 6);
      if (length > best) {
        matchStart = current;
        best = length;
        if (length >= nice) return best;
        end = load<u16>(scan + best - 1);
      }
    }
    return best;
  }
  if (best >= MIN_MATCH) return best;
  // Three bytes count only when they are near.
  const near: u32 = max(limit, strstart > TOO_FAR ? strstart - TOO_FAR - 1 : 0);
  current = from;
  for (let left = chainLeft; left != 0 && current > near; left--) {
    if (((load<u32>(window + current) ^ start) & 0xffffff) == 0) {
      matchStart = current;
      return MIN_MATCH;
    }
    current = load<u16>(previous + ((current & WINDOW_MASK) << 1));
  }
  return best;
}

function longestMatch(from: u32): u32 {
  let current = from;
  let chainLeft = chain;
  const scan = window + strstart;
  let best = previousLength;
  let niceLength = nice;
  const limit: u32 = strstart > MAX_DISTANCE ? strstart - MAX_DISTANCE : 0;
  if (previousLength >= good) chainLeft >>= 2;
  if (!isGnu && niceLength > lookahead) niceLength = lookahead;
  let end: u32 = load<u16>(scan + best - 1);
  const start: u32 = load<u16>(scan);
  do {
    const match = window + current;
    if (load<u16>(match + best - 1) != end || load<u16>(match) != start) continue;
    let length: u32 = MIN_MATCH;
    while (length + 8 <= MAX_MATCH) {
      const difference = load<u64>(scan + length) ^ load<u64>(match + length);
      if (difference != 0) {
        length += <u32>(ctz(difference) >> 3);
        break;
      }
      length += 8;
    }
    if (length + 8 > MAX_MATCH) {
      while (length < MAX_MATCH && load<u8>(scan + length) == load<u8>(match + length)) length++;
    }
    if (length > best) {
      matchStart = current;
      best = length;
      if (length >= niceLength) break;
      end = load<u16>(scan + best - 1);
    }
  } while ((current = load<u16>(previous + ((current & WINDOW_MASK) << 1))) > limit && --chainLeft != 0);
  return best <= lookahead ? best : lookahead;
}

function flush(last: bool): void {
  const stored = <i32>strstart - blockStart;
  flushBlock(blockStart >= 0 ? window + blockStart : 0, <u32>stored, last);
  blockStart = <i32>strstart;
}

/** True when the input is used up. */
function greedy(mode: u32): bool {
  while (true) {
    if (lookahead < MIN_LOOKAHEAD) {
      if (!fill(mode)) return false;
      if (lookahead == 0) return true;
    }
    const head = lookahead >= MIN_MATCH || isGnu ? insertString(strstart) : 0;
    if (head != 0 && strstart - head <= MAX_DISTANCE) matchLength = longestMatch(head);
    let full: bool;
    if (matchLength >= MIN_MATCH) {
      full = tallyDistance(strstart - matchStart, matchLength - MIN_MATCH, <i32>strstart - blockStart);
      lookahead -= matchLength;
      if (matchLength <= lazy && (lookahead >= MIN_MATCH || isGnu)) {
        for (let i: u32 = 1; i < matchLength; i++) insertString(++strstart);
        strstart++;
      } else strstart += matchLength;
      matchLength = 0;
    } else {
      full = tallyLiteral(load<u8>(window + strstart), <i32>strstart - blockStart);
      lookahead--;
      strstart++;
    }
    if (full) flush(false);
  }
}

function lazily(mode: u32): bool {
  while (true) {
    if (lookahead < MIN_LOOKAHEAD) {
      if (!fill(mode)) return false;
      if (lookahead == 0) return true;
    }
    const head = lookahead >= MIN_MATCH || isGnu ? insertString(strstart) : 0;
    previousLength = matchLength;
    const previousMatch = matchStart;
    matchLength = MIN_MATCH - 1;
    if (head != 0 && previousLength < lazy && strstart - head <= MAX_DISTANCE) {
      // The first of a chain may be one byte further away than the others.
      const isSoon = isSecond && lookahead >= MIN_LOOKAHEAD && strstart - head < MAX_DISTANCE;
      matchLength = isSoon ? longestMatchSoon(head) : longestMatch(head);
      if (matchLength == MIN_MATCH && strstart - matchStart > TOO_FAR) matchLength = MIN_MATCH - 1;
    }
    if (previousLength >= MIN_MATCH && matchLength <= previousLength) {
      const lastInsert = strstart + lookahead - MIN_MATCH;
      const full = tallyDistance(strstart - 1 - previousMatch, previousLength - MIN_MATCH, <i32>strstart - blockStart);
      lookahead -= previousLength - 1;
      for (let left = previousLength - 2; left != 0; left--) {
        if (++strstart <= lastInsert || isGnu) insertString(strstart);
      }
      matchAvailable = false;
      matchLength = MIN_MATCH - 1;
      strstart++;
      if (full) flush(false);
    } else if (matchAvailable) {
      if (tallyLiteral(load<u8>(window + strstart - 1), <i32>strstart - blockStart)) flush(false);
      strstart++;
      lookahead--;
    } else {
      matchAvailable = true;
      strstart++;
      lookahead--;
    }
  }
}

/**
 * Takes `bytes` new bytes, which stand in the input buffer behind those that were left. `mode`: 0 more will come,
 * 1 the end of the stream, 2 the end of a block that others follow (not on a byte boundary). Returns how many
 * bytes stay in the input buffer, at its start.
 */
export function feed(bytes: u32, mode: u32): u32 {
  inputEnd += bytes;
  const done = isLazy ? lazily(mode) : greedy(mode);
  if (done && mode != 0) {
    if (matchAvailable) {
      tallyLiteral(load<u8>(window + strstart - 1), <i32>strstart - blockStart);
      matchAvailable = false;
    }
    insert = min(strstart, MIN_MATCH - 1);
    if (mode == 1) flush(true);
    else if (<i32>strstart > blockStart) flush(false);
  }
  const left = inputEnd - inputAt;
  memory.copy(input, input + inputAt, left);
  inputAt = 0;
  inputEnd = left;
  return left;
}

/** After the end of a block: what pigz puts there so that the next one can begin on a byte. */
export function pad(): void {
  let open = pendingBits();
  if ((open & 1) != 0) sendEmptyStored();
  else {
    while (open != 0) {
      sendEmptyFixed();
      open = pendingBits();
    }
  }
}
