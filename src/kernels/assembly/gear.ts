/**
 * gear32: cut where a 32-bit gear hash is below a threshold. The reference for the other rules: one byte at a
 * time, each step waiting for the one before it.
 */
import { allCuts } from "./shared/cuts";

/** A byte is shifted out of the 32-bit state after 32 steps. */
const WINDOW: usize = 32;

const table: usize = memory.data(1024, 16);
let threshold: u32 = 0;

/** Finaliser of MurmurHash3, 32 bits. */
function mix(value: u32): u32 {
  value = (value ^ (value >> 16)) * 0x85ebca6b;
  value = (value ^ (value >> 13)) * 0xc2b2ae35;
  return value ^ (value >> 16);
}

for (let i: u32 = 0; i < 256; i++) store<u32>(table + (i << 2), mix((i + 1) * 0x9e3779b1));

function find(lowest: usize, highest: usize): usize {
  let state: u32 = 0;
  let at = lowest - WINDOW;
  for (; at < lowest; at++) state = (state << 1) + load<u32>(table + (<usize>load<u8>(at) << 2));
  while (true) {
    if (state < threshold) return at;
    if (at == highest) return 0;
    state = (state << 1) + load<u32>(table + (<usize>load<u8>(at) << 2));
    at++;
  }
}

/** First address that the caller may use. */
export function base(): usize {
  return __heap_base;
}

export function cuts(
  from: usize,
  to: usize,
  final: bool,
  minBytes: usize,
  meanBytes: usize,
  maxBytes: usize,
  out: usize,
): u32 {
  threshold = <u32>(0x100000000 / <u64>(meanBytes - minBytes));
  return allCuts(find, from, to, final, minBytes, maxBytes, out);
}
