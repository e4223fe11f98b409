/**
 * Builds the package: kernels, `dist/` (JavaScript and declarations), `man/` and `completions/`. Everything is
 * made anew, and nothing of it is committed.
 *
 * The library is one module for each source, the command line is in a few.
 */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { buildProgram, copyKernels } from "./build-program.ts";
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

copyKernels(join(output, "kernels"));

const program = join(output, "cli");
rmSync(program, { recursive: true, force: true });
await buildProgram(program);

writeReference(root);
