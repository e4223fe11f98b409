/** Object files and archives made by the machine's own compilers. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LibraryFile } from "../objects.ts";

export type Target = "x86-64" | "aarch64";
export type Source = "c" | "cc" | "s";

const COMPILERS: Readonly<Record<Target, Readonly<Record<Source, string>>>> = {
  "x86-64": { c: "gcc", cc: "g++", s: "gcc" },
  aarch64: { c: "aarch64-linux-gnu-gcc", cc: "aarch64-linux-gnu-g++", s: "aarch64-linux-gnu-gcc" },
};

/** Why a target's objects can't be made here, or false. */
export function missing(target: Target, source: Source = "c"): string | false {
  const compiler = COMPILERS[target][source];
  if (process.arch === "arm64" && target === "x86-64") return "the machine's own compiler is for AArch64";
  return spawnSync(compiler, ["--version"]).status === 0 ? false : `${compiler} is not on this machine`;
}

export interface CompileOptions {
  readonly target?: Target;
  readonly source?: Source;
  /** Added to `-O2 -ffunction-sections -fdata-sections`. */
  readonly flags?: readonly string[];
  /** Name of the object file. */
  readonly name?: string;
}

/** A folder for the objects of one test file; `dispose` removes it. */
export class Workshop {
  readonly folder = mkdtempSync(join(tmpdir(), "tenon-library-"));
  #count = 0;

  /** Path of an object made of a source text. */
  compileFile(text: string, options: CompileOptions = {}): string {
    const { target = "x86-64", source = "c", flags = [], name = `unit${this.#count}.o` } = options;
    const own = join(this.folder, `${this.#count++}`);
    mkdirSync(own);
    const at = join(own, "source");
    writeFileSync(`${at}.${source}`, text);
    const path = join(own, name);
    const all = ["-O2", "-ffunction-sections", "-fdata-sections", ...flags];
    execFileSync(COMPILERS[target][source], [...all, "-c", "-o", path, `${at}.${source}`], { stdio: "pipe" });
    return path;
  }

  /** An object made of a source text; `util.o` unless it is named. */
  compile(text: string, options: CompileOptions = {}): LibraryFile {
    const name = options.name ?? "util.o";
    return { name, bytes: new Uint8Array(readFileSync(this.compileFile(text, { ...options, name }))) };
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
