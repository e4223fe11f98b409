/**
 * The deflate encoders of the zlib family: stock zlib, GNU gzip, pigz, Chromium's (docs/formats/gzip.md).
 *
 * Source of the parameters: the configuration table of zlib's deflate, which all of them share.
 */
import { TenonError } from "../errors/index.ts";
import { type ZlibKernel, zlibKernel } from "../kernels/index.ts";
import { takeOutput } from "./kernel-output.ts";
import type { DeflateEncoder } from "./types.ts";

/** good, lazy, nice, chain: when to search less, and when to stop, in bytes of match length and steps. */
const LEVELS: readonly (readonly [number, number, number, number])[] = [
  [0, 0, 0, 0],
  [4, 4, 8, 4],
  [4, 5, 16, 8],
  [4, 6, 32, 32],
  [4, 4, 16, 16],
  [8, 16, 32, 32],
  [8, 16, 128, 128],
  [8, 32, 128, 256],
  [32, 128, 258, 1024],
  [32, 258, 258, 4096],
];
/** From this level on matching is lazy; GNU gzip guesses ends of blocks above level 2. */
const FIRST_LAZY_LEVEL = 4;
const FIRST_GUESSING_LEVEL = 3;

const INPUT_BYTES = 256 << 10;
/** The window may take this much at once and leave nothing: the kernel asks for no more. */
const STEP_BYTES = 96 << 10;
const DICTIONARY_BYTES = 32 << 10;

export interface ZlibParameters {
  readonly variant: "zlib" | "gnu" | "pigz" | "chromium";
  /** 1 to 9. */
  readonly level: number;
  /** 1 to 9; zlib's default is 8, and what GNU gzip does is 9. */
  readonly memLevel: number;
  /** pigz: input bytes of a block, 128 KiB by default. */
  readonly blockBytes: number;
}

export function checkZlibParameters({ level, memLevel, blockBytes }: ZlibParameters): void {
  const isInteger = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  if (
    !isInteger(level, 1, 9) ||
    !isInteger(memLevel, 1, 9) ||
    !isInteger(blockBytes, DICTIONARY_BYTES, 1 << 27)
  ) {
    throw new TenonError(
      "unsupported",
      `no zlib encoder has level ${level}, memLevel ${memLevel}, blocks of ${blockBytes}`,
    );
  }
}

/** Instances that are free again: a kernel has about 3 MiB. */
const free: ZlibKernel[] = [];

class ZlibEncoder implements DeflateEncoder {
  readonly #kernel: ZlibKernel;
  readonly #memory: Uint8Array;
  readonly #parameters: ZlibParameters;
  /** Bytes that wait in the kernel's input buffer. */
  #waiting = 0;
  /** pigz: input of this block so far, and the end of the block before, which is its dictionary. */
  #block = 0;
  readonly #tail = new Uint8Array(DICTIONARY_BYTES);
  #tailBytes = 0;

  constructor(parameters: ZlibParameters) {
    checkZlibParameters(parameters);
    const kernel = free.pop() ?? zlibKernel();
    this.#kernel = kernel;
    this.#memory = new Uint8Array(kernel.memory.buffer);
    this.#parameters = parameters;
    const { variant, level, memLevel } = parameters;
    const [good, lazy, nice, chain] = LEVELS[level]!;
    const isGnu = variant === "gnu";
    kernel.configure(
      good,
      lazy,
      nice,
      chain,
      level >= FIRST_LAZY_LEVEL,
      memLevel + 6,
      isGnu ? 15 : memLevel + 7,
      isGnu,
      isGnu && level >= FIRST_GUESSING_LEVEL,
      variant === "chromium",
    );
  }

  *push(bytes: Uint8Array): Generator<Uint8Array> {
    if (this.#parameters.variant !== "pigz") {
      yield* this.#feed(bytes);
      return;
    }
    for (let at = 0; at < bytes.length; ) {
      // A full block ends when it is known that another follows.
      if (this.#block === this.#parameters.blockBytes) yield* this.#nextBlock();
      const part = bytes.subarray(at, at + this.#parameters.blockBytes - this.#block);
      this.#remember(part);
      yield* this.#feed(part);
      this.#block += part.length;
      at += part.length;
    }
  }

  *#feed(bytes: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + Math.min(STEP_BYTES, INPUT_BYTES - this.#waiting));
      this.#memory.set(part, this.#kernel.inputAddress() + this.#waiting);
      this.#waiting = this.#kernel.feed(part.length, 0);
      at += part.length;
      yield* takeOutput(this.#kernel, this.#memory);
    }
  }

  #remember(bytes: Uint8Array): void {
    const tail = this.#tail;
    if (bytes.length >= tail.length) {
      tail.set(bytes.subarray(bytes.length - tail.length));
      this.#tailBytes = tail.length;
      return;
    }
    const kept = Math.min(this.#tailBytes, tail.length - bytes.length);
    tail.copyWithin(0, this.#tailBytes - kept, this.#tailBytes);
    tail.set(bytes, kept);
    this.#tailBytes = kept + bytes.length;
  }

  *#nextBlock(): Generator<Uint8Array> {
    this.#kernel.feed(0, 2);
    this.#kernel.pad();
    yield* takeOutput(this.#kernel, this.#memory);
    this.#memory.set(this.#tail.subarray(0, this.#tailBytes), this.#kernel.inputAddress());
    this.#kernel.restart(this.#tailBytes);
    this.#waiting = 0;
    this.#block = 0;
  }

  *finish(): Generator<Uint8Array> {
    this.#kernel.feed(0, 1);
    yield* takeOutput(this.#kernel, this.#memory);
  }

  release(): void {
    free.push(this.#kernel);
  }
}

export function zlibEncoder(parameters: ZlibParameters): DeflateEncoder {
  return new ZlibEncoder(parameters);
}
