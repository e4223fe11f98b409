/**
 * kernels: the few hot loops, in WebAssembly.
 *
 * Nouns: a *kernel* is a module compiled from `assembly/<name>.ts` to `<name>.wasm` by `npm run build:kernels`;
 * its *twin* is the same function in plain TypeScript. A *cutting rule* finds the end of a chunk between two
 * bounds; every cutting kernel is a `CutKernel`. Invariant: a kernel and its twin give equal results on every
 * input.
 */

export { type CutKernel, cutKernel } from "./cut-kernel.ts";
export { allCuts, type CutSizes, type FindCut } from "./cut-rule.ts";
export { findGear32, gearTable } from "./gear.ts";
export {
  growMemory,
  instantiateKernel,
  type KernelImports,
  type KernelMemory,
  type KernelModule,
  kernelFile,
  loadKernel,
} from "./load.ts";
export { findMincdc4 } from "./mincdc.ts";
export { findWindow8 } from "./window8.ts";
