/**
 * The frame that every cutting rule shares: how far a chunk may reach, and what happens at the end of input.
 * The same as `allCuts` in ../../cut-rule.ts, which explains it.
 */

/** Address of the cut that a rule finds in [lowest, highest]; 0 when it finds none. */
export type FindCut = (lowest: usize, highest: usize) => usize;

/** Writes the end address of every complete chunk of [from, to) to `out` as u32; returns their number. */
export function allCuts(
  find: FindCut,
  from: usize,
  to: usize,
  final: bool,
  minBytes: usize,
  maxBytes: usize,
  out: usize,
): u32 {
  let at = from;
  let count: u32 = 0;
  while (at < to) {
    const rest = to - at;
    const needed = final ? minBytes * 2 : minBytes + maxBytes;
    if (rest < needed) {
      if (!final) break;
      at = to;
    } else {
      const highest = at + min(maxBytes, rest - minBytes);
      const cut = find(at + minBytes, highest);
      at = cut != 0 ? cut : final && rest <= maxBytes ? to : highest;
    }
    store<u32>(out + (<usize>count << 2), <u32>at);
    count++;
  }
  return count;
}
