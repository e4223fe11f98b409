/**
 * bup's rolling checksum: two sums over 64 bytes, cut where the low bits of the second are all ones. The places
 * with seven ones are found once, and all numbers of bits from seven on walk them.
 */
import { hit, STRONGEST, walkHits } from "./shared/hits";

const WINDOW: u32 = 64;
const CHARACTER_OFFSET: u32 = 31;
/** Weaker cuts than this are not among the hits. */
const LEAST_BITS: u32 = 7;

let first: u32 = 0;
let second: u32 = 0;
let mask: u32 = 0;

function restart(): void {
  first = WINDOW * CHARACTER_OFFSET;
  second = WINDOW * (WINDOW - 1) * CHARACTER_OFFSET;
}

/** The window is filling: what leaves it is a zero. */
function roll(at: usize): bool {
  first += <u32>load<u8>(at);
  second += first - WINDOW * CHARACTER_OFFSET;
  return (second & mask) == mask;
}

/** First address that the caller may use. */
export function base(): usize {
  return __heap_base;
}

/** Writes the hits in [from, to) and returns their number; 64 bytes before `from` must be readable. */
export function scan(_bits: u32, _maxBytes: u32, from: usize, to: usize, hits: usize): u32 {
  const least: u32 = (1 << LEAST_BITS) - 1;
  let a: u32 = WINDOW * CHARACTER_OFFSET;
  let b: u32 = WINDOW * (WINDOW - 1) * CHARACTER_OFFSET;
  for (let at = from - WINDOW; at < from; at++) {
    a += <u32>load<u8>(at);
    b += a - WINDOW * CHARACTER_OFFSET;
  }
  let count: u32 = 0;
  for (let at = from; at < to; at++) {
    const leaving = <u32>load<u8>(at - WINDOW);
    a += <u32>load<u8>(at) - leaving;
    b += a - WINDOW * (leaving + CHARACTER_OFFSET);
    if ((b & least) == least) {
      store<u32>(hits + (<usize>count << 2), hit(at + 1 - from, min(ctz(~b), STRONGEST)));
      count++;
    }
  }
  return count;
}

/** See `walkHits`. `bits` is 7 to 31. */
export function cuts(
  bits: u32,
  maxBytes: u32,
  begun: u32,
  from: usize,
  to: usize,
  hits: usize,
  hitCount: u32,
  out: usize,
): u32 {
  mask = (1 << bits) - 1;
  return walkHits(restart, roll, WINDOW, bits, maxBytes, begun, from, to, hits, hitCount, out);
}
