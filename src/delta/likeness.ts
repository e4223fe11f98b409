/** Looking for what is like given runs of bytes, by a kernel; the rules are in likeness-twin.ts. */
import { growMemory, instantiateKernel, type KernelMemory } from "../kernels/index.ts";
import {
  ADDENDS,
  CANDIDATES,
  FEATURES,
  GRAM_BYTES,
  MULTIPLIERS,
  SAMPLE_MASK,
  SAMPLED_FROM_BYTES,
} from "./likeness-twin.ts";

/** What assembly/delta-likeness.ts exports and this module calls. */
interface Kernel {
  readonly memory: KernelMemory;
  readonly WINDOW_BYTES: { readonly value: number };
  readonly MAX_RUNS: { readonly value: number };
  readonly MAX_WANTED: { readonly value: number };
  window(): number;
  multipliers(): number;
  addends(): number;
  begins(): number;
  lengths(): number;
  classes(): number;
  items(): number;
  best(): number;
  begin(most: number): number;
  clear(): void;
  reset(): void;
  scan(from: number, grams: number, mask: number): void;
  want(runClass: number, near: number): void;
  offer(item: number, runClass: number): void;
  offerRuns(count: number): void;
}

/** Shorter runs have no features. */
export const MIN_LIKE_BYTES = 2 * GRAM_BYTES;
/** Bytes between runs that are copied rather than left out. */
const MAX_GAP_BYTES = 1024;

let loaded: Kernel | undefined;

function load(): Kernel {
  const kernel = instantiateKernel<Kernel>("delta-likeness");
  const { buffer } = kernel.memory;
  new Int32Array(buffer, kernel.multipliers(), FEATURES).set(MULTIPLIERS);
  new Int32Array(buffer, kernel.addends(), FEATURES).set(ADDENDS);
  return kernel;
}

/** As many runs as one search can look for. */
export function mostWanted(): number {
  loaded ??= load();
  return loaded.MAX_WANTED.value;
}

/**
 * A search for what is most like each of some runs of bytes. First all are named that are looked for, then all
 * candidates are offered. Runs of different classes (numbers below 2^20) are never alike. The kernel is shared by
 * all: a search is over when the next begins.
 */
export class LikenessSearch {
  readonly #kernel: Kernel;
  readonly #window: Uint8Array;
  readonly #windowBytes: number;
  readonly #begins: Uint32Array;
  readonly #lengths: Uint32Array;
  readonly #classes: Uint32Array;
  readonly #items: Uint32Array;
  readonly #bestAt: number;

  /** For at most so many runs, and never more than `mostWanted` says. */
  constructor(most: number) {
    loaded ??= load();
    const kernel = loaded;
    growMemory(kernel.memory, kernel.begin(most));
    kernel.clear();
    const { buffer } = kernel.memory;
    const runs = kernel.MAX_RUNS.value;
    this.#kernel = kernel;
    this.#windowBytes = kernel.WINDOW_BYTES.value;
    this.#window = new Uint8Array(buffer, kernel.window(), this.#windowBytes);
    this.#begins = new Uint32Array(buffer, kernel.begins(), runs);
    this.#lengths = new Uint32Array(buffer, kernel.lengths(), runs);
    this.#classes = new Uint32Array(buffer, kernel.classes(), runs);
    this.#items = new Uint32Array(buffer, kernel.items(), runs);
    this.#bestAt = kernel.best();
  }

  #scan(bytes: Uint8Array): void {
    const kernel = this.#kernel;
    const grams = bytes.length - GRAM_BYTES + 1;
    const mask = bytes.length >= SAMPLED_FROM_BYTES ? SAMPLE_MASK : 0;
    const most = this.#windowBytes - GRAM_BYTES + 1;
    kernel.reset();
    for (let done = 0; done < grams; done += most) {
      const count = Math.min(most, grams - done);
      this.#window.set(bytes.subarray(done, done + count + GRAM_BYTES - 1));
      kernel.scan(0, count, mask);
    }
  }

  /**
   * Names a run that is looked for, the first 0, and the number of the candidate that is expected. False for one that
   * is too short: it gets no number.
   */
  want(bytes: Uint8Array, runClass: number, near: number): boolean {
    if (bytes.length < MIN_LIKE_BYTES) return false;
    this.#scan(bytes);
    this.#kernel.want(runClass, near);
    return true;
  }

  /**
   * Offers those runs of `bytes` whose class is wanted (has a one in `wantedClasses`) and that have `minBytes` (at
   * least `MIN_LIKE_BYTES`), in their order, which ascends; the first has the number `item`.
   */
  offer(
    bytes: Uint8Array,
    { count, offset, length, kind }: Runs,
    item: number,
    wantedClasses: Uint8Array,
    minBytes: number,
  ): void {
    const most = this.#begins.length;
    const windowBytes = this.#windowBytes;
    let used = 0;
    let from = 0;
    let to = 0;
    const flush = () => {
      if (used === 0) return;
      this.#window.set(bytes.subarray(from, to));
      this.#kernel.offerRuns(used);
      used = 0;
    };
    for (let run = 0; run < count; run++) {
      const runClass = kind[run]!;
      const runBytes = length[run]!;
      if (runBytes < minBytes || wantedClasses[runClass] !== 1) continue;
      const start = offset[run]!;
      const end = start + runBytes;
      if (used === most || end - from > windowBytes || start - to > MAX_GAP_BYTES) flush();
      if (runBytes > windowBytes) {
        this.#scan(bytes.subarray(start, end));
        this.#kernel.offer(item + run, runClass);
        continue;
      }
      if (used === 0) from = start;
      this.#begins[used] = start - from;
      this.#lengths[used] = runBytes;
      this.#classes[used] = runClass;
      this.#items[used++] = item + run;
      to = end;
    }
    flush();
  }

  /** The candidates that have most features in common with a run, most first; of equal ones the nearest. */
  best(run: number): number[] {
    const list = new Int32Array(
      this.#kernel.memory.buffer,
      this.#bestAt + run * CANDIDATES * 8,
      2 * CANDIDATES,
    );
    const found: number[] = [];
    for (let i = 0; i < CANDIDATES && list[2 * i + 1]! > 0; i++) found.push(list[2 * i]!);
    return found;
  }
}

/** Runs of bytes as columns; their kinds are their classes. */
export interface Runs {
  readonly count: number;
  readonly offset: ArrayLike<number>;
  readonly length: ArrayLike<number>;
  readonly kind: ArrayLike<number>;
}
