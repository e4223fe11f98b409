/**
 * How fast each chunking algorithm cuts, and how much each leaves to be stored.
 *
 *   node bench/chunking.ts [--json] [PATH...]      PATH: files or folders; the project's node_modules without
 *
 * Speed is bytes per CPU second of one thread, the median of five rounds in which all contenders take turns:
 * `hot` cuts one block of 256 KiB again and again (from the middle of the largest file, and random bytes),
 * `stream` reads the largest file in blocks of 256 KiB and cuts them. The yardstick is bench/gear.c under
 * `gcc -O3`, built into a temporary folder; its cuts are compared with the kernel's. Unique bytes are
 * counted at the mean chunk length that gear has: the sizes of the others are scaled until theirs is the same.
 */
import { execFileSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  type ChunkerParameters,
  createChunker,
  cutPoints,
  defaultChunkerParameters,
} from "../src/chunking/index.ts";
import { sha256 } from "../src/digest/index.ts";
import { cutKernel, growMemory } from "../src/kernels/index.ts";

const BLOCK_BYTES = 256 * 1024;
const ROUNDS = 5;
/** A measurement goes on until it took so long: the clock of CPU time may tick as slowly as every 4 ms. */
const RUN_SECONDS = 0.4;
/** The native program, whose clock is fine, cuts so much. */
const NATIVE_BYTES = 500e6;
const KIB = 1024;

const gear: ChunkerParameters = {
  algorithm: "gear32-v1",
  minBytes: 4 * KIB,
  meanBytes: 16 * KIB,
  maxBytes: 64 * KIB,
};
const contenders = [
  { kernel: "gear", parameters: gear },
  { kernel: "window8", parameters: { ...gear, algorithm: "window8-v1" } },
  { kernel: "mincdc", parameters: defaultChunkerParameters },
] as const;
type Contender = (typeof contenders)[number];

interface Measured {
  readonly gigabytesPerSecond: number;
  readonly cuts: number;
  /** Sum of all cut offsets modulo 2^32. */
  readonly sum: number;
}

function cpuSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

function filesUnder(path: string): string[] {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isFile() && status.size > 0) return [path];
  if (!status?.isDirectory()) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => !entry.isSymbolicLink())
    .map((entry) => entry.name)
    .sort()
    .flatMap((name) => filesUnder(join(path, name)));
}

/** The kernel alone, over one block in its memory. */
function hotKernel({ kernel: name, parameters }: Contender, block: Uint8Array): () => Measured {
  const { minBytes, meanBytes, maxBytes } = parameters;
  const kernel = cutKernel(name);
  const out = Math.ceil(kernel.base() / 16) * 16;
  const from = out + 4 * Math.ceil(BLOCK_BYTES / minBytes);
  growMemory(kernel.memory, from + BLOCK_BYTES);
  new Uint8Array(kernel.memory.buffer).set(block, from);
  const ends = new Uint32Array(kernel.memory.buffer, out);
  const cut = () => kernel.cuts(from, from + BLOCK_BYTES, true, minBytes, meanBytes, maxBytes, out);
  return () => {
    for (let i = 0; i < 100; i++) cut(); // the block back into the cache
    const before = cpuSeconds();
    let cuts = 0;
    let turns = 0;
    let seconds = 0;
    while (seconds < RUN_SECONDS) {
      for (let i = 0; i < 100; i++) cuts = cut();
      turns += 100;
      seconds = cpuSeconds() - before;
    }
    const sum = ends.subarray(0, cuts).reduce((total, end) => (total + end - from) >>> 0, 0);
    return { gigabytesPerSecond: (turns * BLOCK_BYTES) / seconds / 1e9, cuts, sum };
  };
}

/** The chunker over a file, as an application uses it. */
function streamChunker({ parameters }: Contender, path: string): () => Measured {
  const chunker = createChunker(parameters);
  const pass = () => {
    const file = openSync(path, "r");
    let cuts = 0;
    let sum = 0;
    let total = 0;
    const count = (chunks: readonly Uint8Array[]) => {
      for (const chunk of chunks) {
        total += chunk.length;
        sum = (sum + total) >>> 0;
        cuts++;
      }
    };
    for (;;) {
      const read = readSync(file, chunker.reserve());
      if (read === 0) break;
      count(chunker.advance(read));
    }
    count(chunker.finish());
    closeSync(file);
    return { cuts, sum, total };
  };
  return () => {
    const before = cpuSeconds();
    let bytes = 0;
    for (;;) {
      const { cuts, sum, total } = pass();
      bytes += total;
      const seconds = cpuSeconds() - before;
      if (seconds >= RUN_SECONDS) return { gigabytesPerSecond: bytes / seconds / 1e9, cuts, sum };
    }
  };
}

function nativeGear(program: string, ...mode: (string | number)[]): () => Measured {
  const sizes = [gear.minBytes, gear.meanBytes, gear.maxBytes];
  return () => {
    const output = execFileSync(program, [...mode, ...sizes].map(String), { encoding: "utf8" });
    const [bytes, seconds, cuts, sum] = output.split(" ").map(Number) as [number, number, number, number];
    return { gigabytesPerSecond: bytes / seconds / 1e9, cuts, sum };
  };
}

/** All contenders in turn, five times; medians. The native yardstick comes first. */
function race(native: () => Measured, others: readonly (() => Measured)[]): number[] {
  for (const run of others) run(); // let the engine optimise
  const speeds: number[][] = [native, ...others].map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    const results = [native, ...others].map((run) => run());
    const [expected, actual] = [results[0]!, results[1]!];
    if (expected.cuts !== actual.cuts || expected.sum !== actual.sum) {
      throw new Error("bench/gear.c and the gear kernel cut at different places");
    }
    for (const [i, result] of results.entries()) speeds[i]!.push(result.gigabytesPerSecond);
  }
  return speeds.map((list) => list.sort((a, b) => a - b)[ROUNDS >> 1]!);
}

function scaled(parameters: ChunkerParameters, factor: number): ChunkerParameters {
  const minBytes = Math.round(parameters.minBytes * factor);
  // An even distance, so that the middle of a range is an integer.
  const maxBytes = minBytes + 2 * Math.round(((parameters.maxBytes - parameters.minBytes) * factor) / 2);
  const middle = parameters.meanBytes * 2 === parameters.minBytes + parameters.maxBytes;
  const meanBytes = middle ? (minBytes + maxBytes) / 2 : Math.round(parameters.meanBytes * factor);
  return { algorithm: parameters.algorithm, minBytes, meanBytes, maxBytes };
}

interface Stored {
  readonly parameters: ChunkerParameters;
  readonly meanBytes: number;
  readonly uniqueBytes: number;
  readonly totalBytes: number;
}

/** Cuts all files and counts what a store keeps. Without `hashed`, only the mean. */
function stored(files: readonly string[], parameters: ChunkerParameters, hashed: boolean): Stored {
  const seen = new Set<string>();
  let totalBytes = 0;
  let uniqueBytes = 0;
  let chunks = 0;
  for (const file of files) {
    const data = readFileSync(file);
    let at = 0;
    for (const length of cutPoints(data, parameters)) {
      chunks++;
      if (hashed) {
        const digest = sha256(data.subarray(at, at + length));
        if (!seen.has(digest)) uniqueBytes += length;
        seen.add(digest);
      }
      at += length;
    }
    totalBytes += data.length;
  }
  return { parameters, meanBytes: totalBytes / chunks, uniqueBytes, totalBytes };
}

/** At the sizes whose mean comes nearest to the wanted one: the mean of few chunks is no smooth function of them. */
function atMean(files: readonly string[], parameters: ChunkerParameters, meanBytes: number): Stored {
  let factor = 1;
  let nearest = { factor, distance: Number.POSITIVE_INFINITY };
  for (let step = 0; step < 8 && nearest.distance > 0.003; step++) {
    const mean = stored(files, scaled(parameters, factor), false).meanBytes;
    const distance = Math.abs(mean / meanBytes - 1);
    if (distance < nearest.distance) nearest = { factor, distance };
    // Whole steps at first, then shorter ones, against swinging to and fro.
    factor *= (meanBytes / mean) ** (step < 3 ? 1 : 0.6);
  }
  return stored(files, scaled(parameters, nearest.factor), true);
}

const { values, positionals } = parseArgs({ options: { json: { type: "boolean" } }, allowPositionals: true });
const paths = positionals.length > 0 ? positionals : [join(import.meta.dirname, "..", "node_modules")];
const files = paths.flatMap(filesUnder);
if (files.length === 0) throw new Error(`no files under ${paths.join(", ")}`);
const largest = files.reduce((a, b) => (statSync(b).size > statSync(a).size ? b : a));
if (statSync(largest).size < BLOCK_BYTES) throw new Error("no file is as large as one block, 256 KiB");

const folder = mkdtempSync(join(tmpdir(), "tenon-bench-"));
const speeds: Record<string, number[]> = {};
try {
  const program = join(folder, "gear");
  execFileSync("gcc", ["-O3", "-o", program, join(import.meta.dirname, "gear.c")], { stdio: "inherit" });
  const bytes = new Uint8Array(BLOCK_BYTES);
  const turns = Math.ceil(NATIVE_BYTES / BLOCK_BYTES);
  const file = openSync(largest, "r");
  readSync(file, bytes, 0, BLOCK_BYTES, Math.floor((statSync(largest).size - BLOCK_BYTES) / 2));
  closeSync(file);
  for (const name of ["hot, file", "hot, random"]) {
    if (name === "hot, random") randomFillSync(bytes);
    const path = join(folder, "block");
    writeFileSync(path, bytes);
    const native = nativeGear(program, "hot", path, 0, BLOCK_BYTES, turns);
    speeds[name] = race(
      native,
      contenders.map((contender) => hotKernel(contender, bytes)),
    );
  }
  const native = nativeGear(program, "stream", largest, Math.ceil(NATIVE_BYTES / statSync(largest).size));
  speeds.stream = race(
    native,
    contenders.map((contender) => streamChunker(contender, largest)),
  );
} finally {
  rmSync(folder, { recursive: true });
}
const reference = stored(files, gear, true);
const others = contenders.slice(1).map(({ parameters }) => atMean(files, parameters, reference.meanBytes));
const kept = [reference, ...others];

if (values.json) {
  const kernels = ["gear.c", ...contenders.map(({ parameters }) => parameters.algorithm)];
  console.log(
    JSON.stringify(
      { paths, files: files.length, largest, kernels, gigabytesPerSecond: speeds, stored: kept },
      null,
      2,
    ),
  );
} else {
  const row = (cells: readonly string[]) =>
    console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(14) : cell.padStart(18))).join(""));
  console.log("GB per CPU second (times gear.c)");
  row(["", "gear.c, gcc -O3", ...contenders.map(({ parameters }) => parameters.algorithm)]);
  for (const [name, list] of Object.entries(speeds)) {
    row([name, ...list.map((speed) => `${speed.toFixed(2)} (${(speed / list[0]!).toFixed(2)})`)]);
  }
  console.log(
    `\nunique bytes of ${files.length} files, ${(reference.totalBytes / 1e6).toFixed(1)} MB, at equal mean chunk length`,
  );
  row(["", "min/max", "mean", "unique MB", "of all"]);
  for (const { parameters, meanBytes, uniqueBytes, totalBytes } of kept) {
    const { algorithm, minBytes, maxBytes } = parameters;
    const share = `${((100 * uniqueBytes) / totalBytes).toFixed(2)} %`;
    row([algorithm, `${minBytes}/${maxBytes}`, meanBytes.toFixed(0), (uniqueBytes / 1e6).toFixed(2), share]);
  }
}
