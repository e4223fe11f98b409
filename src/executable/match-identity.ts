/**
 * What makes two pieces the same: kind, length, blanked bytes and sites. Never an address, never a target.
 *
 * 53 bits in one number, so that columns of them stay plain: pieces that collide are compared before they are used,
 * and a wrong match would only cost size, since what is coded is proven by decoding.
 */
import { pieceBytes, siteBytes } from "./code-library.ts";
import { type Dissection, PieceKind } from "./types.ts";

/** Hash of every piece of a dissection. */
export function pieceHashes(dissection: Dissection): Float64Array {
  const { pieces } = dissection;
  const hashes = new Float64Array(pieces.count);
  for (let piece = 0; piece < pieces.count; piece++) {
    hash32(pieceBytes(dissection, piece), pieces.length[piece]!, pieces.kind[piece]!);
    const low = lane1;
    const high = lane2;
    hash32(siteBytes(dissection, piece), low, high);
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

/** Pieces that are too small say nothing of whose relative a file is. */
const HANDPRINT_PIECE_BYTES = 48;
/** Between neighbouring releases most pieces are equal; after a new toolchain 3 to 11 of a hundred. */
const HANDPRINT_KEYS = 24;

/**
 * The least hashes of a file's larger pieces, as 16 hexadecimal digits: two files share some exactly when they share
 * pieces (Broder's min-wise sampling, as the handprints of Bhagwat et al., "Extreme binning").
 */
export function handprint(dissection: Dissection, hashes: Float64Array): string[] {
  const { pieces } = dissection;
  const candidates: number[] = [];
  for (let piece = 0; piece < pieces.count; piece++) {
    if (pieces.length[piece]! < HANDPRINT_PIECE_BYTES) continue;
    const kind = pieces.kind[piece];
    if (
      kind !== PieceKind.code &&
      kind !== PieceKind.data &&
      kind !== PieceKind.go &&
      kind !== PieceKind.strings
    )
      continue;
    candidates.push(hashes[piece]!);
  }
  const keys: string[] = [];
  let last = -1;
  for (const hash of Float64Array.from(candidates).sort()) {
    if (hash === last) continue;
    last = hash;
    keys.push(hash.toString(16).padStart(16, "0"));
    if (keys.length === HANDPRINT_KEYS) break;
  }
  return keys;
}
