/** Programs built by the machine's compilers, and found on the machine, for this room's tests. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * C++ with what a dissection meets: calls, a jump table, a table of pointers, strings, exceptions, an initialiser,
 * thread-local and zero data. `FIRST` puts code and data in front of all, so that everything else moves.
 */
const SOURCE = `
extern "C" int puts(const char *);
extern "C" int printf(const char *, ...);
extern "C" int abs(int);
#ifdef FIRST
const char *first_names[] = { "one more", "and another" };
__attribute__((noinline)) int first(int x) { puts(first_names[x & 1]); return printf("%d first\\n", x) + x; }
#endif
thread_local int counter = 3;
static int zeros[1000];
typedef int (*function)(int);
int thrice(int x) { if (x > 100) throw x; zeros[x & 511] = x; return x * 3; }
static int twice(int x) { return x * 2 + zeros[x & 255]; }
function table[] = { twice, thrice, abs };
__attribute__((noinline)) int choose(int kind, int x) {
  switch (kind) {
    case 0: return puts("zero"); case 1: return thrice(x) + 1; case 2: return twice(x) ^ 5;
    case 3: return puts("three") + x; case 4: return x - 7; case 5: return abs(x) * 9;
    case 6: return puts("six six six"); case 7: return counter++; default: return printf("%d?\\n", kind);
  }
}
struct Boot { Boot() { puts("boot"); } } boot;
int main(int count, char **) {
#ifdef FIRST
  count += first(count);
#endif
  try { return table[count % 3](count) + choose(count, count * 3); } catch (int x) { return x; }
}
`;

export interface Program {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface Flavour {
  readonly compiler: string;
  readonly flags: readonly string[];
  readonly strip?: boolean;
}

const X86 = "x86_64-linux-gnu-g++";
const ARM = "aarch64-linux-gnu-gcc";

/** How each program is built; AArch64 as C++ through gcc, linked without the C++ library, which may be missing. */
const FLAVOURS: Readonly<Record<string, Flavour>> = {
  pie: { compiler: X86, flags: ["-O2", "-fPIE", "-pie"] },
  stripped: { compiler: X86, flags: ["-O2", "-fPIE", "-pie"], strip: true },
  "no-pie": { compiler: X86, flags: ["-O1", "-fno-pie", "-no-pie"] },
  static: { compiler: X86, flags: ["-O2", "-fno-pie", "-static"] },
  "static-pie": { compiler: X86, flags: ["-O2", "-fPIE", "-static-pie"], strip: true },
  shared: { compiler: X86, flags: ["-O2", "-fPIC", "-shared"] },
  relr: { compiler: X86, flags: ["-O2", "-fPIE", "-pie", "-Wl,-z,pack-relative-relocs"] },
  gold: { compiler: X86, flags: ["-O2", "-fPIE", "-pie", "-fuse-ld=gold"] },
  debug: { compiler: X86, flags: ["-O0", "-g", "-fPIE", "-pie"] },
  object: { compiler: X86, flags: ["-O2", "-c", "-ffunction-sections"] },
  "aarch64-pie": { compiler: ARM, flags: ["-O2", "-fPIE", "-pie", "-fno-exceptions"] },
  "aarch64-static": { compiler: ARM, flags: ["-O2", "-fno-pie", "-static", "-fno-exceptions"] },
  "aarch64-object": { compiler: ARM, flags: ["-O2", "-c", "-fno-exceptions"] },
};

/** A C program is enough where there is no C++ compiler. */
const C_SOURCE = SOURCE.replaceAll('extern "C" ', "extern ")
  .replace("thread_local", "_Thread_local")
  .replace("if (x > 100) throw x; ", "")
  .replace(
    'struct Boot { Boot() { puts("boot"); } } boot;',
    '__attribute__((constructor)) void boot(void) { puts("boot"); }',
  )
  .replace(/try \{ (.*) \} catch.*\n/, "$1\n");

/** Programs of some flavours (all by default); those that the machine can't build are left out. */
export function buildPrograms(names: readonly string[] = Object.keys(FLAVOURS), first = false): Program[] {
  const directory = mkdtempSync(join(tmpdir(), "tenon-executable-"));
  try {
    const programs: Program[] = [];
    for (const name of names) {
      const { compiler, flags, strip } = FLAVOURS[name]!;
      const isC = compiler === ARM;
      const source = join(directory, isC ? "program.c" : "program.cc");
      writeFileSync(source, isC ? C_SOURCE : SOURCE);
      const output = join(directory, name);
      const defines = first ? ["-DFIRST"] : [];
      const built = spawnSync(compiler, [
        ...flags,
        ...defines,
        ...(strip ? ["-s"] : []),
        "-o",
        output,
        source,
      ]);
      if (built.status === 0) programs.push({ name, bytes: new Uint8Array(readFileSync(output)) });
    }
    return programs;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Programs that many machines have: C, C++ and, from a Go installation, Go. Those that are missing are left out. */
export function installedPrograms(): Program[] {
  const paths = ["/bin/bash", "/usr/bin/ls", "/usr/bin/tar", "/usr/bin/openssl"];
  const libraries = "/usr/lib/x86_64-linux-gnu";
  for (const name of ["libc.so.6", "libm.so.6", "libstdc++.so.6", "libseccomp.so.2"])
    paths.push(join(libraries, name));
  return paths
    .filter((path) => existsSync(path))
    .map(readProgram)
    .concat(goPrograms());
}

/** Two programs of the machine's Go installation. */
export function goPrograms(): Program[] {
  const found = spawnSync("go", ["env", "GOTOOLDIR"], { encoding: "utf8" });
  const directory = found.status === 0 ? found.stdout.trim() : "";
  if (directory === "" || !existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => ["asm", "vet"].includes(name))
    .sort()
    .map((name) => readProgram(join(directory, name)));
}

function readProgram(path: string): Program {
  return { name: path, bytes: new Uint8Array(readFileSync(path)) };
}
