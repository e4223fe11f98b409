/** Numbers and bytes that are the same at every run: xorshift32 (Marsaglia, "Xorshift RNGs", 2003). */

/** Integers from 0 to 2^32 - 1; the state is not 0. */
export function xorshift32(state: number): () => number {
  let x = state | 0;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** The low bytes of the generator, from a state: those of the test vectors in docs/formats/chunking.md. */
export function xorshiftBytes(lengthBytes: number, state = 1): Uint8Array {
  const next = xorshift32(state);
  const bytes = new Uint8Array(lengthBytes);
  for (let i = 0; i < lengthBytes; i++) bytes[i] = next();
  return bytes;
}

/** Bytes from any seed, which no compressor shortens. */
export function noise(lengthBytes: number, seed: number): Uint8Array {
  return xorshiftBytes(lengthBytes, 2 * seed + 1);
}

/** Integers below a bound, drawn from any seed. */
export function drawer(seed: number): (below: number) => number {
  const next = xorshift32(seed | 1);
  return (below) => next() % below;
}
