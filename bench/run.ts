/**
 * Every measurement, one after the other, as one page of Markdown (docs/benchmarks.md is one).
 *
 *   npm run bench [-- [--only NAME,...] [--data DIRECTORY]... [--atoms N] [--rounds N] [--json]]
 *
 * NAME: startup, add, memory, index, chunking. DIRECTORY: what is added and restored, one after
 * the other; the project's node_modules without. The peers are installed by bench/install-peers.sh. With everything it takes about ten minutes.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpus, release, totalmem, type } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ADD_DEFAULTS, measureAdd } from "./add.ts";
import { INDEX_ATOMS, measureIndex } from "./index.ts";
import { measureMemory } from "./memory.ts";
import { isReached, markdown, type Report } from "./report.ts";
import { measureStartup, STARTUP_ROUNDS } from "./startup.ts";

const root = join(import.meta.dirname, "..");

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    data: { type: "string", multiple: true },
    atoms: { type: "string" },
    rounds: { type: "string" },
    json: { type: "boolean" },
  },
});
const data = (values.data ?? [ADD_DEFAULTS.data]).map((path) => resolve(path));
const rounds = Number(values.rounds ?? ADD_DEFAULTS.rounds);

/** bench/chunking.ts is a program of its own: its kernels want a process in which nothing else ran. */
function measureChunking(): Report {
  const output = execFileSync(
    process.execPath,
    [join(import.meta.dirname, "chunking.ts"), "--json", ...data],
    {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const { kernels, gigabytesPerSecond, stored } = JSON.parse(output) as {
    kernels: string[];
    gigabytesPerSecond: Record<string, number[]>;
    stored: { parameters: { algorithm: string }; uniqueBytes: number; totalBytes: number }[];
  };
  const speeds = Object.entries(gigabytesPerSecond);
  const last = kernels.length - 1;
  const unique = (i: number) => (100 * stored[i]!.uniqueBytes) / stored[i]!.totalBytes;
  return {
    title: "Chunking",
    command: "node bench/chunking.ts",
    about:
      "GB per CPU second of one thread; gear.c is the native yardstick, the last column is what tenon uses. Unique bytes are counted at equal mean length of chunks.",
    columns: ["", ...kernels],
    rows: [
      ...speeds.map(([name, list]) => [name, ...list.map((speed) => speed.toFixed(2))]),
      ["unique bytes", "", ...stored.map((_, i) => `${unique(i).toFixed(2)}%`)],
    ],
    aims: [
      ...speeds
        .filter(([name]) => name.startsWith("hot"))
        .map(([name, list]) => ({
          what: `${name}: ${kernels[last]} over gear.c`,
          measured: list[last]! / list[0]!,
          atLeast: 3,
          unit: "times",
        })),
      {
        what: `unique bytes of ${kernels[last]} over those of gear`,
        measured: unique(stored.length - 1) / unique(0),
        atMost: 1,
        unit: "times",
      },
    ],
  };
}

const MEASUREMENTS: Record<string, () => Promise<readonly Report[]>> = {
  startup: async () => [measureStartup(STARTUP_ROUNDS)],
  add: async () => data.map((path) => measureAdd({ data: path, rounds, peers: ADD_DEFAULTS.peers })),
  memory: async () => [measureMemory()],
  index: async () => [await measureIndex(Number(values.atoms ?? INDEX_ATOMS))],
  chunking: async () => [measureChunking()],
};

const names = values.only?.split(",") ?? Object.keys(MEASUREMENTS);
for (const name of names) {
  if (!Object.hasOwn(MEASUREMENTS, name)) {
    throw new Error(`no measurement ${name}; there are ${Object.keys(MEASUREMENTS).join(", ")}`);
  }
}
// The peers race against the program as it is installed.
const { status } = spawnSync(process.execPath, [join(root, "scripts", "build.ts")], {
  stdio: ["ignore", 2, 2],
});
if (status !== 0) throw new Error("the build failed");

const processors = cpus();
const machine = {
  processor: processors[0]?.model.trim() ?? "unknown",
  cores: processors.length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  system: `${type()} ${release().replace(/-.*/, "")}`,
  node: process.versions.node,
  date: new Date().toISOString().slice(0, 10),
};
const reports: Report[] = [];
for (const name of names) {
  process.stderr.write(`measuring ${name}\n`);
  reports.push(...(await MEASUREMENTS[name]!()));
}

if (values.json === true) console.log(JSON.stringify({ machine, reports }, null, 2));
else {
  const { processor, cores, memoryGiB, system, node, date } = machine;
  const missed = reports.flatMap(({ aims }) => aims.filter((aim) => !isReached(aim))).length;
  const all = reports.flatMap(({ aims }) => aims).length;
  console.log(`# Benchmarks

Made by \`npm run bench\` on ${date}: ${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}, Node ${node}.
Ratios within a run hold; absolute numbers depend on what else the machine does. ${all - missed} of ${all} aims are reached.
`);
  console.log(reports.map(markdown).join("\n\n"));
}
