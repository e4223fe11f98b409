/**
 * How long `tenon version`, and `tenon cat` of a few bytes, take beyond what Node itself takes to do nothing.
 *
 *   node bench/startup.ts [--rounds N] [--json]
 *
 * `node -e 0`, the built program and the sources take turns; the compile cache is warm, as it is after the first
 * run. Needs `npm run build`.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "./measured.ts";
import { print, type Report } from "./report.ts";

const root = join(import.meta.dirname, "..");
/** Starting takes little and varies much: more rounds than elsewhere. */
export const STARTUP_ROUNDS = 21;

const BUILT = join(root, "dist", "cli", "main.js");
const CONTENDERS = [
  { name: "node -e 0", args: ["-e", "0"] },
  { name: "tenon version, built", args: [BUILT, "version"] },
  { name: "tenon cat, built", args: [BUILT, "cat", "few"] },
  { name: "tenon version, launcher", args: [join(root, "bin", "tenon.mjs"), "version"] },
  { name: "tenon version, sources", args: [join(root, "src", "cli", "main.ts"), "version"] },
] as const;

function start(args: readonly string[], place: string): number {
  const env = { ...process.env, TENON_REPO: join(place, "repository") };
  const begin = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  if (status !== 0) throw new Error(`node ${args.join(" ")}: ${stderr}`);
  return performance.now() - begin;
}

function measureIn(place: string, rounds: number): number[][] {
  start([BUILT, "init"], place);
  const file = join(place, "few");
  writeFileSync(file, "a few bytes\n");
  start([BUILT, "add", "--ref", "few", file], place);
  const taken = CONTENDERS.map((): number[] => []);
  for (const { args } of CONTENDERS) start(args, place);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { args }] of CONTENDERS.entries()) taken[i]!.push(start(args, place));
  }
  return taken;
}

export function measureStartup(rounds: number): Report {
  const place = mkdtempSync(join(tmpdir(), "tenon-startup-"));
  let taken: number[][];
  try {
    taken = measureIn(place, rounds);
  } finally {
    rmSync(place, { recursive: true });
  }
  const medians = taken.map(median);
  const over = medians.map((value) => value - medians[0]!);
  return {
    title: "Startup",
    command: "node bench/startup.ts",
    about: `Wall time, medians of ${rounds} turns.`,
    columns: ["", "takes", "beyond node"],
    rows: CONTENDERS.map(({ name }, i) => [
      name,
      `${medians[i]!.toFixed(1)} ms`,
      `${over[i]!.toFixed(1)} ms`,
    ]),
    aims: CONTENDERS.slice(1).map(({ name }, i) => ({
      what: `${name}, beyond node -e 0`,
      measured: over[i + 1]!,
      atMost: 80,
      unit: "ms",
    })),
  };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { rounds: { type: "string" }, json: { type: "boolean" } } });
  print(measureStartup(Number(values.rounds ?? STARTUP_ROUNDS)), values.json);
}
