/** The encoder of Go's compress/flate, as of Go 1.7 to 1.26: buildkit, containerd, go-containerregistry. */
import { TenonError } from "../errors/index.ts";
import { type GoKernel, goKernel } from "../kernels/index.ts";
import { takeOutput } from "./kernel-output.ts";
import type { DeflateEncoder } from "./types.ts";

/** lazy, nice, chain, and up to which length greedy matches are entered; source: the levels of compress/flate. */
const LEVELS: ReadonlyMap<number, readonly [number, number, number, number]> = new Map([
  [-2, [0, 0, 0, 0]],
  [1, [0, 0, 0, 0]],
  [2, [0, 16, 8, 5]],
  [3, [0, 32, 32, 6]],
  [4, [4, 16, 16, 0]],
  [5, [16, 32, 32, 0]],
  [6, [16, 128, 128, 0]],
  [7, [32, 128, 256, 0]],
  [8, [128, 258, 1024, 0]],
  [9, [258, 258, 4096, 0]],
]);

const INPUT_BYTES = 64 << 10;

export interface GoParameters {
  readonly variant: "go";
  /** 1 to 9; 6 is the default; -2 codes without matching. */
  readonly level: number;
}

/** Instances that are free again: a kernel has about 3 MiB. */
const free: GoKernel[] = [];

/** Errors: `unsupported` for a level that there isn't. */
export function goEncoder({ level }: GoParameters): DeflateEncoder {
  const parameters = LEVELS.get(level);
  if (parameters === undefined) throw new TenonError("unsupported", `Go's flate has no level ${level}`);
  const kernel = free.pop() ?? goKernel();
  kernel.configure(level, ...parameters);
  const memory = new Uint8Array(kernel.memory.buffer);
  return {
    *push(bytes) {
      for (let at = 0; at < bytes.length; at += INPUT_BYTES) {
        const part = bytes.subarray(at, at + INPUT_BYTES);
        memory.set(part, kernel.inputAddress());
        kernel.feed(part.length, false);
        yield* takeOutput(kernel, memory);
      }
    },
    *finish() {
      kernel.feed(0, true);
      yield* takeOutput(kernel, memory);
    },
    release() {
      free.push(kernel);
    },
  };
}
