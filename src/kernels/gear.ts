/** gear32 in plain TypeScript: the twin of assembly/gear.ts. */
import { type CutSizes, type FindCut, MULTIPLIER } from "./cut-rule.ts";

/** A byte is shifted out of the 32-bit state after 32 steps. */
const WINDOW = 32;

/** Finaliser of MurmurHash3, 32 bits (Austin Appleby, public domain). */
function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** One number for each byte value. */
export const gearTable: Uint32Array = Uint32Array.from({ length: 256 }, (_, i) =>
  mix(Math.imul(i + 1, MULTIPLIER)),
);

/**
 * The first cut where the gear hash of the last 32 bytes is below a threshold.
 * Source: Wen Xia et al., "Ddelta: a deduplication-inspired fast delta compression approach" (2014).
 */
export function findGear32(sizes: CutSizes): FindCut {
  const threshold = Math.floor(2 ** 32 / (sizes.meanBytes - sizes.minBytes));
  return (data, lowest, highest) => {
    let state = 0;
    let at = lowest - WINDOW;
    for (; at < lowest; at++) state = ((state << 1) + gearTable[data[at]!]!) | 0;
    for (; ; at++) {
      if (state >>> 0 < threshold) return at;
      if (at === highest) return 0;
      state = ((state << 1) + gearTable[data[at]!]!) | 0;
    }
  };
}
