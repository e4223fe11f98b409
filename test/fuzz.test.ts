/** A short run of the fuzzer (`npm run fuzz` runs for ten minutes), and files that it once found. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { applyDamage, generator, planDamage } from "../src/elf/testing/mutator.ts";
import { buildPrograms } from "../src/executable/testing/programs.ts";
import { link, sampleProgram } from "../src/executable/testing/small-program.ts";
import { caseOf, FuzzRun } from "./fuzz/cases.ts";
import { generatedPrograms } from "./fuzz/programs.ts";

const SEED = 20261121;
const CASES = 60;
/** Of a machine that is busy; usual is 20 ms. */
const CASE_MS = 20_000;

test("damaged executables come back from the repository, damaged repositories say so", async () => {
  const programs = [
    ...generatedPrograms(),
    ...buildPrograms(["pie", "stripped", "no-pie", "shared", "debug", "aarch64-pie"]),
  ];
  const run = new FuzzRun();
  const outcomes = new Map<string, number>();
  for (let seed = SEED; seed < SEED + CASES; seed++) {
    const fuzzed = caseOf(seed, programs);
    const begun = performance.now();
    try {
      const outcome = await run.run(fuzzed);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    } catch (cause) {
      throw new Error(`seed ${seed}: ${fuzzed.kind} of ${fuzzed.program.name}`, { cause });
    }
    assert.ok(performance.now() - begun < CASE_MS, `seed ${seed} took too long`);
  }
  // Not everything may end the same way, or the cases test nothing.
  assert.ok(outcomes.size >= 3, JSON.stringify([...outcomes]));
  assert.ok((outcomes.get("executable") ?? 0) > 5, JSON.stringify([...outcomes]));
});

test("the canary fails: other bytes would be seen", async () => {
  const [program] = generatedPrograms();
  const canary = { seed: 1, kind: "canary", program: program!, changes: [] } as const;
  await assert.rejects(new FuzzRun().run(canary), /other bytes came back/);
});

test("a seed always makes the same damage", () => {
  const bytes = link(sampleProgram(3, 40));
  const changes = planDamage(bytes, generator(7));
  assert.deepEqual(planDamage(bytes, generator(7)), changes);
  assert.notDeepEqual(applyDamage(bytes, changes), bytes);
  assert.notDeepEqual(planDamage(bytes, generator(8)), changes);
});

const CRASHERS = join(import.meta.dirname, "crashers");
const crashers = existsSync(CRASHERS) ? readdirSync(CRASHERS).filter((name) => name.endsWith(".gz")) : [];

test("files that once broke something", { skip: crashers.length === 0 && "there are none yet" }, async () => {
  const run = new FuzzRun();
  for (const name of crashers) {
    const bytes = new Uint8Array(gunzipSync(readFileSync(join(CRASHERS, name))));
    const program = { name, bytes };
    for (const kind of ["executable", "looks"] as const)
      await run.run({ seed: 1, kind, program, changes: [] });
  }
});
