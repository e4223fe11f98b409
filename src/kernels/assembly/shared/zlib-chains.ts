/**
 * The window and the hash chains of zlib's deflate, and its longest match.
 *
 * zlib walks one chain, over three bytes, for a limited number of steps. Where that number is large, its match is found
 * sooner: matches of four bytes and more by a chain over four bytes, those of six and more by one over six bytes, the
 * first six of the match or the last six, whichever leads further back. Each position's ordinal counts how many stood
 * before it in zlib's chain, which tells whether zlib would have come so far before giving up.
 */
import { matchLength } from "./match-length";

export const WINDOW: u32 = 32768;
const WINDOW_MASK: u32 = WINDOW - 1;
export const MIN_MATCH: u32 = 3;
const MAX_MATCH: u32 = 258;
/** Matching needs this much ahead: a longest match and the next hash. */
export const MIN_LOOKAHEAD: u32 = MAX_MATCH + MIN_MATCH + 1;
export const MAX_DISTANCE: u32 = WINDOW - MIN_LOOKAHEAD;
/** Chromium's zlib hashes four bytes. */
const CHROMIUM_FACTOR: u32 = 66521;
/** Matches of three bytes from further away cost more than literals. */
export const TOO_FAR: u32 = 4096;

export const window: usize = memory.data(2 * 32768 + 512, 16);
const heads: usize = memory.data(2 * 65536, 16);
/** Where chains are short: what each position's chain goes on with. */
const previous: usize = memory.data(2 * 32768, 16);

/** Chains of this length and more are worth the longer ones. */
const LONG_CHAIN: u32 = 32;
/**
 * Where chains are long, 8 bytes for each position: what its chain goes on with, its ordinal modulo 2^16, and what its
 * chain over four bytes and its chain over six go on with.
 */
const nodes: usize = memory.data(8 * 32768, 16);
const ORDINAL: usize = 2;
const SECOND: usize = 4;
const THIRD: usize = 6;
const LONG_BITS: u32 = 16;
const secondHeads: usize = memory.data(2 * 65536, 16);
const thirdHeads: usize = memory.data(2 * 65536, 16);
const THIRD_BYTES: u32 = 6;
const THIRD_MASK: u64 = 0xffffffffffff;
/**
 * Positions that are entered at once: each is hashed with 8 bytes, which are in the lookahead, and takes the node of one
 * that is beyond `MAX_DISTANCE`.
 */
const BATCH: u32 = 248;

let good: u32 = 0;
let nice: u32 = 0;
let chain: u32 = 0;
let isGnu: bool = false;
let isChromium: bool = false;
let isLong: bool = false;
let hashShift: u32 = 5;
let hashMask: u32 = 32767;

/** Lazy matching: positions before this one are in the chains. */
let inserted: u32 = 0;
/** From this position on, up to the end of the dictionary, what the longer chains are over was not there yet. */
const NONE: u32 = u32.MAX_VALUE;
let late: u32 = NONE;
/** Where `longestMatch` found one. */
export let matchStart: u32 = 0;

export function configureChains(
  goodLength: u32,
  niceLength: u32,
  maxChain: u32,
  lazyMatching: bool,
  hashBits: u32,
  gnu: bool,
  chromium: bool,
): void {
  good = goodLength;
  nice = niceLength;
  chain = maxChain;
  isGnu = gnu;
  isChromium = chromium;
  isLong = lazyMatching && maxChain >= LONG_CHAIN;
  hashShift = (hashBits + MIN_MATCH - 1) / MIN_MATCH;
  hashMask = (1 << hashBits) - 1;
  memory.fill(window, 0, 2 * 32768 + 512);
}

/** Empties the chains and enters the dictionary at the start of the window; how many of its positions lack bytes. */
export function restartChains(dictionaryBytes: u32): u32 {
  memory.fill(heads, 0, 2 * 65536);
  if (isLong) {
    memory.fill(secondHeads, 0, 2 * 65536);
    memory.fill(thirdHeads, 0, 2 * 65536);
  }
  matchStart = 0;
  inserted = dictionaryBytes;
  let at: u32 = 0;
  for (; at + THIRD_BYTES <= dictionaryBytes; at++) insertString(at);
  late = at;
  for (; at + MIN_MATCH <= dictionaryBytes; at++) insertEarly(at);
  return dictionaryBytes - at;
}

// @ts-ignore: decorator
@inline
function hashSlot(at: usize): usize {
  const hash = isChromium
    ? (load<u32>(at) * CHROMIUM_FACTOR + CHROMIUM_FACTOR) >> 16
    : (<u32>load<u8>(at) << (2 * hashShift)) ^ (<u32>load<u8>(at, 1) << hashShift) ^ load<u8>(at, 2);
  return heads + ((hash & hashMask) << 1);
}

// @ts-ignore: decorator
@inline
function secondSlot(bytes: u64): usize {
  return secondHeads + (((<u32>bytes * 0x9e3779b1) >> (32 - LONG_BITS)) << 1);
}

// @ts-ignore: decorator
@inline
function thirdSlot(bytes: u64): usize {
  return thirdHeads + (<usize>(((bytes << 16) * 0x9e3779b97f4a7c15) >> (64 - LONG_BITS)) << 1);
}

// @ts-ignore: decorator
@inline
function nodeOf(position: u32): usize {
  return nodes + ((position & WINDOW_MASK) << 3);
}

/** What the chain goes on with behind a position; 0: it ends. */
// @ts-ignore: decorator
@inline
function older(position: u32): u32 {
  return isLong ? load<u16>(nodeOf(position)) : load<u16>(previous + ((position & WINDOW_MASK) << 1));
}

/** Enters a position into the one chain; what it goes on with. */
// @ts-ignore: decorator
@inline
export function insertShort(at: u32): u32 {
  const slot = hashSlot(window + at);
  const head: u32 = load<u16>(slot);
  store<u16>(previous + ((at & WINDOW_MASK) << 1), <u16>head);
  store<u16>(slot, <u16>at);
  return head;
}

// @ts-ignore: decorator
@inline
function insertLong(at: u32): void {
  const slot = hashSlot(window + at);
  const head: u32 = load<u16>(slot);
  store<u16>(slot, <u16>at);
  const bytes = load<u64>(window + at);
  const second = secondSlot(bytes);
  const third = thirdSlot(bytes);
  const ordinal: u32 = <u32>load<u16>(nodeOf(head), ORDINAL) + 1;
  store<u64>(
    nodeOf(at),
    <u64>(head | (ordinal << 16)) | (<u64>load<u16>(second) << 32) | (<u64>load<u16>(third) << 48),
  );
  store<u16>(second, <u16>at);
  store<u16>(third, <u16>at);
}

/** For a position of the dictionary that has no six bytes yet: the first chain alone. */
function insertEarly(at: u32): void {
  const head = insertShort(at);
  if (!isLong) return;
  store<u16>(nodeOf(at), <u16>head);
  store<u16>(nodeOf(at), load<u16>(nodeOf(head), ORDINAL) + 1, ORDINAL);
}

/** The other chains for such a position. */
function insertLate(at: u32): void {
  const bytes = load<u64>(window + at);
  const second = secondSlot(bytes);
  const third = thirdSlot(bytes);
  store<u16>(nodeOf(at), load<u16>(second), SECOND);
  store<u16>(nodeOf(at), load<u16>(third), THIRD);
  store<u16>(second, <u16>at);
  store<u16>(third, <u16>at);
}

// @ts-ignore: decorator
@inline
export function insertString(at: u32): void {
  if (isLong) insertLong(at);
  else insertShort(at);
}

/** When the bytes behind the dictionary are there: enters what needed them, up to `end`. */
export function insertDictionaryEnd(end: u32): void {
  if (isLong && late != NONE) while (late < end) insertLate(late++);
  late = NONE;
}

/**
 * Lazy matching enters every position, so that many can be entered at once, before they are come to. Near the end only
 * what has three bytes is entered; GNU gzip goes on to the end.
 */
function insertUntil(here: u32, lookahead: u32): void {
  let end = here + 1;
  if (lookahead >= MIN_LOOKAHEAD) end = here + BATCH;
  else if (!isGnu) end = min(end, here + lookahead - min(lookahead, MIN_MATCH - 1));
  if (isLong) for (let at = inserted; at < end; at++) insertLong(at);
  else for (let at = inserted; at < end; at++) insertShort(at);
  inserted = max(inserted, end);
}

/** Lazy matching: what zlib would find at the head of the chain when it enters this position; 0: nothing. */
// @ts-ignore: decorator
@inline
export function headOf(here: u32, lookahead: u32): u32 {
  if (here >= inserted) insertUntil(here, lookahead);
  return here < inserted ? older(here) : 0;
}

/** `entries` of 16 bits, a multiple of 8; what the vector has is taken from each eight. */
function slide(table: usize, entries: u32, by: v128): void {
  for (let at = table; at < table + (entries << 1); at += 16) v128.store(at, i16x8.sub_sat_u(v128.load(at), by));
}

/** The window has moved by half. */
export function slideChains(): void {
  inserted -= WINDOW;
  matchStart -= WINDOW;
  const all = i16x8.splat(<i16>WINDOW);
  slide(heads, hashMask + 1, all);
  if (!isLong) {
    slide(previous, WINDOW, all);
    return;
  }
  // Ordinals stay.
  slide(nodes, 4 * WINDOW, i16x8(<i16>WINDOW, 0, <i16>WINDOW, <i16>WINDOW, <i16>WINDOW, 0, <i16>WINDOW, <i16>WINDOW));
  slide(secondHeads, 1 << LONG_BITS, all);
  slide(thirdHeads, 1 << LONG_BITS, all);
}

/** Length of the match at `here` that zlib would find, longer than `longest`; else at most that. */
// @ts-ignore: decorator
@inline
export function longestMatch(here: u32, head: u32, lookahead: u32, longest: u32): u32 {
  // The first of a chain may be one byte further away than the others.
  return isLong && lookahead >= MIN_LOOKAHEAD && here - head < MAX_DISTANCE
    ? longestSooner(here, head, longest)
    : longestByChain(here, head, lookahead, longest);
}

/** As zlib does it. */
function longestByChain(here: u32, head: u32, lookahead: u32, longest: u32): u32 {
  let current = head;
  let left = longest >= good ? chain >> 2 : chain;
  const scan = window + here;
  let best = longest;
  const enough = isGnu ? nice : min(nice, lookahead);
  const limit: u32 = here > MAX_DISTANCE ? here - MAX_DISTANCE : 0;
  let end: u32 = load<u16>(scan + best - 1);
  const start: u32 = load<u16>(scan);
  do {
    const match = window + current;
    current = older(current);
    if (load<u16>(match + best - 1) != end || load<u16>(match) != start) continue;
    const length: u32 = matchLength(scan, match, MIN_MATCH, MAX_MATCH);
    if (length > best) {
      matchStart = <u32>(match - window);
      best = length;
      if (length >= enough) break;
      end = load<u16>(scan + best - 1);
    }
  } while (current > limit && --left != 0);
  return min(best, lookahead);
}

/** The same by the longer chains. The longest match must be complete in the window, and `here` be entered. */
function longestSooner(here: u32, head: u32, longest: u32): u32 {
  let best = longest;
  const reach = best >= good ? chain >> 2 : chain;
  const scan = window + here;
  const limit: u32 = here > MAX_DISTANCE ? here - MAX_DISTANCE : 0;
  const newest = <u32>load<u16>(nodeOf(here), ORDINAL) - 1;
  const bytes = <u32>load<u32>(scan);
  let current: u32 = 0;
  let third: u32 = load<u16>(nodeOf(here), THIRD);
  if (best < THIRD_BYTES - 1) {
    let end: u32 = load<u16>(scan + best - 1);
    for (current = load<u16>(nodeOf(here), SECOND); current > limit; current = load<u16>(nodeOf(current), SECOND)) {
      const match = window + current;
      if (load<u32>(match) != bytes) continue;
      if (((newest - <u32>load<u16>(nodeOf(current), ORDINAL)) & 0xffff) >= reach) break;
      if (load<u16>(match + best - 1) != end) continue;
      const length: u32 = matchLength(scan, match, 4, MAX_MATCH);
      if (length > best) {
        matchStart = current;
        best = length;
        if (length >= nice) return best;
        if (best >= THIRD_BYTES - 1) break;
        end = load<u16>(scan + best - 1);
      }
    }
    if (best >= THIRD_BYTES) third = load<u16>(nodeOf(current), THIRD);
    else if (best == THIRD_BYTES - 1) while (third >= current) third = load<u16>(nodeOf(third), THIRD);
  }
  if (best >= THIRD_BYTES - 1) return longestBeyond(here, best, third, reach, newest, limit);
  if (best >= MIN_MATCH) return best;
  // Three bytes count only when they are near.
  const near: u32 = max(limit, here > TOO_FAR ? here - TOO_FAR - 1 : 0);
  current = head;
  for (let left = reach; left != 0 && current > near; left--) {
    if (((load<u32>(window + current) ^ bytes) & 0xffffff) == 0) {
      matchStart = current;
      return MIN_MATCH;
    }
    current = load<u16>(nodeOf(current));
  }
  return best;
}

/** The same for six bytes and more, longer than `longest`, from `first` of the third chain on. */
// @ts-ignore: decorator
@inline
function longestBeyond(here: u32, longest: u32, first: u32, reach: u32, newest: u32, limit: u32): u32 {
  const scan = window + here;
  const bytes = load<u64>(scan) & THIRD_MASK;
  let best = longest;
  let end: u32 = load<u16>(scan + best - 1);
  let at = first;
  // Of the six bytes whose chain is followed, from the beginning of the match.
  let offset: u32 = 0;
  let isNew = true;
  while (at > limit + offset) {
    if (isNew) {
      isNew = false;
      const last = best + 1 - THIRD_BYTES;
      if (last > 0 && at + last < inserted) {
        const other: u32 =
          here + last < inserted ? load<u16>(nodeOf(here + last), THIRD) : load<u16>(thirdSlot(load<u64>(scan + last)));
        if (other < at + last) {
          at = other;
          offset = last;
          continue;
        }
      }
    }
    const current = at - offset;
    const match = window + current;
    at = load<u16>(nodeOf(at), THIRD);
    if ((load<u64>(match) & THIRD_MASK) != bytes) continue;
    if (((newest - <u32>load<u16>(nodeOf(current), ORDINAL)) & 0xffff) >= reach) break;
    if (load<u16>(match + best - 1) != end) continue;
    const length: u32 = matchLength(scan, match, THIRD_BYTES, MAX_MATCH);
    if (length > best) {
      matchStart = current;
      best = length;
      if (length >= nice) return best;
      end = load<u16>(scan + best - 1);
      at = load<u16>(nodeOf(current), THIRD);
      offset = 0;
      isNew = true;
    }
  }
  return best;
}
