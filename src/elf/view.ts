/**
 * The file as one DataView with 64-bit fields as numbers.
 *
 * Tables of an executable hold hundreds of thousands of records, so they are read in place, by offset, after
 * ONE check of the whole table (`has`). A read outside the file still can't happen: DataView throws, and
 * `parseElf`'s callers never see that because every table is checked first.
 */

/**
 * What an unsigned 64-bit field reads as when it is larger than 2^53 - 1. Larger than any file, address space
 * or count that is accepted, exact as a double, and safe to add to: so no range check lets it pass.
 */
export const TOO_LARGE = 2 ** 53;

const HIGH = 2 ** 32;

/** Strings past this are cut: mangled names reach some 10 KB, and a table without NUL must not cost its size. */
export const MAX_STRING_BYTES = 65_536;

export class FileView {
  readonly bytes: Uint8Array;
  readonly data: DataView;
  readonly length: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.length = bytes.length;
  }

  /** True when `sizeBytes` bytes at `offset` lie in the file. */
  has(offset: number, sizeBytes: number): boolean {
    return offset >= 0 && sizeBytes >= 0 && offset <= this.length && sizeBytes <= this.length - offset;
  }

  u8(offset: number): number {
    return this.data.getUint8(offset);
  }

  u16(offset: number): number {
    return this.data.getUint16(offset, true);
  }

  u32(offset: number): number {
    return this.data.getUint32(offset, true);
  }

  i32(offset: number): number {
    return this.data.getInt32(offset, true);
  }

  /** Unsigned; `TOO_LARGE` above 2^53 - 1. */
  u64(offset: number): number {
    const high = this.data.getUint32(offset + 4, true);
    return high < 0x20_0000 ? high * HIGH + this.data.getUint32(offset, true) : TOO_LARGE;
  }

  /** Signed; plus or minus `TOO_LARGE` outside of plus or minus 2^53 - 1. */
  i64(offset: number): number {
    const high = this.data.getInt32(offset + 4, true);
    const value = high * HIGH + this.data.getUint32(offset, true);
    if (value >= TOO_LARGE) return TOO_LARGE;
    return Math.max(value, -TOO_LARGE);
  }

  /** Length in bytes of the NUL-terminated string at `offset` that must end before `end`; -1 without NUL. */
  stringLength(offset: number, end: number): number {
    const limit = Math.min(end, this.length, offset + MAX_STRING_BYTES);
    if (offset < 0 || offset >= limit) return -1;
    for (let at = offset; at < limit; at++) if (this.bytes[at] === 0) return at - offset;
    return -1;
  }

  /** The NUL-terminated string at `offset`, or undefined when it doesn't end before `end`. */
  string(offset: number, end: number): string | undefined {
    const length = this.stringLength(offset, end);
    return length < 0 ? undefined : this.text(offset, length);
  }

  /** `lengthBytes` bytes as UTF-8, malformed sequences replaced. */
  text(offset: number, lengthBytes: number): string {
    const { buffer, byteOffset } = this.bytes;
    return Buffer.from(buffer, byteOffset + offset, lengthBytes).toString("utf8");
  }
}
