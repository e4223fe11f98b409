import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { featuresOfCpuinfo, labelOf, parseFeatures, vocabularyOf } from "./index.ts";
import { lacks } from "./testing/compiled.ts";
import { FeatureSet } from "./vocabulary.ts";

const MACHINES = ["x86-64", "aarch64"] as const;

test("names and aliases are unique, implications and sets name known features", () => {
  for (const machine of MACHINES) {
    const { features, levels, cpus, undetectable, baseline } = vocabularyOf(machine);
    const names = [
      ...features.flatMap(({ name, aliases }) => [name, ...aliases]),
      ...[...levels, ...cpus].map(({ name }) => name),
      ...undetectable.keys(),
      ...baseline,
    ];
    assert.equal(new Set(names).size, names.length, machine);
    for (const { name } of [...features, ...levels, ...cpus])
      assert.ok(parseFeatures(machine, name).bits > 0n, name);
    const rules = features.map(
      ({ rule: { source, subleaf, part, mask } }) => `${source} ${subleaf} ${part} ${mask}`,
    );
    assert.equal(new Set(rules).size, rules.length, `${machine}: two features have the same bits`);
  }
});

test("a feature ranks above all that it implies, so a superset never ranks below", () => {
  for (const machine of MACHINES) {
    const { features } = vocabularyOf(machine);
    for (const [place, { name }] of features.entries()) {
      const closure = parseFeatures(machine, name);
      assert.equal(closure.bits >> BigInt(place), 1n, name);
    }
  }
});

test("the levels of the x86-64 psABI", () => {
  const names = (level: string) => parseFeatures("x86-64", level).names.sort().join(" ");
  const v2 = "cmpxchg16b lahfsahf popcnt sse3 sse4.1 sse4.2 ssse3";
  assert.equal(names("x86-64-v1"), "");
  assert.equal(names("x86-64-v2"), v2);
  const v3 = `${v2} avx avx2 bmi1 bmi2 f16c fma lzcnt movbe xsave`;
  assert.equal(names("x86-64-v3"), v3.split(" ").sort().join(" "));
  const v4 = `${v3} avx512f avx512bw avx512cd avx512dq avx512vl`;
  assert.equal(names("x86-64-v4"), v4.split(" ").sort().join(" "));
});

test("every spelling of a compiler or the kernel is understood", () => {
  const same = (machine: "x86-64" | "aarch64", a: string, b: string) =>
    assert.equal(parseFeatures(machine, a).bits, parseFeatures(machine, b).bits, `${a} ${b}`);
  same("x86-64", "bmi", "bmi1");
  same("x86-64", "sse4_1", "sse4.1");
  same("x86-64", "abm,pni,cx16", "lzcnt,sse3,cmpxchg16b");
  same("x86-64", "+AVX2,+fma", "avx2+fma");
  same("x86-64", "sse2,fxsr,x86-64", "");
  same("x86-64", "avx512_vbmi2", "avx512vbmi2");
  same("aarch64", "atomics,asimddp", "lse,dotprod");
  same("aarch64", "neon", "");
});

test("unknown and undetectable names, and names of the other machine, are refused", () => {
  assert.throws(() => parseFeatures("x86-64", "avx9"), { code: "usage", message: /unknown feature.*"avx9"/ });
  assert.throws(() => parseFeatures("x86-64", "avx2,hle"), {
    code: "usage",
    message: /hle can't be detected/,
  });
  assert.throws(() => parseFeatures("aarch64", "pan"), { code: "usage", message: /pan can't be detected/ });
  assert.throws(() => parseFeatures("x86-64", "sve"), { code: "usage", message: /sve is a name of aarch64/ });
  assert.throws(() => parseFeatures("aarch64", "haswell"), { code: "usage", message: /name of x86-64/ });
});

test("a label names the same set again", () => {
  for (const machine of MACHINES) {
    const { features } = vocabularyOf(machine);
    const places = fc.uniqueArray(fc.nat(features.length - 1), { maxLength: 8 });
    fc.assert(
      fc.property(places, (chosen) => {
        const set = parseFeatures(
          machine,
          chosen.map((place) => features[place]!.name),
        );
        const label = labelOf(set);
        assert.match(label, /^[a-z0-9.+-]+$/);
        assert.equal(parseFeatures(machine, label).bits, set.bits);
      }),
      { seed: 5 },
    );
    assert.equal(labelOf(new FeatureSet(machine, [])), "baseline");
  }
  assert.equal(labelOf(parseFeatures("x86-64", "x86-64-v3,aes")), "x86-64-v3+aes");
});

test("/proc/cpuinfo: what all CPUs have, in the kernel's spelling", () => {
  const text =
    "flags\t\t: fpu sse2 pni abm avx avx2 sse4_2\nbugs\t: x\n\nflags\t\t: fpu sse2 pni abm avx sse4_2 avx2\n";
  const found = featuresOfCpuinfo("x86-64", text);
  assert.deepEqual(found.names.sort(), ["avx", "avx2", "lzcnt", "sse3", "sse4.2"]);
  const different = featuresOfCpuinfo("x86-64", `${text}flags\t: fpu pni\n`);
  assert.deepEqual(different.names, ["sse3"]);
  // Two bits of the kernel are one feature of compilers: half of it is nothing.
  assert.deepEqual(featuresOfCpuinfo("aarch64", "Features : fp asimd aes atomics").names, ["lse"]);
  assert.deepEqual(featuresOfCpuinfo("aarch64", "Features : aes pmull fphp asimdhp").names, ["fp16", "aes"]);
  assert.deepEqual(featuresOfCpuinfo("aarch64", "").names, []);
});

/** Macro that GCC defines for a feature, where the name isn't the macro's. */
const MACROS: Readonly<Record<string, string>> = {
  bmi1: "BMI",
  cmpxchg16b: "GCC_HAVE_SYNC_COMPARE_AND_SWAP_16",
  lahfsahf: "LAHF_SAHF",
  pclmulqdq: "PCLMUL",
  rdrand: "RDRND",
  "sse4.1": "SSE4_1",
  "sse4.2": "SSE4_2",
  "amx-tile": "AMX_TILE",
  "amx-int8": "AMX_INT8",
  "amx-bf16": "AMX_BF16",
};

test("CPUs and levels need what GCC compiles for them", { skip: lacks("gcc") }, (context) => {
  const { features, levels, cpus } = vocabularyOf("x86-64");
  let compared = 0;
  for (const { name } of [...levels, ...cpus]) {
    let macros: string;
    try {
      const args = [`-march=${name}`, "-dM", "-E", "-xc", "/dev/null"];
      macros = execFileSync("gcc", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    } catch {
      continue; // a CPU that this GCC doesn't know
    }
    compared++;
    const needs = new Set(parseFeatures("x86-64", name).names);
    for (const { name: feature } of features) {
      const macro = `__${MACROS[feature] ?? feature.toUpperCase()}__`;
      // GCC 12 gives Sapphire Rapids an extension that only Tiger Lake and Zen 5 have.
      if (name === "sapphirerapids" && feature === "avx512vp2intersect") continue;
      const known = new RegExp(`#define ${macro.replace(/_16__$/, "_16")} `).test(macros);
      // What GCC doesn't tell by a macro of that name isn't compared in that direction.
      if (known) assert.ok(needs.has(feature), `GCC uses ${feature} for ${name}`);
    }
  }
  context.diagnostic(`${compared} names compared`);
  assert.ok(compared >= levels.length);
});
