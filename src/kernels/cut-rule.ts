/**
 * The frame that every cutting rule shares, in plain TypeScript: the twin of assembly/shared/cuts.ts.
 *
 * A chunk that begins at `at` ends where the rule finds a cut in [at + min, at + min(max, rest - min)]. What
 * remains after a cut is therefore never shorter than min. When less than twice min is left, the rest is one
 * chunk. A rule that finds nothing: the rest when it is at most max, else the upper bound.
 */

/** Sizes that bound and steer a rule, in bytes. */
export interface CutSizes {
  readonly minBytes: number;
  readonly meanBytes: number;
  readonly maxBytes: number;
}

/** Offset of the cut that a rule finds in [lowest, highest]; 0 when it finds none. */
export type FindCut = (data: Uint8Array, lowest: number, highest: number) => number;

/**
 * Ends of all complete chunks of `data`. When `final` is false, more may follow: a chunk is complete when
 * max + min bytes from its beginning are there, since then no later byte can move its end.
 */
export function allCuts(find: FindCut, data: Uint8Array, sizes: CutSizes, final: boolean): number[] {
  const { minBytes, maxBytes } = sizes;
  const needed = final ? minBytes * 2 : minBytes + maxBytes;
  const ends: number[] = [];
  let at = 0;
  while (at < data.length) {
    const rest = data.length - at;
    if (rest < needed) {
      if (!final) break;
      at = data.length;
    } else {
      const highest = at + Math.min(maxBytes, rest - minBytes);
      const cut = find(data, at + minBytes, highest);
      at = cut !== 0 ? cut : final && rest <= maxBytes ? data.length : highest;
    }
    ends.push(at);
  }
  return ends;
}

/** The little-endian 32-bit word at an offset, as a signed integer. */
export function word(data: Uint8Array, at: number): number {
  return data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24);
}

/** 2^32 divided by the golden ratio, made prime: Knuth's multiplicative hashing (TAOCP 6.4), as in xxHash and zstd. */
export const MULTIPLIER = 0x9e3779b1;
