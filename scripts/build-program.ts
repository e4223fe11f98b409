/**
 * Bundles the command line: `tenon ls` would load 400 modules, which takes three times as long as all else that it
 * does.
 */
import { cpSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";

const root = join(import.meta.dirname, "..");

const OPTIONS = {
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  logLevel: "warning",
} as const satisfies BuildOptions;

/** Kernels lie beside the module that loads them. */
export function copyKernels(folder: string): void {
  const kernels = join(root, "src", "kernels");
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(kernels).filter((name) => name.endsWith(".wasm"))) {
    cpSync(join(kernels, name), join(folder, name));
  }
}

/** Writes the command line, `main.js`, and all that it needs but package.json into `folder`. */
export async function buildProgram(folder: string): Promise<void> {
  const chunks = join(folder, "chunks");
  await build({
    ...OPTIONS,
    entryPoints: [join(root, "src", "cli", "main.ts")],
    outdir: folder,
    // As deep as the sources: version.ts finds package.json from where it is.
    chunkNames: "chunks/[name]-[hash]",
    splitting: true,
  });
  copyKernels(chunks);
  // The program of worker threads lies beside the module that starts them.
  await build({ ...OPTIONS, entryPoints: [join(root, "src", "workers", "entry.ts")], outdir: chunks });
}
