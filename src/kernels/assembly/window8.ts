/**
 * window8: cut where the hash of the last eight bytes is above a threshold, SIMD over all positions.
 *
 * The window is two little-endian words; their difference is hashed by multiplication, so that constant data
 * and data of period two and four score 0 and never cut. Vectors as in mincdc.ts.
 */
import { allCuts } from "./shared/cuts";

const MULTIPLIER: u32 = 0x9e3779b1;
const WINDOW: usize = 8;
const TILE: usize = 64;

const multiplier: usize = memory.data<u32>([MULTIPLIER, MULTIPLIER, MULTIPLIER, MULTIPLIER], 16);

let threshold: i32 = 0;

// @ts-ignore: decorator
@inline
function score(at: usize): i32 {
  return <i32>((load<u32>(at) - load<u32>(at, 4)) * MULTIPLIER);
}

// @ts-ignore: decorator
@inline
function hashes(earlier: v128, later: v128, factor: v128): v128 {
  return i32x4.mul(i32x4.sub(earlier, later), factor);
}

/** The greatest hashes of sixteen positions, from the loads at the offsets 0 to 7. */
// @ts-ignore: decorator
@inline
function sixteen(
  v0: v128,
  v1: v128,
  v2: v128,
  v3: v128,
  v4: v128,
  v5: v128,
  v6: v128,
  v7: v128,
  factor: v128,
): v128 {
  const half = i32x4.max_s(hashes(v0, v4, factor), hashes(v1, v5, factor));
  return i32x4.max_s(half, i32x4.max_s(hashes(v2, v6, factor), hashes(v3, v7, factor)));
}

function find(lowest: usize, highest: usize): usize {
  let at = lowest - WINDOW;
  const end = highest - WINDOW + 1;
  const factor = v128.load(multiplier);
  const limits = i32x4.splat(threshold);
  while (at + TILE <= end) {
    const a = sixteen(
      v128.load(at, 0),
      v128.load(at, 1),
      v128.load(at, 2),
      v128.load(at, 3),
      v128.load(at, 4),
      v128.load(at, 5),
      v128.load(at, 6),
      v128.load(at, 7),
      factor,
    );
    const b = sixteen(
      v128.load(at, 16),
      v128.load(at, 17),
      v128.load(at, 18),
      v128.load(at, 19),
      v128.load(at, 20),
      v128.load(at, 21),
      v128.load(at, 22),
      v128.load(at, 23),
      factor,
    );
    const c = sixteen(
      v128.load(at, 32),
      v128.load(at, 33),
      v128.load(at, 34),
      v128.load(at, 35),
      v128.load(at, 36),
      v128.load(at, 37),
      v128.load(at, 38),
      v128.load(at, 39),
      factor,
    );
    const d = sixteen(
      v128.load(at, 48),
      v128.load(at, 49),
      v128.load(at, 50),
      v128.load(at, 51),
      v128.load(at, 52),
      v128.load(at, 53),
      v128.load(at, 54),
      v128.load(at, 55),
      factor,
    );
    const greatest = i32x4.max_s(i32x4.max_s(a, b), i32x4.max_s(c, d));
    if (v128.any_true(i32x4.gt_s(greatest, limits))) break;
    at += TILE;
  }
  for (; at < end; at++) if (score(at) > threshold) return at + WINDOW;
  return 0;
}

/** First address that the caller may use. */
export function base(): usize {
  return __heap_base;
}

export function cuts(
  from: usize,
  to: usize,
  final: bool,
  minBytes: usize,
  meanBytes: usize,
  maxBytes: usize,
  out: usize,
): u32 {
  threshold = <i32>(0x7fffffff - <u32>(0x100000000 / <u64>(meanBytes - minBytes)));
  return allCuts(find, from, to, final, minBytes, maxBytes, out);
}
