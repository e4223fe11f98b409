/** Unsigned LEB128 as src/bytes/reader.ts reads it: at most 8 bytes, at most 2^53 - 1, in the shortest form. */

/** Set by a varint that is none, or is cut off. */
export let failed: bool = false;
/** Value of the varint that was read last. */
export let value: u64 = 0;

export function startReading(): void {
  failed = false;
}

/** Reads a varint; returns where the next byte is. */
// @ts-ignore: decorator
@inline
export function varint(at: usize, end: usize): usize {
  if (at < end) {
    const byte = load<u8>(at);
    if (byte < 0x80) {
      value = <u64>byte;
      return at + 1;
    }
  }
  return longVarint(at, end);
}

function longVarint(at: usize, end: usize): usize {
  let result: u64 = 0;
  for (let shift: u64 = 0; shift < 56; shift += 7) {
    if (at >= end) break;
    const byte: u32 = load<u8>(at++);
    result |= <u64>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift > 0) break;
      if (result > 0x1fffffffffffff) break;
      value = result;
      return at;
    }
  }
  failed = true;
  value = 0;
  return at;
}

// @ts-ignore: decorator
@inline
export function unzigzag(coded: u64): i64 {
  return <i64>(coded >> 1) ^ -(<i64>(coded & 1));
}
