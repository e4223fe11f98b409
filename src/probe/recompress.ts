/**
 * What pieces cost after compression by zstd at level 3, in the two ways a store can keep them:
 *
 * - *packed*, as tenon's packs do: new pieces one after the other in frames of 1 MiB, each frame compressed;
 * - *alone*, as a store that fetches single chunks must: each piece compressed by itself, or kept if that is smaller.
 *
 * Alone, pieces below 4 KiB are a sample: a piece of n bytes is compressed with the chance n / 4096 and then counts
 * 4096 / n times. Which ones depends on their fingerprints, so that the figure is the same every time.
 */
import { promisify } from "node:util";
import * as zlib from "node:zlib";

/** tenon's packs: a segment is closed at 1 MiB. */
export const FRAME_BYTES = 1 << 20;
const LEVEL = 3;
/** zstd gains nothing on less, and tenon's packs don't try. */
const MIN_COMPRESSED_BYTES = 64;
const SAMPLE_BYTES = 4096;
/** Longer pieces go through the thread pool; below, the way there costs more than the compression. */
const POOL_BYTES = 128 * 1024;
/** Frames on their way to the thread pool: bounds memory. */
const MAX_WAITING = 4;
/** Compressors at work, as many as Node has threads: those that wait for one would have their memory already. */
const MAX_COMPRESSING = 4;

const options = (length: number): zlib.ZstdOptions => ({
  params: { [zlib.constants.ZSTD_c_compressionLevel]: LEVEL },
  pledgedSrcSize: length,
  // One output buffer for everything: zstd adds less than this to what can't be compressed.
  chunkSize: length + (length >> 8) + 128,
});

const compressAsync = promisify(zlib.zstdCompress) as (
  bytes: Uint8Array,
  options: zlib.ZstdOptions,
) => Promise<Buffer>;

/** Compresses on the thread pool, a bounded number of buffers at a time. */
export class CompressionPool {
  readonly #running = new Set<Promise<void>>();
  /** Frames that were compressed: allocating a new one each time leaves more garbage than the collector keeps up with. */
  readonly #free: Uint8Array[] = [];
  #compressing = 0;
  readonly #waiting: (() => void)[] = [];
  #failure: unknown;

  /** `bytes` must not change until `onLength` was called with the compressed length, at most the length. */
  submit(bytes: Uint8Array, onLength: (length: number) => void): void {
    if (bytes.length < MIN_COMPRESSED_BYTES) {
      onLength(bytes.length);
      return;
    }
    const job = this.#compressedBytes(bytes).then(onLength, (error: unknown) => {
      this.#failure ??= error;
    });
    this.#running.add(job);
    void job.finally(() => this.#running.delete(job));
  }

  async #compressedBytes(bytes: Uint8Array): Promise<number> {
    if (this.#compressing >= MAX_COMPRESSING) {
      await new Promise<void>((begin) => this.#waiting.push(begin));
    } else this.#compressing++;
    try {
      const compressed = await compressAsync(bytes, options(bytes.length));
      const { length } = compressed;
      // Given back at once: until the collector comes there would be hundreds. Short ones share their memory.
      const { buffer } = compressed;
      if (length >= Buffer.poolSize && buffer instanceof ArrayBuffer) buffer.transfer(0);
      return Math.min(length, bytes.length);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#compressing--;
      else next();
    }
  }

  /** A buffer of `FRAME_BYTES`. */
  frame(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(FRAME_BYTES);
  }

  /** As `submit`, for the first bytes of a frame, which the caller gives back. */
  submitFrame(frame: Uint8Array, filled: number, onLength: (length: number) => void): void {
    this.submit(frame.subarray(0, filled), (length) => {
      this.#free.push(frame);
      onLength(length);
    });
  }

  /** Waits until there is room for more. */
  async ready(): Promise<void> {
    while (this.#running.size > MAX_WAITING) await Promise.race(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Waits for everything. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** The pieces of one method. */
export class Recompressor {
  readonly #pool: CompressionPool;
  #frame: Uint8Array;
  #filled = 0;
  #packedBytes = 0;
  #aloneBytes = 0;

  constructor(pool: CompressionPool) {
    this.#pool = pool;
    this.#frame = pool.frame();
  }

  /** A new piece; `low` is a part of its fingerprint. */
  add(piece: Uint8Array, low: number): void {
    this.#pack(piece);
    this.#alone(piece, low);
  }

  /** Another one that goes on from here. The pool must have drained. */
  copy(): Recompressor {
    const copy = new Recompressor(this.#pool);
    copy.#frame.set(this.#frame);
    copy.#filled = this.#filled;
    copy.#packedBytes = this.#packedBytes;
    copy.#aloneBytes = this.#aloneBytes;
    return copy;
  }

  /** Ends the last frame. The results hold when the pool has drained. */
  finish(): void {
    if (this.#filled > 0) this.#close();
  }

  get packedBytes(): number {
    return this.#packedBytes;
  }

  get aloneBytes(): number {
    return Math.round(this.#aloneBytes);
  }

  #pack(piece: Uint8Array): void {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + FRAME_BYTES - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === FRAME_BYTES) this.#close();
    }
  }

  #close(): void {
    this.#pool.submitFrame(this.#frame, this.#filled, (length) => {
      this.#packedBytes += length;
    });
    this.#frame = this.#pool.frame();
    this.#filled = 0;
  }

  #alone(piece: Uint8Array, low: number): void {
    const { length } = piece;
    if (length < MIN_COMPRESSED_BYTES) this.#aloneBytes += length;
    else if (length >= POOL_BYTES) {
      this.#pool.submit(piece.slice(), (compressed) => {
        this.#aloneBytes += compressed;
      });
    } else if (length >= SAMPLE_BYTES || low / 2 ** 32 < length / SAMPLE_BYTES) {
      const compressed = zlib.zstdCompressSync(piece, options(length)).length;
      this.#aloneBytes += Math.min(compressed, length) * Math.max(1, SAMPLE_BYTES / length);
    }
  }
}
