/** Finding, compiling and instantiating the WebAssembly modules that `npm run build:kernels` makes. */
import { readFileSync } from "node:fs";
import { getRawAsset, isSea } from "node:sea";
import { TenonError } from "../errors/index.ts";

/** What the project uses of the engine's WebAssembly (whose types come with the DOM, which is not wanted here). */
interface WebAssemblyEngine {
  readonly Module: new (bytes: Uint8Array | ArrayBuffer) => KernelModule;
  readonly Instance: new (module: KernelModule, imports?: KernelImports) => { readonly exports: unknown };
}

/** A compiled kernel: a `WebAssembly.Module`. */
export type KernelModule = object & { readonly kernelModule?: never };

export type KernelImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The exported memory of a kernel. `buffer` is another object after `grow`. */
export interface KernelMemory {
  readonly buffer: ArrayBuffer;
  /** Adds pages of 64 KiB; returns the number of pages before. */
  grow(pages: number): number;
}

const engine = (globalThis as unknown as { WebAssembly: WebAssemblyEngine }).WebAssembly;
const modules = new Map<string, KernelModule>();

/** Name of a kernel's file beside this module, and of its asset in a single-executable application. */
export function kernelFile(name: string): string {
  return `${name}.wasm`;
}

function kernelBytes(name: string): Uint8Array | ArrayBuffer {
  const file = kernelFile(name);
  try {
    return isSea() ? getRawAsset(file) : readFileSync(new URL(file, import.meta.url));
  } catch (cause) {
    throw new TenonError(
      "io",
      `the kernel ${file} is missing: run \`npm run build:kernels\``,
      { path: file },
      { cause },
    );
  }
}

/**
 * The compiled module of `src/kernels/assembly/<name>.ts`, compiled once per process.
 * Errors: `io` when the file is missing or is no module.
 */
export function loadKernel(name: string): KernelModule {
  let module = modules.get(name);
  if (module === undefined) {
    const bytes = kernelBytes(name);
    try {
      module = new engine.Module(bytes);
    } catch (cause) {
      const file = kernelFile(name);
      throw new TenonError(
        "io",
        `the kernel ${file} does not compile: run \`npm run build:kernels\``,
        { path: file },
        { cause },
      );
    }
    modules.set(name, module);
  }
  return module;
}

/** A new instance of a kernel, with its own memory. `Exports` is what its source exports. */
export function instantiateKernel<Exports>(name: string, imports: KernelImports = {}): Exports {
  return new engine.Instance(loadKernel(name), imports).exports as Exports;
}

/** Makes a kernel's memory at least `bytes` long. Views that were made before become empty. */
export function growMemory(memory: KernelMemory, bytes: number): void {
  const PAGE_BYTES = 65536;
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
}
