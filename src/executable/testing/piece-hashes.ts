/** Hashes of pieces in plain TypeScript, and what is hashed: as `pieceHashes`. */
import { pieceBytes, siteBytes } from "../code-library.ts";
import type { HashedParts } from "../match-identity.ts";

export function pieceHashesTwin(parts: HashedParts): Float64Array {
  const { pieces } = parts;
  const hashes = new Float64Array(pieces.count);
  for (let piece = 0; piece < pieces.count; piece++) {
    hash32(pieceBytes(parts, piece), pieces.length[piece]!, pieces.kind[piece]!);
    const low = lane1;
    const high = lane2;
    hash32(siteBytes(parts, piece), low, high);
    hashes[piece] = (lane1 >>> 0) + (lane2 & 0x1fffff) * 2 ** 32;
  }
  return hashes;
}

let lane1 = 0;
let lane2 = 0;

/** Two lanes of multiply and rotate over words, seeded with length and kind; the result is left in the lanes. */
function hash32(bytes: Uint8Array, seed1: number, seed2: number): void {
  let a = Math.imul(seed1 ^ bytes.length, 0x9e3779b1);
  let b = Math.imul(seed2 + 1, 0x85ebca6b);
  const words = bytes.length & ~3;
  let i = 0;
  for (; i < words; i += 4) {
    const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    a = Math.imul(a ^ word, 0xcc9e2d51);
    a ^= a >>> 15;
    b = Math.imul(b + word, 0x1b873593);
    b = (b << 13) | (b >>> 19);
  }
  for (; i < bytes.length; i++) {
    a = Math.imul(a ^ bytes[i]!, 0xcc9e2d51);
    a ^= a >>> 15;
    b = Math.imul(b + bytes[i]! + 1, 0x1b873593);
    b = (b << 13) | (b >>> 19);
  }
  a ^= a >>> 16;
  a = Math.imul(a, 0x85ebca6b);
  a ^= a >>> 13;
  b ^= b >>> 16;
  b = Math.imul(b, 0xc2b2ae35);
  b ^= b >>> 13;
  lane1 = a;
  lane2 = b;
}
