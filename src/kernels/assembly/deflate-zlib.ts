/**
 * deflate-zlib: the output of zlib's deflate, bit for bit, for levels 1 to 9 (greedy and lazy matching), with the
 * knobs that make the same algorithm pigz or GNU gzip. Algorithm: L. Peter Deutsch's RFC 1951 and Jean-loup
 * Gailly's hash chains with lazy evaluation, as zlib 1.2.11 to 1.3.1 runs them.
 *
 * The window is the real one, 2 x 32 KiB that slides by half: which positions can be matched, and what stands
 * behind the input, depends on it.
 */
import { input, output } from "./shared/buffers";
import {
  configureChains,
  headOf,
  insertDictionaryEnd,
  insertShort,
  insertString,
  MIN_LOOKAHEAD,
  Rules,
  restartChains,
  slideChains,
  TOO_FAR,
  WINDOW,
  window,
} from "./shared/hash-chains";
import { longestMatch, matchStart } from "./shared/longest-match";
import {
  flushBlock,
  initBlock,
  pendingBits,
  sendEmptyFixed,
  sendEmptyStored,
  setOutput,
  tallyDistance,
  tallyLiteral,
  trees,
} from "./shared/trees";
export { inputAddress, outputAddress, outputBytes, takeOutput } from "./shared/buffers";

const MIN_MATCH: u32 = 3;
/** So far the window is looked back over; the rest is what its next step overwrites. */
const MAX_DISTANCE: u32 = WINDOW - MIN_LOOKAHEAD;

let lazy: u32 = 0;
let isLazy: bool = false;
let isGnu: bool = false;

let strstart: u32 = 0;
let lookahead: u32 = 0;
let blockStart: i32 = 0;
let matchLength: u32 = 0;
let distance: u32 = 0;
let matchAvailable: bool = false;
/** Positions at the end of what was before that are entered when the bytes behind them are there. */
let insert: u32 = 0;

let inputAt: u32 = 0;
let inputEnd: u32 = 0;

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
  lazy = maxLazy;
  isLazy = lazyMatching;
  isGnu = gnu;
  const rules = gnu ? Rules.gnu : chromium ? Rules.chromium : Rules.zlib;
  configureChains(false, rules, goodLength, niceLength, maxChain, lazyMatching, hashBits);
  trees((1 << symbolBits) - 1, guessing);
  setOutput(output);
  restart(0);
}

/** Begins a stream anew; the first `dictionaryBytes` of the input buffer (at most 32 KiB) stand before it. */
export function restart(dictionaryBytes: u32): void {
  initBlock();
  strstart = dictionaryBytes;
  blockStart = <i32>dictionaryBytes;
  lookahead = 0;
  matchLength = isGnu && !isLazy ? 0 : MIN_MATCH - 1;
  matchAvailable = false;
  inputAt = 0;
  inputEnd = 0;
  memory.copy(window, input, dictionaryBytes);
  insert = restartChains(false, dictionaryBytes);
}

/** True when the window has what the input can give now; false to wait for more. */
function fill(mode: u32): bool {
  while (true) {
    let more: u32 = 2 * WINDOW - lookahead - strstart;
    const slides = strstart >= WINDOW + MAX_DISTANCE;
    const available = inputEnd - inputAt;
    if (mode == 0 && available < more + (slides ? WINDOW : <u32>0)) return false;
    if (slides) {
      memory.copy(window, window + WINDOW, WINDOW);
      strstart -= WINDOW;
      blockStart -= <i32>WINDOW;
      slideChains();
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
    insertDictionaryEnd(false, strstart - insert);
    while (insert > 0 && lookahead + insert >= MIN_MATCH) {
      insertString(false, strstart - insert);
      insert--;
    }
    if (lookahead >= MIN_LOOKAHEAD) return true;
  }
}

function longest(here: u32, head: u32, ahead: u32, least: u32): u32 {
  return longestMatch(false, here, head, ahead, least);
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
    const head = lookahead >= MIN_MATCH || isGnu ? insertShort(false, strstart) : 0;
    if (head != 0 && strstart - head <= MAX_DISTANCE) matchLength = longest(strstart, head, lookahead, MIN_MATCH - 1);
    let full: bool;
    if (matchLength >= MIN_MATCH) {
      full = tallyDistance(strstart - matchStart, matchLength - MIN_MATCH, <i32>strstart - blockStart);
      lookahead -= matchLength;
      if (matchLength <= lazy && (lookahead >= MIN_MATCH || isGnu)) {
        for (let at = strstart + 1; at < strstart + matchLength; at++) insertShort(false, at);
      }
      strstart += matchLength;
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
    const head = headOf(false, strstart, lookahead);
    const previousLength = matchLength;
    const previousDistance = distance;
    matchLength = MIN_MATCH - 1;
    if (head != 0 && previousLength < lazy && strstart - head <= MAX_DISTANCE) {
      matchLength = longest(strstart, head, lookahead, previousLength);
      distance = strstart - matchStart;
      if (matchLength == MIN_MATCH && distance > TOO_FAR) matchLength = MIN_MATCH - 1;
    }
    if (previousLength >= MIN_MATCH && matchLength <= previousLength) {
      const full = tallyDistance(previousDistance, previousLength - MIN_MATCH, <i32>strstart - blockStart);
      lookahead -= previousLength - 1;
      strstart += previousLength - 1;
      matchAvailable = false;
      matchLength = MIN_MATCH - 1;
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
