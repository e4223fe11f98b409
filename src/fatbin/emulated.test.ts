/** The choice on CPUs that aren't here: each flavour says at run time what it was compiled for. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { lacks, type Started, start, Workshop } from "./testing/compiled.ts";

const workshop = new Workshop();
after(() => workshop[Symbol.dispose]());

/** Restored flavours; with a HOME of its own, nothing is left behind. */
const env = { HOME: workshop.folder, TENON_FAT_TRACE: "1" };

/** Builds a flavour for each list of features, with the options that make the compiler use them. */
function packFlavours(
  options: Readonly<Record<string, readonly string[]>>,
  compiler: string,
  mode: "mapped" | "compact" = "mapped",
): string {
  const flavours = Object.entries(options).map(([features, flags]) => {
    const name = features === "" ? "baseline" : features.replaceAll(",", "+");
    return [features, workshop.compile(name, ["-static", ...flags], compiler)] as const;
  });
  if (mode === "compact")
    return workshop.packCompact(`compact-${compiler}`, Object.fromEntries(flavours), {
      defaultFlavour: "compressed",
    });
  return workshop.pack(`fat-${compiler}`, Object.fromEntries(flavours));
}

const X86 = {
  "": [],
  sse3: ["-msse3"],
  "x86-64-v2": ["-march=x86-64-v2"],
  "x86-64-v2,aes": ["-march=x86-64-v2", "-maes"],
  "x86-64-v3": ["-march=x86-64-v3"],
  "x86-64-v3,aes": ["-march=x86-64-v3", "-maes"],
  "x86-64-v4": ["-march=x86-64-v4"],
};

/** Emulators differ in whether they emulate AVX-512, so the program asks as well, by its compiler's own means. */
const best = (stdout: string) => (stdout.includes("avx512=1") ? "x86-64-v4" : "x86-64-v3+aes");

const X86_CPUS: Readonly<Record<string, string | ((stdout: string) => string)>> = {
  qemu64: "sse3",
  Nehalem: "x86-64-v2",
  Westmere: "x86-64-v2+aes",
  Haswell: "x86-64-v3+aes",
  "Skylake-Server": best,
  EPYC: "x86-64-v3+aes",
  max: best,
  "Haswell,-aes": "x86-64-v3",
  "Haswell,-avx2": "x86-64-v2+aes",
  "Haswell,-movbe": "x86-64-v2+aes",
  // Without XSAVE the operating system can't have enabled what AVX needs, whatever the CPU has.
  "Haswell,-xsave": "x86-64-v2+aes",
  "Nehalem,-cx16": "sse3",
};

const COMPILED: Readonly<Record<string, string>> = {
  baseline: "",
  sse3: " sse3",
  "x86-64-v2": " sse3 sse4.2",
  "x86-64-v2+aes": " sse3 sse4.2 aes",
  "x86-64-v3": " sse3 sse4.2 avx2",
  "x86-64-v3+aes": " sse3 sse4.2 aes avx2",
  "x86-64-v4": " sse3 sse4.2 avx2 avx512f",
  crc: " crc",
  lse: " lse",
  "lse+fp16+dotprod": " crc lse dotprod",
  sve: " crc lse sve",
  sve2: " crc lse sve sve2",
};

function check(started: Started, expected: string, cpu: string): void {
  assert.equal(started.status, 0, `${cpu}: ${started.stderr}`);
  assert.equal(started.facts.get("flavour"), expected, cpu);
  assert.equal(started.facts.get("compiled"), COMPILED[expected], cpu);
  assert.equal(started.facts.get("entry"), "1");
  assert.equal(started.facts.get("sum"), "10");
}

test("x86-64 CPUs", { skip: lacks("gcc", "qemu-x86_64") }, () => {
  const file = packFlavours(X86, "gcc");
  for (const [cpu, expected] of Object.entries(X86_CPUS)) {
    const started = start("qemu-x86_64", ["-cpu", cpu, file]);
    check(started, typeof expected === "string" ? expected : expected(started.stdout), cpu);
  }
});

test("x86-64 CPUs, compact", { skip: lacks("gcc", "qemu-x86_64") }, () => {
  const file = packFlavours(X86, "gcc", "compact");
  for (const [cpu, expected] of Object.entries(X86_CPUS)) {
    const started = start("qemu-x86_64", ["-cpu", cpu, file], { env });
    check(started, typeof expected === "string" ? expected : expected(started.stdout), cpu);
    assert.match(started.stderr, /: (restored to|from) the cache\n$/);
  }
});

const ARM = {
  "": [],
  crc: ["-march=armv8-a+crc"],
  lse: ["-march=armv8-a+lse"],
  "lse,fp16,dotprod": ["-march=armv8.2-a+fp16+dotprod"],
  sve: ["-march=armv8.2-a+sve"],
  sve2: ["-march=armv8.2-a+sve2"],
};

const ARM_CPUS: Readonly<Record<string, string>> = {
  "cortex-a53": "crc",
  "cortex-a76": "lse+fp16+dotprod",
  "neoverse-n1": "lse+fp16+dotprod",
  a64fx: "sve",
  max: "sve2",
  "max,sve=off": "lse+fp16+dotprod",
};

const ARM_TOOLS = ["aarch64-linux-gnu-gcc", "qemu-aarch64"] as const;

test("AArch64 CPUs", { skip: lacks(...ARM_TOOLS) }, () => {
  const file = packFlavours(ARM, "aarch64-linux-gnu-gcc");
  for (const [cpu, expected] of Object.entries(ARM_CPUS))
    check(start("qemu-aarch64", ["-cpu", cpu, file]), expected, cpu);
  const asked = (cpu: string, features: string) =>
    start("qemu-aarch64", ["-cpu", cpu, file], { env: { TENON_FAT_FEATURES: features } });
  check(asked("max", "-sve2,-sve"), "lse+fp16+dotprod", "max, masked");
  assert.equal(asked("cortex-a53", "@5").facts.get("flavour"), "baseline");
});

test("AArch64 CPUs, compact", { skip: lacks(...ARM_TOOLS) }, () => {
  const file = packFlavours(ARM, "aarch64-linux-gnu-gcc", "compact");
  for (const [cpu, expected] of Object.entries(ARM_CPUS)) {
    const started = start("qemu-aarch64", ["-cpu", cpu, file], { env });
    check(started, expected, cpu);
    assert.match(started.stderr, /: (restored to|from) the cache\n$/);
  }
});

for (const [kind, flags] of Object.entries({
  static: ["-static"],
  "static-pie": ["-static-pie", "-fPIE"],
  pie: ["-pie", "-fPIE"],
  "no-pie": ["-no-pie", "-fno-pie"],
})) {
  test(`AArch64, ${kind}: started as if directly`, { skip: lacks(...ARM_TOOLS) }, () => {
    const compile = (name: string) => workshop.compile(name, flags, "aarch64-linux-gnu-gcc");
    const file = workshop.pack("fat", { "": compile("baseline"), crc: compile("crc") });
    // Where Debian's cross compiler has its libraries; the interpreter's path is looked up there first.
    const started = start("qemu-aarch64", [
      "-L",
      "/usr/aarch64-linux-gnu",
      "-cpu",
      "max",
      file,
      "6",
      "two words",
    ]);
    assert.equal(started.status, 6, started.stderr);
    assert.equal(started.facts.get("flavour"), "crc");
    assert.equal(started.facts.get("argv2"), "two words");
    assert.equal(started.facts.get("sum"), "10");
    assert.equal(started.facts.get("entry"), "1");
  });
}
