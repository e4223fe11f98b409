/** The kernel deflate-go against its twin, which does step by step what Go does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { deflate, likeContent, likeSettings, mixedContent } from "./testing/content.ts";
import { goTwin } from "./testing/go-twin.ts";

const levels = [-2, 1, 2, 3, 4, 5, 6, 7, 8, 9];

function assertAlike(level: number, data: Uint8Array, cuts?: readonly number[]): void {
  const made = deflate({ variant: "go", level }, data, cuts);
  const wanted = goTwin(level, data);
  assert.ok(inflateRawSync(wanted).equals(data), `twin, level ${level}`);
  let at = 0;
  while (at < made.length && made[at] === wanted[at]) at++;
  const what = `level ${level}, ${data.length} bytes`;
  assert.ok(
    made.equals(wanted),
    `${what}: ${made.length} bytes, not ${wanted.length}, and alike up to ${at}`,
  );
}

test("kernel and twin: mixed content, however it goes in, seed 33", () => {
  fc.assert(
    fc.property(
      mixedContent(12),
      fc.constantFrom(...levels),
      fc.array(fc.nat(40_000), { maxLength: 3 }),
      (data, level, cuts) => assertAlike(level, data, cuts),
    ),
    { seed: 33, numRuns: 120 },
  );
});

test("kernel and twin: content of long chains and matches that are nearly alike, seed 34", () => {
  fc.assert(
    fc.property(likeSettings, fc.constantFrom(...levels), (settings, level) =>
      assertAlike(level, likeContent(settings)),
    ),
    { seed: 34, numRuns: 120 },
  );
});

test("kernel and twin: where the window slides, every level", () => {
  const data = likeContent({ bytes: 230_000, letters: 3, repeats: 40, mostRepeated: 60, seed: 7 });
  for (const level of levels) assertAlike(level, data);
});
