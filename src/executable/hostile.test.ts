import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { equalBytes } from "../bytes/index.ts";
import { damage, EXTREMES, generator } from "../elf/testing/mutator.ts";
import { isTenonError } from "../errors/index.ts";
import { dissect, type JoinInput, join, joinInput } from "./index.ts";
import { buildPrograms, goPrograms } from "./testing/programs.ts";

const SEED = 20261122;

/** Dissects and joins; the file must come back, or be declined with a typed error. */
function survives(bytes: Uint8Array, what: string): boolean {
  const begin = performance.now();
  try {
    const dissection = dissect(bytes);
    assert.ok(equalBytes(join(joinInput(dissection)), bytes), what);
    return true;
  } catch (error) {
    if (!isTenonError(error)) throw new Error(what, { cause: error });
    return false;
  } finally {
    assert.ok(performance.now() - begin < 10_000, `${what} took too long`);
  }
}

const programs = buildPrograms(["pie", "stripped", "no-pie", "relr", "aarch64-pie", "object"]);

test("damaged programs come back or are declined", { skip: programs.length === 0 }, () => {
  let came = 0;
  for (const { name, bytes } of programs) {
    for (let run = 0; run < 150; run++) {
      if (survives(damage(bytes, generator(SEED + run)), `${name}, seed ${SEED + run}`)) came++;
    }
  }
  // Most damage leaves a file that can still be taken apart.
  assert.ok(came > programs.length * 50, `${came}`);
});

const go = goPrograms();

test("a damaged Go program comes back or is declined", { skip: go.length === 0 }, () => {
  const { bytes } = go[0]!;
  for (let run = 0; run < 4; run++) survives(damage(bytes, generator(SEED + run)), `seed ${SEED + run}`);
});

test("random bytes behind a file header", () => {
  const header = programs[0]?.bytes.subarray(0, 64);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (tail) => {
      const bytes = new Uint8Array(64 + tail.length);
      if (header !== undefined) bytes.set(header);
      bytes.set(tail, 64);
      survives(bytes, "random");
    }),
    { seed: SEED, numRuns: 200 },
  );
});

/** Changes one thing that `join` is given. */
function damageInput(input: JoinInput, random: (below: number) => number): JoinInput {
  const damaged = {
    ...input,
    kind: input.kind.slice(),
    length: input.length.slice(),
    sites: { bytes: input.sites.bytes.slice(), end: input.sites.end.slice() },
    target: input.target.slice(),
    targetOffset: input.targetOffset.slice(),
    bases: { ...input.bases, kind: input.bases.kind.slice() },
    blanked: input.blanked.slice(),
  };
  const extreme = () => Number(EXTREMES[random(EXTREMES.length)]!);
  const pick = (list: { readonly length: number }) => random(Math.max(list.length, 1));
  switch (random(10)) {
    case 0:
      damaged.kind[pick(damaged.kind)] = random(12);
      break;
    case 1:
      damaged.length[pick(damaged.length)] = [extreme(), Number.NaN, -1, 1.5][random(4)]!;
      break;
    case 2:
      damaged.sites.bytes[pick(damaged.sites.bytes)] = random(256);
      break;
    case 3:
      damaged.sites.end[pick(damaged.sites.end)] = extreme();
      break;
    case 4:
      damaged.target[pick(damaged.target)] = extreme();
      break;
    case 5:
      damaged.targetOffset[pick(damaged.targetOffset)] = extreme() | 0;
      break;
    case 6:
      damaged.blanked[pick(damaged.blanked)] = random(256);
      break;
    case 7:
      damaged.target = damaged.target.slice(0, pick(damaged.target));
      break;
    case 8:
      damaged.blanked = damaged.blanked.slice(0, pick(damaged.blanked));
      break;
    default:
      damaged.bases.kind[pick(damaged.bases.kind)] = random(256);
  }
  return damaged;
}

test("joining damaged parts gives bytes or a typed error", { skip: programs.length === 0 }, () => {
  for (const { name, bytes } of programs) {
    const input = joinInput(dissect(bytes));
    for (let run = 0; run < 120; run++) {
      try {
        const joined = join(damageInput(input, generator(SEED + run)));
        assert.ok(joined.length <= bytes.length);
      } catch (error) {
        if (!isTenonError(error)) throw new Error(`${name}, seed ${SEED + run}`, { cause: error });
      }
    }
  }
});
