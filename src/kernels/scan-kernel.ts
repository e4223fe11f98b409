/** What the kernels of the rules with hits export: see assembly/shared/hits.ts. */
import { instantiateKernel, type KernelMemory } from "./load.ts";

/** `first` and `second` are bits and maximum for bup-rollsum, window and bits for noms-buzhash, 0 for probe-gear. */
export interface ScanKernel {
  readonly memory: KernelMemory;
  /** First address that the caller may use. */
  base(): number;
  /** Where 256 numbers of u32 belong, in the kernels that need them. */
  table?(): number;
  /** Writes the hits in [from, to) as u32 to `hits` and returns their number; reads up to a window before `from`. */
  scan(first: number, second: number, from: number, to: number, hits: number): number;
  /** Writes the end addresses of the pieces that end in (from, to] as u32 to `out`, `begun` bytes being before. */
  cuts(
    first: number,
    second: number,
    begun: number,
    from: number,
    to: number,
    hits: number,
    hitCount: number,
    out: number,
  ): number;
}

/** A new instance with its own memory. */
export function scanKernel(name: "bup-rollsum" | "noms-buzhash" | "probe-gear"): ScanKernel {
  return instantiateKernel<ScanKernel>(name);
}
