/**
 * How fast the probe is, and how much memory it needs.
 *
 *   node bench/probe.ts [--json] [--recompress] PATH...
 *
 * First the cutting rules alone, each splitter and tenon's chunker over the bytes of the first regular file (at most
 * 256 MiB of it, read before), and all together: MB per CPU second of one thread, the median of five rounds in which
 * all take turns. Then a whole probe of all PATHs in this process: wall and CPU time, and the peak of its memory.
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  bupSplitter,
  createChunker,
  defaultChunkerParameters,
  NOMS_FIRST,
  NOMS_LAST,
  nomsSplitter,
  probeGearSplitter,
  SPLITTER_BLOCK_BYTES,
} from "../src/chunking/index.ts";
import { probe } from "../src/probe/index.ts";

const ROUNDS = 5;
const MAX_BYTES = 256 << 20;

const { values, positionals } = parseArgs({
  options: { json: { type: "boolean" }, recompress: { type: "boolean" } },
  allowPositionals: true,
});
if (positionals.length === 0) throw new Error("name files, directories or layouts to probe");

function firstFile(path: string): string | undefined {
  const status = statSync(path);
  if (status.isFile()) return status.size > 0 ? path : undefined;
  if (!status.isDirectory()) return undefined;
  for (const name of readdirSync(path).sort()) {
    const found = firstFile(join(path, name));
    if (found !== undefined) return found;
  }
  return undefined;
}

function beginning(path: string): Uint8Array {
  const file = openSync(path, "r");
  const bytes = new Uint8Array(Math.min(statSync(path).size, MAX_BYTES));
  readSync(file, bytes);
  closeSync(file);
  return bytes;
}

function cpuSeconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

const chunker = createChunker(defaultChunkerParameters);
const contenders = [
  ...[
    bupSplitter([15, 13, 11, 7].map((bits) => ({ bits, maxBytes: 0 }))),
    nomsSplitter([NOMS_FIRST, NOMS_LAST]),
    probeGearSplitter(),
  ].map((splitter) => ({
    name: splitter.rules.join(" "),
    take: (block: Uint8Array) => void splitter.advance(block),
    end: () => splitter.reset(),
  })),
  {
    name: "tenon-chunks",
    take(block: Uint8Array) {
      chunker.reserve().set(block);
      chunker.advance(block.length);
    },
    end: () => void chunker.finish(),
  },
];

const path = positionals.map(firstFile).find((found) => found !== undefined);
if (path === undefined) throw new Error("there is no file to measure with");
const data = beginning(path);

function megabytesPerSecond(turns: readonly (typeof contenders)[number][]): number {
  const before = cpuSeconds();
  for (let at = 0; at < data.length; at += SPLITTER_BLOCK_BYTES) {
    const block = data.subarray(at, at + SPLITTER_BLOCK_BYTES);
    for (const { take } of turns) take(block);
  }
  for (const { end } of turns) end();
  return data.length / (cpuSeconds() - before) / 1e6;
}

const lists = [...contenders.map((contender) => [contender]), contenders];
const speeds: number[][] = lists.map(() => []);
for (let round = 0; round < ROUNDS; round++) {
  for (const [i, list] of lists.entries()) speeds[i]!.push(megabytesPerSecond(list));
}
const cutting = lists.map((list, i) => ({
  rules: list.length === 1 ? list[0]!.name : "all together",
  megabytesPerSecond: Math.round(speeds[i]!.sort((a, b) => a - b)[ROUNDS >> 1]!),
}));

const startMs = performance.now();
const before = process.cpuUsage();
const report = await probe(positionals, { recompress: values.recompress ?? false });
const { user, system } = process.cpuUsage(before);
const whole = {
  totalBytes: report.totalBytes,
  pieces: Math.max(...report.methods.map(({ uniquePieces }) => uniquePieces)),
  wallSeconds: (performance.now() - startMs) / 1000,
  cpuSeconds: (user + system) / 1e6,
  peakMebibytes: process.resourceUsage().maxRSS / 1024,
};

if (values.json) console.log(JSON.stringify({ path, bytes: data.length, cutting, whole }, null, 2));
else {
  console.log(`cutting ${(data.length / 1e6).toFixed(1)} MB of ${path}, MB per CPU second`);
  for (const { rules, megabytesPerSecond: speed } of cutting)
    console.log(`  ${rules.padEnd(36)}${String(speed).padStart(6)}`);
  const { totalBytes, cpuSeconds: cpu, wallSeconds, peakMebibytes, pieces } = whole;
  console.log(
    `probe of ${(totalBytes / 1e6).toFixed(1)} MB${values.recompress ? " with recompression" : ""}: ${(totalBytes / cpu / 1e6).toFixed(1)} MB per CPU second, ${wallSeconds.toFixed(1)} s, peak ${peakMebibytes.toFixed(0)} MiB, up to ${pieces} different pieces`,
  );
}
