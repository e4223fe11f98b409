/**
 * What starting through a fat file costs: time, CPU and memory, beside starting the same flavour directly and
 * beside copying it into a memfd first (what unpacking launchers do at least, before any decompression). Of compact
 * files both the first start, which restores the flavour, and those from the cache.
 *
 *     node bench/fat.ts [ROUNDS]
 *
 * Two builds of a JavaScript runtime of 92 MB come from npm into the temporary directory (once); the Go program is
 * esbuild from node_modules, the small one is compiled here. All stand on the same
 * file system, and direct, mapped and cached starts alternate, so that all see the same machine.
 */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type FlavourInput, packCompact, packFat } from "../src/fatbin/index.ts";
import { FOLDER, fetchRuntime } from "./fat-programs.ts";
import { type Aim, markdown } from "./report.ts";

const ROUNDS = Number(process.argv[2] ?? 200);
/** First starts take up to a second each. */
const FIRST_ROUNDS = 5;

/** The smallest thing that a launcher without mapping does: copy the flavour into a memfd and execute that. */
const COPYING_LAUNCHER = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
extern char **environ;
int main(int count, char **values) {
  int from = open(getenv("FLAVOUR"), O_RDONLY), to = memfd_create("flavour", MFD_CLOEXEC);
  struct stat status;
  fstat(from, &status);
  for (long left = status.st_size; left > 0;) { long n = sendfile(to, from, 0, left); if (n <= 0) return 1; left -= n; }
  fexecve(to, values, environ);
  return 1;
}
`;

/** Starts commands in turn, and prints wall and CPU milliseconds of each: Node's own spawning is too slow for this. */
const TIMER = `
import json, os, sys, time
rounds, commands = json.load(sys.stdin)
out = os.open("/dev/null", os.O_WRONLY)
taken = [[] for _ in commands]
for number in range(rounds):
    # Each is the first in turn: what ran before has warmed or emptied the caches.
    order = list(range(len(commands)))
    for n in order[number % len(order):] + order[:number % len(order)]:
        command, extra = commands[n]
        start = time.perf_counter()
        pid = os.posix_spawn(command[0], command, {**os.environ, **extra}, file_actions=[(os.POSIX_SPAWN_DUP2, out, 1)])
        _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - start
        if status != 0: sys.exit(f"{command} ended with {status}")
        taken[n].append((wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000))
print(json.dumps(taken))
`;

/** Where compact files restore to in these measurements. */
const CACHE = join(FOLDER, "cache");

type Command = readonly [command: readonly string[], env: Readonly<Record<string, string>>];

/** The 10th percentile of wall and CPU time in milliseconds, for each command. */
function measure(commands: readonly Command[], rounds = ROUNDS): { wall: number; cpu: number }[] {
  const input = JSON.stringify([rounds, commands]);
  const taken: [number, number][][] = JSON.parse(
    execFileSync("python3", ["-c", TIMER], { input, encoding: "utf8" }),
  );
  const tenth = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 10)]!;
  return taken.map((runs) => ({
    wall: tenth(runs.map(([wall]) => wall)),
    cpu: tenth(runs.map(([, cpu]) => cpu)),
  }));
}

function compile(name: string, source: string, flags: readonly string[]): string {
  const path = join(FOLDER, name);
  execFileSync("gcc", ["-O2", "-static", ...flags, "-xc", "-", "-o", path], { input: source });
  return path;
}

function pack(name: string, flavours: readonly (readonly [features: string, path: string])[]): string {
  const path = join(FOLDER, name);
  const inputs = flavours.map(([features, source]): FlavourInput => {
    return { source, features, bytes: new Uint8Array(readFileSync(source)) };
  });
  writeFileSync(path, Buffer.concat([...packFat(inputs).pieces()]), { mode: 0o755 });
  return path;
}

/** Packs a compact file; the runtime's takes minutes, so it is kept for later runs. */
function packOnce(name: string, flavours: readonly (readonly [features: string, path: string])[]): string {
  const inputs = flavours.map(([features, source]): FlavourInput => {
    return { source, features, bytes: new Uint8Array(readFileSync(source)) };
  });
  const content = createHash("sha256");
  for (const { bytes } of inputs) content.update(bytes);
  for (const part of ["compact", "restorer"])
    content.update(readFileSync(new URL(`../src/fatbin/launcher/${part}-images.ts`, import.meta.url)));
  const path = join(FOLDER, `${name}-${content.digest("hex").slice(0, 12)}`);
  if (existsSync(path)) return path;
  const work = packCompact(inputs);
  for (let step = work.next(); ; step = work.next()) {
    if (!step.done) continue;
    writeFileSync(path, Buffer.concat([...step.value.pieces()]), { mode: 0o755 });
    return path;
  }
}

/** Proportional set size of four processes that run at the same time, in bytes for each. */
async function proportionalSize(path: string): Promise<number> {
  const env = { ...process.env, XDG_CACHE_HOME: CACHE };
  const children = [1, 2, 3, 4].map(() =>
    spawn(path, ["-e", "setTimeout(() => {}, 60000)"], { stdio: "ignore", env }),
  );
  try {
    await sleep(1500);
    const sizes = children.map(({ pid }) =>
      /^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")),
    );
    return sizes.reduce((sum, size) => sum + Number(size![1]) * 1024, 0) / children.length;
  } finally {
    for (const child of children) child.kill("SIGKILL");
  }
}

mkdirSync(FOLDER, { recursive: true });
const launcher = compile("copy", COPYING_LAUNCHER, []);
const small = compile("small", "int main(void) { return 0; }", []);
const smallFast = compile("small-v3", "int main(void) { return 0; }", ["-march=x86-64-v3"]);
const runtime = fetchRuntime("bun-linux-x64");
const runtimeBaseline = fetchRuntime("bun-linux-x64-baseline");
const go = join(FOLDER, "go");
copyFileSync(new URL(import.meta.resolve("@esbuild/linux-x64/bin/esbuild")), go);

const programs = [
  {
    name: "small static C",
    direct: smallFast,
    args: [],
    fat: pack("fat-small", [
      ["", small],
      ["x86-64-v3", smallFast],
    ]),
    compact: packOnce("compact-small", [
      ["", small],
      ["x86-64-v3", smallFast],
    ]),
  },
  {
    name: "11 MB Go",
    direct: go,
    args: ["--version"],
    fat: pack("fat-go", [["x86-64-v3", go]]),
    // The default isn't restored, so it is something else.
    compact: packOnce("compact-go", [
      ["", small],
      ["x86-64-v3", go],
    ]),
  },
  {
    name: "92 MB JavaScript runtime",
    direct: runtime,
    args: ["--version"],
    fat: pack("fat-runtime", [
      ["", runtimeBaseline],
      ["haswell", runtime],
    ]),
    compact: packOnce("compact-runtime", [
      ["", runtimeBaseline],
      ["haswell", runtime],
    ]),
  },
];

const rows: string[][] = [];
const aims: Aim[] = [];
for (const { name, direct, args, fat, compact } of programs) {
  const env = { XDG_CACHE_HOME: CACHE };
  const firsts: Taken[] = [];
  for (let i = 0; i < FIRST_ROUNDS; i++) {
    rmSync(CACHE, { recursive: true, force: true });
    firsts.push(measure([[[compact, ...args], env]], 1)[0]!);
  }
  const first = firsts.sort((a, b) => a.wall - b.wall)[0]!;
  const [directly, mapped, cached] = measure([
    [[direct, ...args], {}],
    [[fat, ...args], {}],
    [[compact, ...args], env],
  ]) as [Taken, Taken, Taken];
  // By itself: writing a copy empties the caches for whoever comes next.
  const [copied] = measure([[[launcher, ...args], { FLAVOUR: direct }]]) as [Taken];
  for (const [how, { wall, cpu }] of [
    ["direct", directly],
    ["mapped", mapped],
    ["compact, cached", cached],
    ["compact, first", first],
    ["copied to a memfd", copied],
  ] as const) {
    rows.push([name, how, wall.toFixed(3), cpu.toFixed(3), (wall - directly.wall).toFixed(3)]);
  }
  aims.push({
    what: `${name}, mapped over direct`,
    measured: mapped.wall - directly.wall,
    atMost: 0.15,
    unit: "ms",
  });
  aims.push({
    what: `${name}, compact and cached over direct`,
    measured: cached.wall - directly.wall,
    atMost: 0.25,
    unit: "ms",
  });
}
type Taken = ReturnType<typeof measure>[number];

const runtimeFat = programs[2]!.fat;
const pssDirect = await proportionalSize(runtime);
const pssFat = await proportionalSize(runtimeFat);
aims.push({
  what: "PSS of four processes, mapped over direct",
  measured: pssFat / pssDirect,
  atMost: 1.02,
  unit: "times",
});
const compactFile = programs[2]!.compact;
const pssCompact = await proportionalSize(compactFile);
aims.push({
  what: "PSS of four processes, compact and cached over direct",
  measured: pssCompact / pssDirect,
  atMost: 1.02,
  unit: "times",
});
const MB = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

console.log(
  markdown({
    title: "Starting through a fat file",
    command: "node bench/fat.ts",
    about: `${ROUNDS} starts each, direct, mapped and cached in turn, 10th percentile, milliseconds; of ${FIRST_ROUNDS} first starts the fastest. PSS: ${MB(pssDirect)} direct, ${MB(pssFat)} mapped, ${MB(pssCompact)} compact. The runtime's fat file has ${MB(statSync(runtimeFat).size)} mapped, ${MB(statSync(compactFile).size)} compact.`,
    columns: ["program", "started", "wall ms", "CPU ms", "over direct ms"],
    rows,
    aims,
  }),
);
