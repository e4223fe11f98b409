/** What tenon stores of executables: taken apart, and coded by the executables that came before. */
import { equalBytes } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import {
  type Dissection,
  decodeDissection,
  dissect,
  encodeDissection,
  handprint,
  joinConsumed,
  pieceHashes,
} from "../executable/index.ts";
import { FingerprintTable, fingerprint } from "./fingerprints.ts";
import type { MeterResult } from "./meter.ts";
import { type CompressionPool, FRAME_BYTES } from "./recompress.ts";

/** Taking apart needs eight times the file: larger ones count as whole files here, unlike in a repository. */
const MAX_BYTES = 32 << 20;
/** As in a repository: a second base gains a few percent, and none that shares less than half of the first one's keys. */
const MAX_BASES = 2;
const MIN_SECOND_SHARE = 0.5;
/** Dissections that the next executable may be coded by; a repository loads them again, here they stay or are gone. */
const RECENT_BYTES = 64 << 20;

interface Recent {
  readonly dissection: Dissection;
  readonly hashes: Float64Array;
  readonly keys: ReadonlySet<string>;
  readonly memoryBytes: number;
}

interface Frame {
  bytes: Uint8Array;
  filled: number;
}

export class TakenApart {
  readonly #pool: CompressionPool;
  readonly #seen = new FingerprintTable({ numbered: false });
  #recent: Recent[] = [];
  /** By stream: like is packed with like. */
  readonly #frames = new Map<number, Frame>();
  #files = 0;
  #totalBytes = 0;
  #uniqueBytes = 0;
  #pieces = 0;
  #uniquePieces = 0;
  #packedBytes = 0;

  constructor(pool: CompressionPool) {
    this.#pool = pool;
  }

  /** How many files were taken apart. */
  get files(): number {
    return this.#files;
  }

  /** Counts an executable; false when it can't be taken apart and given back, so that it counts as a whole. */
  async add(bytes: Uint8Array): Promise<boolean> {
    if (bytes.length > MAX_BYTES) return false;
    const print = fingerprint(bytes);
    try {
      const dissection = dissect(bytes, { prove: false });
      if (!this.#seen.add(print)) {
        this.#count(bytes.length, dissection.pieces.count);
        return true;
      }
      const hashes = pieceHashes(dissection);
      const keys = new Set(handprint(dissection, hashes));
      const bases = this.#relatives(keys, dissection.machine);
      const coded = encodeDissection(dissection, hashes, bases);
      const again = joinConsumed(
        decodeDissection(
          coded.head,
          coded.streams,
          bases.map((base) => base.dissection),
        ),
      );
      const isSame = equalBytes(again, bytes);
      // As much memory as the file has, given back at once.
      if (again.buffer instanceof ArrayBuffer) again.buffer.transfer(0);
      if (!isSame) return false;
      this.#count(bytes.length, dissection.pieces.count);
      this.#uniquePieces += coded.counts.pieces - coded.counts.copied;
      await this.#pack(-1, coded.head);
      for (const [stream, part] of coded.streams) await this.#pack(stream, part);
      this.#remember({ dissection, hashes, keys, memoryBytes: memoryOf(dissection) });
      return true;
    } catch (error) {
      // What a repository declines for the same reasons.
      if (isTenonError(error) && ["invalid", "unsupported", "limit"].includes(error.code)) return false;
      throw error;
    }
  }

  finish(): void {
    for (const frame of this.#frames.values()) if (frame.filled > 0) this.#close(frame);
  }

  /** Packed only: streams are never kept alone. */
  result(): MeterResult {
    return {
      totalBytes: this.#totalBytes,
      uniqueBytes: this.#uniqueBytes,
      pieces: this.#pieces,
      uniquePieces: this.#uniquePieces,
      packedBytes: this.#packedBytes,
    };
  }

  #count(lengthBytes: number, pieces: number): void {
    this.#files++;
    this.#totalBytes += lengthBytes;
    this.#pieces += pieces;
  }

  #relatives(keys: ReadonlySet<string>, machine: number): Recent[] {
    const scored = this.#recent
      .filter(({ dissection }) => dissection.machine === machine)
      .map((recent) => ({ recent, shared: [...keys].filter((key) => recent.keys.has(key)).length }))
      .filter(({ shared }) => shared > 0)
      .sort((a, b) => b.shared - a.shared);
    const least = (scored[0]?.shared ?? 0) * MIN_SECOND_SHARE;
    return scored
      .filter(({ shared }) => shared >= least)
      .slice(0, MAX_BASES)
      .map(({ recent }) => recent);
  }

  #remember(recent: Recent): void {
    this.#recent.push(recent);
    let sum = this.#recent.reduce((total, { memoryBytes }) => total + memoryBytes, 0);
    while (this.#recent.length > 1 && sum > RECENT_BYTES) sum -= this.#recent.shift()!.memoryBytes;
  }

  async #pack(stream: number, bytes: Uint8Array): Promise<void> {
    this.#uniqueBytes += bytes.length;
    let frame = this.#frames.get(stream);
    if (frame === undefined) {
      frame = { bytes: this.#pool.frame(), filled: 0 };
      this.#frames.set(stream, frame);
    }
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + FRAME_BYTES - frame.filled);
      frame.bytes.set(part, frame.filled);
      frame.filled += part.length;
      at += part.length;
      if (frame.filled < FRAME_BYTES) continue;
      this.#close(frame);
      await this.#pool.ready();
    }
  }

  #close(frame: Frame): void {
    this.#pool.submitFrame(frame.bytes, frame.filled, (length) => {
      this.#packedBytes += length;
    });
    frame.bytes = this.#pool.frame();
    frame.filled = 0;
  }
}

/** Columns of 45 bytes a piece and 21 a reference, beside the blanked file. */
function memoryOf({ fileBytes, pieces, references }: Dissection): number {
  return fileBytes + 45 * pieces.count + 21 * references.count;
}
