/** What the cutting kernels export. */
import { instantiateKernel, type KernelMemory } from "./load.ts";

export interface CutKernel {
  readonly memory: KernelMemory;
  /** First address that the caller may use. The kernel reads nothing but its input. */
  base(): number;
  /**
   * Cuts the bytes [from, to) of memory: writes the end address of every complete chunk as u32 to `out`, in
   * order, and returns their number. Sizes must hold `minBytes >= 64` and `maxBytes >= 2 * minBytes`;
   * nothing is checked here. See `allCuts` for what `final` changes.
   */
  cuts(
    from: number,
    to: number,
    final: boolean,
    minBytes: number,
    meanBytes: number,
    maxBytes: number,
    out: number,
  ): number;
}

/** A new instance of a cutting kernel with its own memory. */
export function cutKernel(name: "gear" | "mincdc" | "window8"): CutKernel {
  return instantiateKernel<CutKernel>(name);
}
