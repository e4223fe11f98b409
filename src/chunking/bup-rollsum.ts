/** bup's rolling checksum, with as many bits as one likes and, as bup itself has it, a maximum. */
import { TenonError } from "../errors/index.ts";
import { type BupRule, scanKernel } from "../kernels/index.ts";
import { createSplitter, type Splitter } from "./splitter.ts";

/** Cuts with fewer ones are not among the kernel's hits. */
const LEAST_BITS = 7;
/** A mean piece of 1 MiB. */
const MOST_BITS = 20;

/**
 * A splitter with one rule for each entry, named `bup(BITS)`. Errors: `usage` for bits outside 7 to 20 and for a
 * maximum that is not longer than the window of 64 bytes.
 */
export function bupSplitter(rules: readonly BupRule[]): Splitter {
  for (const { bits, maxBytes } of rules) {
    if (!Number.isInteger(bits) || bits < LEAST_BITS || bits > MOST_BITS) {
      throw new TenonError("usage", `bup: ${bits} bits, not ${LEAST_BITS} to ${MOST_BITS}`);
    }
    if (!Number.isInteger(maxBytes) || (maxBytes !== 0 && maxBytes <= 64) || maxBytes > 2 ** 31) {
      throw new TenonError("usage", `bup: a maximum of ${maxBytes} bytes`);
    }
  }
  return createSplitter(
    scanKernel("bup-rollsum"),
    rules.map(({ bits, maxBytes }) => ({ name: `bup(${bits})`, first: bits, second: maxBytes })),
    { sharesScan: true },
  );
}

/** What bup itself cuts with: 13 bits, at most four times the mean. */
export const BUP_ITSELF: BupRule = { bits: 13, maxBytes: 4 * 8192 };
