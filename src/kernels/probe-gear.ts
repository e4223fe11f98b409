/** The layer probe's rule in plain TypeScript with its 64-bit hash: the twin of assembly/probe-gear.ts. */

const MASK = (1n << 14n) - 1n;
export const PROBE_GEAR_MIN_BYTES = 2 * 1024;
export const PROBE_GEAR_MAX_BYTES = 64 * 1024;

/** SplitMix64 (Steele, Lea, Flood, 2014) from the golden ratio, which is also its step: the probe's 256 numbers. */
export const probeGearTable: BigUint64Array = (() => {
  const GOLDEN = 0x9e37_79b9_7f4a_7c15n;
  let state = GOLDEN;
  return BigUint64Array.from({ length: 256 }, () => {
    state = BigInt.asUintN(64, state + GOLDEN);
    let z = state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    return z ^ (z >> 31n);
  });
})();

/**
 * Ends of the pieces that a cut closes, the last one at `data.length` only if a rule puts it there. The hash is
 * zero at the start of each piece.
 */
export function probeGearEnds(data: Uint8Array): number[] {
  const ends: number[] = [];
  let start = 0;
  let hash = 0n;
  for (let at = 0; at < data.length; at++) {
    hash = BigInt.asUintN(64, (hash << 1n) + probeGearTable[data[at]!]!);
    const length = at + 1 - start;
    const cut = length >= PROBE_GEAR_MIN_BYTES && (hash & MASK) === 0n;
    if (!cut && length !== PROBE_GEAR_MAX_BYTES) continue;
    ends.push(at + 1);
    start = at + 1;
    hash = 0n;
  }
  return ends;
}
