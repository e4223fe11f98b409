/** What the kernels that compress exactly as another program does export. */
import { instantiateKernel, type KernelMemory } from "./load.ts";

/** The buffers of a kernel that compresses. */
export interface CompressingKernel {
  readonly memory: KernelMemory;
  inputAddress(): number;
  outputAddress(): number;
  outputBytes(): number;
  takeOutput(): void;
}

/** deflate-zlib. The input buffer holds 256 KiB, the output buffer 1 MiB: it is taken after every `feed`. */
export interface ZlibKernel extends CompressingKernel {
  configure(
    goodLength: number,
    maxLazy: number,
    niceLength: number,
    maxChain: number,
    lazyMatching: boolean,
    symbolBits: number,
    hashBits: number,
    gnu: boolean,
    guessing: boolean,
    chromium: boolean,
  ): void;
  /** Begins anew; the first bytes of the input buffer stand before the stream. */
  restart(dictionaryBytes: number): void;
  /** Mode 0: more follows; 1: the end; 2: the end of a block. Returns how many bytes stay in the input buffer. */
  feed(bytes: number, mode: number): number;
  pad(): void;
}

export function zlibKernel(): ZlibKernel {
  return instantiateKernel<ZlibKernel>("deflate-zlib");
}

/** deflate-go. The input buffer holds 256 KiB, the output buffer 1 MiB: it is taken after every `feed`. */
export interface GoKernel extends CompressingKernel {
  /** `skipAbove` 0: matching is lazy. */
  configure(level: number, maxLazy: number, niceLength: number, maxChain: number, skipAbove: number): void;
  /** All of the input is used. */
  feed(bytes: number, last: boolean): void;
}

export function goKernel(): GoKernel {
  return instantiateKernel<GoKernel>("deflate-go");
}

/** deflate-klauspost. The input buffer holds 256 KiB, the output buffer 1 MiB: it is taken after every call. */
export interface KlauspostKernel extends CompressingKernel {
  configure(): void;
  /** Begins anew; the first bytes of the input buffer stand before the stream. */
  restart(dictionaryBytes: number): void;
  feed(bytes: number): void;
  /** Writes what there is, and ends on a byte boundary. */
  flush(): void;
  finish(): void;
}

export function klauspostKernel(): KlauspostKernel {
  return instantiateKernel<KlauspostKernel>("deflate-klauspost");
}

/** What a call of the token kernel came to. */
export const TokenStatus = { needsInput: 0, hasOutput: 1, done: 2, failed: 3, needsCorrections: 4 } as const;

/**
 * deflate-tokens. Analysis: compressed bytes are put at `inputAddress`, corrections taken. Synthesis: content is put at
 * `contentAddress`, corrections at `correctionsInput` (after `correctionsRoom`), output taken.
 */
export interface TokenKernel {
  readonly memory: KernelMemory;
  configure(
    hashBytes: number,
    isLazy: boolean,
    goodLength: number,
    maxLazy: number,
    niceLength: number,
    maxChain: number,
    insertUpTo: number,
    tooFar: number,
    maxDistance: number,
  ): void;
  startAnalysis(): void;
  inputAddress(): number;
  inputRoom(): number;
  /** A `TokenStatus`. */
  analyse(bytes: number, last: boolean): number;
  breakOff(): number;
  correctionsAddress(): number;
  correctionsBytes(): number;
  takeCorrections(): void;
  unusedInput(): number;
  /** Why the status is `failed`. */
  failure(): number;
  startSynthesis(): void;
  contentAddress(): number;
  contentRoom(): number;
  addContent(bytes: number, last: boolean): void;
  correctionsRoom(): number;
  correctionsInput(): number;
  addCorrections(bytes: number, last: boolean): void;
  /** A `TokenStatus`. */
  synthesize(): number;
  outputAddress(): number;
  outputBytes(): number;
  takeOutput(): void;
}

export function tokenKernel(): TokenKernel {
  return instantiateKernel<TokenKernel>("deflate-tokens");
}
