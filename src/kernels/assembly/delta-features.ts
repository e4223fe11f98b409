/**
 * The greatest transformed hashes of all n-grams of a run of bytes. The twin, which explains the rules, is
 * src/delta/features.ts.
 */

/** Bytes that fit into the window, beside those that the last n-gram reaches beyond. */
export const WINDOW_BYTES: u32 = 65536;
export const GRAM_BYTES: u32 = 8;
export const FEATURES: u32 = 12;

const WINDOW: usize = memory.data(<i32>WINDOW_BYTES + 64, 64);
const MULTIPLIERS: usize = memory.data(48, 16);
const ADDENDS: usize = memory.data(48, 16);
const BEST: usize = memory.data(48, 16);

/** Where the bytes go. */
export function input(): usize {
  return WINDOW;
}

/** Where the multipliers and addends of the features go, u32 each. */
export function multipliers(): usize {
  return MULTIPLIERS;
}

export function addends(): usize {
  return ADDENDS;
}

/** The features so far, u32 each. */
export function best(): usize {
  return BEST;
}

export function reset(): void {
  memory.fill(BEST, 0, 48);
}

/** Takes `grams` n-grams into account, those whose hash has none of the mask's bits. */
export function scan(grams: u32, mask: u32): void {
  const m0 = v128.load(MULTIPLIERS);
  const m1 = v128.load(MULTIPLIERS, 16);
  const m2 = v128.load(MULTIPLIERS, 32);
  const a0 = v128.load(ADDENDS);
  const a1 = v128.load(ADDENDS, 16);
  const a2 = v128.load(ADDENDS, 32);
  let b0 = v128.load(BEST);
  let b1 = v128.load(BEST, 16);
  let b2 = v128.load(BEST, 32);
  for (let at = WINDOW, end = WINDOW + grams; at < end; at++) {
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
