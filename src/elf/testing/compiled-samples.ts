/** Small programs built by the machine's own compiler, for this room's tests. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * C++ with exceptions (LSDA, personality), an initialiser, thread-local data, a table of function pointers. No
 * headers, so that it compiles at once.
 */
const SOURCE = `
extern "C" int puts(const char *);
extern "C" int abs(int);
thread_local int counter = 3;
static int twice(int x) { return x * 2; }
int thrice(int x) { if (x > 100) throw x; return x * 3; }
typedef int (*function)(int);
function table[] = { twice, thrice, abs };
struct Boot { Boot() { puts("boot"); } } boot;
int main(int count, char **) {
  try { return table[count % 3](count) + counter; } catch (int x) { return x; }
}
`;

/** How each flavour is compiled and linked; `strip` runs afterwards where it is set. */
const FLAVOURS: Readonly<
  Record<string, { compile: readonly string[]; link: readonly string[]; strip?: readonly string[] }>
> = {
  pie: { compile: ["-fPIE"], link: ["-pie"] },
  "no-pie": { compile: ["-fno-pie"], link: ["-no-pie"] },
  static: { compile: ["-fno-pie"], link: ["-static"] },
  "static-pie": { compile: ["-fPIE"], link: ["-static-pie"] },
  shared: { compile: ["-fPIC"], link: ["-shared", "-Wl,-soname,sample.so", "-Wl,--hash-style=both"] },
  relr: { compile: ["-fPIE"], link: ["-pie", "-Wl,-z,pack-relative-relocs"] },
  object: { compile: ["-fPIC", "-ffunction-sections"], link: [] },
  stripped: { compile: ["-fPIE"], link: ["-pie"], strip: ["strip"] },
  debug: { compile: ["-fPIE", "-g", "-gz"], link: ["-pie", "-gz"] },
  "debug-only": { compile: ["-fPIE", "-g"], link: ["-pie"], strip: ["objcopy", "--only-keep-debug"] },
};

export interface CompiledSample {
  readonly name: string;
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Why nothing can be built here, or false. */
export const noCompiler: string | false = ["g++", "readelf", "strip", "objcopy"].every(
  (tool) => spawnSync(tool, ["--version"]).status === 0,
)
  ? false
  : "g++ or binutils is not on this machine";

/** Builds the named flavours (all by default) in a directory that `dispose` removes. */
export function compileSamples(names: readonly string[] = Object.keys(FLAVOURS)): {
  samples: CompiledSample[];
  [Symbol.dispose](): void;
} {
  const directory = mkdtempSync(join(tmpdir(), "tenon-elf-"));
  const source = join(directory, "sample.cc");
  writeFileSync(source, SOURCE);
  const objects = new Map<string, string>();
  const samples = names.map((name) => {
    const { compile, link, strip } = FLAVOURS[name]!;
    const key = compile.join("");
    let object = objects.get(key);
    if (object === undefined) {
      object = join(directory, `object${objects.size}.o`);
      run("g++", ["-O1", ...compile, "-c", "-o", object, source]);
      objects.set(key, object);
    }
    const path = link.length === 0 ? object : join(directory, name);
    if (link.length > 0) run("g++", [...link, "-o", path, object]);
    if (strip !== undefined) run(strip[0]!, [...strip.slice(1), path]);
    return { name, path, bytes: new Uint8Array(readFileSync(path)) };
  });
  return { samples, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

function run(tool: string, options: readonly string[]): void {
  execFileSync(tool, options, { stdio: "pipe" });
}

/** Output of readelf, unabridged, in the C locale. */
export function readelf(path: string, ...options: readonly string[]): string {
  return execFileSync("readelf", ["-W", ...options, path], {
    encoding: "utf8",
    maxBuffer: 1 << 29,
    env: { ...process.env, LC_ALL: "C" },
    stdio: ["ignore", "pipe", "ignore"],
  });
}
