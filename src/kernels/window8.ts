/** window8 in plain TypeScript: the twin of assembly/window8.ts. */
import { type CutSizes, type FindCut, MULTIPLIER, word } from "./cut-rule.ts";

const WINDOW = 8;

/**
 * The first cut whose last eight bytes hash above a threshold: the difference of their two little-endian words,
 * hashed by multiplication. Data of period one, two or four has the difference 0 and never cuts.
 */
export function findWindow8(sizes: CutSizes): FindCut {
  const threshold = 0x7fffffff - Math.floor(2 ** 32 / (sizes.meanBytes - sizes.minBytes));
  return (data, lowest, highest) => {
    for (let cut = lowest; cut <= highest; cut++) {
      const difference = word(data, cut - WINDOW) - word(data, cut - WINDOW + 4);
      if (Math.imul(difference, MULTIPLIER) > threshold) return cut;
    }
    return 0;
  };
}
