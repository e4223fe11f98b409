/**
 * Rules whose hash depends on the last bytes alone, as many as its window holds, and which start anew in each piece.
 *
 * So one pass over a block finds every place where the hash of a full window says "cut": the *hits*. Rules of
 * different strength walk the same hits. Only while a piece is shorter than the window its own hash is needed.
 *
 * A hit is a u32: distance of the cut from the block's start << 5, and how strong it is (at most 31).
 */

export const STRENGTH_BITS: u32 = 5;
export const STRONGEST: u32 = 31;

/** Takes the byte at an address while the window is filling; true for a cut behind it. */
export type Roll = (at: usize) => bool;

export function hit(distance: usize, strength: u32): u32 {
  return (<u32>distance << STRENGTH_BITS) | strength;
}

/**
 * Writes the end address of every piece that ends in [from, to) or at `to` to `out`; returns their number. `begun`
 * bytes of the present piece lie before `from`: as many of them as the window holds must be in memory.
 * `maxBytes` 0 is no maximum. `restart` empties the window.
 */
export function walkHits(
  restart: () => void,
  roll: Roll,
  windowBytes: u32,
  strength: u32,
  maxBytes: u32,
  begun: u32,
  from: usize,
  to: usize,
  hits: usize,
  hitCount: u32,
  out: usize,
): u32 {
  let count: u32 = 0;
  let next: u32 = 0;
  let at = from;
  while (at < to) {
    let end: usize = 0;
    if (begun < windowBytes) {
      restart();
      for (let before = at - begun; before < at; before++) roll(before);
      while (at < to && begun < windowBytes) {
        const cut = roll(at);
        at++;
        begun++;
        if (cut || begun == maxBytes) {
          end = at;
          break;
        }
      }
      if (end == 0 && at == to) break;
    }
    if (end == 0) {
      const limit: usize = maxBytes == 0 ? usize.MAX_VALUE : at + (maxBytes - begun);
      while (next < hitCount) {
        const found = load<u32>(hits + (<usize>next << 2));
        if ((found & STRONGEST) >= strength && from + (found >> STRENGTH_BITS) > at) {
          end = from + (found >> STRENGTH_BITS);
          break;
        }
        next++;
      }
      if (end == 0 || end > limit) end = limit;
      if (end > to) break;
    }
    store<u32>(out + (<usize>count << 2), <u32>end);
    count++;
    at = end;
    begun = 0;
  }
  return count;
}
