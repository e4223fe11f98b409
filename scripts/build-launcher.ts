/**
 * Builds the launchers of fat files from `src/fatbin/launcher/` and writes their bytes beside the source.
 *
 * The same compiler gives the same bytes: nothing of the build directory, the time or the user gets into them.
 * The compiler's version is kept with the bytes; a test builds them again where it finds the same one.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SOURCE = join(import.meta.dirname, "..", "src", "fatbin", "launcher");

/** A launcher is read at every start, and more than this needs a reason. */
const MAX_BYTES = 6 * 1024;

export const LAUNCHERS = [
  { machine: "x86-64", tools: "", flags: ["-fcf-protection=none"] },
  { machine: "aarch64", tools: "aarch64-linux-gnu-", flags: [] },
] as const;

export type LauncherTarget = (typeof LAUNCHERS)[number];

/** No start-up code, no library, no relocation, no jump table, and no call of memcpy that the compiler invents. */
const FLAGS = [
  ...["-std=c11", "-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-static", "-fPIE"],
  ...["-fvisibility=hidden", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables"],
  ...["-fno-tree-loop-distribute-patterns", "-fno-jump-tables", "-mgeneral-regs-only"],
  ...["-Wl,-T,launcher.ld", "-Wl,--build-id=none", "-Wl,-z,norelro", "-Wl,--no-warn-rwx-segments"],
];

/** First line of what the compiler says about itself; undefined when it isn't installed. */
export function compilerOf({ tools }: LauncherTarget): string | undefined {
  try {
    return execFileSync(`${tools}gcc`, ["--version"], { encoding: "utf8" }).split("\n")[0]!;
  } catch {
    return undefined;
  }
}

/** Compiles one launcher. */
export function buildLauncher({ machine, tools, flags }: LauncherTarget): Uint8Array {
  const directory = mkdtempSync(join(tmpdir(), "tenon-launcher-"));
  try {
    const elf = join(directory, "launcher.elf");
    const image = join(directory, "launcher.bin");
    execFileSync(`${tools}gcc`, [...FLAGS, ...flags, "-o", elf, "launcher.c"], {
      cwd: SOURCE,
      stdio: "pipe",
    });
    const sections = execFileSync(`${tools}objdump`, ["-h", elf], { encoding: "utf8" });
    const names = [...sections.matchAll(/^ +\d+ (\S+)/gm)].map(([, name]) => name);
    if (names.join() !== ".text")
      throw new Error(`${machine}: sections ${names.join()} instead of .text alone`);
    const undefinedNames = execFileSync(`${tools}nm`, ["-u", elf], { encoding: "utf8" }).trim();
    if (undefinedNames !== "") throw new Error(`${machine}: undefined ${undefinedNames}`);
    execFileSync(`${tools}objcopy`, ["-O", "binary", elf, image]);
    const code = new Uint8Array(readFileSync(image));
    // objcopy begins where .text does: the room for the headers comes before it.
    const bytes = new Uint8Array(256 + code.length);
    bytes.set(code, 256);
    if (bytes.length > MAX_BYTES) throw new Error(`${machine}: ${bytes.length} bytes, at most ${MAX_BYTES}`);
    return bytes;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function moduleText(): string {
  const entries = LAUNCHERS.map((target) => {
    const bytes = buildLauncher(target);
    const compiler = compilerOf(target);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const lines = Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,96}/g)!;
    console.log(`${target.machine}: ${bytes.length} bytes, ${compiler}`);
    return [
      `  ${JSON.stringify(target.machine).replace(/^"(\w+)"$/, "$1")}: {`,
      `    compiler: ${JSON.stringify(compiler)},`,
      `    sha256: "${sha256}",`,
      "    base64: [",
      ...lines.map((line) => `      "${line}",`),
      "    ],",
      "  },",
    ].join("\n");
  });
  return [
    "/** Made from launcher.c by `node scripts/build-launcher.ts`; don't edit. */",
    "",
    "/** Machine code of the launchers, each with 256 bytes of room for headers at its beginning. */",
    "export const LAUNCHER_IMAGES = {",
    ...entries,
    "} as const;",
    "",
  ].join("\n");
}

if (import.meta.main) writeFileSync(join(SOURCE, "images.ts"), moduleText());
