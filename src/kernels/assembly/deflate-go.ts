/**
 * deflate-go: the output of Go's compress/flate, bit for bit, as of Go 1.7 to 1.26: level -2 (codes only), 1 (one
 * table, blocks of 65535 bytes), 2 and 3 (greedy), 4 to 9 (lazy). Algorithms: RFC 1951; hash chains over four bytes.
 */
import { input, output } from "./shared/buffers";
import { sendStored, writeBlock } from "./shared/go-blocks";
import { addToSpeedBlock, endSpeedBlock, startSpeed } from "./shared/go-speed";
import {
  configureChains,
  headOf,
  insertShort,
  MIN_LOOKAHEAD,
  Rules,
  restartChains,
  slideChains,
  WINDOW,
  window,
} from "./shared/hash-chains";
import { longestMatch, matchStart } from "./shared/longest-match";
import { drain, initBlock, setOutput, symbolsOfBlock, tallyDistance, tallyLiteral, trees } from "./shared/trees";

export { inputAddress, outputAddress, outputBytes, takeOutput } from "./shared/buffers";

const MIN_MATCH: u32 = 4;
const BLOCK_SYMBOLS: u32 = 16384;
/** The window begins here: position 0 is no match. */
const FIRST: u32 = 1;
/** The input of the open block is no longer all in the window. */
const LOST: u32 = u32.MAX_VALUE;
const FIRST_CHAIN_LEVEL: i32 = 2;
/** No match is so good that Go would search less. */
const NEVER_GOOD: u32 = 259;

let level: i32 = 0;
let lazy: u32 = 0;
/** Greedy levels: matches up to this length are entered into the chains. */
let skipAbove: u32 = 0;

let index: u32 = 0;
let windowEnd: u32 = 0;
let blockStart: u32 = 0;
let byteAvailable: bool = false;
/** Lazy matching: the match at the position before, of at most 3 bytes for none. */
let length: u32 = 0;
let offset: u32 = 0;

/** Begins a stream. `skipAboveLength` 0: matching is lazy. */
export function configure(levelNumber: i32, maxLazy: u32, niceLength: u32, maxChain: u32, skipAboveLength: u32): void {
  level = levelNumber;
  lazy = maxLazy;
  skipAbove = skipAboveLength;
  configureChains(true, Rules.zlib, NEVER_GOOD, niceLength, maxChain, skipAbove == 0, 0);
  restartChains(true, 0);
  startSpeed();
  trees(BLOCK_SYMBOLS, false);
  initBlock();
  setOutput(output);
  index = FIRST;
  windowEnd = FIRST;
  blockStart = FIRST;
  byteAvailable = false;
  length = MIN_MATCH - 1;
  offset = 0;
}

/** Copies input into the window; how much. */
function fill(from: usize, bytes: u32): u32 {
  if (index >= FIRST + 2 * WINDOW - MIN_LOOKAHEAD) {
    memory.copy(window + FIRST, window + FIRST + WINDOW, WINDOW);
    index -= WINDOW;
    windowEnd -= WINDOW;
    blockStart = blockStart >= FIRST + WINDOW && blockStart != LOST ? blockStart - WINDOW : LOST;
    slideChains();
  }
  const some: u32 = min(bytes, FIRST + 2 * WINDOW - windowEnd);
  memory.copy(window + windowEnd, from, some);
  windowEnd += some;
  return some;
}

function flush(until: u32): void {
  if (until == FIRST) return;
  writeBlock(blockStart <= until ? window + blockStart : 0, until - blockStart, false);
  blockStart = until;
}

/** True when the input is used up, or as much of it as can be matched before more comes. */
function isAtEnd(lookahead: u32, last: bool): bool {
  if (lookahead >= MIN_LOOKAHEAD) return false;
  if (!last) return true;
  if (lookahead > 0) return false;
  if (byteAvailable) tallyLiteral(load<u8>(window + index - 1), 0);
  byteAvailable = false;
  if (symbolsOfBlock() > 0) flush(index);
  return true;
}

function lazily(last: bool): void {
  while (true) {
    const lookahead = windowEnd - index;
    if (isAtEnd(lookahead, last)) return;
    const head = headOf(true, index, lookahead);
    const previousLength = length;
    const previousOffset = offset;
    length = MIN_MATCH - 1;
    if (head != 0 && lookahead > previousLength && previousLength < lazy && index - head <= WINDOW) {
      length = longestMatch(true, index, head, lookahead, max(previousLength, MIN_MATCH - 1));
      offset = index - matchStart;
    }
    if (previousLength >= MIN_MATCH && length <= previousLength) {
      const full = tallyDistance(previousOffset, previousLength - 3, 0);
      index += previousLength - 1;
      byteAvailable = false;
      length = MIN_MATCH - 1;
      if (full) flush(index);
      continue;
    }
    if (byteAvailable && tallyLiteral(load<u8>(window + index - 1), 0)) flush(index);
    index++;
    byteAvailable = true;
  }
}

function greedily(last: bool): void {
  while (true) {
    const lookahead = windowEnd - index;
    if (isAtEnd(lookahead, last)) return;
    let found = MIN_MATCH - 1;
    if (lookahead >= MIN_MATCH) {
      const head = insertShort(true, index);
      if (head != 0 && index - head <= WINDOW) found = longestMatch(true, index, head, lookahead, found);
    }
    if (found < MIN_MATCH) {
      const full = tallyLiteral(load<u8>(window + index), 0);
      index++;
      if (full) flush(index);
      continue;
    }
    const full = tallyDistance(index - matchStart, found - 3, 0);
    const next = index + found;
    if (found <= skipAbove) {
      for (let at = index + 1; at < min(next, windowEnd - (MIN_MATCH - 1)); at++) insertShort(true, at);
    }
    index = next;
    if (full) flush(index);
  }
}

function search(last: bool): void {
  if (skipAbove == 0) lazily(last);
  else greedily(last);
}

/** Takes `bytes` bytes of the input buffer; `last` ends the stream. */
export function feed(bytes: u32, last: bool): void {
  let from = input;
  const end = input + bytes;
  while (from < end) {
    if (level < FIRST_CHAIN_LEVEL) from += addToSpeedBlock(from, <i32>(end - from), level < 0);
    else {
      search(false);
      from += fill(from, <u32>(end - from));
    }
  }
  if (last) {
    if (level < FIRST_CHAIN_LEVEL) endSpeedBlock(level < 0);
    else search(true);
    sendStored(0, 0, true);
  }
  drain();
}
