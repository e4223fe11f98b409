/**
 * Headers of gzip members (RFC 1952).
 *
 *     0 1f 8b | 2 CM 8 | 3 FLG | 4 MTIME 4 | 8 XFL | 9 OS | [XLEN 2, extra] [name 0] [comment 0] [CRC16 2]
 */

const FHCRC = 2;
const FEXTRA = 4;
const FNAME = 8;
const FCOMMENT = 16;
const RESERVED = 0xe0;
const FIXED_BYTES = 10;

/** A name or comment may be of any length; this is more than anybody writes. */
export const MAX_GZIP_HEADER_BYTES = 128 << 10;

export function isGzip(start: Uint8Array): boolean {
  return start.length > FIXED_BYTES && start[0] === 0x1f && start[1] === 0x8b && start[2] === 8;
}

/** Length of the header that `start` begins with; undefined when it is none, or has no end in `start`. */
export function gzipHeaderBytes(start: Uint8Array): number | undefined {
  if (!isGzip(start)) return undefined;
  const flags = start[3]!;
  if ((flags & RESERVED) !== 0) return undefined;
  let at = FIXED_BYTES;
  if ((flags & FEXTRA) !== 0) {
    if (start.length < at + 2) return undefined;
    at += 2 + start[at]! + start[at + 1]! * 256;
  }
  for (const flag of [FNAME, FCOMMENT]) {
    if ((flags & flag) === 0) continue;
    const end = start.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  if ((flags & FHCRC) !== 0) at += 2;
  return at <= start.length ? at : undefined;
}

/**
 * Streams of zlib (RFC 1950).
 *
 *     0 CMF: method 8, window of 32 KiB | 1 FLG: level, no dictionary, check of both bytes
 */
export const ZLIB_HEADER_BYTES = 2;
export const ZLIB_TRAILER_BYTES = 4;

export function isZlib(start: Uint8Array): boolean {
  return start.length > ZLIB_HEADER_BYTES && start[0] === 0x78 && ZLIB_FLAGS.has(start[1]!);
}

/** The only four that a zlib without dictionary writes for a window of 32 KiB. */
const ZLIB_FLAGS: ReadonlySet<number> = new Set([0x01, 0x5e, 0x9c, 0xda]);
