/** Compiling versions into objects and archives, and linking them as they are. Objects are kept until flags change. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Compilation, Library } from "./corpora.ts";
import type { FetchedRelease } from "./fetch.ts";

/**
 * Sections for each function and variable are what a layout places; 32-bit absolute addresses are what a program at a
 * fixed address has. The rest is Debian's default.
 */
const FLAGS = ["-O2", "-ffunction-sections", "-fdata-sections", "-fno-pic", "-mcmodel=small", "-w"];
/** Line numbers in code differ from version to version where nothing else does. GNU C lets the macro be defined anew. */
const WITHOUT_LINES = ["-Wno-builtin-macro-redefined", "-D__LINE__=0"];
/** The tables hold distances between them and the code, and nothing in C needs them. */
const WITHOUT_UNWIND = ["-fno-asynchronous-unwind-tables"];

const WORKLOADS = join(import.meta.dirname, "workloads");

export interface BuiltRelease {
  readonly version: string;
  readonly release: FetchedRelease;
  readonly archive: string;
  /** The compiled workload. */
  readonly workload: string;
}

/** Compilers as make knows them. */
export const compilerOf = ({ language }: Library): string =>
  language === "c" ? (process.env.CC ?? "gcc") : (process.env.CXX ?? "g++");

export function command(program: string, args: readonly string[]): string {
  return execFileSync(program, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 1 << 28,
  });
}

/** Compiles what isn't there yet. The folder's name tells flags and compiler apart. */
export function buildRelease(
  library: Library,
  release: FetchedRelease,
  compilation: Compilation,
  progress: (what: string) => void,
): BuiltRelease {
  const compiler = compilerOf(library);
  const flags = [
    ...FLAGS,
    ...(compilation === "lines" ? [] : WITHOUT_LINES),
    ...(compilation === "unwind" || library.language !== "c" ? [] : WITHOUT_UNWIND),
    ...library.flags,
    ...(library.versionFlags?.(release.version) ?? []),
    ...library.includes.map((folder) => `-I${join(release.tree, folder)}`),
    // Where the corpora lie must not reach the code.
    `-ffile-prefix-map=${release.tree}=.`,
  ];
  const identity = JSON.stringify([command(compiler, ["-dumpfullversion"]), flags]);
  const key = createHash("sha256").update(identity).digest("hex").slice(0, 12);
  const folder = join(release.place, `objects-${compilation}-${key}`);
  mkdirSync(folder, { recursive: true });
  const compile = (source: string, object: string) => {
    if (existsSync(object)) return;
    progress(`${library.name} ${release.version}: ${source}`);
    command(compiler, [...flags, "-c", source, "-o", `${object}.draft`]);
    renameSync(`${object}.draft`, object);
  };
  const objects = release.sources.map((source) => {
    const object = join(folder, `${source.replaceAll("/", "-").replace(/\.\w+$/, "")}.o`);
    compile(join(release.tree, source), object);
    return object;
  });
  const archive = join(folder, `lib${library.name}.a`);
  rmSync(archive, { force: true });
  command("ar", ["rcsD", archive, ...objects]);
  const workload = join(folder, "workload.o");
  // The workload may have changed since.
  rmSync(workload, { force: true });
  compile(join(WORKLOADS, library.workload), workload);
  return { version: release.version, release, archive, workload };
}

/** Links without any layout, as a build does it: the libc is linked in, the addresses are fixed. */
export function linkPlain(library: Library, { archive, workload }: BuiltRelease, output: string): void {
  command(compilerOf(library), [
    ...["-static", "-no-pie", "-o", output, workload, archive],
    ...library.linkFlags,
  ]);
}
