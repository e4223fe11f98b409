/**
 * Copies that a target has in common with a base. The twin, which explains the rules, is src/delta/diff-twin.ts.
 *
 * The caller lays out memory: base, target, the table's heads and links, and the columns of the steps.
 */

// The numbers of the twin, compared with them by a test.
export const GRAM_BYTES: i32 = 6;
export const MIN_JUMP_BYTES: i32 = 6;
export const MIN_FAR_JUMP_BYTES: i32 = 18;
export const NEAR_BYTES: i32 = 96;
export const MIN_RESUME_BYTES: i32 = 3;
export const RESUME_WITHIN_BYTES: i32 = 32;
export const DENSE_WINDOW_BYTES: i32 = 16;
export const DENSE_EQUAL_BYTES: i32 = 8;
export const MIN_DENSE_BYTES: i32 = 2;
export const JUMP_GAIN_BYTES: i32 = 8;
export const LONG_RUN_BYTES: i32 = 64;
export const MAX_CHAIN: i32 = 12;
export const BYTE_WEIGHT: i32 = 2;
export const STEP_WEIGHT: i32 = 3;

let base: usize = 0;
let baseLength: i32 = 0;
let heads: usize = 0;
let links: usize = 0;
let shift: u32 = 0;

/** First address that the caller may use. */
export function start(): usize {
  return (__heap_base + 63) & ~63;
}

// @ts-ignore: decorator
@inline
function slotAt(at: usize): usize {
  const hash: u32 = ((load<u32>(at) * 0x915f77f5) ^ <u32>load<u16>(at, 4)) * 0xd9f6c0d5;
  return <usize>((hash >> shift) << 2);
}

/** Puts a base into the table: `length` bytes at `from`, 2^`bits` heads, a link for each byte. */
export function index(from: usize, length: i32, bits: u32, headsAt: usize, linksAt: usize): void {
  base = from;
  baseLength = length;
  heads = headsAt;
  links = linksAt;
  shift = 32 - bits;
  memory.fill(headsAt, 0, <usize>4 << <usize>bits);
  // From behind, so that a chain begins with the first place.
  for (let at: i32 = length - GRAM_BYTES; at >= 0; at--) {
    const slot = headsAt + slotAt(from + <usize>at);
    store<i32>(linksAt + (<usize>at << 2), load<i32>(slot));
    store<i32>(slot, at + 1);
  }
}

/** How many of at most `most` bytes are the same. */
// @ts-ignore: decorator
@inline
function equalRun(a: usize, b: usize, most: i32): i32 {
  let run: i32 = 0;
  while (run + 8 <= most) {
    const different = load<u64>(a + <usize>run) ^ load<u64>(b + <usize>run);
    if (different != 0) return run + <i32>(ctz(different) >> 3);
    run += 8;
  }
  while (run < most && load<u8>(a + <usize>run) == load<u8>(b + <usize>run)) run++;
  return run;
}

// @ts-ignore: decorator
@inline
function least(a: i32, b: i32): i32 {
  return a < b ? a : b;
}

function isDense(a: usize, b: usize, most: i32): bool {
  let equal = 0;
  for (let i: i32 = 0; i < most; i++) {
    if (load<u8>(a + <usize>i) == load<u8>(b + <usize>i)) equal++;
  }
  return equal >= DENSE_EQUAL_BYTES;
}

/** What the steps of the last `diff` weigh. */
export function weight(): i32 {
  return weighed;
}

let weighed: i32 = 0;

/**
 * Writes the steps for a target of `length` bytes to the columns, u32 each, and returns their number; -1 as soon as
 * they weigh more than `most`.
 */
export function diff(target: usize, length: i32, literals: usize, froms: usize, copies: usize, most: i32): i32 {
  let count: usize = 0;
  let sum: i32 = 0;
  let pending: i32 = 0;
  let diagonal: i32 = 0;
  let at: i32 = 0;
  while (at < length) {
    const here = target + <usize>at;
    let from: i32 = at + diagonal;
    let found: i32 = 0;
    if (from >= 0 && from < baseLength && load<u8>(base + <usize>from) == load<u8>(here)) {
      const most = least(baseLength - from, length - at);
      const run = equalRun(base + <usize>from, here, most);
      const near = at - pending <= RESUME_WITHIN_BYTES;
      if (run >= (near ? MIN_RESUME_BYTES : MIN_JUMP_BYTES) || at + run == length) found = run;
      else if (near && run >= MIN_DENSE_BYTES && isDense(base + <usize>from, here, least(most, DENSE_WINDOW_BYTES))) {
        found = run;
      }
    }
    if (found < LONG_RUN_BYTES && at + GRAM_BYTES <= length) {
      let candidate: i32 = load<i32>(heads + slotAt(here)) - 1;
      let threshold: i32 = MIN_JUMP_BYTES - 1;
      if (found > 0 && found + JUMP_GAIN_BYTES > threshold) threshold = found + JUMP_GAIN_BYTES;
      for (let tries = 0; candidate >= 0 && tries < MAX_CHAIN; tries++) {
        // The byte that would make it longer than the best is compared first.
        if (
          at + threshold >= length ||
          (candidate + threshold < baseLength &&
            load<u8>(base + <usize>(candidate + threshold)) == load<u8>(here + <usize>threshold))
        ) {
          const run = equalRun(base + <usize>candidate, here, least(baseLength - candidate, length - at));
          const away = candidate - at - diagonal;
          if (run > threshold && (run >= MIN_FAR_JUMP_BYTES || (away <= NEAR_BYTES && away >= -NEAR_BYTES))) {
            threshold = run;
            found = run;
            from = candidate;
          }
        }
        candidate = load<i32>(links + (<usize>candidate << 2)) - 1;
      }
    }
    if (found == 0) {
      at++;
      continue;
    }
    let back: i32 = 0;
    while (
      at - back > pending &&
      from - back > 0 &&
      load<u8>(base + <usize>(from - back - 1)) == load<u8>(here - <usize>back - 1)
    )
      back++;
    sum += BYTE_WEIGHT * (at - back - pending) + STEP_WEIGHT;
    if (sum > most) return -1;
    store<u32>(literals + (count << 2), at - back - pending);
    store<u32>(froms + (count << 2), from - back);
    store<u32>(copies + (count << 2), found + back);
    count++;
    at += found;
    diagonal = from + found - at;
    pending = at;
  }
  if (pending < length) {
    sum += BYTE_WEIGHT * (length - pending) + STEP_WEIGHT;
    if (sum > most) return -1;
    store<u32>(literals + (count << 2), length - pending);
    store<u32>(froms + (count << 2), 0);
    store<u32>(copies + (count << 2), 0);
    count++;
  }
  weighed = sum;
  return <i32>count;
}
