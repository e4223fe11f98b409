/** bup's rule in plain TypeScript, byte by byte with a ring: the twin of assembly/bup-rollsum.ts. */

const WINDOW = 64;
const CHARACTER_OFFSET = 31;

export interface BupRule {
  /** How many low bits of the second sum are ones at a cut: 7 to 31. */
  readonly bits: number;
  /** No piece is longer; 0 is no maximum. */
  readonly maxBytes: number;
}

/**
 * Ends of the pieces that a cut closes: the bytes after the last one are a piece of their own. The sums start anew
 * behind each cut. Source: bup, `bupsplit.c`: the checksum of rsync with a window of 64 bytes and an offset of 31.
 */
export function bupEnds(data: Uint8Array, { bits, maxBytes }: BupRule): number[] {
  const mask = 2 ** bits - 1;
  const ends: number[] = [];
  let start = 0;
  const ring = new Uint8Array(WINDOW);
  let first = WINDOW * CHARACTER_OFFSET;
  let second = WINDOW * (WINDOW - 1) * CHARACTER_OFFSET;
  for (let at = 0; at < data.length; at++) {
    const place = (at - start) % WINDOW;
    const leaving = ring[place]!;
    ring[place] = data[at]!;
    first = (first + data[at]! - leaving) >>> 0;
    second = (second + first - WINDOW * (leaving + CHARACTER_OFFSET)) >>> 0;
    if ((second & mask) !== mask && at + 1 - start !== maxBytes) continue;
    ends.push(at + 1);
    start = at + 1;
    ring.fill(0);
    first = WINDOW * CHARACTER_OFFSET;
    second = WINDOW * (WINDOW - 1) * CHARACTER_OFFSET;
  }
  return ends;
}
