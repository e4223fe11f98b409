/**
 * Compiles every kernel, `src/kernels/assembly/<name>.ts`, to `src/kernels/<name>.wasm`.
 *
 * A stamp (hash of all sources, this script and the compiler's version) is kept beside the outputs in
 * `kernels.stamp.tmp`; when it fits and every output is there, nothing is compiled and the compiler is not
 * even loaded. Outputs are written under another name and renamed: a reader never sees half a module.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const root = join(import.meta.dirname, "..");
const sourceFolder = join(root, "src", "kernels", "assembly");
const outputFolder = join(root, "src", "kernels");
const stampPath = join(outputFolder, "kernels.stamp.tmp");

// Kernels allocate nothing: no garbage collector, no allocator, and an abort is a trap.
const options = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--use", "abort="];

interface Compiler {
  main(
    argv: string[],
    host: {
      readFile(name: string, baseDir: string): string | null;
      writeFile(name: string, contents: Uint8Array | string, baseDir: string): void;
      listFiles(folder: string, baseDir: string): string[];
    },
  ): Promise<{ error: Error | null; stderr: { toString(): string } }>;
}

/** Version of the installed compiler, or undefined when it is not installed. */
function compilerVersion(): string | undefined {
  const path = join(root, "node_modules", "assemblyscript", "package.json");
  if (!existsSync(path)) return undefined;
  return (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version;
}

function sourceStamp(version: string): string {
  const hash = createHash("sha256")
    .update(version)
    .update(readFileSync(import.meta.filename));
  const files = readdirSync(sourceFolder, { recursive: true, encoding: "utf8" }).sort();
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    hash.update(`${file}\0`).update(readFileSync(join(sourceFolder, file)));
  }
  return hash.digest("hex");
}

async function compile(names: readonly string[]): Promise<void> {
  // The compiler brings no declaration that fits its own module path.
  const path: string = "assemblyscript/asc";
  const compiler = (await import(path)) as Compiler;
  for (const name of names) {
    const output = join(outputFolder, `${name}.wasm`);
    const draft = `${output}.${process.pid}.tmp`;
    const { error, stderr } = await compiler.main([`${name}.ts`, "--outFile", `${name}.wasm`, ...options], {
      readFile(file, baseDir) {
        const at = join(sourceFolder, baseDir, file);
        return existsSync(at) ? readFileSync(at, "utf8") : null;
      },
      writeFile(_file, contents) {
        writeFileSync(draft, contents);
      },
      listFiles: () => [],
    });
    if (error) throw new Error(`${name}: ${error.message}\n${stderr.toString()}`);
    renameSync(draft, output);
  }
}

const names = readdirSync(sourceFolder)
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))
  .map((file) => basename(file, ".ts"))
  .sort();
const version = compilerVersion();
const complete = names.every((name) => existsSync(join(outputFolder, `${name}.wasm`)));
if (version === undefined) {
  // An installation without development tools may use kernels that were built before.
  console.error(
    `kernels: the compiler is not installed; ${complete ? "using what is there" : "run npm install"}`,
  );
  process.exitCode = complete ? 0 : 1;
} else {
  const stamp = sourceStamp(version);
  if (!complete || !existsSync(stampPath) || readFileSync(stampPath, "utf8") !== stamp) {
    await compile(names);
    for (const file of readdirSync(outputFolder)) {
      if (file.endsWith(".wasm") && !names.includes(basename(file, ".wasm")))
        rmSync(join(outputFolder, file));
    }
    writeFileSync(stampPath, stamp);
    console.log(`kernels: compiled ${names.join(", ")}`);
  }
}
