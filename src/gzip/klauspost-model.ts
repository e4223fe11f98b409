/** The encoder of klauspost/compress at its default level, alone or in the blocks of pgzip: skopeo, buildah, umoci. */
import { TenonError } from "../errors/index.ts";
import { type KlauspostKernel, klauspostKernel } from "../kernels/index.ts";
import { takeOutput } from "./kernel-output.ts";
import type { DeflateEncoder } from "./types.ts";

const LEVEL = 5;
const INPUT_BYTES = 64 << 10;
/** pgzip: the end of a block is the dictionary of the next, if the block is longer than that. */
const TAIL_BYTES = 16 << 10;
const MAX_BLOCK_BYTES = 1 << 27;

export interface KlauspostParameters {
  readonly variant: "klauspost";
  /** 5, the default. */
  readonly level: number;
  /** Input of a block of pgzip: 1 MiB for skopeo and buildah, 256 KiB for umoci; 0: one stream without blocks. */
  readonly blockBytes: number;
}

/** Instances that are free again: a kernel has about 3 MiB. */
const free: KlauspostKernel[] = [];

/** Errors: `unsupported` for parameters that there aren't. */
export function klauspostEncoder({ level, blockBytes }: KlauspostParameters): DeflateEncoder {
  const isKnown =
    level === LEVEL && (blockBytes === 0 || (blockBytes > TAIL_BYTES && blockBytes <= MAX_BLOCK_BYTES));
  if (!isKnown) {
    throw new TenonError(
      "unsupported",
      `no klauspost encoder has level ${level} and blocks of ${blockBytes}`,
    );
  }
  const kernel = free.pop() ?? klauspostKernel();
  kernel.configure();
  const memory = new Uint8Array(kernel.memory.buffer);
  const tail = new Uint8Array(TAIL_BYTES);
  let tailBytes = 0;
  let block = 0;
  function remember(bytes: Uint8Array): void {
    const kept = Math.min(tailBytes, Math.max(0, TAIL_BYTES - bytes.length));
    tail.copyWithin(0, tailBytes - kept, tailBytes);
    const newest = bytes.subarray(Math.max(0, bytes.length - TAIL_BYTES));
    tail.set(newest, kept);
    tailBytes = kept + newest.length;
  }
  return {
    *push(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const room = blockBytes === 0 ? INPUT_BYTES : Math.min(INPUT_BYTES, blockBytes - block);
        const part = bytes.subarray(at, at + room);
        at += part.length;
        block += part.length;
        memory.set(part, kernel.inputAddress());
        kernel.feed(part.length);
        yield* takeOutput(kernel, memory);
        if (blockBytes === 0) continue;
        remember(part);
        if (block < blockBytes) continue;
        kernel.flush();
        yield* takeOutput(kernel, memory);
        memory.set(tail, kernel.inputAddress());
        kernel.restart(tailBytes);
        block = 0;
      }
    },
    *finish() {
      if (blockBytes > 0) kernel.flush();
      kernel.finish();
      yield* takeOutput(kernel, memory);
    },
    release() {
      free.push(kernel);
    },
  };
}
