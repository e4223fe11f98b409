/**
 * Hashes of pieces: two lanes of multiply and rotate over words. The twin, which explains what is hashed, is
 * src/executable/testing/piece-hashes.ts.
 */

/** Bytes that fit into the window. */
export const WINDOW_BYTES: u32 = 131072;
/** Pieces that fit into their columns. */
export const MAX_PIECES: u32 = 4096;

const WINDOW: usize = memory.data(131072 + 16, 64);
/** Where each piece begins in the window, its length, and two seeds that become its lanes: u32 each. */
const PIECES: usize = memory.data(4096 * 16, 64);

export function window(): usize {
  return WINDOW;
}

export function pieces(): usize {
  return PIECES;
}

let a: u32 = 0;
let b: u32 = 0;

/** Begins a run of `length` bytes. */
// @ts-ignore: decorator
@inline
function begin(length: u32, seed1: u32, seed2: u32): void {
  a = (seed1 ^ length) * 0x9e3779b1;
  b = (seed2 + 1) * 0x85ebca6b;
}

/** Takes bytes of the window; only the last ones of a run may be other than whole words. */
function take(from: usize, length: u32): void {
  let one = a;
  let two = b;
  let at = from;
  const words = from + <usize>(length & ~3);
  const end = from + <usize>length;
  for (; at < words; at += 4) {
    const word = load<u32>(at);
    one = (one ^ word) * 0xcc9e2d51;
    one ^= one >>> 15;
    two = rotl<u32>((two + word) * 0x1b873593, 13);
  }
  for (; at < end; at++) {
    const byte: u32 = load<u8>(at);
    one = (one ^ byte) * 0xcc9e2d51;
    one ^= one >>> 15;
    two = rotl<u32>((two + byte + 1) * 0x1b873593, 13);
  }
  a = one;
  b = two;
}

function finish(piece: usize): void {
  a ^= a >>> 16;
  a *= 0x85ebca6b;
  a ^= a >>> 13;
  b ^= b >>> 16;
  b *= 0xc2b2ae35;
  b ^= b >>> 13;
  store<u32>(piece, a, 8);
  store<u32>(piece, b, 12);
}

/** Hashes `count` pieces of the window. */
export function hash(count: u32): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const piece = PIECES + (i << 4);
    const length = load<u32>(piece, 4);
    begin(length, load<u32>(piece, 8), load<u32>(piece, 12));
    take(WINDOW + <usize>load<u32>(piece), length);
    finish(piece);
  }
}

/** Begins a piece that is longer than the window, the first in the columns. */
export function beginLong(): void {
  begin(load<u32>(PIECES, 4), load<u32>(PIECES, 8), load<u32>(PIECES, 12));
}

/** Takes its next part, which begins the window. */
export function takePart(length: u32): void {
  take(WINDOW, length);
}

export function finishLong(): void {
  finish(PIECES);
}
