/** The kernel deflate-zlib against its twin, which does step by step what zlib does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { modelName } from "./models.ts";
import { deflate, likeContent, likeSettings, mixedContent } from "./testing/content.ts";
import { zlibTwin } from "./testing/zlib-twin.ts";
import type { ZlibParameters } from "./zlib-model.ts";

const parameters: fc.Arbitrary<ZlibParameters> = fc.record({
  variant: fc.constantFrom("zlib", "gnu", "pigz", "chromium"),
  level: fc.integer({ min: 1, max: 9 }),
  memLevel: fc.integer({ min: 1, max: 9 }),
  blockBytes: fc.constantFrom(32 << 10, 50_000, 128 << 10),
});

function assertAlike(model: ZlibParameters, data: Uint8Array, cuts?: readonly number[]): void {
  const made = deflate(model, data, cuts);
  const wanted = zlibTwin(model, data);
  let at = 0;
  while (at < made.length && made[at] === wanted[at]) at++;
  const what = `${modelName(model)} memLevel ${model.memLevel}, ${data.length} bytes`;
  assert.ok(
    made.equals(wanted),
    `${what}: ${made.length} bytes, not ${wanted.length}, and alike up to ${at}`,
  );
}

test("the twin makes what Node's zlib makes, and what inflates to the content", () => {
  for (const level of [1, 3, 4, 6, 9]) {
    const data = likeContent({ bytes: 90_000, letters: 64, repeats: 30, mostRepeated: 30, seed: level });
    const twin = zlibTwin({ variant: "chromium", level, memLevel: 8, blockBytes: 131072 }, data);
    assert.ok(twin.equals(deflateRawSync(data, { level })), `level ${level}`);
    const other = zlibTwin({ variant: "pigz", level, memLevel: 9, blockBytes: 32768 }, data);
    assert.ok(inflateRawSync(other).equals(data), `level ${level}`);
  }
});

test("kernel and twin: mixed content, however it goes in, seed 31", () => {
  fc.assert(
    fc.property(
      mixedContent(12),
      parameters,
      fc.array(fc.nat(40_000), { maxLength: 3 }),
      (data, model, cuts) => assertAlike(model, data, cuts),
    ),
    { seed: 31, numRuns: 120 },
  );
});

test("kernel and twin: content of long chains and matches that are nearly alike, seed 32", () => {
  fc.assert(
    fc.property(likeSettings, parameters, (settings, model) => assertAlike(model, likeContent(settings))),
    { seed: 32, numRuns: 120 },
  );
});

test("kernel and twin: where the window slides, every level", () => {
  const data = likeContent({ bytes: 230_000, letters: 3, repeats: 40, mostRepeated: 60, seed: 7 });
  for (let level = 1; level <= 9; level++) {
    assertAlike({ variant: "zlib", level, memLevel: 8, blockBytes: 131072 }, data, [65_536, 131_072 + level]);
    assertAlike({ variant: "pigz", level, memLevel: 8, blockBytes: 131072 }, data);
  }
});
