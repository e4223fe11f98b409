/** Skeletons alone, for comparing code: see code-instructions.ts. */
import { x86_64TableBytes } from "../isa/index.ts";
import { instantiateKernel, type KernelMemory } from "../kernels/index.ts";
import { Instructions } from "./code-instructions.ts";
import { splitCodeTwin } from "./code-split-twin.ts";

/** What assembly/code-skeleton.ts exports and this module calls. */
interface Kernel {
  readonly memory: KernelMemory;
  readonly MAX_PIECE_BYTES: { readonly value: number };
  tables(): number;
  code(): number;
  skeleton(): number;
  split(length: number): number;
}

/** The kernel and views of its memory, which never grows. */
interface Engine {
  readonly kernel: Kernel;
  readonly code: Uint8Array;
  readonly skeleton: Uint8Array;
}

let loaded: Engine | undefined;

function load(): Engine {
  const kernel = instantiateKernel<Kernel>("code-skeleton");
  const { buffer } = kernel.memory;
  const mostBytes = kernel.MAX_PIECE_BYTES.value;
  new Uint8Array(buffer, kernel.tables(), x86_64TableBytes.length).set(x86_64TableBytes);
  return {
    kernel,
    code: new Uint8Array(buffer, kernel.code(), mostBytes),
    skeleton: new Uint8Array(buffer, kernel.skeleton(), mostBytes),
  };
}

/** The skeleton of x86-64 code, with the bytes at its end that are no whole instruction. */
export function skeletonOf(code: Uint8Array): Uint8Array {
  loaded ??= load();
  const found = loaded;
  if (code.length > found.code.length) {
    const instructions = new Instructions();
    splitCodeTwin(code, instructions);
    return instructions.skeleton.slice(0, instructions.skeletonBytes);
  }
  found.code.set(code);
  return found.skeleton.slice(0, found.kernel.split(code.length));
}
