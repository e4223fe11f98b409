/**
 * An adaptive binary range coder whose one function both writes and reads, so that whoever codes a thing describes it
 * once. Algorithm: G. N. N. Martin's range coding with the carry propagation of LZMA; probabilities are the mean of
 * a fast and a slow estimate, each of 16 bits.
 */

const INITIAL: u16 = 0x8000;
const FAST: u32 = 4;
const SLOW: u32 = 7;
const TOP: u32 = 1 << 24;
/** What the last flush writes, and what a reader begins with. */
const STATE_BYTES: i32 = 5;

/** Bytes of one context: both estimates of the probability of a 0. */
export const CONTEXT_BYTES: usize = 4;

let isReading: bool = false;
let low: u64 = 0;
let range: u32 = 0;
let cache: u32 = 0;
let pending: u32 = 0;
let code: u32 = 0;
let at: usize = 0;
let end: usize = 0;
/** More was read than was written: what is read is damaged. */
export let isOverrun: bool = false;

export function resetContexts(contexts: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 2) store<u16>(contexts + i, INITIAL);
}

export function startWriting(address: usize): void {
  isReading = false;
  low = 0;
  range = 0xffffffff;
  cache = 0;
  pending = 1;
  at = address;
}

/** The caller sees to it that `STATE_BYTES` bytes are there. */
export function startReading(): void {
  isReading = true;
  isOverrun = false;
  range = 0xffffffff;
  code = 0;
  for (let i = 0; i < STATE_BYTES; i++) code = (code << 8) | next();
}

/** Where bytes are read; those behind `until` are taken as zeros. */
export function setInput(address: usize, until: usize): void {
  at = address;
  end = until;
}

export function setPosition(address: usize): void {
  at = address;
}

/** Where the next byte is written or read. */
export function position(): usize {
  return at;
}

// @ts-ignore: decorator
@inline
function next(): u32 {
  if (at < end) return load<u8>(at++);
  isOverrun = true;
  return 0;
}

function shiftLow(): void {
  if (<u32>low < 0xff000000 || low >> 32 != 0) {
    const carry = <u32>(low >> 32);
    store<u8>(at++, <u8>(cache + carry));
    while (--pending != 0) store<u8>(at++, <u8>(0xff + carry));
    cache = <u32>(low >> 24) & 0xff;
  }
  pending++;
  low = <u64>(<u32>low << 8);
}

export function finishWriting(): void {
  for (let i = 0; i < STATE_BYTES; i++) shiftLow();
}

/** Writes `value`, 0 or 1, or reads it; returns it in both cases. */
export function bit(context: usize, value: u32): u32 {
  const fast: u32 = load<u16>(context);
  const slow: u32 = load<u16>(context, 2);
  const bound = (range >> 16) * ((fast + slow) >> 1);
  let result: u32 = value;
  if (isReading) result = code < bound ? 0 : 1;
  if (result == 0) {
    range = bound;
    store<u16>(context, <u16>(fast + ((0xffff - fast) >> FAST)));
    store<u16>(context, <u16>(slow + ((0xffff - slow) >> SLOW)), 2);
  } else {
    if (isReading) code -= bound;
    else low += bound;
    range -= bound;
    store<u16>(context, <u16>(fast - (fast >> FAST)));
    store<u16>(context, <u16>(slow - (slow >> SLOW)), 2);
  }
  while (range < TOP) {
    range <<= 8;
    if (isReading) code = (code << 8) | next();
    else shiftLow();
  }
  return result;
}

/** A number of `bits` bits, from its highest on, with 2^bits contexts. */
export function tree(contexts: usize, bits: u32, value: u32): u32 {
  let node: u32 = 1;
  for (let left = bits; left > 0; left--) {
    node = (node << 1) | bit(contexts + (node << 2), (value >> (left - 1)) & 1);
  }
  return node - (1 << bits);
}

/** A number of `bits` bits that nothing is known about. */
export function plain(bits: u32, value: u32): u32 {
  let result: u32 = 0;
  for (let left = bits; left > 0; left--) {
    range >>= 1;
    let one: u32 = (value >> (left - 1)) & 1;
    if (isReading) one = code >= range ? 1 : 0;
    if (one != 0) {
      if (isReading) code -= range;
      else low += range;
    }
    result = (result << 1) | one;
    while (range < TOP) {
      range <<= 8;
      if (isReading) code = (code << 8) | next();
      else shiftLow();
    }
  }
  return result;
}

/** A number below 2^31 of which the length in bits is coded first, with 32 contexts. */
export function number(contexts: usize, value: u32): u32 {
  const bits = tree(contexts, 5, 32 - clz(value));
  return bits < 2 ? bits : (1 << (bits - 1)) | plain(bits - 1, value & ((1 << (bits - 1)) - 1));
}
