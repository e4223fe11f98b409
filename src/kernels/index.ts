/**
 * kernels: the few hot loops, in WebAssembly.
 *
 * Nouns: a *kernel* is a module compiled from `assembly/<name>.ts` to `<name>.wasm` by `npm run build:kernels`;
 * its *twin* is the same function in plain TypeScript. A *cutting rule* finds the end of a chunk between two
 * bounds; every cutting kernel is a `CutKernel`. A *scan kernel* has rules that may know no longest
 * chunk. A `deflate-` kernel compresses exactly as another program does: that program is what it is compared with,
 * and deflate-zlib and deflate-go with twins in `gzip/testing` as well. Invariant: a kernel and its twin, or the
 * program that it follows, give equal results on every input.
 */

export { type BupRule, bupEnds } from "./bup-rollsum.ts";
export { type CutKernel, cutKernel } from "./cut-kernel.ts";
export { allCuts, type CutSizes, type FindCut } from "./cut-rule.ts";
export {
  type CompressingKernel,
  type GoKernel,
  goKernel,
  type KlauspostKernel,
  klauspostKernel,
  type TokenKernel,
  TokenStatus,
  tokenKernel,
  type ZlibKernel,
  zlibKernel,
} from "./deflate.ts";
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
export { buzhashTable, type NomsRule, nomsEnds } from "./noms-buzhash.ts";
export { probeGearEnds, probeGearTable } from "./probe-gear.ts";
export { type ScanKernel, scanKernel } from "./scan-kernel.ts";
export { findWindow8 } from "./window8.ts";
