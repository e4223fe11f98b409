/** mincdc4-v1, the default: the place with the greatest hash of four bytes between min and max. */
import { cutKernel, findMincdc4 } from "../kernels/index.ts";
import type { Algorithm } from "./algorithm.ts";

export const mincdc4: Algorithm = {
  name: "mincdc4-v1",
  meanProblem({ minBytes, meanBytes, maxBytes }) {
    // Every place in the range is equally likely, so the mean is no free parameter.
    return 2 * meanBytes === minBytes + maxBytes
      ? undefined
      : `not half of minBytes + maxBytes (${minBytes} + ${maxBytes})`;
  },
  kernel: () => cutKernel("mincdc"),
  twin: () => findMincdc4,
};
