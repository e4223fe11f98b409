/**
 * The deflate of the zlib family in plain TypeScript, as the programs do it: one hash chain, walked step by step, and a
 * window of 64 KiB that slides by half. The twin of the kernel deflate-zlib; slow.
 *
 * Source: zlib 1.3.1, and what GNU gzip 1.12, pigz 2.6 and Chromium's zlib do otherwise (docs/formats/gzip.md).
 */
import type { ZlibParameters } from "../zlib-model.ts";
import { ZlibBlocksTwin } from "./zlib-blocks-twin.ts";

const WINDOW = 32768;
const MIN_MATCH = 3;
const MAX_MATCH = 258;
const MIN_LOOKAHEAD = MAX_MATCH + MIN_MATCH + 1;
const MAX_DISTANCE = WINDOW - MIN_LOOKAHEAD;
const TOO_FAR = 4096;

/** zlib's configuration table: good length, longest lazy, nice length, longest chain. */
const LEVELS: Readonly<Record<number, readonly [number, number, number, number]>> = {
  1: [4, 4, 8, 4],
  2: [4, 5, 16, 8],
  3: [4, 6, 32, 32],
  4: [4, 4, 16, 16],
  5: [8, 16, 32, 32],
  6: [8, 16, 128, 128],
  7: [8, 32, 128, 256],
  8: [32, 128, 258, 1024],
  9: [32, 258, 258, 4096],
};

/** What the encoder makes of all the input. */
export function zlibTwin(parameters: ZlibParameters, input: Uint8Array): Buffer {
  const { variant, level, memLevel, blockBytes } = parameters;
  const blocks = new ZlibBlocksTwin(2 ** (memLevel + 6) - 1, variant === "gnu" && level > 2);
  if (variant !== "pigz") new Stream(parameters, input, 0, input.length, blocks).run(true);
  else {
    for (let from = 0; from === 0 || from < input.length; from += blockBytes) {
      const isLast = from + blockBytes >= input.length;
      new Stream(parameters, input, from, Math.min(from + blockBytes, input.length), blocks).run(isLast);
      if (!isLast) pad(blocks);
    }
  }
  return blocks.bytes();
}

/** pigz: empty blocks up to a byte. */
function pad(blocks: ZlibBlocksTwin): void {
  if (blocks.pendingBits % 2 === 1) {
    blocks.send(0, 3);
    blocks.align();
    blocks.send(0, 16);
    blocks.send(0xffff, 16);
  } else while (blocks.pendingBits > 0) blocks.send(2, 10);
}

interface Match {
  readonly length: number;
  readonly distance: number;
}

const NONE: Match = { length: MIN_MATCH - 1, distance: 0 };

class Stream {
  readonly #variant: ZlibParameters["variant"];
  readonly #isLazy: boolean;
  readonly #limits: readonly [number, number, number, number];
  readonly #hashBits: number;
  readonly #window = new Uint8Array(2 * WINDOW + MAX_MATCH);
  /** What each hash was last seen at, and what each position's hash was seen at before; 0: nowhere. */
  readonly #heads: Uint16Array;
  readonly #previous = new Uint16Array(WINDOW);
  readonly #input: Uint8Array;
  readonly #end: number;
  #inputAt: number;
  readonly #blocks: ZlibBlocksTwin;
  #at = 0;
  #lookahead = 0;
  /** Where the open block begins; negative when the window has slid over it. */
  #blockStart = 0;
  /** Positions before this one that are not in the chains, as they lacked bytes. */
  #missing = 0;

  /** Compresses the input from `from` to `end`; for pigz, the 32 KiB before are known. */
  constructor(
    { variant, level, memLevel }: ZlibParameters,
    input: Uint8Array,
    from: number,
    end: number,
    blocks: ZlibBlocksTwin,
  ) {
    this.#variant = variant;
    this.#isLazy = level > 3;
    this.#limits = LEVELS[level]!;
    this.#hashBits = variant === "gnu" ? 15 : memLevel + 7;
    this.#heads = new Uint16Array(2 ** 16);
    this.#input = input;
    this.#inputAt = from;
    this.#end = end;
    this.#blocks = blocks;
    const dictionary = input.subarray(Math.max(0, from - WINDOW), from);
    this.#window.set(dictionary);
    this.#at = dictionary.length;
    this.#blockStart = dictionary.length;
    for (let at = 0; at + MIN_MATCH <= dictionary.length; at++) this.#insert(at);
    this.#missing = Math.min(dictionary.length, MIN_MATCH - 1);
  }

  run(isLast: boolean): void {
    if (this.#isLazy) this.#lazily();
    else this.#greedily();
    if (isLast || this.#at > this.#blockStart) this.#flush(isLast);
  }

  #hash(at: number): number {
    const byte = (i: number) => this.#window[at + i]!;
    const mask = 2 ** this.#hashBits - 1;
    if (this.#variant === "chromium") {
      const value = byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24);
      return (Math.imul(value + 1, 66521) >>> 16) & mask;
    }
    const shift = Math.ceil(this.#hashBits / MIN_MATCH);
    return ((byte(0) << (2 * shift)) ^ (byte(1) << shift) ^ byte(2)) & mask;
  }

  /** Where these bytes, or others of the same hash, were before. */
  #insert(at: number): number {
    const hash = this.#hash(at);
    const head = this.#heads[hash]!;
    this.#previous[at % WINDOW] = head;
    this.#heads[hash] = at;
    return head;
  }

  #fill(): void {
    if (this.#at >= WINDOW + MAX_DISTANCE) {
      this.#window.copyWithin(0, WINDOW, 2 * WINDOW);
      this.#at -= WINDOW;
      this.#blockStart -= WINDOW;
      for (const table of [this.#heads, this.#previous]) {
        for (let i = 0; i < table.length; i++) table[i] = Math.max(0, table[i]! - WINDOW);
      }
    }
    const filled = this.#at + this.#lookahead;
    const part = this.#input.subarray(
      this.#inputAt,
      Math.min(this.#end, this.#inputAt + 2 * WINDOW - filled),
    );
    if (part.length === 0) {
      // GNU gzip hashes beyond the end.
      if (this.#variant === "gnu") this.#window.fill(0, filled, filled + MIN_MATCH - 1);
      return;
    }
    this.#window.set(part, filled);
    this.#inputAt += part.length;
    this.#lookahead += part.length;
    for (; this.#missing > 0 && this.#lookahead + this.#missing >= MIN_MATCH; this.#missing--) {
      this.#insert(this.#at - this.#missing);
    }
  }

  /** False at the end of the input. */
  #hasInput(): boolean {
    // What is read last may be less than a step, and its end is only then known.
    for (let before = -1; this.#lookahead < MIN_LOOKAHEAD && this.#lookahead !== before; ) {
      before = this.#lookahead;
      this.#fill();
    }
    return this.#lookahead > 0;
  }

  get #canInsert(): boolean {
    return this.#lookahead >= MIN_MATCH || this.#variant === "gnu";
  }

  /** The nearest of the longest matches that the chain from `head` on has, longer than `best`. */
  #longestMatch(head: number, best: Match): Match {
    const [good, , nice, chain] = this.#limits;
    const window = this.#window;
    const lookahead = this.#lookahead;
    const enough = this.#variant === "gnu" ? nice : Math.min(nice, lookahead);
    const limit = Math.max(0, this.#at - MAX_DISTANCE);
    let longest = best;
    let from = head;
    for (let left = best.length >= good ? chain >> 2 : chain; left > 0; left--) {
      let length = 0;
      while (length < MAX_MATCH && window[from + length] === window[this.#at + length]) length++;
      if (length > longest.length) {
        longest = { length, distance: this.#at - from };
        if (length >= enough) break;
      }
      from = this.#previous[from % WINDOW]!;
      if (from <= limit) break;
    }
    return { ...longest, length: Math.min(longest.length, lookahead) };
  }

  #add(symbol: { readonly distance: number; readonly value: number }): void {
    this.#isFull = this.#blocks.add(symbol, this.#at - this.#blockStart);
  }

  #isFull = false;

  #advance(bytes: number): void {
    this.#at += bytes;
    this.#lookahead -= bytes;
  }

  #flush(isLast: boolean): void {
    const raw = this.#blockStart >= 0 ? this.#window.subarray(this.#blockStart, this.#at) : undefined;
    this.#blocks.flush(raw, isLast);
    this.#blockStart = this.#at;
    this.#isFull = false;
  }

  /** Levels 1 to 3: every match is taken; long ones are not entered into the chains. */
  #greedily(): void {
    const [, mostInserted] = this.#limits;
    while (this.#hasInput()) {
      const head = this.#canInsert ? this.#insert(this.#at) : 0;
      const isNear = head !== 0 && this.#at - head <= MAX_DISTANCE;
      const { length, distance } = isNear ? this.#longestMatch(head, NONE) : NONE;
      if (length < MIN_MATCH) {
        this.#add({ distance: 0, value: this.#window[this.#at]! });
        this.#advance(1);
      } else {
        this.#add({ distance, value: length });
        this.#lookahead -= length;
        if (length <= mostInserted && this.#canInsert) {
          for (let i = 1; i < length; i++) this.#insert(this.#at + i);
        }
        this.#at += length;
      }
      if (this.#isFull) this.#flush(false);
    }
  }

  /** Levels 4 to 9: a match is taken when the next position has no longer one. */
  #lazily(): void {
    const [, mostLazy] = this.#limits;
    let match = NONE;
    /** The literal before was not written yet. */
    let isWaiting = false;
    const literal = () => this.#add({ distance: 0, value: this.#window[this.#at - 1]! });
    while (this.#hasInput()) {
      const head = this.#canInsert ? this.#insert(this.#at) : 0;
      const before = match;
      match = NONE;
      if (head !== 0 && before.length < mostLazy && this.#at - head <= MAX_DISTANCE) {
        match = this.#longestMatch(head, before);
        if (match.length === MIN_MATCH && match.distance > TOO_FAR) match = NONE;
      }
      if (before.length >= MIN_MATCH && match.length <= before.length) {
        const lastInserted = this.#at + this.#lookahead - MIN_MATCH;
        this.#add({ distance: before.distance, value: before.length });
        for (let i = 1; i < before.length - 1; i++) {
          if (this.#at + i <= lastInserted || this.#variant === "gnu") this.#insert(this.#at + i);
        }
        this.#advance(before.length - 1);
        isWaiting = false;
        match = NONE;
        if (this.#isFull) this.#flush(false);
        continue;
      }
      if (isWaiting) {
        literal();
        if (this.#isFull) this.#flush(false);
      }
      isWaiting = true;
      this.#advance(1);
    }
    if (isWaiting) literal();
  }
}
