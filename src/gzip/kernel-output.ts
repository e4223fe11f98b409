/** Taking what a kernel that compresses has made. */
import type { CompressingKernel } from "../kernels/index.ts";

/** The output so far, if any: a view of the kernel's memory, valid until the next is asked for. */
export function* takeOutput(kernel: CompressingKernel, memory: Uint8Array): Generator<Uint8Array> {
  const bytes = kernel.outputBytes();
  if (bytes === 0) return;
  const from = kernel.outputAddress();
  yield memory.subarray(from, from + bytes);
  kernel.takeOutput();
}
