/** Flavours built by this machine's compilers, which say at run time what they were compiled for. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CompactOptions, type FlavourInput, packCompact, packFat } from "../index.ts";

/** Prints what it was compiled for and how it was started, one fact a line; the first argument is its status. */
const SOURCE = `
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>
extern char **environ;
extern char _start[];
static __thread int thread_local = 7;
static int zeros[70000];
static int numbers[3000] = {1, 2, 3};
static int *pointer = &numbers[2];
/* What the compiler was told to use. */
static const char *compiled[] = {
#ifdef __SSE3__
  "sse3",
#endif
#ifdef __SSE4_2__
  "sse4.2",
#endif
#ifdef __AES__
  "aes",
#endif
#ifdef __AVX2__
  "avx2",
#endif
#ifdef __AVX512F__
  "avx512f",
#endif
#ifdef __ARM_FEATURE_CRC32
  "crc",
#endif
#ifdef __ARM_FEATURE_ATOMICS
  "lse",
#endif
#ifdef __ARM_FEATURE_DOTPROD
  "dotprod",
#endif
#ifdef __ARM_FEATURE_SVE
  "sve",
#endif
#ifdef __ARM_FEATURE_SVE2
  "sve2",
#endif
  0};
int main(int count, char **values) {
  printf("flavour=%s\\n", FLAVOUR);
  printf("compiled=");
  for (int i = 0; compiled[i]; i++) printf(" %s", compiled[i]);
  printf("\\n");
#ifdef __x86_64__
  __builtin_cpu_init();
  printf("avx512=%d\\n", __builtin_cpu_supports("avx512vl") != 0);
#endif
  printf("argc=%d\\n", count);
  for (int i = 0; i < count; i++) printf("argv%d=%s\\n", i, values[i]);
  for (char **e = environ; *e; e++) if (strncmp(*e, "TENON", 5) == 0) printf("env %s\\n", *e);
  int sum = thread_local + *pointer;
  for (int i = 0; i < 70000; i++) sum += zeros[i];
  zeros[69999] = numbers[2999] = thread_local = 1;
  printf("sum=%d\\n", sum);
  char *heap = malloc(300000);
  memset(heap, 'x', 300000);
  printf("heap=%c\\n", heap[299999]);
  sigset_t mask;
  sigprocmask(SIG_BLOCK, 0, &mask);
  int blocked = 0;
  for (int i = 1; i < 64; i++) blocked += sigismember(&mask, i) == 1;
  printf("blocked=%d\\n", blocked);
  printf("entry=%d\\n", getauxval(AT_ENTRY) == (unsigned long)_start);
  printf("phent=%lu secure=%lu\\n", getauxval(AT_PHENT), getauxval(AT_SECURE));
  printf("execfn=%s\\n", (char *)getauxval(AT_EXECFN));
  printf("pid=%d\\n", getpid());
  char exe[4096];
  long length = readlink("/proc/self/exe", exe, sizeof exe - 1);
  exe[length < 0 ? 0 : length] = 0;
  printf("exe=%s\\n", exe);
  fflush(stdout);
  if (count > 2 && strcmp(values[2], "cat") == 0) { char b[100]; long n = read(0, b, 100); if (write(1, b, n) != n) return 1; }
  if (count > 2 && strcmp(values[2], "again") == 0) { execl("/proc/self/exe", "second", "0", (char *)0); return 1; }
  if (count > 2 && strcmp(values[2], "kill") == 0) raise(SIGTERM);
  return count > 1 ? atoi(values[1]) : 0;
}
`;

/** Why nothing can be built with a compiler here, or false. */
export function lacks(...tools: readonly string[]): string | false {
  const missing = tools.filter((tool) => spawnSync(tool, ["--version"]).error !== undefined);
  return missing.length > 0 && `${missing.join(" and ")} is not installed`;
}

/** A folder for programs that is removed at the end. */
export class Workshop implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "tenon-fat-"));
  #built = 0;
  #filter: string | undefined;

  constructor() {
    writeFileSync(join(this.folder, "program.c"), SOURCE);
  }

  /** Compiles the program above, which then says `flavour=NAME`. */
  compile(name: string, flags: readonly string[], compiler = "gcc"): Uint8Array {
    const path = join(this.folder, `built${this.#built++}`);
    const define = `-DFLAVOUR="${name}"`;
    execFileSync(compiler, ["-O1", define, ...flags, "-o", path, join(this.folder, "program.c")]);
    return new Uint8Array(readFileSync(path));
  }

  /** Writes a file that can be executed and returns its path. */
  write(name: string, bytes: Uint8Array | Iterable<Uint8Array>): string {
    const path = join(this.folder, name);
    rmSync(path, { force: true });
    const whole = bytes instanceof Uint8Array ? bytes : Buffer.concat([...bytes]);
    writeFileSync(path, whole, { mode: 0o755 });
    return path;
  }

  /** Packs flavours by what they need. */
  pack(name: string, flavours: Readonly<Record<string, Uint8Array>>): string {
    return this.write(name, packFat(inputsOf(flavours)).pieces());
  }

  /** Packs flavours into a compact file. */
  packCompact(
    name: string,
    flavours: Readonly<Record<string, Uint8Array>>,
    options: CompactOptions = {},
  ): string {
    return this.write(name, run(packCompact(inputsOf(flavours), options)).pieces());
  }

  /** Compiles another program, which stands beside this file, and returns its path. */
  build(name: string, flags: readonly string[] = []): string {
    const path = join(this.folder, name);
    execFileSync("gcc", ["-O1", "-static", ...flags, join(import.meta.dirname, `${name}.c`), "-o", path]);
    return path;
  }

  /** Starts a program with a seccomp filter: each call ends with its error. */
  filtered(
    calls: readonly (readonly [call: number, first: number | "any", error: number])[],
    command: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Started {
    this.#filter ??= this.build("seccomp-filter");
    return start(this.#filter, [...calls.flat().map(String), "-", ...command], { env });
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function inputsOf(flavours: Readonly<Record<string, Uint8Array>>): FlavourInput[] {
  return Object.entries(flavours).map(([features, bytes]) => ({ source: features, bytes, features }));
}

/** Drives a generator to its end. */
export function run<T>(work: Generator<unknown, T>): T {
  for (let step = work.next(); ; step = work.next()) if (step.done) return step.value;
}

export interface Started {
  readonly status: number | null;
  readonly signal: string | null;
  readonly pid: number;
  readonly stdout: string;
  readonly stderr: string;
  /** `name=value` lines of the program above. */
  readonly facts: ReadonlyMap<string, string>;
}

/** Starts something and waits for its end. */
export function start(
  file: string,
  args: readonly string[] = [],
  options: { env?: Record<string, string>; input?: string; argv0?: string; uid?: number } = {},
): Started {
  const { status, signal, pid, stdout, stderr, error } = spawnSync(file, args, {
    encoding: "utf8",
    timeout: 60_000,
    ...options,
    env: { PATH: process.env.PATH!, ...options.env },
  });
  if (error) throw error;
  const facts = new Map(stdout.split("\n").map((line) => line.split(/=(.*)/s, 2) as [string, string]));
  return { status, signal, pid, stdout, stderr, facts };
}

/** How programs are linked, and by which compiler if not by gcc. */
export const PROGRAM_KINDS: Readonly<
  Record<string, { readonly flags: readonly string[]; readonly compiler?: string }>
> = {
  pie: { flags: ["-fPIE", "-pie"] },
  "no-pie": { flags: ["-fno-pie", "-no-pie"] },
  static: { flags: ["-fno-pie", "-static"] },
  "static-pie": { flags: ["-fPIE", "-static-pie"] },
  "pages of 2 MiB": { flags: ["-fPIE", "-pie", "-Wl,-z,max-page-size=0x200000"] },
  "code and data in shared pages": { flags: ["-fPIE", "-pie", "-Wl,-z,noseparate-code"] },
  stripped: { flags: ["-fPIE", "-pie", "-s"] },
  "musl, static": { flags: ["-static"], compiler: "musl-gcc" },
};
