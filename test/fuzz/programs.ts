/** What the fuzzer mutates: compiled samples of the toolchains that are there, and programs of the machine. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generator } from "../../src/elf/testing/mutator.ts";
import { buildPrograms, type Program } from "../../src/executable/testing/programs.ts";
import { link, nextRelease, sampleProgram } from "../../src/executable/testing/small-program.ts";

/** A case takes about as long as its program is large. */
const MAX_BYTES = 1 << 20;
const INSTALLED = 24;

/** Programs that need no compiler: the same on every machine. */
export function generatedPrograms(): Program[] {
  const program = sampleProgram(5, 120);
  return [
    { name: "generated", bytes: link(program) },
    { name: "generated-next", bytes: link(nextRelease(program, 6, 12)) },
  ];
}

/** As many kinds as the machine can make, then some of what it has installed, chosen by the seed. */
export function fuzzPrograms(seed: number): Program[] {
  return [...generatedPrograms(), ...buildPrograms(), ...otherToolchains(), ...installed(seed)];
}

const GO = `package main
import "os"
func main() { println(len(os.Args)) }
`;
const RUST = `fn main() { let n = std::env::args().count(); println!("{}", [3, 5, 7][n % 3] * n); }`;

/** Go and Rust, each by its own linker and runtime. */
function otherToolchains(): Program[] {
  const folder = mkdtempSync(join(tmpdir(), "tenon-fuzz-"));
  try {
    const output = join(folder, "program");
    const go = join(folder, "main.go");
    const rust = join(folder, "main.rs");
    writeFileSync(go, GO);
    writeFileSync(rust, RUST);
    const env = { ...process.env, GOFLAGS: "-mod=mod", GOCACHE: join(folder, "cache"), GO111MODULE: "off" };
    const builds: readonly (readonly [name: string, command: string, args: readonly string[]])[] = [
      ["go", "go", ["build", "-ldflags=-s -w", "-o", output, go]],
      ["rust", "rustc", ["-O", "-C", "strip=debuginfo", "-o", output, rust]],
    ];
    const programs: Program[] = [];
    for (const [name, command, args] of builds) {
      rmSync(output, { force: true });
      const built = spawnSync(command, args, { env, timeout: 120_000 });
      if (built.status === 0 && existsSync(output))
        programs.push({ name, bytes: new Uint8Array(readFileSync(output)) });
    }
    return programs;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function installed(seed: number): Program[] {
  const random = generator(seed);
  const candidates: string[] = [];
  for (const folder of ["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/aarch64-linux-gnu/lib"]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder).sort()) candidates.push(join(folder, name));
  }
  const programs: Program[] = [];
  for (let tries = 0; tries < 40 * INSTALLED && programs.length < INSTALLED; tries++) {
    const path = candidates[random(candidates.length)];
    if (path === undefined) break;
    const found = statSync(path, { throwIfNoEntry: false });
    if (!found?.isFile() || found.size > MAX_BYTES || found.size < 4096) continue;
    const bytes = new Uint8Array(readFileSync(path));
    const isElf = bytes[0] === 0x7f && bytes[1] === 0x45;
    if (isElf && !programs.some(({ name }) => name === path)) programs.push({ name: path, bytes });
  }
  return programs;
}
