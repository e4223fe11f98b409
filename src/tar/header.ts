/**
 * One header block (docs/formats/tar.md): v7, ustar (POSIX.1-1988) and GNU.
 *
 *     0 name 100 | mode 8 | uid 8 | gid 8 | size 12 | mtime 12 | chksum 8 | typeflag 1 | linkname 100
 *     257 magic 6 | version 2 | uname 32 | gname 32 | devmajor 8 | devminor 8 | prefix 155 (ustar only)
 */

export const BLOCK_BYTES = 512;

export interface TarHeader {
  /** As it stands in the header, with ustar's prefix; bytes up to the first NUL. */
  readonly name: Uint8Array;
  readonly linkname: Uint8Array;
  readonly mode: number;
  /** Undefined when the field is no number, or negative, or beyond 2^53 - 1. */
  readonly size: number | undefined;
  /** One ASCII character, `0` for the old NUL. */
  readonly typeflag: string;
  /** GNU sparse: blocks with more of the map follow the header. */
  readonly isExtended: boolean;
}

const CHKSUM = { offset: 148, bytes: 8 };

/** True when the block's checksum is right, added up as unsigned or, as some old programs did, signed bytes. */
export function isTarHeader(block: Uint8Array): boolean {
  if (block.length < BLOCK_BYTES) return false;
  const told = parseNumber(block.subarray(CHKSUM.offset, CHKSUM.offset + CHKSUM.bytes));
  if (told === undefined) return false;
  let unsigned = 0;
  let high = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    const byte = i >= CHKSUM.offset && i < CHKSUM.offset + CHKSUM.bytes ? 0x20 : block[i]!;
    unsigned += byte;
    high += byte >> 7;
  }
  // A block of zeros ends an archive; its checksum field says 0, which no header's sum is.
  return told === unsigned || told === unsigned - 256 * high;
}

/** Octal digits between spaces and NULs, or base 256 when the first bit is set. */
export function parseNumber(field: Uint8Array): number | undefined {
  const first = field[0]!;
  if (first >= 0x80) {
    // 0xff begins a negative number.
    if (first !== 0x80) return undefined;
    let value = 0;
    for (const byte of field.subarray(1)) {
      value = value * 256 + byte;
      if (value > Number.MAX_SAFE_INTEGER) return undefined;
    }
    return value;
  }
  let at = 0;
  while (at < field.length && field[at] === 0x20) at++;
  let value = 0;
  for (; at < field.length; at++) {
    const byte = field[at]!;
    if (byte === 0 || byte === 0x20) break;
    if (byte < 0x30 || byte > 0x37) return undefined;
    value = value * 8 + (byte - 0x30);
  }
  return value;
}

function text(block: Uint8Array, offset: number, length: number): Uint8Array {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

const USTAR = [0x75, 0x73, 0x74, 0x61, 0x72];

/** Fields of a block for which `isTarHeader` holds. The result has copies. */
export function parseHeader(block: Uint8Array): TarHeader {
  const magic = USTAR.every((byte, i) => block[257 + i] === byte);
  const isPosix = magic && block[262] === 0;
  const isGnu = magic && block[262] === 0x20;
  const name = text(block, 0, 100);
  const prefix = isPosix ? text(block, 345, 155) : name.subarray(0, 0);
  const type = block[156]!;
  const typeflag = type === 0 ? "0" : String.fromCharCode(type);
  const full = new Uint8Array(prefix.length === 0 ? name.length : prefix.length + 1 + name.length);
  if (prefix.length > 0) {
    full.set(prefix);
    full[prefix.length] = 0x2f;
  }
  full.set(name, full.length - name.length);
  return {
    name: full,
    linkname: text(block, 157, 100).slice(),
    mode: (parseNumber(block.subarray(100, 108)) ?? 0) & 0o7777,
    size: parseNumber(block.subarray(124, 136)),
    typeflag,
    isExtended: isGnu && typeflag === "S" && block[482] === 1,
  };
}
