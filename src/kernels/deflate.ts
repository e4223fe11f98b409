/** What the kernels that compress exactly as another program does export. */
import { instantiateKernel, type KernelMemory } from "./load.ts";

/** deflate-zlib. The input buffer holds 256 KiB, the output buffer 1 MiB: it is taken after every `feed`. */
export interface ZlibKernel {
  readonly memory: KernelMemory;
  inputAddress(): number;
  outputAddress(): number;
  outputBytes(): number;
  takeOutput(): void;
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

/** deflate-go. The input buffer holds 128 KiB, the output buffer 1 MiB: it is taken after every `feed`. */
export interface GoKernel {
  readonly memory: KernelMemory;
  inputAddress(): number;
  outputAddress(): number;
  outputBytes(): number;
  takeOutput(): void;
  /** `skipAbove` 0: matching is lazy. */
  configure(level: number, maxLazy: number, niceLength: number, maxChain: number, skipAbove: number): void;
  /** All of the input is used. */
  feed(bytes: number, last: boolean): void;
}

export function goKernel(): GoKernel {
  return instantiateKernel<GoKernel>("deflate-go");
}

/** deflate-klauspost. The input buffer holds 128 KiB, the output buffer 1 MiB: it is taken after every call. */
export interface KlauspostKernel {
  readonly memory: KernelMemory;
  inputAddress(): number;
  outputAddress(): number;
  outputBytes(): number;
  takeOutput(): void;
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
