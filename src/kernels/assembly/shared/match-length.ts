/** How many bytes two places have in common. */

/** The first `from` bytes are known to be equal, and no more than `most` are compared. Up to 7 bytes behind are read. */
// @ts-ignore: decorator
@inline
export function matchLength(a: usize, b: usize, from: i32, most: i32): i32 {
  let length = from;
  while (length + 8 <= most) {
    const difference = load<u64>(a + length) ^ load<u64>(b + length);
    if (difference != 0) return length + <i32>(ctz(difference) >> 3);
    length += 8;
  }
  while (length < most && load<u8>(a + length) == load<u8>(b + length)) length++;
  return length;
}
