/** Finding what a target has in common with a base, by a kernel; the rules are in diff-twin.ts. */
import { growMemory, instantiateKernel, type KernelMemory } from "../kernels/index.ts";
import { BYTE_WEIGHT, STEP_WEIGHT } from "./diff-twin.ts";

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
  diff(
    target: number,
    targetBytes: number,
    literals: number,
    froms: number,
    copies: number,
    most: number,
  ): number;
  weight(): number;
}

let loaded: Kernel | undefined;

/** Tables of more slots don't fit into a cache, smaller ones are emptied slower than they are filled. */
const MAX_BITS = 22;
const MIN_BITS = 8;
/** A copy of two bytes is the shortest that there is. */
const MIN_COPY_BYTES = 2;

/** More than any delta weighs: targets are shorter than half of it. */
const ANY_WEIGHT = 0x7fffffff;

/** Finds deltas. Not reentrant, and the kernel is shared by all: a delta is valid until the next call of any. */
export class Differ {
  #steps = { literalsAt: 0, fromsAt: 0, copiesAt: 0, count: 0 };

  diff(base: Uint8Array, target: Uint8Array): Delta {
    this.weigh(base, target, ANY_WEIGHT);
    return this.weighed();
  }

  /**
   * What the delta weighs (see `deltaWeight`); infinity, as soon as that is known, for one that weighs more than
   * `most`.
   */
  weigh(base: Uint8Array, target: Uint8Array, most: number): number {
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
    if (memory.buffer !== kernel.memory.buffer) memory = new Uint8Array(kernel.memory.buffer);
    memory.set(base, baseAt);
    memory.set(target, targetAt);
    kernel.index(baseAt, base.length, bits, headsAt, linksAt);
    const count = kernel.diff(targetAt, target.length, literalsAt, fromsAt, copiesAt, most);
    this.#steps = { literalsAt, fromsAt, copiesAt, count: Math.max(count, 0) };
    return count < 0 ? Number.POSITIVE_INFINITY : kernel.weight();
  }

  /** The delta that was weighed last, unless it weighed too much. */
  weighed(): Delta {
    const { literalsAt, fromsAt, copiesAt, count } = this.#steps;
    const { buffer } = memory;
    return {
      count,
      literal: new Uint32Array(buffer, literalsAt, count),
      from: new Uint32Array(buffer, fromsAt, count),
      copy: new Uint32Array(buffer, copiesAt, count),
    };
  }
}

/** The kernel's memory. */
let memory = new Uint8Array(0);

/** Columns begin at words; loads of eight bytes never reach beyond what belongs to the run. */
function roundUp(bytes: number): number {
  return (bytes + 15) & ~15;
}

/** What a delta weighs, in half bytes of about what it costs: bytes of the target that no copy gives, and steps. */
export function deltaWeight({ count, literal }: Delta): number {
  let sum = STEP_WEIGHT * count;
  for (let i = 0; i < count; i++) sum += BYTE_WEIGHT * literal[i]!;
  return sum;
}
