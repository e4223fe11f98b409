/** The layer probe's gear chunker: 2 to 64 KiB, 14 bits, its table from SplitMix64. */
import { probeGearTable, scanKernel } from "../kernels/index.ts";
import { createSplitter, type Splitter } from "./splitter.ts";

/** A splitter with the one rule `gear(14)`. */
export function probeGearSplitter(): Splitter {
  const kernel = scanKernel("probe-gear");
  // Only low bits decide, and the low half of a sum depends on the low halves of its terms alone.
  const low = new Uint32Array(kernel.memory.buffer, kernel.table!(), 256);
  for (const [i, number] of probeGearTable.entries()) low[i] = Number(number & 0xffff_ffffn);
  return createSplitter(kernel, [{ name: "gear(14)", first: 0, second: 0 }], { sharesScan: false });
}
