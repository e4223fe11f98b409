/**
 * The window and the hash chains of zlib's deflate, and of Go's compress/flate, which was made after it.
 *
 * Both have one chain, over the bytes of a shortest match (zlib three, Go four). Where it may be walked for long, there
 * are two more, over one byte more and over six bytes, and each position has its ordinal, which counts how many stood
 * before it in the one chain. Positions are those in the window; 0 is none, and is no match.
 */
export const WINDOW: u32 = 32768;
export const MAX_MATCH: u32 = 258;
/** Longest chains need this much ahead: a longest match and the next hash. */
export const MIN_LOOKAHEAD: u32 = 262;
/** Chromium's zlib hashes four bytes, as does Go. */
const CHROMIUM_FACTOR: u32 = 66521;
const GO_FACTOR: u32 = 0x1e35a7bd;
const GO_BITS: u32 = 17;
/** The shortest matches from further away cost more than literals. */
export const TOO_FAR: u32 = 4096;

/** zlib's own rules and those that differ a little. Go's are chosen when the kernel is compiled, by `isGo`. */
export const enum Rules {
  zlib = 0,
  gnu = 1,
  chromium = 2,
}

export const window: usize = memory.data(2 * 32768 + 512, 16);
const heads: usize = memory.data(2 * 131072, 16);
/** Where chains are short: what each position's chain goes on with, for the last 32 KiB. */
const previous: usize = memory.data(2 * 32768, 16);

/** Chains of this length and more are worth the longer ones. */
const LONG_CHAIN: u32 = 32;
/**
 * Where chains are long, 8 bytes for each position: what its chain goes on with, its ordinal modulo 2^16, and what its
 * second and third chain go on with.
 */
const nodes: usize = memory.data(8 * 65536, 16);
export const ORDINAL: usize = 2;
export const SECOND: usize = 4;
export const THIRD: usize = 6;
const LONG_BITS: u32 = 16;
const secondHeads: usize = memory.data(2 * 65536, 16);
const thirdHeads: usize = memory.data(2 * 65536, 16);
export const THIRD_BYTES: u32 = 6;
export const THIRD_MASK: u64 = 0xffffffffffff;
/** Positions that are entered at once: each is hashed with 8 bytes, which are in the lookahead. */
const BATCH: u32 = 248;

/** Bytes of the shortest match. */
// @ts-ignore: decorator
@inline
export function minMatch(isGo: bool): u32 {
  return isGo ? 4 : 3;
}

/** What is so far away or further is not looked at: zlib keeps away from what its window's next step overwrites. */
// @ts-ignore: decorator
@inline
export function maxDistance(isGo: bool): u32 {
  return isGo ? WINDOW + 1 : WINDOW - MIN_LOOKAHEAD;
}

export let rules: Rules = Rules.zlib;
export let good: u32 = 0;
export let nice: u32 = 0;
export let chain: u32 = 0;
export let isLong: bool = false;
let hashShift: u32 = 5;
let hashMask: u32 = 32767;

/** Lazy matching: positions before this one are in the chains. */
export let inserted: u32 = 0;
/** From this position on, up to the end of the dictionary, what the longer chains are over was not there yet. */
const NONE: u32 = u32.MAX_VALUE;
let late: u32 = NONE;

/** `whose` and `hashBits` are of no meaning to Go. */
// @ts-ignore: decorator
@inline
export function configureChains(
  isGo: bool,
  whose: Rules,
  goodLength: u32,
  niceLength: u32,
  maxChain: u32,
  isLazy: bool,
  hashBits: u32,
): void {
  rules = whose;
  good = goodLength;
  nice = niceLength;
  chain = maxChain;
  // Go looks back over all of the window, so that nothing of it may be overwritten by what is entered ahead.
  isLong = isLazy && (maxChain >= LONG_CHAIN || isGo);
  hashShift = (hashBits + 2) / 3;
  hashMask = isGo ? (1 << GO_BITS) - 1 : (1 << hashBits) - 1;
  memory.fill(window, 0, 2 * 32768 + 512);
}

/** Empties the chains and enters the dictionary at the start of the window; how many of its positions lack bytes. */
// @ts-ignore: decorator
@inline
export function restartChains(isGo: bool, dictionaryBytes: u32): u32 {
  memory.fill(heads, 0, 2 * (hashMask + 1));
  if (isLong) {
    memory.fill(secondHeads, 0, 2 * 65536);
    memory.fill(thirdHeads, 0, 2 * 65536);
  }
  inserted = dictionaryBytes;
  let at: u32 = 0;
  for (; at + THIRD_BYTES <= dictionaryBytes; at++) insertString(isGo, at);
  late = at;
  for (; at + minMatch(isGo) <= dictionaryBytes; at++) insertEarly(isGo, at);
  return dictionaryBytes - at;
}

// @ts-ignore: decorator
@inline
function hashSlot(isGo: bool, at: usize): usize {
  if (isGo) return heads + (((bswap(load<u32>(at)) * GO_FACTOR) >> (32 - GO_BITS)) << 1);
  const hash = rules == Rules.chromium
    ? (load<u32>(at) * CHROMIUM_FACTOR + CHROMIUM_FACTOR) >> 16
    : (<u32>load<u8>(at) << (2 * hashShift)) ^ (<u32>load<u8>(at, 1) << hashShift) ^ load<u8>(at, 2);
  return heads + ((hash & hashMask) << 1);
}

// @ts-ignore: decorator
@inline
function secondSlot(isGo: bool, bytes: u64): usize {
  return secondHeads + (<usize>(((bytes << (56 - 8 * <u64>minMatch(isGo))) * 0x9e3779b97f4a7c15) >> (64 - LONG_BITS)) << 1);
}

// @ts-ignore: decorator
@inline
export function thirdSlot(bytes: u64): usize {
  return thirdHeads + (<usize>(((bytes << 16) * 0x9e3779b97f4a7c15) >> (64 - LONG_BITS)) << 1);
}

// @ts-ignore: decorator
@inline
export function nodeOf(position: u32): usize {
  return nodes + (position << 3);
}

// @ts-ignore: decorator
@inline
function previousOf(position: u32): usize {
  return previous + ((position & (WINDOW - 1)) << 1);
}

/** What the chain goes on with behind a position; 0: it ends. */
// @ts-ignore: decorator
@inline
export function older(position: u32): u32 {
  return isLong ? load<u16>(nodeOf(position)) : load<u16>(previousOf(position));
}

/** Enters a position into the one chain; what it goes on with. */
// @ts-ignore: decorator
@inline
export function insertShort(isGo: bool, at: u32): u32 {
  const slot = hashSlot(isGo, window + at);
  const head: u32 = load<u16>(slot);
  store<u16>(previousOf(at), <u16>head);
  store<u16>(slot, <u16>at);
  return head;
}

// @ts-ignore: decorator
@inline
function insertLong(isGo: bool, at: u32): void {
  const slot = hashSlot(isGo, window + at);
  const head: u32 = load<u16>(slot);
  store<u16>(slot, <u16>at);
  const bytes = load<u64>(window + at);
  const second = secondSlot(isGo, bytes);
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
// @ts-ignore: decorator
@inline
function insertEarly(isGo: bool, at: u32): void {
  const head = insertShort(isGo, at);
  if (!isLong) return;
  store<u16>(nodeOf(at), <u16>head);
  store<u16>(nodeOf(at), load<u16>(nodeOf(head), ORDINAL) + 1, ORDINAL);
}

/** The other chains for such a position. */
// @ts-ignore: decorator
@inline
function insertLate(isGo: bool, at: u32): void {
  const bytes = load<u64>(window + at);
  const second = secondSlot(isGo, bytes);
  const third = thirdSlot(bytes);
  store<u16>(nodeOf(at), load<u16>(second), SECOND);
  store<u16>(nodeOf(at), load<u16>(third), THIRD);
  store<u16>(second, <u16>at);
  store<u16>(third, <u16>at);
}

// @ts-ignore: decorator
@inline
export function insertString(isGo: bool, at: u32): void {
  if (isLong) insertLong(isGo, at);
  else insertShort(isGo, at);
}

/** When the bytes behind the dictionary are there: enters what needed them, up to `end`. */
// @ts-ignore: decorator
@inline
export function insertDictionaryEnd(isGo: bool, end: u32): void {
  if (isLong && late != NONE) while (late < end) insertLate(isGo, late++);
  late = NONE;
}

/**
 * Lazy matching enters every position, so that many can be entered at once, before they are come to. Near the end only
 * what has the bytes of a shortest match is entered; GNU gzip goes on to the end.
 */
// @ts-ignore: decorator
@inline
function insertUntil(isGo: bool, here: u32, lookahead: u32): void {
  let end = here + 1;
  if (lookahead >= MIN_LOOKAHEAD) end = here + BATCH;
  else if (rules != Rules.gnu) end = min(end, here + lookahead - min(lookahead, minMatch(isGo) - 1));
  if (isLong) for (let at = inserted; at < end; at++) insertLong(isGo, at);
  else for (let at = inserted; at < end; at++) insertShort(isGo, at);
  inserted = max(inserted, end);
}

/** Lazy matching: what zlib would find at the head of the chain when it enters this position; 0: nothing. */
// @ts-ignore: decorator
@inline
export function headOf(isGo: bool, here: u32, lookahead: u32): u32 {
  if (here >= inserted) insertUntil(isGo, here, lookahead);
  return here < inserted ? older(here) : 0;
}

/** Takes what the vector has from each eight of 16 bits, not below 0. */
function slide(to: usize, from: usize, bytes: u32, by: v128): void {
  for (let i: u32 = 0; i < bytes; i += 16) v128.store(to + i, i16x8.sub_sat_u(v128.load(from + i), by));
}

/** The window has moved by half. */
export function slideChains(): void {
  inserted -= WINDOW;
  const all = i16x8.splat(<i16>WINDOW);
  slide(heads, heads, 2 * (hashMask + 1), all);
  if (!isLong) {
    slide(previous, previous, 2 * WINDOW, all);
    return;
  }
  // Ordinals stay.
  const links = i16x8(<i16>WINDOW, 0, <i16>WINDOW, <i16>WINDOW, <i16>WINDOW, 0, <i16>WINDOW, <i16>WINDOW);
  slide(nodes, nodes + 8 * WINDOW, 8 * WINDOW, links);
  slide(secondHeads, secondHeads, 2 << LONG_BITS, all);
  slide(thirdHeads, thirdHeads, 2 << LONG_BITS, all);
}
