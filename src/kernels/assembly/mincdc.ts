/**
 * mincdc4: the cut stands after the four bytes with the greatest product with a constant, SIMD over all positions.
 *
 * A vector loaded at q holds the windows at q, q+4, q+8, q+12; four loads at q..q+3 cover sixteen positions.
 * Tiles keep the search for the position short: only the tile with the greatest score is looked at again.
 */
import { allCuts } from "./shared/cuts";

const MULTIPLIER: u32 = 0x9e3779b1;
const WINDOW: usize = 4;
const TILE: usize = 512;

// In memory, not a literal: V8 builds a v128 literal again in every turn of a loop.
const multiplier: usize = memory.data<u32>([MULTIPLIER, MULTIPLIER, MULTIPLIER, MULTIPLIER], 16);

// @ts-ignore: decorator
@inline
function score(at: usize): u32 {
  return load<u32>(at) * MULTIPLIER;
}

// @ts-ignore: decorator
@inline
function fold(greatest: v128, words: v128, factor: v128): v128 {
  return i32x4.max_u(greatest, i32x4.mul(words, factor));
}

/** The last position in the tile whose score is `wanted`; one is there. */
function lastIn(tile: usize, wanted: u32): usize {
  const factor = v128.load(multiplier);
  const goal = i32x4.splat(wanted);
  let at = tile + TILE - 16;
  while (true) {
    const e0 = i32x4.eq(i32x4.mul(v128.load(at, 0), factor), goal);
    const e1 = i32x4.eq(i32x4.mul(v128.load(at, 1), factor), goal);
    const e2 = i32x4.eq(i32x4.mul(v128.load(at, 2), factor), goal);
    const e3 = i32x4.eq(i32x4.mul(v128.load(at, 3), factor), goal);
    if (v128.any_true(v128.or(v128.or(e0, e1), v128.or(e2, e3)))) break;
    at -= 16;
  }
  let last = at + 15;
  while (score(last) != wanted) last--;
  return last;
}

function find(lowest: usize, highest: usize): usize {
  // Window starts, both ends included.
  const first = lowest - WINDOW;
  const last = highest - WINDOW;
  if (last - first < TILE) {
    let best = first;
    for (let at = first + 1; at <= last; at++) if (score(at) >= score(best)) best = at;
    return best + WINDOW;
  }
  const factor = v128.load(multiplier);
  const lastTile = last + 1 - TILE;
  // The first position by itself: a range is often a multiple of the tile, and has one position more.
  let best = score(first);
  let bestTile: usize = 0;
  let bests = i32x4.splat(best);
  let tile = first + 1;
  while (true) {
    let a = i32x4.splat(0);
    let b = a;
    let c = a;
    let d = a;
    for (let at = tile, end = tile + TILE; at < end; at += 64) {
      a = fold(a, v128.load(at), factor);
      b = fold(b, v128.load(at, 1), factor);
      c = fold(c, v128.load(at, 2), factor);
      d = fold(d, v128.load(at, 3), factor);
      a = fold(a, v128.load(at, 16), factor);
      b = fold(b, v128.load(at, 17), factor);
      c = fold(c, v128.load(at, 18), factor);
      d = fold(d, v128.load(at, 19), factor);
      a = fold(a, v128.load(at, 32), factor);
      b = fold(b, v128.load(at, 33), factor);
      c = fold(c, v128.load(at, 34), factor);
      d = fold(d, v128.load(at, 35), factor);
      a = fold(a, v128.load(at, 48), factor);
      b = fold(b, v128.load(at, 49), factor);
      c = fold(c, v128.load(at, 50), factor);
      d = fold(d, v128.load(at, 51), factor);
    }
    a = i32x4.max_u(i32x4.max_u(a, b), i32x4.max_u(c, d));
    if (v128.any_true(i32x4.ge_u(a, bests))) {
      best = max(
        max<u32>(i32x4.extract_lane(a, 0), i32x4.extract_lane(a, 1)),
        max<u32>(i32x4.extract_lane(a, 2), i32x4.extract_lane(a, 3)),
      );
      bests = i32x4.splat(best);
      bestTile = tile;
    }
    if (tile == lastTile) break;
    // The last tile overlaps the one before it, so that no position needs a scalar tail.
    tile = min(tile + TILE, lastTile);
  }
  return (bestTile == 0 ? first : lastIn(bestTile, best)) + WINDOW;
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
  return allCuts(find, from, to, final, minBytes, maxBytes, out);
}
