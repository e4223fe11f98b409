/**
 * Which symbol of deflate comes next, guessed from the content by hash chains, and the coding of what it is.
 *
 * The guess follows the symbols that really were, so one wrong guess costs a correction and nothing more. Match
 * finding: Jean-loup Gailly's hash chains with lazy evaluation; predicting symbols to store only the corrections:
 * Dirk Steinke's preflate.
 */
import { matchLength } from "./match-length";
import { bit, CONTEXT_BYTES, number, plain, resetContexts, tree } from "./range-coder";

export const HISTORY: i32 = 32768;
const HISTORY_MASK: i32 = HISTORY - 1;
const HASH_BITS: u32 = 16;
const MIN_MATCH: i32 = 3;
export const MAX_MATCH: i32 = 258;
/** Inserting looks at four bytes whatever the hash takes. */
const INSERT_BYTES: i32 = 4;
/** Content of the longest block, what stands before it, and room to read beyond the end. */
export const MAX_BLOCK_CONTENT: i32 = 1 << 24;
/** Content is moved when a block begins beyond this. */
export const SLIDE_BYTES: i32 = 1 << 20;
export const CONTENT_BYTES: i32 = MAX_BLOCK_CONTENT + SLIDE_BYTES;

export const content: usize = memory.data(16777216 + 1048576 + 512, 16);
const heads: usize = memory.data(4 << 16, 16);
const previous: usize = memory.data(4 * 32768, 16);

/** Contexts, by what they decide. */
const HIT: usize = memory.data(4 * 8 * 8 * 8, 16);
const IS_LITERAL: usize = memory.data(4 * 8 * 8, 16);
const SAME_LENGTH: usize = memory.data(4 * 8, 16);
const LENGTHS: usize = memory.data(4 * 4 * 256, 16);
const RANKS: usize = memory.data(4 * 2 * 64, 16);
const FAR: usize = memory.data(4 * 32, 16);

/** Nearer places with as long a match that are counted before the distance itself is written. */
const MAX_RANK: u32 = 32;
/** Steps that are made to count them. */
const RANK_STEPS: u32 = 1024;

let isLazy: bool = false;
let hashMask: u32 = 0;
let good: i32 = 0;
let lazy: i32 = 0;
let nice: i32 = 0;
let chain: u32 = 0;
let insertLimit: i32 = 0;
let tooFar: i32 = 0;
let maxDistance: i32 = 0;

/** The next symbol begins here; positions before `inserted` are in the chains. */
export let at: i32 = 0;
let inserted: i32 = 0;
/** Where the content of the block ends. */
let blockEnd: i32 = 0;

let foundLength: i32 = 0;
let foundDistance: i32 = 0;
/** A match that was found ahead at `at`. */
let isAhead: bool = false;
let aheadLength: i32 = 0;
let aheadDistance: i32 = 0;
/** Whether the last guesses were right, and literals since the last match. */
let hits: u32 = 0;
let literals: u32 = 0;

/** `hashBytes` 3 or 4; `insertUpTo`: matches up to this length are entered whole. */
export function configurePredictor(
  hashBytes: u32,
  lazyMatching: bool,
  goodLength: i32,
  maxLazy: i32,
  niceLength: i32,
  maxChain: u32,
  insertUpTo: i32,
  tooFarForThree: i32,
  longestDistance: i32,
): void {
  hashMask = hashBytes == 3 ? 0xffffff : 0xffffffff;
  isLazy = lazyMatching;
  good = goodLength;
  lazy = maxLazy;
  nice = niceLength;
  chain = maxChain;
  insertLimit = insertUpTo;
  tooFar = tooFarForThree;
  maxDistance = longestDistance;
  memory.fill(heads, 0, 4 << 16);
  // The first byte stands where no position is taken for none.
  at = HISTORY;
  inserted = HISTORY;
  isAhead = false;
  hits = 0;
  literals = 0;
  resetContexts(HIT, 4 * 512);
  resetContexts(IS_LITERAL, 4 * 64);
  resetContexts(SAME_LENGTH, 4 * 8);
  resetContexts(LENGTHS, 4 * 4 * 256);
  resetContexts(RANKS, 4 * 2 * 64);
  resetContexts(FAR, 4 * 32);
}

/** Drops content that nothing can refer to any more; by how much everything moved. */
export function slideContent(end: i32): i32 {
  const delta = (at - 2 * HISTORY) & ~HISTORY_MASK;
  if (delta <= 0) return 0;
  memory.copy(content, content + delta, end - delta);
  for (let i = heads; i < heads + (4 << HASH_BITS); i += 4) store<i32>(i, max(0, load<i32>(i) - delta));
  for (let i = previous; i < previous + 4 * HISTORY; i += 4) store<i32>(i, max(0, load<i32>(i) - delta));
  at -= delta;
  inserted -= delta;
  blockEnd -= delta;
  return delta;
}

// @ts-ignore: decorator
@inline
function slotOf(position: i32): usize {
  return heads + ((((load<u32>(content + position) & hashMask) * 0x9e3779b1) >> (32 - HASH_BITS)) << 2);
}

// @ts-ignore: decorator
@inline
function insert(position: i32): void {
  const slot = slotOf(position);
  store<i32>(previous + ((position & HISTORY_MASK) << 2), load<i32>(slot));
  store<i32>(slot, position);
}

function insertUntil(to: i32): void {
  const end = min(to, blockEnd - INSERT_BYTES + 1);
  while (inserted < end) insert(inserted++);
}

/** A block whose content ends at `end`: what its beginning was needed for is entered. */
export function beginBlock(end: i32): void {
  blockEnd = end;
  isAhead = false;
  insertUntil(at);
}

export function endOfBlock(): i32 {
  return blockEnd;
}

/** Passes over content that has no symbols. */
export function skipContent(bytes: i32): void {
  at += bytes;
  insertUntil(at);
}

// @ts-ignore: decorator
@inline
function lengthAt(a: i32, b: i32, most: i32): i32 {
  return matchLength(content + a, content + b, 0, most);
}

/** The longest match at `position` that is longer than `least`: `foundLength`, 0 for none. */
function find(position: i32, least: i32): void {
  foundLength = 0;
  foundDistance = 0;
  const most = min(MAX_MATCH, blockEnd - position);
  if (most < INSERT_BYTES || most <= least) return;
  const lowest = max(1, position - maxDistance);
  let left = least >= good ? chain >> 2 : chain;
  const enough = min(nice, most);
  let best = max(least, MIN_MATCH - 1);
  let candidate = load<i32>(slotOf(position));
  const here = content + position;
  let end: u32 = load<u16>(here + best - 1);
  const start: u32 = load<u16>(here);
  while (candidate >= lowest && left-- != 0) {
    const there = content + candidate;
    if (load<u16>(there + best - 1) == end && load<u16>(there) == start) {
      const length = lengthAt(position, candidate, most);
      if (length > best) {
        best = length;
        foundLength = length;
        foundDistance = position - candidate;
        if (length >= enough) break;
        end = load<u16>(here + best - 1);
      }
    }
    const older = load<i32>(previous + ((candidate & HISTORY_MASK) << 2));
    if (older >= candidate) break;
    candidate = older;
  }
  if (foundLength == MIN_MATCH && tooFar != 0 && foundDistance > tooFar) foundLength = 0;
}

// @ts-ignore: decorator
@inline
function bucketOf(length: i32): u32 {
  return length < 4 ? 2 : length < 5 ? 3 : length < 9 ? 4 : length < 33 ? 5 : 6;
}

// @ts-ignore: decorator
@inline
function runBucket(): u32 {
  return literals < 2 ? literals : literals < 4 ? 2 : literals < 8 ? 3 : literals < 16 ? 4 : literals < 32 ? 5 : literals < 64 ? 6 : 7;
}

/** Nearer places where at least `length` bytes match, for a distance; `MAX_RANK` when it isn't found. */
function rankOf(length: i32, distance: i32): u32 {
  let rank: u32 = 0;
  let left = RANK_STEPS;
  let candidate = load<i32>(slotOf(at));
  const lowest = max(1, at - HISTORY);
  while (candidate >= lowest && left-- != 0 && rank < MAX_RANK) {
    if (candidate < at && lengthAt(at, candidate, length) == length) {
      if (at - candidate == distance) return rank;
      rank++;
    }
    const older = load<i32>(previous + ((candidate & HISTORY_MASK) << 2));
    if (older >= candidate) break;
    candidate = older;
  }
  return MAX_RANK;
}

/** The inverse; 0 when there is none, which only damaged corrections say. */
function distanceOfRank(length: i32, wanted: u32): i32 {
  let rank: u32 = 0;
  let left = RANK_STEPS;
  let candidate = load<i32>(slotOf(at));
  const lowest = max(1, at - HISTORY);
  while (candidate >= lowest && left-- != 0) {
    if (candidate < at && lengthAt(at, candidate, length) == length && rank++ == wanted) return at - candidate;
    const older = load<i32>(previous + ((candidate & HISTORY_MASK) << 2));
    if (older >= candidate) break;
    candidate = older;
  }
  return 0;
}

function codeDistance(length: i32, distance: i32, isReading: bool): i32 {
  // Content behind the block may not be there yet, so that a place can't be looked up with less than a hash needs.
  const isSought = at + INSERT_BYTES <= blockEnd;
  const rank = isSought && !isReading ? rankOf(length, distance) : MAX_RANK;
  const contexts = RANKS + (length == foundLength ? 64 * CONTEXT_BYTES : 0);
  if (isSought) {
    let n: u32 = 0;
    while (n < MAX_RANK && bit(contexts + n * CONTEXT_BYTES, rank == n ? 0 : 1) != 0) n++;
    if (n < MAX_RANK) return isReading ? distanceOfRank(length, n) : distance;
  }
  return <i32>number(FAR, <u32>distance);
}

/**
 * Codes the symbol at `at`: `distance` 0 for a literal, whose value is in the content. Returns it as distance and length,
 * `distance << 16 | length`; 0 for a symbol that can't be, which only damaged corrections give.
 */
export function codeToken(symbol: u32, isReading: bool): u32 {
  if (isAhead) {
    foundLength = aheadLength;
    foundDistance = aheadDistance;
    isAhead = false;
  } else find(at, 0);
  insertUntil(at + 1);
  const longest = foundLength;
  const nearest = foundDistance;
  let isMatch = longest >= MIN_MATCH;
  let isDeferred = false;
  if (isLazy && isMatch && longest < lazy) {
    find(at + 1, longest);
    aheadLength = foundLength;
    aheadDistance = foundDistance;
    foundLength = longest;
    foundDistance = nearest;
    isDeferred = aheadLength > longest;
    if (isDeferred) isMatch = false;
  }
  const guess: u32 = isMatch ? (<u32>nearest << 16) | <u32>longest : 1;
  const kind: u32 = isMatch ? bucketOf(longest) : isDeferred ? 1 : 0;
  const run = runBucket();
  let result = guess;
  if (bit(HIT + ((((kind << 3) | (hits & 7)) << 3) | run) * CONTEXT_BYTES, symbol == guess ? 0 : 1) != 0) {
    hits = (hits << 1) | 1;
    let isLiteral = false;
    if (isMatch) isLiteral = bit(IS_LITERAL + ((kind << 3) | run) * CONTEXT_BYTES, symbol == 1 ? 0 : 1) == 0;
    if (isLiteral) result = 1;
    else {
      let length = <i32>(symbol & 0xffff);
      let isSame = false;
      if (longest >= MIN_MATCH) isSame = bit(SAME_LENGTH + kind * CONTEXT_BYTES, length == longest ? 0 : 1) == 0;
      if (isSame) length = longest;
      else {
        const group: usize = longest < MIN_MATCH ? 0 : longest < 8 ? 1 : longest < 32 ? 2 : 3;
        length = <i32>tree(LENGTHS + group * 256 * CONTEXT_BYTES, 8, <u32>(length - MIN_MATCH)) + MIN_MATCH;
      }
      if (at + length > blockEnd) return 0;
      const distance = codeDistance(length, <i32>(symbol >> 16), isReading);
      if (distance <= 0 || distance > HISTORY || distance > at - HISTORY) return 0;
      result = (<u32>distance << 16) | <u32>length;
    }
  } else hits <<= 1;
  if (result == 1) {
    isAhead = isDeferred;
    literals++;
    at++;
    insertUntil(at);
  } else {
    literals = 0;
    const length = <i32>(result & 0xffff);
    at += length;
    if (length <= insertLimit) insertUntil(at);
    else inserted = max(inserted, min(at, blockEnd - INSERT_BYTES + 1));
  }
  return result;
}
