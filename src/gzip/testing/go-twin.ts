/**
 * The deflate of Go's compress/flate in plain TypeScript, as Go does it: one hash chain over four bytes, walked step by
 * step. The twin of the kernel deflate-go; slow. Source: compress/flate of Go 1.19, whose rules hold from 1.7 to 1.26.
 */
import type { BlockSymbol } from "./deflate-format.ts";
import { GoBlocksTwin } from "./go-blocks-twin.ts";

const WINDOW = 32768;
const MIN_MATCH = 4;
const MAX_MATCH = 258;
const NEAR = 4096;
const BLOCK_SYMBOLS = 16384;
/** The window of 64 KiB slides by half when less than a longest match and a hash is left of it. */
const SLIDE_AT = 2 * WINDOW - (MIN_MATCH + MAX_MATCH);
const FACTOR = 0x1e35a7bd;

/** Go's levels: longest lazy, nice length, longest chain, and for greedy levels the longest match that is entered whole. */
const LEVELS: Readonly<Record<number, readonly [number, number, number, number?]>> = {
  2: [0, 16, 8, 5],
  3: [0, 32, 32, 6],
  4: [4, 16, 16],
  5: [16, 32, 32],
  6: [16, 128, 128],
  7: [32, 128, 256],
  8: [128, 258, 1024],
  9: [258, 258, 4096],
};

/** What the encoder makes of all the input, level -2 or 1 to 9. */
export function goTwin(level: number, input: Uint8Array): Buffer {
  const blocks = new GoBlocksTwin();
  if (level < 2) writeFastest(level, input, blocks);
  else new Chains(level, input, blocks).run();
  blocks.sendStored(new Uint8Array(0), true);
  return blocks.bytes();
}

function hash(input: Uint8Array, at: number, bits: number, isBigEndian: boolean): number {
  const bytes = [0, 1, 2, 3].map((i) => input[at + i] ?? 0);
  const value = (isBigEndian ? bytes : bytes.reverse()).reduce((sum, byte) => (sum << 8) | byte, 0);
  return Math.imul(value, FACTOR) >>> (32 - bits);
}

function commonBytes(input: Uint8Array, a: number, b: number, most: number): number {
  let length = 0;
  while (length < most && input[a + length] === input[b + length]) length++;
  return length;
}

class Chains {
  readonly #input: Uint8Array;
  readonly #blocks: GoBlocksTwin;
  readonly #limits: readonly [number, number, number, number?];
  readonly #heads = new Int32Array(2 ** 17).fill(-1);
  readonly #previous: Int32Array;
  #symbols: BlockSymbol[] = [];
  #at = 0;
  /** Where the window and the open block begin. */
  #base = 0;
  #blockStart = 0;

  constructor(level: number, input: Uint8Array, blocks: GoBlocksTwin) {
    this.#limits = LEVELS[level]!;
    this.#input = input;
    this.#previous = new Int32Array(input.length);
    this.#blocks = blocks;
  }

  #insert(at: number): number {
    if (at + MIN_MATCH > this.#input.length) return -1;
    const slot = hash(this.#input, at, 17, true);
    const head = this.#heads[slot]!;
    this.#previous[at] = head;
    this.#heads[slot] = at;
    return head;
  }

  #slide(): void {
    const isFull = this.#base + 2 * WINDOW < this.#input.length;
    if (isFull && this.#at - this.#base > SLIDE_AT) this.#base += WINDOW;
  }

  #longestMatch(head: number): BlockSymbol {
    const [, nice, chain] = this.#limits;
    const most = Math.min(MAX_MATCH, this.#input.length - this.#at);
    const lowest = Math.max(this.#base, this.#at - WINDOW);
    let best: BlockSymbol = { value: MIN_MATCH - 1, distance: 0 };
    for (let from = head, left = chain; left > 0 && from >= lowest; left--, from = this.#previous[from]!) {
      const length = commonBytes(this.#input, from, this.#at, most);
      const distance = this.#at - from;
      if (length > best.value && (length > MIN_MATCH || distance <= NEAR)) {
        best = { value: length, distance };
        if (length >= nice) break;
      }
    }
    return best;
  }

  /** A full block ends at `end`. */
  #add(symbol: BlockSymbol, end: number): void {
    if (this.#symbols.push(symbol) === BLOCK_SYMBOLS) this.#flush(end);
  }

  #literal(at: number): BlockSymbol {
    return { distance: 0, value: this.#input[at]! };
  }

  #flush(end: number): void {
    const raw = this.#blockStart >= this.#base ? this.#input.subarray(this.#blockStart, end) : undefined;
    this.#blocks.writeBlock(this.#symbols, raw, false);
    this.#symbols = [];
    this.#blockStart = end;
  }

  run(): void {
    if (this.#limits[3] === undefined) this.#lazily();
    else this.#greedily(this.#limits[3]);
    if (this.#symbols.length > 0) this.#flush(this.#input.length);
  }

  #greedily(mostEntered: number): void {
    for (const end = this.#input.length; this.#at < end; ) {
      this.#slide();
      const { value, distance } = this.#longestMatch(this.#insert(this.#at));
      const before = this.#at;
      if (distance === 0) {
        this.#at++;
        this.#add(this.#literal(before), this.#at);
        continue;
      }
      this.#at += value;
      if (value <= mostEntered) for (let at = before + 1; at < this.#at; at++) this.#insert(at);
      this.#add({ value, distance }, this.#at);
    }
  }

  #lazily(): void {
    const [mostLazy] = this.#limits;
    const none: BlockSymbol = { value: MIN_MATCH - 1, distance: 0 };
    let match = none;
    let isWaiting = false;
    for (const end = this.#input.length; this.#at < end; ) {
      this.#slide();
      const head = this.#insert(this.#at);
      const before = match;
      const isSought = end - this.#at > before.value && before.value < mostLazy;
      match = isSought ? this.#longestMatch(head) : none;
      if (before.distance > 0 && match.value <= before.value) {
        const next = this.#at + before.value - 1;
        for (let at = this.#at + 1; at < next; at++) this.#insert(at);
        this.#at = next;
        isWaiting = false;
        match = none;
        this.#add(before, next);
        continue;
      }
      if (isWaiting) this.#add(this.#literal(this.#at - 1), this.#at);
      isWaiting = true;
      this.#at++;
    }
    if (isWaiting) this.#symbols.push(this.#literal(this.#input.length - 1));
  }
}

const SPEED_BLOCK = 65535;
const MARGIN = 15;
/** From here on a block is worth matching, and from there on worth coding. */
const LEAST_MATCHED = 128;
const LEAST_CODED = 17;

/** Level 1, one table and blocks of 65535 bytes; level -2, the same blocks without matches. */
function writeFastest(level: number, input: Uint8Array, blocks: GoBlocksTwin): void {
  const table = new Map<number, number>();
  for (let from = 0; from < input.length; from += SPEED_BLOCK) {
    const raw = input.subarray(from, from + SPEED_BLOCK);
    if (level < 0 || (raw.length >= LEAST_CODED && raw.length < LEAST_MATCHED)) blocks.writeLiterals(raw);
    else if (raw.length < LEAST_CODED) blocks.sendStored(raw, false);
    else {
      const symbols = matched(input, from, from + raw.length, table);
      if (symbols.length > raw.length - (raw.length >> 4)) blocks.writeLiterals(raw);
      else blocks.writeBlock(symbols, raw, true);
    }
  }
}

/** Snappy's way: steps grow where nothing is found. `table`: where each hash was last. */
function matched(input: Uint8Array, start: number, end: number, table: Map<number, number>): BlockSymbol[] {
  const symbols: BlockSymbol[] = [];
  const limit = end - MARGIN;
  const slotOf = (at: number) => hash(input, at, 14, false);
  /** Where the bytes at `at` were last, if near enough; enters them. */
  const enter = (at: number): number | undefined => {
    const slot = slotOf(at);
    const before = table.get(slot);
    table.set(slot, at);
    const isMatch = before !== undefined && at - before <= WINDOW && commonBytes(input, before, at, 4) === 4;
    return isMatch ? before : undefined;
  };
  let emitted = start;
  const literals = (until: number) => {
    for (; emitted < until; emitted++) symbols.push({ distance: 0, value: input[emitted]! });
  };
  for (let at = start; ; ) {
    let skip = 32;
    let found: number | undefined;
    // Whatever is found behind the limit doesn't count.
    for (let next = at; found === undefined; ) {
      at = next;
      next = at + (skip >> 5);
      skip += skip >> 5;
      if (next > limit) {
        literals(end);
        return symbols;
      }
      found = enter(at);
    }
    literals(at);
    while (found !== undefined) {
      const length = 4 + commonBytes(input, found + 4, at + 4, Math.min(MAX_MATCH - 4, end - at - 4));
      symbols.push({ distance: at - found, value: length });
      at += length;
      emitted = at;
      if (at >= limit) {
        literals(end);
        return symbols;
      }
      table.set(slotOf(at - 1), at - 1);
      found = enter(at);
    }
    at++;
  }
}
