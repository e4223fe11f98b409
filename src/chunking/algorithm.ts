/** What a cutting rule must bring to be an algorithm of this room; one file per algorithm implements it. */
import type { CutKernel, CutSizes, FindCut } from "../kernels/index.ts";

export interface Algorithm {
  /** Versioned name, as stored in a repository. */
  readonly name: string;
  /** Why `meanBytes` does not fit the other two, or undefined. */
  meanProblem(sizes: CutSizes): string | undefined;
  /** A new kernel with its own memory. */
  kernel(): CutKernel;
  /** The same rule in plain TypeScript. */
  twin(sizes: CutSizes): FindCut;
}

/** For rules that cut at the first hit: the chance of a hit at one place is 1 / (mean - min). */
export function firstHitMeanProblem({ minBytes, meanBytes, maxBytes }: CutSizes): string | undefined {
  if (meanBytes - minBytes < 32) return `less than 32 above minBytes (${minBytes})`;
  return meanBytes < maxBytes ? undefined : `not below maxBytes (${maxBytes})`;
}
