/** The checksum that a launcher computes at every start: FNV-1a over 64-bit words, folded once. */

/** Of the first `floor(length / 8)` words; it finds damage, not malice. */
export function checksum64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Offset basis and prime of the 64-bit FNV-1a hash.
  let sum = 0xcbf29ce484222325n;
  for (let at = 0; at + 8 <= bytes.length; at += 8) {
    sum = BigInt.asUintN(64, (sum ^ view.getBigUint64(at, true)) * 0x100000001b3n);
  }
  return sum ^ (sum >> 32n);
}
