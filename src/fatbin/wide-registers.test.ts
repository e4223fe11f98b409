/** AVX-512 and AMX, which few machines and no emulator here have: their state, their choice, their explanation. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { choose, labelOf, packFat, parseFeatures, readFatHead } from "./index.ts";
import { inputsOf, lacks, start, Workshop } from "./testing/compiled.ts";
import { tinyProgram } from "./testing/tiny-program.ts";

const workshop = new Workshop();
after(() => workshop[Symbol.dispose]());
const isHere = process.platform === "linux" && process.arch === "x64";
const skip = isHere ? lacks("gcc") : "the launcher for x86-64 runs on x86-64 and Linux only";

/** By which the permission is asked. */
const ARCH_PRCTL = 158;
const REQUEST = 0x1023;

const FLAVOURS = [
  "",
  "x86-64-v3",
  "x86-64-v4",
  "x86-64-v4,avx512vnni",
  "x86-64-v4,avx512bf16",
  "x86-64-v4,avx512fp16",
  "x86-64-v4,amx-int8",
  "x86-64-v3,avxvnni",
];
const programs = Object.fromEntries(
  FLAVOURS.map((features, status) => [features, tinyProgram({ status: status + 1 })]),
);

test("registers count only if the operating system has enabled them, and for AMX gave its permission", {
  skip,
}, () => {
  const detector = workshop.build("detector-host");
  const answers = (error: number | undefined, ...states: readonly string[]) => {
    const { stdout } =
      error === undefined
        ? start(detector, states)
        : workshop.filtered([[ARCH_PRCTL, REQUEST, error]], [detector, ...states]);
    return stdout.trimEnd().split("\n");
  };
  // None, XSAVE, AVX, AVX-512, AMX, unknown.
  const states = ["0", "1", "3", "7", "e5", "e3", "e7", "600e7", "20000", "600ff"];
  const without = [
    "100000",
    "110000",
    "110000",
    "111000",
    "110000",
    "110000",
    "111100",
    "111100",
    "110000",
    "111100",
  ];
  assert.deepEqual(answers(1, ...states), without);
  const allowed = [...without];
  allowed[7] = allowed[9] = "111110";
  assert.deepEqual(answers(0, ...states), allowed);
});

test("the launcher's choice among flavours with wide registers", { skip }, () => {
  const file = workshop.pack("wide", programs);
  const chosen = (features: string) =>
    FLAVOURS[start(file, [], { env: { TENON_FAT_FEATURES: features } }).status! - 1];
  assert.equal(chosen("x86-64-v4"), "x86-64-v4");
  assert.equal(chosen("x86-64-v4,avx512vnni"), "x86-64-v4,avx512vnni");
  assert.equal(chosen("x86-64-v4,avx512vnni,avx512bf16,avx512fp16"), "x86-64-v4,avx512fp16");
  assert.equal(chosen("x86-64-v4,avx512fp16,amx-tile,amx-int8"), "x86-64-v4,amx-int8");
  // Without the tiles the instructions on them are nothing.
  assert.equal(chosen("x86-64-v4,avx512fp16,amx-int8"), "x86-64-v4,avx512fp16");
  for (const missing of ["avx512f", "avx512vl", "avx512dq", "x86-64-v4"])
    assert.equal(chosen(`x86-64-v4,avx512vnni,-${missing}`), "x86-64-v3", missing);
});

test("what simulated CPUs with wide registers get", () => {
  const bytes = new Uint8Array(Buffer.concat([...packFat(inputsOf(programs)).pieces()]));
  const { flavours } = readFatHead(bytes, bytes.length);
  const expected: Readonly<Record<string, string>> = {
    haswell: "x86-64-v3",
    skylake: "x86-64-v3",
    "skylake-avx512": "x86-64-v4",
    cascadelake: "x86-64-v4,avx512vnni",
    cooperlake: "x86-64-v4,avx512bf16",
    "icelake-server": "x86-64-v4,avx512vnni",
    // Wide registers are off on these, so the 256-bit form is what there is.
    alderlake: "x86-64-v3,avxvnni",
    sapphirerapids: "x86-64-v4,amx-int8",
    znver3: "x86-64-v3",
    znver4: "x86-64-v4,avx512bf16",
  };
  for (const [cpu, features] of Object.entries(expected)) {
    const { name } = choose(flavours, parseFeatures("x86-64", cpu))!;
    assert.equal(name, labelOf(parseFeatures("x86-64", features)), cpu);
  }
});
