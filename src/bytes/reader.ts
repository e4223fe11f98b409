/** A bounds-checked cursor: the one way to read a binary format. */
import { invalid } from "../errors/index.ts";

export class ByteReader {
  readonly bytes: Uint8Array;
  /** Name of the format, for errors. */
  readonly format: string;
  /** Offset of `bytes[0]` in the file that it came from, for errors. */
  readonly base: number;
  offset = 0;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, format: string, base = 0) {
    this.bytes = bytes;
    this.format = format;
    this.base = base;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  /** An `invalid` error at the present offset (or the given one). */
  error(field: string, why: string, offset = this.offset) {
    return invalid(this.format, field, this.base + offset, why);
  }

  /** Moves on by n bytes and returns where they begin. */
  #take(n: number, field: string): number {
    const at = this.offset;
    if (n > this.bytes.length - at) {
      throw this.error(field, `needs ${n} bytes, ${this.bytes.length - at} are left`);
    }
    this.offset = at + n;
    return at;
  }

  u8(field: string): number {
    return this.bytes[this.#take(1, field)]!;
  }

  u16(field: string): number {
    return this.#view.getUint16(this.#take(2, field), true);
  }

  u32(field: string): number {
    return this.#view.getUint32(this.#take(4, field), true);
  }

  i32(field: string): number {
    return this.#view.getInt32(this.#take(4, field), true);
  }

  /** A 64-bit integer that must fit into 2^53 - 1. */
  u64(field: string): number {
    const at = this.#take(8, field);
    const value = this.#view.getUint32(at + 4, true) * 2 ** 32 + this.#view.getUint32(at, true);
    if (value > Number.MAX_SAFE_INTEGER) throw this.error(field, "larger than 2^53 - 1", at);
    return value;
  }

  u64Big(field: string): bigint {
    return this.#view.getBigUint64(this.#take(8, field), true);
  }

  /** Unsigned LEB128; `max` bounds the value before anything is allocated for it. */
  varint(field: string, max: number = Number.MAX_SAFE_INTEGER): number {
    const start = this.offset;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8(field);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && i > 0) throw this.error(field, "varint with a needless last byte", start);
        if (value > max) throw this.error(field, `${value} is larger than the bound ${max}`, start);
        return value;
      }
      scale *= 128;
    }
    throw this.error(field, "varint longer than 8 bytes", start);
  }

  /** A view (not a copy) of the next n bytes. */
  view(n: number, field: string): Uint8Array {
    const at = this.#take(n, field);
    return this.bytes.subarray(at, at + n);
  }

  skip(n: number, field: string): void {
    this.#take(n, field);
  }

  /** Fails when bytes are left over. */
  end(field = "end"): void {
    if (this.remaining !== 0) throw this.error(field, `${this.remaining} bytes too many`);
  }
}
