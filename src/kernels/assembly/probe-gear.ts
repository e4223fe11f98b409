/**
 * The layer probe's rule: a gear hash shifted left, cut where its low 14 bits are zero, between 2 and 64 KiB. Of a
 * hash that shifts left, 14 low bits know of the last 14 bytes only: fewer than the minimum, so hits are all.
 */
import { hit, STRENGTH_BITS, STRONGEST } from "./shared/hits";

const MASK: u32 = (1 << 14) - 1;
const WINDOW: usize = 14;
const MIN_BYTES: usize = 2048;
const MAX_BYTES: usize = 65536;

const numbers: usize = memory.data(1024, 16);

/** Where the caller puts the low halves of the 256 numbers of the hash, u32 each. */
export function table(): usize {
  return numbers;
}

/** First address that the caller may use. */
export function base(): usize {
  return __heap_base;
}

/** Writes the hits in [from, to) and returns their number; 14 bytes before `from` must be readable. */
export function scan(_first: u32, _second: u32, from: usize, to: usize, hits: usize): u32 {
  let hash: u32 = 0;
  for (let at = from - WINDOW; at < from; at++) {
    hash = (hash << 1) + load<u32>(numbers + (<usize>load<u8>(at) << 2));
  }
  let count: u32 = 0;
  for (let at = from; at < to; at++) {
    hash = (hash << 1) + load<u32>(numbers + (<usize>load<u8>(at) << 2));
    if ((hash & MASK) == 0) {
      store<u32>(hits + (<usize>count << 2), hit(at + 1 - from, STRONGEST));
      count++;
    }
  }
  return count;
}

/** Ends of the pieces as `walkHits` gives them; `begun` is below 65536. */
export function cuts(
  _first: u32,
  _second: u32,
  begun: u32,
  from: usize,
  to: usize,
  hits: usize,
  hitCount: u32,
  out: usize,
): u32 {
  let count: u32 = 0;
  let next: u32 = 0;
  let start = from - begun;
  while (start < to) {
    let end = start + MAX_BYTES;
    while (next < hitCount) {
      const place = from + (load<u32>(hits + (<usize>next << 2)) >> STRENGTH_BITS);
      if (place >= start + MIN_BYTES) {
        end = min(end, place);
        break;
      }
      next++;
    }
    if (end > to) break;
    store<u32>(out + (<usize>count << 2), <u32>end);
    count++;
    start = end;
  }
  return count;
}
