/**
 * Builds the launchers of fat files, and the restorers of compact ones, from `src/fatbin/launcher/` and writes their bytes beside the source.
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

/** What is built: its source, what the linker is told, and how large it may be at most. */
export const PARTS = {
  /** A launcher is read at every start. */
  mapped: { source: "launcher.c", script: "launcher.ld", flags: [], maxBytes: 6 * 1024 },
  compact: { source: "launcher.c", script: "launcher.ld", flags: ["-DCOMPACT"], maxBytes: 6 * 1024 },
  /** Only where a flavour was restored is it read. */
  restorer: { source: "restorer.c", script: "restorer.ld", flags: [], maxBytes: 16 * 1024 },
} as const;

export type Part = keyof typeof PARTS;
export const PART_NAMES = Object.keys(PARTS) as Part[];

/** Room for headers before a launcher's code. */
const HEAD_BYTES = 256;

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
  ...["-Wl,--build-id=none", "-Wl,-z,norelro", "-Wl,--no-warn-rwx-segments"],
];

/** First line of what the compiler says about itself; undefined when it isn't installed. */
export function compilerOf({ tools }: LauncherTarget): string | undefined {
  try {
    return execFileSync(`${tools}gcc`, ["--version"], { encoding: "utf8" }).split("\n")[0]!;
  } catch {
    return undefined;
  }
}

/** Compiles one part. */
export function buildPart({ machine, tools, flags }: LauncherTarget, part: Part): Uint8Array {
  const { source, script, flags: partFlags, maxBytes } = PARTS[part];
  const directory = mkdtempSync(join(tmpdir(), "tenon-launcher-"));
  try {
    const elf = join(directory, "launcher.elf");
    const image = join(directory, "launcher.bin");
    execFileSync(`${tools}gcc`, [...FLAGS, ...flags, ...partFlags, `-Wl,-T,${script}`, "-o", elf, source], {
      cwd: SOURCE,
      stdio: "pipe",
    });
    const sections = execFileSync(`${tools}objdump`, ["-h", elf], { encoding: "utf8" });
    const names = [...sections.matchAll(/^ +\d+ (\S+)/gm)].map(([, name]) => name);
    if (names.join() !== ".text")
      throw new Error(`${machine}, ${part}: sections ${names.join()} instead of .text alone`);
    const undefinedNames = execFileSync(`${tools}nm`, ["-u", elf], { encoding: "utf8" }).trim();
    if (undefinedNames !== "") throw new Error(`${machine}, ${part}: undefined ${undefinedNames}`);
    execFileSync(`${tools}objcopy`, ["-O", "binary", elf, image]);
    const code = new Uint8Array(readFileSync(image));
    // objcopy begins where .text does: the room for the headers comes before it. A restorer is whole words.
    const head = part === "restorer" ? 0 : HEAD_BYTES;
    const bytes = new Uint8Array(head === 0 ? Math.ceil(code.length / 8) * 8 : head + code.length);
    bytes.set(code, head);
    if (bytes.length > maxBytes)
      throw new Error(`${machine}, ${part}: ${bytes.length} bytes, at most ${maxBytes}`);
    return bytes;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function moduleText(part: Part): string {
  const entries = LAUNCHERS.map((target) => {
    const bytes = buildPart(target, part);
    const compiler = compilerOf(target);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const lines = Buffer.from(bytes)
      .toString("base64")
      .match(part === "restorer" ? /.{1,160}/g : /.{1,96}/g)!;
    console.log(`${target.machine}, ${part}: ${bytes.length} bytes, ${compiler}`);
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
    `/** Made from ${PARTS[part].source} by \`node scripts/build-launcher.ts\`; don't edit. */`,
    "",
    ...OPENINGS[part],
    ...entries,
    "} as const;",
    "",
  ].join("\n");
}

const OPENINGS: Readonly<Record<Part, readonly string[]>> = {
  mapped: [
    "/** Machine code of the launchers, each with 256 bytes of room for headers at its beginning. */",
    "export const LAUNCHER_IMAGES = {",
  ],
  compact: [
    "/** Machine code of the launchers of compact files, each with 256 bytes of room for headers at its beginning. */",
    "export const COMPACT_IMAGES = {",
  ],
  restorer: [
    "/** Machine code of the restorers: flat, to be called at its first byte. */",
    "export const RESTORER_IMAGES = {",
  ],
};

const FILES: Readonly<Record<Part, string>> = {
  mapped: "images.ts",
  compact: "compact-images.ts",
  restorer: "restorer-images.ts",
};

if (import.meta.main)
  for (const part of PART_NAMES) writeFileSync(join(SOURCE, FILES[part]), moduleText(part));
