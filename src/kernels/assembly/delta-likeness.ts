/**
 * Which of many runs of bytes are most like each of some that are looked for, by features. The twin, which explains
 * the rules, is src/delta/likeness-twin.ts.
 *
 * The runs that are looked for are few, so they are what stands in tables; candidates pass by and leave nothing.
 */

// The numbers of the twin, compared with them by a test.
export const FEATURES: u32 = 12;
export const GRAM_BYTES: u32 = 8;
export const SAMPLED_FROM_BYTES: u32 = 1024;
export const SAMPLE_MASK: u32 = 0x30000;
export const MAX_HITS: u32 = 255;
export const MIN_HITS: u32 = 24;
export const MAX_VOTES: u32 = 32768;
export const CANDIDATES: u32 = 3;

/** Bytes that fit into the window, beside those that the last n-gram reaches beyond. */
export const WINDOW_BYTES: u32 = 131072;
/** Candidates that fit into their columns. */
export const MAX_RUNS: u32 = 2048;
/** Runs that are looked for at once. */
export const MAX_WANTED: u32 = 65536;

/** At least 4/3 as many slots as there are features. */
const MAX_SLOT_BITS: u32 = 20;
const MIN_SLOT_BITS: u32 = 8;
const SLOT_BYTES: usize = 16;

const WINDOW: usize = memory.data(131072 + 64, 64);
const MULTIPLIERS: usize = memory.data(48, 16);
const ADDENDS: usize = memory.data(48, 16);
const BEST: usize = memory.data(48, 16);
const LANES: usize = memory.data(16, 16);
/** Where each run of the window begins, its length, its class, its number: 32 bits each. */
const BEGINS: usize = memory.data(2048 * 4, 16);
const LENGTHS: usize = memory.data(2048 * 4, 16);
const CLASSES: usize = memory.data(2048 * 4, 16);
const ITEMS: usize = memory.data(2048 * 4, 16);

// Behind the static data, laid out by `begin` for as many as are looked for: a small search touches little memory.
/** Slots: feature; its number and class, and hits; first place + 1, 0 for an empty slot; votes. u32 each. */
let slots: usize = 0;
/** A bit for each of eight times as many hashes as there are slots: most features are nobody's. */
let filter: usize = 0;
/** For each feature of each wanted run the next place + 1 with the same. */
let links: usize = 0;
/** Votes of the present candidate. */
let votes: usize = 0;
/** Wanted runs that have any. */
let voted: usize = 0;
/** Where a candidate of each wanted run is expected, i32 each. */
let nears: usize = 0;
/** Item and votes, i32 each, of the best candidates of each wanted run. */
let found: usize = 0;
let slotBits: u32 = 0;
let wanted: u32 = 0;

export function window(): usize {
  return WINDOW;
}

/** Where the multipliers and addends of the features go, u32 each. */
export function multipliers(): usize {
  return MULTIPLIERS;
}

export function addends(): usize {
  return ADDENDS;
}

/** The features that were computed last, u32 each. */
export function features(): usize {
  return BEST;
}

export function begins(): usize {
  return BEGINS;
}

export function lengths(): usize {
  return LENGTHS;
}

export function classes(): usize {
  return CLASSES;
}

export function items(): usize {
  return ITEMS;
}

/** Item and votes, i32 each, of the best candidates of each wanted run; votes are 0 where there is none. */
export function best(): usize {
  return found;
}

/** Begins a search for at most `most` runs. Returns the memory that it needs, in bytes. */
export function begin(most: u32): usize {
  slotBits = MIN_SLOT_BITS;
  while (slotBits < MAX_SLOT_BITS && ((<u32>3 << slotBits) >> 2) < most * FEATURES) slotBits++;
  const slotCount = <usize>1 << slotBits;
  slots = (__heap_base + 63) & ~63;
  filter = slots + slotCount * SLOT_BYTES;
  links = filter + slotCount;
  votes = links + <usize>(most * FEATURES * 4);
  voted = votes + <usize>((most + 3) & ~3);
  nears = voted + <usize>(most * 4);
  found = nears + <usize>(most * 4);
  wanted = 0;
  return found + <usize>(most * CANDIDATES * 8);
}

/** To be called when there is as much memory as `begin` asked for. */
export function clear(): void {
  memory.fill(slots, 0, found - slots);
}

/** The hash of a feature among those of a class. */
// @ts-ignore: decorator
@inline
function hashOf(feature: u32, tag: u32): u32 {
  return (feature ^ (tag * 0x85ebca6b)) * 0x9e3779b1;
}

// @ts-ignore: decorator
@inline
function slotOf(hash: u32): usize {
  return slots + <usize>(hash >> (32 - slotBits)) * SLOT_BYTES;
}

// @ts-ignore: decorator
@inline
function nextSlot(slot: usize): usize {
  const next = slot + SLOT_BYTES;
  return next == filter ? slots : next;
}

/** Forgets the features of the run before. */
export function reset(): void {
  memory.fill(BEST, 0, 48);
}

/** Takes `grams` n-grams of the window into account, of a long run those whose hash has none of the mask's bits. */
export function scan(from: u32, grams: u32, mask: u32): void {
  const m0 = v128.load(MULTIPLIERS);
  const m1 = v128.load(MULTIPLIERS, 16);
  const m2 = v128.load(MULTIPLIERS, 32);
  const a0 = v128.load(ADDENDS);
  const a1 = v128.load(ADDENDS, 16);
  const a2 = v128.load(ADDENDS, 32);
  let b0 = v128.load(BEST);
  let b1 = v128.load(BEST, 16);
  let b2 = v128.load(BEST, 32);
  let at = WINDOW + <usize>from;
  const end = at + <usize>grams;
  const highFactor = i32x4.splat(0x915f77f5);
  const factor = i32x4.splat(0xd9f6c0d5);
  const masks = i32x4.splat(mask);
  // Four n-grams at once.
  for (; at + 4 <= end; at += 4) {
    const bytes = v128.load(at);
    const low = v128.shuffle<u8>(bytes, bytes, 0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5, 3, 4, 5, 6);
    const high = v128.shuffle<u8>(bytes, bytes, 4, 5, 6, 7, 5, 6, 7, 8, 6, 7, 8, 9, 7, 8, 9, 10);
    let hashes = i32x4.mul(v128.xor(low, i32x4.mul(high, highFactor)), factor);
    hashes = v128.xor(hashes, i32x4.shr_u(hashes, 15));
    let lanes: i32 = 15;
    if (mask != 0) {
      lanes = i32x4.bitmask(i32x4.eq(v128.and(hashes, masks), i32x4.splat(0)));
      if (lanes == 0) continue;
    }
    v128.store(LANES, hashes);
    do {
      const h = v128.load32_splat(LANES + <usize>(ctz(lanes) << 2));
      b0 = i32x4.max_u(b0, i32x4.add(i32x4.mul(h, m0), a0));
      b1 = i32x4.max_u(b1, i32x4.add(i32x4.mul(h, m1), a1));
      b2 = i32x4.max_u(b2, i32x4.add(i32x4.mul(h, m2), a2));
      lanes &= lanes - 1;
    } while (lanes != 0);
  }
  for (; at < end; at++) {
    let hash = (load<u32>(at) ^ (load<u32>(at, 4) * 0x915f77f5)) * 0xd9f6c0d5;
    hash ^= hash >>> 15;
    if ((hash & mask) != 0) continue;
    const h = i32x4.splat(hash);
    b0 = i32x4.max_u(b0, i32x4.add(i32x4.mul(h, m0), a0));
    b1 = i32x4.max_u(b1, i32x4.add(i32x4.mul(h, m1), a1));
    b2 = i32x4.max_u(b2, i32x4.add(i32x4.mul(h, m2), a2));
  }
  v128.store(BEST, b0);
  v128.store(BEST, b1, 16);
  v128.store(BEST, b2, 32);
}

/** Looks for what has the present features: the next wanted run of a class, and where a candidate is expected. */
export function want(runClass: u32, near: i32): void {
  store<i32>(nears + (<usize>wanted << 2), near);
  for (let f: u32 = 0; f < FEATURES; f++) {
    const feature = load<u32>(BEST + <usize>(f << 2));
    const tag = (runClass << 4) | f;
    const hash = hashOf(feature, tag);
    let slot = slotOf(hash);
    while (load<u32>(slot, 8) != 0 && (load<u32>(slot) != feature || load<u32>(slot, 4) >> 8 != tag)) {
      slot = nextSlot(slot);
    }
    const place = wanted * FEATURES + f;
    store<u32>(links + (<usize>place << 2), load<u32>(slot, 8));
    store<u32>(slot, feature);
    store<u32>(slot, tag << 8, 4);
    store<u32>(slot, place + 1, 8);
    const bit = hash >> (29 - slotBits);
    const byte = filter + <usize>(bit >> 3);
    store<u8>(byte, load<u8>(byte) | <u8>(<u32>1 << (bit & 7)));
  }
  memory.fill(found + <usize>(wanted * CANDIDATES * 8), 0, <usize>(CANDIDATES * 8));
  wanted++;
}

/** Offers what has the present features as a candidate. */
export function offer(item: i32, runClass: u32): void {
  let count: usize = 0;
  for (let f: u32 = 0; f < FEATURES; f++) {
    const feature = load<u32>(BEST + <usize>(f << 2));
    const tag = (runClass << 4) | f;
    const hash = hashOf(feature, tag);
    const bit = hash >> (29 - slotBits);
    if (((<u32>load<u8>(filter + <usize>(bit >> 3)) >> (bit & 7)) & 1) == 0) continue;
    let slot = slotOf(hash);
    let place: u32 = 0;
    while (true) {
      place = load<u32>(slot, 8);
      if (place == 0 || (load<u32>(slot) == feature && load<u32>(slot, 4) >> 8 == tag)) break;
      slot = nextSlot(slot);
    }
    if (place == 0) continue;
    const state = load<u32>(slot, 4);
    const hits = state & 0xff;
    let given = load<u32>(slot, 12);
    if (hits == MAX_HITS || (hits >= MIN_HITS && given >= MAX_VOTES)) continue;
    store<u32>(slot, state + 1, 4);
    while (place != 0) {
      const run = <usize>((place - 1) / FEATURES);
      const before: u32 = load<u8>(votes + run);
      store<u8>(votes + run, before + 1);
      if (before == 0) {
        store<u32>(voted + (count << 2), <u32>run);
        count++;
      }
      given++;
      place = load<u32>(links + (<usize>(place - 1) << 2));
    }
    store<u32>(slot, given, 12);
  }
  for (let i: usize = 0; i < count; i++) {
    const run = <usize>load<u32>(voted + (i << 2));
    rank(run, item, load<u8>(votes + run));
    store<u8>(votes + run, 0);
  }
}

// @ts-ignore: decorator
@inline
function isBetter(count: u32, away: i32, than: usize, near: i32): bool {
  const others = load<u32>(than, 4);
  return count > others || (count == others && away < abs(load<i32>(than) - near));
}

/** Puts a candidate among the best of a wanted run: of equal ones the nearest, then the first that was offered. */
// @ts-ignore: decorator
@inline
function rank(run: usize, item: i32, count: u32): void {
  const list = found + run * <usize>(CANDIDATES * 8);
  const near = load<i32>(nears + (run << 2));
  const away: i32 = abs(item - near);
  let at = list + <usize>((CANDIDATES - 1) * 8);
  if (!isBetter(count, away, at, near)) return;
  while (at > list && isBetter(count, away, at - 8, near)) {
    store<u64>(at, load<u64>(at - 8));
    at -= 8;
  }
  store<i32>(at, item);
  store<u32>(at, count, 4);
}

/** Offers `count` runs of the window, of at least 2 n-grams' bytes each. */
export function offerRuns(count: u32): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const length = load<u32>(LENGTHS + (i << 2));
    reset();
    scan(load<u32>(BEGINS + (i << 2)), length - GRAM_BYTES + 1, length >= SAMPLED_FROM_BYTES ? SAMPLE_MASK : 0);
    offer(load<i32>(ITEMS + (i << 2)), load<u32>(CLASSES + (i << 2)));
  }
}
