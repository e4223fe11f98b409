/** mincdc4 in plain TypeScript: the twin of assembly/mincdc.ts. */
import { type FindCut, MULTIPLIER, word } from "./cut-rule.ts";

const WINDOW = 4;

/**
 * The cut after the four bytes with the greatest product (the least complement of it); of equal ones the last.
 * Source: MinCDC by Orson Peters (https://github.com/orlp/mincdc), which takes the least and the first. Here
 * the last, so that constant data is cut at the maximum; and four zeros, whose product is 0, are the last
 * choice: padding is equal in too many places of an executable to be a landmark.
 */
export const findMincdc4: FindCut = (data, lowest, highest) => {
  let best = lowest;
  let greatest = 0;
  for (let cut = lowest; cut <= highest; cut++) {
    const product = Math.imul(word(data, cut - WINDOW), MULTIPLIER) >>> 0;
    if (product >= greatest) {
      greatest = product;
      best = cut;
    }
  }
  return best;
};
