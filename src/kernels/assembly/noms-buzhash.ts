/** noms' rule: buzhash over a window of bytes, cut where its low bits are all ones, no bounds. */
import { hit, STRONGEST, walkHits } from "./shared/hits";

const numbers: usize = memory.data(1024, 16);
let state: u32 = 0;
let mask: u32 = 0;

function restart(): void {
  state = 0;
}

/** The window is filling: nothing leaves it. */
function roll(at: usize): bool {
  state = rotl(state, 1) ^ load<u32>(numbers + (<usize>load<u8>(at) << 2));
  return (state & mask) == mask;
}

/** Where the caller puts the 256 numbers of the hash, u32 each. */
export function table(): usize {
  return numbers;
}

/** First address that the caller may use. */
export function base(): usize {
  return __heap_base;
}

/** Writes the hits in [from, to) and returns their number; `windowBytes` bytes before `from` must be readable. */
export function scan(windowBytes: u32, bits: u32, from: usize, to: usize, hits: usize): u32 {
  const ones: u32 = (1 << bits) - 1;
  const turn = windowBytes & 31;
  let hash: u32 = 0;
  for (let at = from - windowBytes; at < from; at++) {
    hash = rotl(hash, 1) ^ load<u32>(numbers + (<usize>load<u8>(at) << 2));
  }
  let count: u32 = 0;
  for (let at = from; at < to; at++) {
    const leaving = load<u32>(numbers + (<usize>load<u8>(at - windowBytes) << 2));
    hash = rotl(hash, 1) ^ rotl(leaving, turn) ^ load<u32>(numbers + (<usize>load<u8>(at) << 2));
    if ((hash & ones) == ones) {
      store<u32>(hits + (<usize>count << 2), hit(at + 1 - from, STRONGEST));
      count++;
    }
  }
  return count;
}

/** See `walkHits`. */
export function cuts(
  windowBytes: u32,
  bits: u32,
  begun: u32,
  from: usize,
  to: usize,
  hits: usize,
  hitCount: u32,
  out: usize,
): u32 {
  mask = (1 << bits) - 1;
  return walkHits(restart, roll, windowBytes, 0, 0, begun, from, to, hits, hitCount, out);
}
