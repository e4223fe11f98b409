/**
 * Cutting a stream inside a kernel's memory.
 *
 *     base   table of ends    carry              block
 *     |------|----------------|------------------|--------------------|
 *                                     ^ start    ^ reserve()          ^ end
 *
 * The block never moves, so that a file can be read into one fixed view and is cut while it is in the cache.
 * Bytes of an unfinished chunk are moved in front of the block when the next block is reserved; there are
 * fewer than max + min of them.
 */
import { TenonError } from "../errors/index.ts";
import { type CutKernel, growMemory } from "../kernels/index.ts";
import { algorithms } from "./algorithms.ts";
import { type ChunkerParameters, checkChunkerParameters } from "./parameters.ts";

/** Large enough that moving the carry costs little, small enough for a second-level cache. */
const BLOCK_BYTES = 256 * 1024;

/** Cuts one stream after another. Not for two streams at once. */
export interface Chunker {
  /**
   * Memory of the kernel where the caller puts (e.g. reads from a file) its next bytes: 256 KiB. Valid until
   * `advance()`.
   */
  reserve(): Uint8Array;
  /**
   * `written` bytes were put at the start of the reserved view. Returns the chunks that are now complete, in
   * order, as views into kernel memory, valid until the next `reserve()`.
   * Errors: `usage` without a `reserve()` before it, or when `written` does not fit.
   */
  advance(written: number): readonly Uint8Array[];
  /**
   * End of input: the remaining chunks (none for empty input), valid until the next `reserve()`. The chunker
   * is ready for the next stream.
   */
  finish(): readonly Uint8Array[];
  /** Forgets the stream that was begun. */
  reset(): void;
}

class KernelChunker implements Chunker {
  readonly #parameters: ChunkerParameters;
  readonly #kernel: CutKernel;
  readonly #memory: Uint8Array;
  readonly #out: Uint32Array;
  readonly #block: Uint8Array;
  /** The bytes that belong to no chunk yet: [start, end) of memory. */
  #start: number;
  #end: number;
  #reserved = false;

  constructor(parameters: ChunkerParameters, kernel: CutKernel) {
    const carryBytes = parameters.minBytes + parameters.maxBytes;
    const outEntries = Math.ceil((carryBytes + BLOCK_BYTES) / parameters.minBytes);
    const out = Math.ceil(kernel.base() / 16) * 16;
    // On a page of its own, which is what reading from a file likes best.
    const block = Math.ceil((out + outEntries * 4 + carryBytes) / 4096) * 4096;
    growMemory(kernel.memory, block + BLOCK_BYTES);
    const buffer = kernel.memory.buffer;
    this.#parameters = parameters;
    this.#kernel = kernel;
    this.#memory = new Uint8Array(buffer);
    this.#out = new Uint32Array(buffer, out, outEntries);
    this.#block = new Uint8Array(buffer, block, BLOCK_BYTES);
    this.#start = block;
    this.#end = block;
  }

  reserve(): Uint8Array {
    if (!this.#reserved) {
      const block = this.#block.byteOffset;
      const carry = block - (this.#end - this.#start);
      this.#memory.copyWithin(carry, this.#start, this.#end);
      this.#start = carry;
      this.#end = block;
      this.#reserved = true;
    }
    return this.#block;
  }

  advance(written: number): readonly Uint8Array[] {
    if (!this.#reserved) throw new TenonError("usage", "chunker: advance() without a reserve() before it");
    if (!Number.isInteger(written) || written < 0 || written > BLOCK_BYTES) {
      throw new TenonError("usage", `chunker: ${written} bytes written, the block holds ${BLOCK_BYTES}`);
    }
    this.#reserved = false;
    this.#end += written;
    return this.#cut(false);
  }

  finish(): readonly Uint8Array[] {
    const chunks = this.#cut(true);
    this.reset();
    return chunks;
  }

  reset(): void {
    this.#start = this.#block.byteOffset;
    this.#end = this.#start;
    this.#reserved = false;
  }

  #cut(final: boolean): Uint8Array[] {
    const { minBytes, meanBytes, maxBytes } = this.#parameters;
    const out = this.#out;
    const count = this.#kernel.cuts(
      this.#start,
      this.#end,
      final,
      minBytes,
      meanBytes,
      maxBytes,
      out.byteOffset,
    );
    const chunks: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const end = out[i]!;
      chunks.push(this.#memory.subarray(this.#start, end));
      this.#start = end;
    }
    return chunks;
  }
}

/**
 * A chunker with its own memory, about 0.4 MiB at the default parameters.
 * Errors: as `checkChunkerParameters`; `io` when the kernels were not built.
 */
export function createChunker(parameters: ChunkerParameters): Chunker {
  const checked = checkChunkerParameters(parameters);
  return new KernelChunker(checked, algorithms.get(checked.algorithm)!.kernel());
}

/** The lengths of all chunks of one buffer, in order. Errors: as `createChunker`. */
export function cutPoints(data: Uint8Array, parameters: ChunkerParameters): number[] {
  const chunker = createChunker(parameters);
  const lengths: number[] = [];
  for (let at = 0; at < data.length; ) {
    const block = chunker.reserve();
    const piece = data.subarray(at, at + block.length);
    block.set(piece);
    for (const chunk of chunker.advance(piece.length)) lengths.push(chunk.length);
    at += piece.length;
  }
  for (const chunk of chunker.finish()) lengths.push(chunk.length);
  return lengths;
}
