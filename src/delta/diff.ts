/** Finding what a target has in common with a base, by a kernel; the rules are in diff-twin.ts. */
import { growMemory, instantiateKernel, type KernelMemory } from "../kernels/index.ts";

/** Steps of a delta, as columns: first `literal` new bytes, then `copy` bytes of the base at `from`. */
export interface Delta {
  readonly count: number;
  readonly literal: Uint32Array;
  readonly from: Uint32Array;
  readonly copy: Uint32Array;
}

/** What assembly/delta-diff.ts exports and this module calls. */
interface Kernel {
  readonly memory: KernelMemory;
  start(): number;
  index(base: number, baseBytes: number, bits: number, heads: number, links: number): void;
  diff(target: number, targetBytes: number, literals: number, froms: number, copies: number): number;
}

let loaded: Kernel | undefined;

/** Tables of more slots don't fit into a cache, smaller ones are emptied slower than they are filled. */
const MAX_BITS = 22;
const MIN_BITS = 8;
/** A copy of two bytes is the shortest that there is. */
const MIN_COPY_BYTES = 2;

/** Finds deltas. Not reentrant, and the kernel is shared by all: a delta is valid until the next call of any. */
export class Differ {
  diff(base: Uint8Array, target: Uint8Array): Delta {
    loaded ??= instantiateKernel<Kernel>("delta-diff");
    const kernel = loaded;
    const bits = Math.max(MIN_BITS, Math.min(MAX_BITS, 32 - Math.clz32(base.length)));
    const steps = Math.ceil(target.length / MIN_COPY_BYTES) + 1;
    const baseAt = kernel.start();
    const targetAt = baseAt + roundUp(base.length);
    const headsAt = targetAt + roundUp(target.length);
    const linksAt = headsAt + (4 << bits);
    const literalsAt = linksAt + 4 * base.length;
    const fromsAt = literalsAt + 4 * steps;
    const copiesAt = fromsAt + 4 * steps;
    growMemory(kernel.memory, copiesAt + 4 * steps);
    const { buffer } = kernel.memory;
    const bytes = new Uint8Array(buffer);
    bytes.set(base, baseAt);
    bytes.set(target, targetAt);
    kernel.index(baseAt, base.length, bits, headsAt, linksAt);
    const count = kernel.diff(targetAt, target.length, literalsAt, fromsAt, copiesAt);
    return {
      count,
      literal: new Uint32Array(buffer, literalsAt, count),
      from: new Uint32Array(buffer, fromsAt, count),
      copy: new Uint32Array(buffer, copiesAt, count),
    };
  }
}

/** Columns begin at words; loads of eight bytes never reach beyond what belongs to the run. */
function roundUp(bytes: number): number {
  return (bytes + 15) & ~15;
}

/** Bytes of the target that no copy gives. */
export function unmatchedBytes({ count, literal }: Delta): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += literal[i]!;
  return sum;
}
