/**
 * Builds the package: kernels, `dist/` (JavaScript and declarations), `man/` and `completions/`. Everything is
 * made anew, and nothing of it is committed.
 *
 * The library is one module for each source. The command line is in a few: `tenon ls` would load 400 modules, which
 * takes three times as long as all else that it does.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { writeReference } from "./generate-docs.ts";

const root = join(import.meta.dirname, "..");
const output = join(root, "dist");

/** Runs a script of Node; its failure, which it told, ends the build. */
function run(script: string, args: readonly string[] = []): void {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

run(join("scripts", "build-kernels.ts"));
rmSync(output, { recursive: true, force: true });
run(join("node_modules", "typescript", "bin", "tsc"), ["-p", "tsconfig.build.json"]);

/** Kernels lie beside the module that loads them. */
function copyKernels(folder: string): void {
  const kernels = join(root, "src", "kernels");
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(kernels).filter((name) => name.endsWith(".wasm"))) {
    cpSync(join(kernels, name), join(folder, name));
  }
}

copyKernels(join(output, "kernels"));

const program = join(output, "cli");
rmSync(program, { recursive: true, force: true });
await build({
  entryPoints: [join(root, "src", "cli", "main.ts")],
  outdir: program,
  // As deep as the sources: version.ts finds package.json from where it is.
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node24",
  logLevel: "warning",
});
copyKernels(join(program, "chunks"));

// The program of worker threads lies beside the module that starts them: a chunk.
await build({
  entryPoints: [join(root, "src", "workers", "entry.ts")],
  outdir: join(program, "chunks"),
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  logLevel: "warning",
});

writeReference(root);
