/**
 * The bytes that Go's `rand.New(rand.NewSource(seed)).Read` gives, so that counts which a Go program published for
 * its random data can be compared. An additive lagged Fibonacci generator: x[n] = x[n - 607] + x[n - 273] modulo
 * 2^64 (Mitchell and Reeds; Knuth, TAOCP 3.2.2). A seed is spread by a linear congruential generator and mixed with
 * the "cooked" state of the same generator after 7.8e12 steps, which is computed here by raising the polynomial.
 */

const LENGTH = 607;
const TAP = 273;
const COOKING_STEPS = 7_800_000_000_000n;
const M31 = 2 ** 31 - 1;

/** Minimal standard generator with the multiplier 48271 (Park and Miller). */
function spread(seed: number, shifts: readonly [bigint, bigint]): bigint[] {
  let x = seed % M31 || 89482311;
  const next = () => {
    x = Number((BigInt(x) * 48271n) % BigInt(M31));
    return BigInt(x);
  };
  for (let i = 0; i < 20; i++) next();
  return Array.from({ length: LENGTH }, () => (next() << shifts[0]) ^ (next() << shifts[1]) ^ next());
}

/** The product of a polynomial with itself modulo z^607 - z^334 - 1, coefficients modulo 2^64. */
function squared(p: readonly bigint[]): bigint[] {
  const product = new Array<bigint>(2 * LENGTH - 1).fill(0n);
  for (let i = 0; i < LENGTH; i++) {
    const a = p[i]!;
    if (a === 0n) continue;
    product[2 * i]! += a * a;
    for (let j = i + 1; j < LENGTH; j++) product[i + j]! += 2n * a * p[j]!;
  }
  return reduced(product);
}

function reduced(product: bigint[]): bigint[] {
  for (let i = product.length - 1; i >= LENGTH; i--) {
    const high = product[i]!;
    product[i - LENGTH]! += high;
    product[i - LENGTH + (LENGTH - TAP)]! += high;
  }
  return product.slice(0, LENGTH).map((c) => BigInt.asUintN(64, c));
}

/**
 * State by position in time: s[0] is the oldest. In Go's array the oldest number is at `feed`, which goes down.
 */
function advanced(s: readonly bigint[], steps: bigint): bigint[] {
  let power: bigint[] = [1n, ...new Array<bigint>(LENGTH - 1).fill(0n)];
  for (const bit of steps.toString(2)) {
    power = squared(power);
    if (bit === "1") power = reduced([0n, ...power]);
  }
  // z^n stands for x[n]: the first is the sum over the first 607 numbers, the others follow with later ones.
  const all = [...s];
  for (let n = LENGTH; n < 2 * LENGTH; n++) all.push(BigInt.asUintN(64, all[n - LENGTH]! + all[n - TAP]!));
  return Array.from({ length: LENGTH }, (_, k) =>
    BigInt.asUintN(
      64,
      power.reduce((sum, c, i) => sum + c * all[i + k]!, 0n),
    ),
  );
}

/** Go's array, whose pointers begin at feed 334 and go down, as numbers in order of time; and back. */
const placeAt = (time: number, steps: bigint) =>
  (((LENGTH - TAP - 1 - time - Number(steps % BigInt(LENGTH))) % LENGTH) + 2 * LENGTH) % LENGTH;

let cooked: readonly bigint[] | undefined;

function cookedArray(): readonly bigint[] {
  if (cooked === undefined) {
    const start = spread(1, [20n, 10n]);
    const byTime = Array.from({ length: LENGTH }, (_, time) => start[placeAt(time, 0n)]!);
    const after = advanced(byTime, COOKING_STEPS);
    const array = new Array<bigint>(LENGTH);
    for (let time = 0; time < LENGTH; time++) array[placeAt(time, COOKING_STEPS)] = after[time]!;
    cooked = array;
  }
  return cooked;
}

/** `length` bytes of Go's `Rand.Read` after `NewSource(seed)`, seed 1 to 2^31 - 2. */
export function goRandomBytes(seed: number, length: number): Uint8Array {
  const mixed = spread(seed, [40n, 20n]).map((number, i) => BigInt.asUintN(64, number ^ cookedArray()[i]!));
  const bytes = new Uint8Array(length);
  let [tap, feed] = [0, LENGTH - TAP];
  for (let at = 0; at < length; ) {
    tap = (tap || LENGTH) - 1;
    feed = (feed || LENGTH) - 1;
    const sum = BigInt.asUintN(64, mixed[feed]! + mixed[tap]!);
    mixed[feed] = sum;
    // Int63 without its sign bit: seven bytes of it, the lowest first.
    for (let i = 0, rest = sum; i < 7 && at < length; i++, rest >>= 8n) bytes[at++] = Number(rest & 0xffn);
  }
  return bytes;
}
