/**
 * Cutting a stream by rules that have no bound on what they carry: the caller keeps the bytes, the kernel keeps no
 * more than the last window. Rules that share a hash share the pass that computes it.
 *
 *     base   table of hits    table of ends     history   block
 *     |------|----------------|-----------------|---------|--------------------|
 */
import { TenonError } from "../errors/index.ts";
import { growMemory, type ScanKernel } from "../kernels/index.ts";

/** The longest block that a splitter takes at once: it stays in the cache while several rules look at it. */
export const SPLITTER_BLOCK_BYTES = 256 * 1024;
/** More than the longest window, which is noms' 67 bytes. */
const HISTORY_BYTES = 128;

/** Cuts one stream after another by several rules at once. */
export interface Splitter {
  /** Names of the rules, in the order of the results. */
  readonly rules: readonly string[];
  /**
   * Takes the next bytes of the stream, at most `SPLITTER_BLOCK_BYTES`. For each rule the offsets in `block` behind
   * which a piece ends, ascending, 1 to `block.length`; valid until the next call. What is left when the stream
   * ends is a piece. Errors: `usage` for a longer block.
   */
  advance(block: Uint8Array): readonly Uint32Array[];
  /** Begins another stream. */
  reset(): void;
}

export interface SplitRule {
  readonly name: string;
  /** The two numbers that the kernel takes. */
  readonly first: number;
  readonly second: number;
}

class KernelSplitter implements Splitter {
  readonly rules: readonly string[];
  readonly #kernel: ScanKernel;
  readonly #rules: readonly SplitRule[];
  readonly #sharesScan: boolean;
  /** Bytes of each rule's present piece. */
  readonly #begun: Float64Array;
  readonly #results: Uint32Array[];
  readonly #memory: Uint8Array;
  readonly #hits: number;
  readonly #out: Uint32Array;
  readonly #block: number;

  constructor(kernel: ScanKernel, rules: readonly SplitRule[], sharesScan: boolean) {
    const hits = Math.ceil(kernel.base() / 16) * 16;
    const out = hits + 4 * SPLITTER_BLOCK_BYTES;
    const block = out + 4 * SPLITTER_BLOCK_BYTES + HISTORY_BYTES;
    growMemory(kernel.memory, block + SPLITTER_BLOCK_BYTES);
    this.rules = rules.map(({ name }) => name);
    this.#kernel = kernel;
    this.#rules = rules;
    this.#sharesScan = sharesScan;
    this.#begun = new Float64Array(rules.length);
    this.#results = rules.map(() => new Uint32Array(0));
    this.#memory = new Uint8Array(kernel.memory.buffer);
    this.#hits = hits;
    this.#out = new Uint32Array(kernel.memory.buffer, out, SPLITTER_BLOCK_BYTES);
    this.#block = block;
  }

  advance(block: Uint8Array): readonly Uint32Array[] {
    if (block.length > SPLITTER_BLOCK_BYTES) {
      throw new TenonError("usage", `splitter: ${block.length} bytes, at most ${SPLITTER_BLOCK_BYTES}`);
    }
    const from = this.#block;
    const to = from + block.length;
    this.#memory.set(block, from);
    let hitCount = 0;
    for (const [i, { first, second }] of this.#rules.entries()) {
      if (i === 0 || !this.#sharesScan) hitCount = this.#kernel.scan(first, second, from, to, this.#hits);
      // A piece that is longer than the history is old: how much longer makes no difference, unless it has a maximum.
      const begun = Math.min(this.#begun[i]!, 0xffff_ffff);
      const out = this.#out.byteOffset;
      const count = this.#kernel.cuts(first, second, begun, from, to, this.#hits, hitCount, out);
      const ends = this.#out.slice(0, count);
      for (let k = 0; k < count; k++) ends[k]! -= from;
      this.#results[i] = ends;
      this.#begun[i] = count > 0 ? block.length - ends[count - 1]! : this.#begun[i]! + block.length;
    }
    this.#memory.copyWithin(from - HISTORY_BYTES, to - HISTORY_BYTES, to);
    return this.#results;
  }

  reset(): void {
    this.#begun.fill(0);
  }
}

/** `sharesScan`: one scan's hits serve all rules. */
export function createSplitter(
  kernel: ScanKernel,
  rules: readonly SplitRule[],
  { sharesScan }: { readonly sharesScan: boolean },
): Splitter {
  return new KernelSplitter(kernel, rules, sharesScan);
}
