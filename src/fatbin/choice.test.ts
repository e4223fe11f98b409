import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Candidate,
  choose,
  compareCandidates,
  explainChoice,
  parseFeatures,
  vocabularyOf,
} from "./index.ts";

const X86 = vocabularyOf("x86-64").features.map(({ name }) => name);

function candidate(features: string | readonly string[], rank = 0, digest = "0".repeat(64)): Candidate {
  return { needs: parseFeatures("x86-64", features), rank, digest };
}

const anyCandidate = fc
  .record({
    features: fc.uniqueArray(fc.constantFrom(...X86), { maxLength: 5 }),
    rank: fc.integer({ min: -1, max: 1 }),
    digest: fc.constantFrom("a".repeat(64), "b".repeat(64)),
  })
  .map(({ features, rank, digest }) => candidate(features, rank, digest));

test("the order is total, and a strict superset always comes first", () => {
  fc.assert(
    fc.property(anyCandidate, anyCandidate, anyCandidate, (a, b, c) => {
      assert.equal(Math.sign(compareCandidates(a, b)), -Math.sign(compareCandidates(b, a)) + 0);
      if (compareCandidates(a, b) <= 0 && compareCandidates(b, c) <= 0)
        assert.ok(compareCandidates(a, c) <= 0);
      if (a.rank === b.rank && b.needs.isWithin(a.needs) && a.needs.bits !== b.needs.bits)
        assert.ok(compareCandidates(a, b) < 0);
    }),
    { seed: 1 },
  );
});

test("what is chosen fits, and nothing that fits is better, whatever the order of the flavours", () => {
  const have = fc
    .uniqueArray(fc.constantFrom(...X86), { maxLength: 12 })
    .map((names) => parseFeatures("x86-64", names));
  fc.assert(
    fc.property(fc.array(anyCandidate, { maxLength: 6 }), have, (candidates, cpu) => {
      const chosen = choose(candidates, cpu);
      const fitting = candidates.filter(({ needs }) => needs.isWithin(cpu));
      assert.equal(chosen === undefined, fitting.length === 0);
      if (chosen) for (const other of fitting) assert.ok(compareCandidates(chosen, other) <= 0);
      const again = choose([...candidates].reverse(), cpu);
      assert.equal(again && compareCandidates(again, chosen!), chosen && 0);
    }),
    { seed: 2 },
  );
});

test("wider vectors outweigh any number of smaller features; a rank outweighs that", () => {
  const wide = candidate("avx512f");
  const many = candidate("avx2,bmi1,bmi2,lzcnt,aes,sha,vaes,gfni,adx,movbe,rdrand");
  const all = parseFeatures("x86-64", "znver5,sha,gfni");
  assert.equal(choose([many, wide], all), wide);
  const ranked = { ...many, rank: 1 };
  assert.equal(choose([wide, ranked], all), ranked);
  assert.equal(choose([wide], parseFeatures("x86-64", "haswell")), undefined);
});

test("every flavour gets its reason", () => {
  const [v4, v3, base] = [candidate("x86-64-v4"), candidate("x86-64-v3"), candidate("")];
  const whys = explainChoice([base, v4, v3], parseFeatures("x86-64", "haswell")).map(({ why, isChosen }) => [
    isChosen,
    why,
  ]);
  assert.deepEqual(whys, [
    [false, "the CPU lacks avx512vl, avx512bw, avx512dq, avx512cd, avx512f"],
    [true, "the CPU has all that it needs, and none better fits"],
    [false, "the chosen one also uses avx2, fma, f16c, avx and 12 more"],
  ]);
  const [first] = explainChoice([v4], parseFeatures("x86-64", ""));
  assert.equal(first!.isChosen, false);
  assert.match(first!.why, /the CPU lacks .*avx2/);
});
