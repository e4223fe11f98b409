/** Sources in memory, and reading any source in the amounts that a format asks for, while everything is hashed. */
import { Hasher } from "../digest/index.ts";
import { throwIfAborted } from "../errors/index.ts";
import type { BlobSource, RereadableSource } from "./types.ts";

/** Large enough that a read costs little beside what is done with the bytes. */
const BUFFER_BYTES = 256 << 10;

export class SourceReader {
  readonly hasher = new Hasher();
  readonly #source: BlobSource;
  readonly #signal: AbortSignal | undefined;
  readonly #onRead: ((bytes: number) => void) | undefined;
  #buffer: Uint8Array;
  #start = 0;
  #end = 0;
  #ended = false;

  constructor(
    source: BlobSource,
    {
      signal,
      onRead,
    }: { signal?: AbortSignal | undefined; onRead?: ((bytes: number) => void) | undefined } = {},
  ) {
    this.#source = source;
    this.#buffer = new Uint8Array(Math.min(BUFFER_BYTES, (source.sizeBytes ?? BUFFER_BYTES) + 1));
    this.#signal = signal;
    this.#onRead = onRead;
  }

  /** Bytes taken so far. */
  get offset(): number {
    return this.hasher.length - (this.#end - this.#start);
  }

  async #fill(): Promise<void> {
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (this.#end === this.#buffer.length) {
      // The source is longer than it said.
      const larger = new Uint8Array(BUFFER_BYTES);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    throwIfAborted(this.#signal);
    const length = await this.#source.read(this.#buffer.subarray(this.#end));
    if (length === 0) this.#ended = true;
    this.hasher.update(this.#buffer.subarray(this.#end, this.#end + length));
    this.#end += length;
    this.#onRead?.(length);
  }

  /**
   * The next `length` bytes (at most 128 KiB), fewer at the end, without taking them. Valid until the next call.
   */
  async peek(length: number): Promise<Uint8Array> {
    while (this.#end - this.#start < length && !this.#ended) await this.#fill();
    return this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + length));
  }

  /** Moves on over bytes that were peeked at. */
  skip(length: number): void {
    this.#start += length;
  }

  /** Takes up to `into.length` bytes; 0 at the end. */
  async read(into: Uint8Array): Promise<number> {
    if (this.#start === this.#end && !this.#ended) await this.#fill();
    const part = this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + into.length));
    into.set(part);
    this.#start += part.length;
    return part.length;
  }

  /** The next `sizeBytes` bytes as a source of their own; fewer when this one ends before. */
  part(sizeBytes: number): BlobSource {
    let left = sizeBytes;
    return {
      sizeBytes,
      read: async (into) => {
        if (left === 0) return 0;
        const length = await this.read(into.subarray(0, Math.min(into.length, left)));
        left -= length;
        return length;
      },
    };
  }
}

/** Bytes in memory, once. */
export function memorySource(bytes: Uint8Array): BlobSource {
  let at = 0;
  return {
    sizeBytes: bytes.length,
    read(into) {
      const part = bytes.subarray(at, at + into.length);
      into.set(part);
      at += part.length;
      return part.length;
    },
  };
}

/** Bytes in memory, as often as wanted. */
export function rereadableBytes(bytes: Uint8Array): RereadableSource {
  return {
    sizeBytes: bytes.length,
    open: async () => ({ ...memorySource(bytes), close: async () => {} }),
  };
}
