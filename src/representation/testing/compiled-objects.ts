/** Object files of successive versions of one source, built by the machine's own compilers. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Flavour {
  readonly name: string;
  readonly compiler: string;
  readonly flags: readonly string[];
  /** C++: inline functions, so that there are section groups. */
  readonly isCpp?: boolean;
}

export const flavours: readonly Flavour[] = [
  { name: "gcc", compiler: "gcc", flags: ["-O2"] },
  {
    name: "gcc, sections and debug information",
    compiler: "gcc",
    flags: ["-O2", "-g", "-ffunction-sections"],
  },
  { name: "g++", compiler: "g++", flags: ["-O1", "-fPIC"], isCpp: true },
  { name: "AArch64", compiler: "aarch64-linux-gnu-gcc", flags: ["-O2", "-ffunction-sections"] },
  { name: "clang", compiler: "clang", flags: ["-O2", "-ffunction-sections", "-fdata-sections"] },
];

/** Why a flavour can't be built here, or false. */
export function missing({ compiler }: Flavour): string | false {
  return spawnSync(compiler, ["--version"]).status === 0 ? false : `${compiler} is not on this machine`;
}

/** Enough for an object file of some 50 KiB. */
const FUNCTIONS = 120;

/** Version `version` of the source: each inserts some functions, changes others, and adds to the strings. */
function source(version: number, functions: number, { isCpp = false }: Flavour): string {
  const lines = [
    "#include <stdio.h>\n#include <string.h>\nstatic int state[64];\nint other(const char *, int);",
  ];
  if (isCpp)
    lines.push("template <int N> struct Box { virtual int get(int x) { return x * N; } virtual ~Box() {} };");
  for (let i = 0; i < functions; i++) {
    const inserted = i % 31 === 7 ? version : 0;
    for (let extra = 0; extra <= inserted; extra++) {
      const suffix = extra === 0 ? `${i}` : `${i}_new${extra}`;
      const constant = i % 41 === 3 ? 1000 + version : 1000 + i;
      const call = i > 0 ? `f${Math.floor(i / 2)}(x - 1)` : "x";
      const table = Array.from({ length: 16 }, (_, j) => Math.imul(i * 16 + j + 1, 0x9e3779b1) ^ (i << 9));
      const box = isCpp ? `Box<${i % 9}> box; x += box.get(x);` : "";
      lines.push(
        `static const int t${suffix}[] = {${table}};`,
        `int f${suffix}(int x) { ${box} printf("step ${suffix} of %d\\n", x); state[x & 63] += t${suffix}[x & 15] * ${constant};`,
        `  if (strlen("text ${suffix}") > (unsigned)x) return other("${suffix}", x); return x > 9 ? ${call} : ${i}; }`,
      );
    }
  }
  return lines.join("\n");
}

/** The object files of the first `count` versions. */
export function compileVersions(flavour: Flavour, count: number, functions = FUNCTIONS): Uint8Array[] {
  const directory = mkdtempSync(join(tmpdir(), "tenon-objects-"));
  try {
    const file = flavour.isCpp === true ? "unit.cc" : "unit.c";
    // Nothing of this machine gets into the debug information.
    const flags = [...flavour.flags, `-fdebug-prefix-map=${directory}=/unit`];
    return Array.from({ length: count }, (_, version) => {
      writeFileSync(join(directory, file), source(version, functions, flavour));
      execFileSync(flavour.compiler, [...flags, "-c", file, "-o", "unit.o"], { cwd: directory });
      return new Uint8Array(readFileSync(join(directory, "unit.o")));
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}
