/** The header in front of each member. */

/** `!<arch>` and a line feed. Thin archives (`!<thin>`) hold no data and are not of this kind. */
export const AR_MAGIC = new Uint8Array([0x21, 0x3c, 0x61, 0x72, 0x63, 0x68, 0x3e, 0x0a]);
export const AR_HEADER_BYTES = 60;
const THIN_MAGIC = new Uint8Array([0x21, 0x3c, 0x74, 0x68, 0x69, 0x6e, 0x3e, 0x0a]);

export function isAr(start: Uint8Array): boolean {
  return start.length >= AR_MAGIC.length && AR_MAGIC.every((byte, i) => start[i] === byte);
}

/** True for an archive that holds no data but only names files. */
export function isThinAr(start: Uint8Array): boolean {
  return start.length >= THIN_MAGIC.length && THIN_MAGIC.every((byte, i) => start[i] === byte);
}

/**
 * Length of the data behind a header; undefined when these 60 bytes are none.
 *
 *     0 name 16 | date 12 | uid 6 | gid 6 | mode 8 | size 10, decimal | 0x60 0x0a
 */
export function arDataBytes(header: Uint8Array): number | undefined {
  if (header.length < AR_HEADER_BYTES || header[58] !== 0x60 || header[59] !== 0x0a) return undefined;
  const size = /^([0-9]{1,10}) *$/.exec(Buffer.from(header.subarray(48, 58)).toString("latin1"))?.[1];
  return size === undefined ? undefined : Number(size);
}
