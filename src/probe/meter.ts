/** Counting the pieces of one method: how many, how many different, how many bytes. */
import { Hasher } from "../digest/index.ts";
import { type Fingerprint, FingerprintTable, fingerprint, fingerprintOf } from "./fingerprints.ts";
import { type CompressionPool, FRAME_BYTES, Recompressor } from "./recompress.ts";

/** A piece that grows beyond this is hashed and compressed as it comes: some rules know no longest piece. */
const LONG_BYTES = 4 * FRAME_BYTES;

/** Told of every piece, in order. */
export type PieceListener = (lengthBytes: number, print: Fingerprint) => void;

interface LongPiece {
  readonly hasher: Hasher;
  lengthBytes: number;
  compressedBytes: number;
  /** What waits to be compressed; absent when nothing is. */
  frame: Uint8Array | undefined;
  filled: number;
}

export interface MeterResult {
  readonly totalBytes: number;
  readonly uniqueBytes: number;
  readonly pieces: number;
  readonly uniquePieces: number;
  readonly packedBytes?: number;
  readonly aloneBytes?: number;
}

export class PieceMeter {
  readonly #seen: FingerprintTable;
  readonly #recompressor: Recompressor | undefined;
  readonly #pool: CompressionPool | undefined;
  readonly #onPiece: PieceListener | undefined;
  /** The beginning of a piece that goes on in the next block. */
  #carry = new Uint8Array(1 << 16);
  #carried = 0;
  #long: LongPiece | undefined;
  readonly #keptLong: LongPiece[] = [];
  #pieces = 0;
  #totalBytes = 0;
  #uniqueBytes = 0;

  /** Without a pool nothing is compressed. `before` is what `fork` copies. */
  constructor(pool: CompressionPool | undefined, onPiece?: PieceListener, before?: PieceMeter) {
    this.#pool = pool;
    this.#onPiece = onPiece;
    if (before === undefined) {
      this.#seen = new FingerprintTable({ numbered: false });
      this.#recompressor = pool && new Recompressor(pool);
      return;
    }
    this.#seen = before.#seen.copy();
    this.#recompressor = before.#recompressor?.copy();
    this.#keptLong.push(...before.#keptLong);
    this.#pieces = before.#pieces;
    this.#totalBytes = before.#totalBytes;
    this.#uniqueBytes = before.#uniqueBytes;
  }

  /** The next bytes of a stream, with the offsets behind which a piece ends. */
  take(block: Uint8Array, ends: ArrayLike<number>): void {
    let at = 0;
    for (let i = 0; i < ends.length; i++) {
      const end = ends[i]!;
      if (this.#carried === 0 && this.#long === undefined) this.piece(block.subarray(at, end));
      else {
        this.#append(block.subarray(at, end));
        this.endStream();
      }
      at = end;
    }
    if (at < block.length) this.#append(block.subarray(at));
  }

  /** What was taken since the last end is a piece. */
  endStream(): void {
    const long = this.#long;
    if (long === undefined) {
      if (this.#carried > 0) this.piece(this.#carry.subarray(0, this.#carried));
      this.#carried = 0;
      return;
    }
    if (long.filled > 0) this.#compress(long);
    this.#long = undefined;
    const print = fingerprintOf(long.hasher.digest());
    if (this.#count(long.lengthBytes, print)) this.#keptLong.push(long);
  }

  /** A whole piece. */
  piece(bytes: Uint8Array): void {
    const print = fingerprint(bytes);
    if (this.#count(bytes.length, print)) this.#recompressor?.add(bytes, print.low);
  }

  /** After the last stream. The compressed sizes hold when the pool has drained. */
  finish(): void {
    this.#recompressor?.finish();
  }

  /**
   * Another meter that has seen the same. The pool must have drained, and no piece may be open.
   */
  fork(): PieceMeter {
    return new PieceMeter(this.#pool, this.#onPiece, this);
  }

  result(): MeterResult {
    const long = this.#keptLong.reduce((sum, piece) => sum + piece.compressedBytes, 0);
    return {
      totalBytes: this.#totalBytes,
      uniqueBytes: this.#uniqueBytes,
      pieces: this.#pieces,
      uniquePieces: this.#seen.count,
      ...(this.#recompressor && {
        packedBytes: this.#recompressor.packedBytes + long,
        aloneBytes: this.#recompressor.aloneBytes + long,
      }),
    };
  }

  #count(lengthBytes: number, print: Fingerprint): boolean {
    this.#pieces++;
    this.#totalBytes += lengthBytes;
    this.#onPiece?.(lengthBytes, print);
    const isNew = this.#seen.add(print);
    if (isNew) this.#uniqueBytes += lengthBytes;
    return isNew;
  }

  #append(bytes: Uint8Array): void {
    if (this.#long === undefined && this.#carried + bytes.length > LONG_BYTES) {
      const frame = this.#pool?.frame();
      this.#long = { hasher: new Hasher(), lengthBytes: 0, compressedBytes: 0, frame, filled: 0 };
      this.#extend(this.#long, this.#carry.subarray(0, this.#carried));
      this.#carried = 0;
    }
    if (this.#long !== undefined) {
      this.#extend(this.#long, bytes);
      return;
    }
    if (this.#carried + bytes.length > this.#carry.length) {
      const larger = new Uint8Array(Math.max(this.#carried + bytes.length, this.#carry.length * 2));
      larger.set(this.#carry.subarray(0, this.#carried));
      this.#carry = larger;
    }
    this.#carry.set(bytes, this.#carried);
    this.#carried += bytes.length;
  }

  #extend(long: LongPiece, bytes: Uint8Array): void {
    long.hasher.update(bytes);
    long.lengthBytes += bytes.length;
    if (long.frame === undefined) return;
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + FRAME_BYTES - long.filled);
      long.frame.set(part, long.filled);
      long.filled += part.length;
      at += part.length;
      if (long.filled === FRAME_BYTES) this.#compress(long);
    }
  }

  #compress(long: LongPiece): void {
    this.#pool!.submitFrame(long.frame!, long.filled, (length) => {
      long.compressedBytes += length;
    });
    long.frame = this.#pool!.frame();
    long.filled = 0;
  }
}

/** The sum of methods that share no pieces. */
export function sumOf(results: readonly MeterResult[]): MeterResult {
  const add = (
    field: "totalBytes" | "uniqueBytes" | "pieces" | "uniquePieces" | "packedBytes" | "aloneBytes",
  ) => results.reduce((sum, result) => sum + (result[field] ?? 0), 0);
  return {
    totalBytes: add("totalBytes"),
    uniqueBytes: add("uniqueBytes"),
    pieces: add("pieces"),
    uniquePieces: add("uniquePieces"),
    ...(results.every(({ packedBytes }) => packedBytes !== undefined) && {
      packedBytes: add("packedBytes"),
      aloneBytes: add("aloneBytes"),
    }),
  };
}
