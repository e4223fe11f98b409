/**
 * Streams of any encoder: their symbols are guessed from the content, and what was guessed wrong is kept as
 * corrections (docs/formats/deflate-corrections.md).
 */
import type { ByteReader, ByteWriter } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { type TokenKernel, TokenStatus, tokenKernel } from "../kernels/index.ts";

/** How symbols are guessed. Lengths and distances in bytes, `maxChain` in steps. */
export interface TokenParameters {
  readonly variant: "tokens";
  /** What a hash takes: 3 or 4 bytes. */
  readonly hashBytes: number;
  readonly isLazy: boolean;
  /** From this length on, a quarter of the chain is searched for a better match. */
  readonly goodLength: number;
  /** From this length on, no better match is sought. */
  readonly maxLazy: number;
  readonly niceLength: number;
  readonly maxChain: number;
  /** Matches up to this length are entered into the chains whole. */
  readonly insertUpTo: number;
  /** A match of three bytes from further away is not taken; 0: it is. */
  readonly tooFar: number;
  readonly maxDistance: number;
}

export const WINDOW_BYTES = 32768;
const MAX_MATCH = 258;
/** zlib looks so far back and no further. */
const ZLIB_DISTANCE = WINDOW_BYTES - 262;
const MAX_CHAIN = 4096;

type Row = readonly [hash: number, lazy: number, good: number, nice: number, chain: number, insert: number];

/** In the order of their speed, the fastest first; `lazy` 0: the first match is taken. */
const GUESSES: readonly (readonly [...Row, tooFar: number, distance: number])[] = [
  [4, 0, 258, 258, 1, 258, 0, WINDOW_BYTES],
  [4, 0, 258, 258, 4, 258, 0, WINDOW_BYTES],
  [3, 0, 258, 32, 32, 6, 0, ZLIB_DISTANCE],
  [3, 4, 4, 16, 16, 258, 4096, ZLIB_DISTANCE],
  [4, 30, 258, 30, 16, 258, 0, WINDOW_BYTES],
  [4, 258, 258, 258, 300, 258, 0, WINDOW_BYTES],
  [3, 16, 8, 128, 128, 258, 4096, ZLIB_DISTANCE],
  [3, 258, 258, 258, 300, 258, 0, WINDOW_BYTES],
  [3, 258, 32, 258, 1024, 258, 4096, WINDOW_BYTES],
];

/** All ways to guess that an encoder tries, the fastest first. */
export const tokenParameters: readonly TokenParameters[] = GUESSES.map(
  ([hashBytes, lazy, goodLength, niceLength, maxChain, insertUpTo, tooFar, maxDistance]) => ({
    variant: "tokens",
    hashBytes,
    isLazy: lazy > 0,
    goodLength,
    maxLazy: lazy,
    niceLength,
    maxChain,
    insertUpTo,
    tooFar,
    maxDistance,
  }),
);

export function encodeTokenParameters(out: ByteWriter, parameters: TokenParameters): void {
  out
    .u8(parameters.hashBytes)
    .u8(parameters.isLazy ? 1 : 0)
    .varint(parameters.goodLength);
  out.varint(parameters.maxLazy).varint(parameters.niceLength).varint(parameters.maxChain);
  out.varint(parameters.insertUpTo).varint(parameters.tooFar).varint(parameters.maxDistance);
}

/** Errors: `invalid` for what no guess can be made with. */
export function decodeTokenParameters(reader: ByteReader): TokenParameters {
  const hashBytes = reader.u8("hashBytes");
  if (hashBytes !== 3 && hashBytes !== 4) throw reader.error("hashBytes", "neither 3 nor 4");
  const lazy = reader.u8("isLazy");
  if (lazy > 1) throw reader.error("isLazy", "neither 0 nor 1");
  return {
    variant: "tokens",
    hashBytes,
    isLazy: lazy === 1,
    goodLength: reader.varint("goodLength", MAX_MATCH),
    maxLazy: reader.varint("maxLazy", MAX_MATCH),
    niceLength: reader.varint("niceLength", MAX_MATCH),
    maxChain: reader.varint("maxChain", MAX_CHAIN),
    insertUpTo: reader.varint("insertUpTo", MAX_MATCH),
    tooFar: reader.varint("tooFar", WINDOW_BYTES),
    maxDistance: reader.varint("maxDistance", WINDOW_BYTES),
  };
}

/** Why a stream can't be kept as corrections; in the order of the kernel's numbers. */
const PROBLEMS = [
  "",
  "it ends within its stream",
  "its stream has a code that can't be",
  "its stream refers to what is before its beginning",
  "a block of its stream has more than 2^20 symbols or 16 MiB",
  "its stream spells a length of 258 in an unusual way",
];

/** Instances that are free again: a kernel has about 25 MiB. One is kept. */
const free: TokenKernel[] = [];

function configured(parameters: TokenParameters): TokenKernel {
  const kernel = free.pop() ?? tokenKernel();
  const { hashBytes, isLazy, goodLength, maxLazy, niceLength, maxChain, insertUpTo, tooFar, maxDistance } =
    parameters;
  kernel.configure(
    hashBytes,
    isLazy,
    goodLength,
    maxLazy,
    niceLength,
    maxChain,
    insertUpTo,
    tooFar,
    maxDistance,
  );
  return kernel;
}

function giveBack(kernel: TokenKernel): void {
  if (free.length === 0) free.push(kernel);
}

/** Compressed bytes in, corrections out. */
export class TokenAnalysis {
  readonly #kernel: TokenKernel;
  readonly #memory: Uint8Array;
  #taken = 0;
  #isDone = false;

  constructor(parameters: TokenParameters) {
    this.#kernel = configured(parameters);
    this.#kernel.startAnalysis();
    this.#memory = new Uint8Array(this.#kernel.memory.buffer);
  }

  /** The stream has ended, after `streamBytes` bytes. */
  get isDone(): boolean {
    return this.#isDone;
  }

  get streamBytes(): number {
    return this.#taken - (this.#isDone ? this.#kernel.unusedInput() : 0);
  }

  /**
   * Takes bytes as long as the stream goes on. Gives corrections, copied. `last`: no more bytes follow.
   * Errors: `invalid` for what is no stream, or none that can be made again so.
   */
  *push(bytes: Uint8Array, last: boolean): Generator<Uint8Array> {
    const kernel = this.#kernel;
    for (let at = 0; !this.#isDone; ) {
      const room = kernel.inputRoom();
      const part = bytes.subarray(at, at + room);
      this.#memory.set(part, kernel.inputAddress());
      at += part.length;
      this.#taken += part.length;
      let status = kernel.analyse(part.length, last && at === bytes.length);
      for (;;) {
        yield* this.#corrections();
        if (status !== TokenStatus.hasOutput) break;
        status = kernel.analyse(0, last && at === bytes.length);
      }
      if (status === TokenStatus.failed) {
        throw new TenonError("invalid", PROBLEMS[kernel.failure()] ?? "it can't be read", {
          format: "deflate",
        });
      }
      if (status === TokenStatus.done) this.#isDone = true;
      else if (at === bytes.length) return;
    }
  }

  *#corrections(): Generator<Uint8Array> {
    const length = this.#kernel.correctionsBytes();
    if (length === 0) return;
    const from = this.#kernel.correctionsAddress();
    yield this.#memory.slice(from, from + length);
    this.#kernel.takeCorrections();
  }

  /** Before the end of a stream: what the corrections of the block that is open would take. */
  breakOff(): number {
    return this.#kernel.breakOff();
  }

  release(): void {
    giveBack(this.#kernel);
  }
}

/** How many corrections are asked for at once. */
const CORRECTION_BYTES = 64 << 10;
const NOTHING = new Uint8Array(0);

/** Content and corrections in, compressed bytes out. */
export class TokenSynthesis {
  readonly #kernel: TokenKernel;
  readonly #memory: Uint8Array;
  /** Content that was added and has no room yet. */
  #waiting: Uint8Array = NOTHING;
  #isEnded = false;
  /** The output was given to the caller, who is done with it. */
  #isGiven = false;

  constructor(parameters: TokenParameters) {
    this.#kernel = configured(parameters);
    this.#kernel.startSynthesis();
    this.#memory = new Uint8Array(this.#kernel.memory.buffer);
  }

  /**
   * A piece of the stream, valid until the next call, or what is needed before there can be one, or that it is
   * complete, with all content used. Errors: `damaged` when content and corrections don't fit.
   */
  next(): Uint8Array | "content" | "corrections" | "done" {
    const kernel = this.#kernel;
    if (this.#isGiven) kernel.takeOutput();
    this.#isGiven = false;
    for (;;) {
      const status = kernel.synthesize();
      const made = kernel.outputBytes();
      if (status === TokenStatus.failed) throw damaged();
      if (made > 0 && (status === TokenStatus.hasOutput || status === TokenStatus.done)) {
        this.#isGiven = true;
        const from = kernel.outputAddress();
        return this.#memory.subarray(from, from + made);
      }
      if (status === TokenStatus.done) return "done";
      if (status === TokenStatus.needsCorrections) return "corrections";
      if (this.#waiting.length > 0) this.#fill();
      else if (this.#isEnded) throw damaged();
      else return "content";
    }
  }

  /** After `content` was asked for; the bytes must not change before it is asked for again. */
  add(content: Uint8Array): void {
    this.#waiting = content;
  }

  /** There is no more content. */
  end(): void {
    this.#isEnded = true;
    this.#kernel.addContent(0, true);
  }

  #fill(): void {
    const part = this.#waiting.subarray(0, this.#kernel.contentRoom());
    this.#memory.set(part, this.#kernel.contentAddress());
    this.#kernel.addContent(part.length, false);
    this.#waiting = this.#waiting.subarray(part.length);
  }

  /** How many corrections may be added. */
  get correctionRoom(): number {
    return Math.min(this.#kernel.correctionsRoom(), CORRECTION_BYTES);
  }

  /** After `corrections` were asked for: up to `correctionRoom` bytes, none when there are no more. */
  addCorrections(bytes: Uint8Array): void {
    this.#memory.set(bytes, this.#kernel.correctionsInput());
    this.#kernel.addCorrections(bytes.length, bytes.length === 0);
  }

  release(): void {
    giveBack(this.#kernel);
  }
}

function damaged(): TenonError {
  return new TenonError("damaged", "the corrections of a deflate stream don't fit its content");
}
