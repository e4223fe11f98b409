/**
 * `npm run fuzz [-- --seconds N --seed N --save DIR --only SEED]`: damaged executables through the whole repository.
 *
 * Real programs are damaged by a seeded mutator and stored beside the undamaged one: what comes back is what was
 * stored, always. Damaged recipes and packs give the right bytes or a typed error. No case may crash, take longer than
 * its limit, or make memory grow without bound. Cases run in a process of their own, which is ended when it hangs. A
 * case that fails is saved as the damaged file and a note with the seed; `--only SEED` runs it again.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { applyDamage } from "../src/elf/testing/mutator.ts";
import { caseOf } from "./fuzz/cases.ts";
import type { FromChild } from "./fuzz/child.ts";
import { fuzzPrograms } from "./fuzz/programs.ts";

/** The largest programs take a second; a machine that is busy, ten. */
const CASE_MS = 60_000;
/** Of the process: programs are below 3 MB, and dissecting takes some ten times a file. */
const MAX_RSS_BYTES = 1.5 * 2 ** 30;
/** The process is replaced after so many cases, so that memory that only its age explains isn't blamed on one. */
const CASES_PER_CHILD = 2000;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    // The beginning of a block of seeds: see below.
    seed: { type: "string", default: String((Date.now() % 1000) * 1_000_000) },
    save: { type: "string", default: join(tmpdir(), "tenon-crashers") },
    only: { type: "string" },
  },
});
const seconds = Number(values.seconds);
const firstSeed = Number(values.only ?? values.seed);
/** Which installed programs take part is the same for a million seeds, so that a case can be had again by its own. */
const programSeed = Math.floor(firstSeed / 1_000_000);
const programs = fuzzPrograms(programSeed);

function save(seed: number, why: string): void {
  const { kind, program, changes } = caseOf(seed, programs);
  mkdirSync(values.save, { recursive: true });
  const base = join(values.save, `${seed}-${kind}`);
  writeFileSync(`${base}.gz`, gzipSync(applyDamage(program.bytes, changes)));
  const note = { seed, kind, program: program.name, changes, why };
  const text = JSON.stringify(note, (_key, value) => (typeof value === "bigint" ? `${value}` : value), 1);
  writeFileSync(`${base}.json`, `${text}\n`);
  console.log(`seed ${seed} (${kind}, ${program.name}): ${why}\n  saved as ${base}.gz`);
}

function startChild(): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, "fuzz", "child.ts"), [String(programSeed)], {
    execArgv: ["--max-old-space-size=1024"],
  });
  return new Promise((resolve, reject) => {
    child.once("message", () => resolve(child));
    child.once("exit", (code) => reject(new Error(`the fuzzer's process ended with ${code}`)));
  });
}

/** Runs one case in the child; what is wrong with it, or its outcome. */
function runCase(
  child: ChildProcess,
  seed: number,
): Promise<{ outcome: string; failure?: string; isEnded: boolean; rssBytes: number }> {
  return new Promise((resolve) => {
    const done = (result: { outcome: string; failure?: string; isEnded: boolean; rssBytes: number }) => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
      resolve(result);
    };
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      const failure = `took longer than ${CASE_MS / 1000} s`;
      done({ outcome: "failed", failure, isEnded: true, rssBytes: 0 });
    }, CASE_MS);
    const onExit = (code: number | null, signal: string | null) => {
      const failure = `the process ended with ${signal ?? code}`;
      done({ outcome: "failed", failure, isEnded: true, rssBytes: 0 });
    };
    const onMessage = (message: FromChild) => {
      if (message.type !== "end" || message.seed !== seed) return;
      const { outcome, failure, rssBytes } = message;
      const tooMuch = rssBytes > MAX_RSS_BYTES ? `${rssBytes} bytes of memory` : undefined;
      const why = failure ?? tooMuch;
      done({ outcome, ...(why !== undefined && { failure: why }), isEnded: false, rssBytes });
    };
    child.on("message", onMessage);
    child.once("exit", onExit);
    child.send({ seed });
  });
}

console.log(`${programs.length} programs, seed ${firstSeed}${values.only ? "" : `, ${seconds} s`}`);
const begun = performance.now();
const outcomes = new Map<string, number>();
let child = await startChild();
let failures = 0;
let cases = 0;
let slowestMs = 0;
let mostBytes = 0;
let reportedMs = begun;
for (
  let seed = firstSeed;
  cases === 0 || (!values.only && performance.now() - begun < seconds * 1000);
  seed++
) {
  const before = performance.now();
  const { outcome, failure, isEnded, rssBytes } = await runCase(child, seed);
  slowestMs = Math.max(slowestMs, performance.now() - before);
  mostBytes = Math.max(mostBytes, rssBytes);
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  cases++;
  if (failure !== undefined) {
    failures++;
    save(seed, failure);
  }
  if (isEnded || failure !== undefined || cases % CASES_PER_CHILD === 0) {
    child.kill();
    child = await startChild();
  }
  if (performance.now() - reportedMs > 30_000) {
    reportedMs = performance.now();
    console.log(`${cases} cases, ${failures} failures, next seed ${seed + 1}`);
  }
}
child.kill();
const counts = [...outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(", ");
console.log(
  `${cases} cases in ${((performance.now() - begun) / 1000).toFixed(0)} s: ${counts}; ${failures} failures; slowest ${Math.round(slowestMs)} ms, most memory ${Math.round(mostBytes / 2 ** 20)} MiB`,
);
process.exitCode = failures > 0 ? 1 : 0;
