/** What RFC 1951 says of deflate, for the twins of its encoders: plain and slow. */

export const END_BLOCK = 256;
export const LITERALS = 286;
export const DISTANCES = 30;
/** Of a code of literals or of distances, and of a code of lengths. */
export const MAX_BITS = 15;
export const MAX_LENGTH_BITS = 7;
export const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
export const LENGTH_EXTRA = Array.from({ length: 29 }, (_, code) =>
  code < 8 || code === 28 ? 0 : (code >> 2) - 1,
);
export const DISTANCE_EXTRA = Array.from({ length: 30 }, (_, code) => (code < 4 ? 0 : (code >> 1) - 1));
export const RUN_EXTRA = Array.from({ length: 19 }, (_, symbol) => ({ 16: 2, 17: 3, 18: 7 })[symbol] ?? 0);
export const LEAST_LENGTH = leastOf(LENGTH_EXTRA.slice(0, 28), 3).concat(258);
export const LEAST_DISTANCE = leastOf(DISTANCE_EXTRA, 1);

function leastOf(extra: readonly number[], first: number): number[] {
  let next = first;
  return extra.map((bits) => {
    const least = next;
    next += 1 << bits;
    return least;
  });
}

/** The last code whose values begin at or below `value`. */
export function codeOf(least: readonly number[], value: number): number {
  return least.findLastIndex((from) => from <= value);
}

export interface Code {
  readonly lengths: number[];
  readonly bits: number[];
}

export const FIXED_LITERALS = codeFrom(
  Array.from({ length: 288 }, (_, n) => (n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8)),
);
export const FIXED_DISTANCES = codeFrom(Array<number>(DISTANCES).fill(5));

/** RFC 1951, 3.2.2; bits in the order in which they are sent. */
export function codeFrom(lengths: number[]): Code {
  const bits = lengths.map(() => 0);
  let next = 0;
  for (let length = 1; length <= MAX_BITS; length++) {
    lengths.forEach((of, symbol) => {
      if (of !== length) return;
      bits[symbol] = Number.parseInt([...next.toString(2).padStart(length, "0")].reverse().join(""), 2);
      next++;
    });
    next <<= 1;
  }
  return { lengths, bits };
}

export interface RunSymbol {
  readonly symbol: number;
  readonly extra: number;
}

export interface BlockSymbol {
  /** 0 for a literal. */
  readonly distance: number;
  /** The literal, or the length. */
  readonly value: number;
}

/** How often each symbol of a block occurs, its end among them, and the bits beside the codes. */
export function frequenciesOf(symbols: readonly BlockSymbol[]): {
  readonly literals: number[];
  readonly distances: number[];
  readonly extra: number;
} {
  const literals = Array<number>(LITERALS).fill(0);
  const distances = Array<number>(DISTANCES).fill(0);
  literals[END_BLOCK] = 1;
  let extra = 0;
  for (const { distance, value } of symbols) {
    if (distance === 0) {
      literals[value]!++;
      continue;
    }
    const length = codeOf(LEAST_LENGTH, value);
    const far = codeOf(LEAST_DISTANCE, distance);
    literals[length + 257]!++;
    distances[far]!++;
    extra += LENGTH_EXTRA[length]! + DISTANCE_EXTRA[far]!;
  }
  return { literals, distances, extra };
}

/** Bits that symbols take with a code. */
export function cost(frequencies: readonly number[], { lengths }: Code): number {
  return frequencies.reduce((sum, frequency, symbol) => sum + frequency * lengths[symbol]!, 0);
}

/** How many lengths of a code are sent, those of the last symbols being 0. */
export function sentOf(lengths: readonly number[]): number {
  return lengths.findLastIndex((length) => length > 0) + 1;
}

/** How often each symbol says lengths. */
export function runFrequenciesOf(runs: readonly RunSymbol[]): number[] {
  const frequencies = Array<number>(LENGTH_ORDER.length).fill(0);
  for (const { symbol } of runs) frequencies[symbol]!++;
  return frequencies;
}

export interface SentCounts {
  readonly sentLiterals: number;
  readonly sentDistances: number;
  readonly sentRuns: number;
}

/** Bits, from the lowest on. */
export class BitWriter {
  readonly #bits: number[] = [];

  send(value: number, length: number): void {
    for (let i = 0; i < length; i++) this.#bits.push((value >> i) & 1);
  }

  get pendingBits(): number {
    return this.#bits.length % 8;
  }

  align(): void {
    while (this.pendingBits > 0) this.#bits.push(0);
  }

  bytes(): Buffer {
    const bytes = Buffer.alloc(this.#bits.length >> 3);
    for (let i = 0; i < bytes.length * 8; i++) bytes[i >> 3]! |= this.#bits[i]! << (i & 7);
    return bytes;
  }

  /** The codes of a block: 3.2.7. */
  sendCodes(
    runs: readonly RunSymbol[],
    runCode: Code,
    { sentLiterals, sentDistances, sentRuns }: SentCounts,
  ): void {
    this.send(sentLiterals - 257, 5);
    this.send(sentDistances - 1, 5);
    this.send(sentRuns - 4, 4);
    for (const symbol of LENGTH_ORDER.slice(0, sentRuns)) this.send(runCode.lengths[symbol]!, 3);
    for (const { symbol, extra } of runs) {
      this.sendCode(runCode, symbol);
      this.send(extra, RUN_EXTRA[symbol]!);
    }
  }

  sendStored(raw: Uint8Array, isLast: boolean): void {
    this.send(isLast ? 1 : 0, 3);
    this.align();
    this.send(raw.length, 16);
    this.send(~raw.length, 16);
    for (const byte of raw) this.send(byte, 8);
  }

  sendCode({ lengths, bits }: Code, symbol: number): void {
    this.send(bits[symbol]!, lengths[symbol]!);
  }

  sendSymbols(symbols: readonly BlockSymbol[], literals: Code, distances: Code): void {
    for (const { distance, value } of symbols) {
      if (distance === 0) {
        this.sendCode(literals, value);
        continue;
      }
      const length = codeOf(LEAST_LENGTH, value);
      this.sendCode(literals, length + 257);
      this.send(value - LEAST_LENGTH[length]!, LENGTH_EXTRA[length]!);
      const far = codeOf(LEAST_DISTANCE, distance);
      this.sendCode(distances, far);
      this.send(distance - LEAST_DISTANCE[far]!, DISTANCE_EXTRA[far]!);
    }
    this.sendCode(literals, END_BLOCK);
  }
}
