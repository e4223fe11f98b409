/** The buffers of the kernels that follow an encoder: input is put into one, output taken from the other. */
import { outputEnd, setOutput } from "./trees";

/** What a kernel lets wait in the input buffer, and a step of input. */
export const input: usize = memory.data(1 << 18, 16);
/** More than any step of input can become. */
export const output: usize = memory.data(1 << 20, 16);

export function inputAddress(): usize {
  return input;
}

export function outputAddress(): usize {
  return output;
}

/** Bytes of output since the last `takeOutput`. */
export function outputBytes(): u32 {
  return <u32>(outputEnd() - output);
}

export function takeOutput(): void {
  setOutput(output);
}
