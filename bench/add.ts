/**
 * First add, add of known data, and get, against peers on the same data in the same run.
 *
 *   node bench/add.ts [--rounds N] [--peers restic,casync,borg] [--json] [DIRECTORY]
 *
 * DIRECTORY: what to store; the project's node_modules without. See bench/fetch-data.ts for more. In each round all
 * contenders take turns, beginning with another one each time, each with a new repository: add, add again, get;
 * then the restored files are compared with the original. Medians over the rounds; data is in the page cache.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { median, type Taken } from "./measured.ts";
import { contenders, type Peer, versionOf } from "./peers/index.ts";
import { makePlace, placeName } from "./place.ts";
import { type Aim, megabytes, print, type Report, seconds } from "./report.ts";

const STEPS = ["add", "addAgain", "get"] as const;
type Step = (typeof STEPS)[number];
const STEP_NAMES: Record<Step, string> = { add: "first add", addAgain: "add of known data", get: "get" };

export interface AddBench {
  readonly data: string;
  readonly rounds: number;
  readonly peers: readonly string[];
}

export const ADD_DEFAULTS: AddBench = {
  data: join(import.meta.dirname, "..", "node_modules"),
  rounds: 5,
  peers: ["restic", "casync", "borg"],
};

function sizeOf(path: string): { files: number; bytes: number } {
  let files = 0;
  let bytes = 0;
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    files++;
    bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return { files, bytes };
}

/** The directory that holds the restored files: peers put it at different depths. */
function restoredRoot(output: string, data: string): string {
  const names = readdirSync(output);
  const original = readdirSync(data);
  if (names.length === original.length && names.every((name) => original.includes(name))) return output;
  if (names.length !== 1) throw new Error(`${output} holds ${names.join(", ")}`);
  return restoredRoot(join(output, names[0]!), data);
}

type Results = Map<Peer, Record<Step, Taken[]> & { stored: number[] }>;

function round(peer: Peer, data: string, place: string, results: Results): void {
  const folder = join(place, peer.name);
  const output = join(folder, "output");
  mkdirSync(output, { recursive: true });
  try {
    const result = results.get(peer)!;
    peer.init(folder);
    result.add.push(peer.add(folder, data));
    const stored = sizeOf(join(folder, peer.name === "casync" ? "store" : "repo")).bytes;
    result.stored.push(stored);
    result.addAgain.push(peer.addAgain(folder, data));
    result.get.push(peer.get(folder, output));
    execFileSync("diff", ["-r", "--no-dereference", data, restoredRoot(output, data)]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function measureAdd({ data, rounds, peers }: AddBench): Report {
  const all = contenders(peers);
  const versions = all.map(versionOf);
  const { files, bytes } = sizeOf(data);
  const results: Results = new Map(all.map((peer) => [peer, { add: [], addAgain: [], get: [], stored: [] }]));
  // A repository, what is restored, and a copy of the data at the beginning.
  const place = makePlace(3 * bytes);
  try {
    // Reads the data once, so that the first contender finds it in the page cache as the others do.
    execFileSync("tar", ["-cf", join(place, "warm.tar"), "-C", data, "."]);
    rmSync(join(place, "warm.tar"));
    for (let number = 0; number < rounds; number++) {
      const order = all.map((_, i) => all[(i + number) % all.length]!);
      for (const peer of order) {
        process.stderr.write(`round ${number + 1} of ${rounds}: ${peer.name}\n`);
        round(peer, data, place, results);
      }
    }
  } finally {
    rmSync(place, { recursive: true });
  }
  const cpu = (peer: Peer, step: Step) => median(results.get(peer)![step].map((taken) => taken.cpuSeconds));
  const wall = (peer: Peer, step: Step) => median(results.get(peer)![step].map((taken) => taken.wallSeconds));
  const peak = (peer: Peer, step: Step) =>
    Math.max(...results.get(peer)![step].map((taken) => taken.peakBytes));
  const tenon = all[0]!;
  const rows = STEPS.flatMap((step) =>
    all.map((peer) => [
      STEP_NAMES[step],
      peer.name,
      seconds(cpu(peer, step)),
      peer === tenon ? "1" : (cpu(peer, step) / cpu(tenon, step)).toFixed(2),
      seconds(wall(peer, step)),
      peer === tenon ? "1" : (wall(peer, step) / wall(tenon, step)).toFixed(2),
      `${(bytes / 1e6 / cpu(peer, step)).toFixed(0)} MB/s`,
      megabytes(peak(peer, step)),
      step === "add" ? megabytes(median(results.get(peer)!.stored)) : "",
    ]),
  );
  const find = (name: string) => all.find((peer) => peer.name === name);
  const aims: Aim[] = [];
  const aim = (name: string, step: Step, atLeast: number) => {
    const peer = find(name);
    if (peer === undefined) return;
    const measured = cpu(peer, step) / cpu(tenon, step);
    aims.push({
      what: `${STEP_NAMES[step]}, CPU time of ${name} over tenon's`,
      measured,
      atLeast,
      unit: "times",
    });
  };
  aim("restic", "add", 1);
  aim("restic", "addAgain", 2);
  aim("casync", "addAgain", 4);
  aim("restic", "get", 3);
  for (const step of STEPS) {
    const measured = peak(tenon, step) / 1e6;
    aims.push({ what: `${STEP_NAMES[step]}, peak memory of tenon`, measured, atMost: 400, unit: "MB" });
  }
  const shown = data === ADD_DEFAULTS.data ? "" : " DIRECTORY";
  return {
    title: shown === "" ? "Add and get" : `Add and get: ${basename(data)}`,
    command: `node bench/add.ts${shown}`,
    about: `${files} files, ${megabytes(bytes)}; medians of ${rounds}; ${versions.join("; ")}; ${placeName(place)}. CPU time is user and system time with all children.`,
    columns: ["", "", "CPU", "ratio", "wall", "ratio", "per CPU second", "peak memory", "stored"],
    rows,
    aims,
  };
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { rounds: { type: "string" }, peers: { type: "string" }, json: { type: "boolean" } },
    allowPositionals: true,
  });
  const report = measureAdd({
    data: resolve(positionals[0] ?? ADD_DEFAULTS.data),
    rounds: Number(values.rounds ?? ADD_DEFAULTS.rounds),
    peers: values.peers === undefined ? ADD_DEFAULTS.peers : values.peers.split(",").filter(Boolean),
  });
  print(report, values.json);
}
