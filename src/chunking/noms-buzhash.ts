/** noms' buzhash, without bounds. */
import { TenonError } from "../errors/index.ts";
import { buzhashTable, type NomsRule, scanKernel } from "../kernels/index.ts";
import { createSplitter, type Splitter } from "./splitter.ts";

/** What the first noms cut blobs with: a window of 64 bytes, 13 bits. */
export const NOMS_FIRST: NomsRule = { windowBytes: 64, bits: 13 };
/** What the last noms cuts with. */
export const NOMS_LAST: NomsRule = { windowBytes: 67, bits: 12 };

/** As much as a splitter remembers of the block before. */
const MOST_WINDOW_BYTES = 128;

/** A splitter with one rule for each entry, named `noms(WINDOW/BITS)`. Errors: `usage`. */
export function nomsSplitter(rules: readonly NomsRule[]): Splitter {
  for (const { windowBytes, bits } of rules) {
    if (!Number.isInteger(windowBytes) || windowBytes < 1 || windowBytes > MOST_WINDOW_BYTES) {
      throw new TenonError("usage", `noms: a window of ${windowBytes} bytes, not 1 to ${MOST_WINDOW_BYTES}`);
    }
    if (!Number.isInteger(bits) || bits < 6 || bits > 20) {
      throw new TenonError("usage", `noms: ${bits} bits, not 6 to 20`);
    }
  }
  const kernel = scanKernel("noms-buzhash");
  new Uint32Array(kernel.memory.buffer, kernel.table!(), 256).set(buzhashTable);
  return createSplitter(
    kernel,
    rules.map(({ windowBytes, bits }) => ({
      name: `noms(${windowBytes}/${bits})`,
      first: windowBytes,
      second: bits,
    })),
    { sharesScan: false },
  );
}
