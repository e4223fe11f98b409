import assert from "node:assert/strict";
import { test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { checkChunkerParameters, createChunker, cutPoints, defaultChunkerParameters } from "./index.ts";

test("the default parameters pass, also after a way through JSON, and lose foreign fields", () => {
  const parsed: unknown = JSON.parse(JSON.stringify({ ...defaultChunkerParameters, colour: "green" }));
  assert.deepEqual(checkChunkerParameters(parsed), defaultChunkerParameters);
});

test("the smallest and the largest sizes work", () => {
  const data = new Uint8Array(3 << 20).map((_, i) => Math.imul(i, i ^ 0x5bd1) >> 3);
  for (const parameters of [
    { algorithm: "mincdc4-v1", minBytes: 64, meanBytes: 96, maxBytes: 128 },
    { algorithm: "window8-v1", minBytes: 64, meanBytes: 96, maxBytes: 128 },
    { algorithm: "gear32-v1", minBytes: 64, meanBytes: 96, maxBytes: 128 },
    { algorithm: "mincdc4-v1", minBytes: 1 << 19, meanBytes: 3 << 18, maxBytes: 1 << 20 },
    { algorithm: "gear32-v1", minBytes: 1 << 19, meanBytes: 3 << 18, maxBytes: 1 << 20 },
  ]) {
    const lengths = cutPoints(data, checkChunkerParameters(parameters));
    assert.equal(
      lengths.reduce((total, length) => total + length, 0),
      data.length,
    );
    for (const length of lengths) assert.ok(length >= parameters.minBytes && length <= parameters.maxBytes);
  }
});

const mincdc = defaultChunkerParameters;
const gear = { algorithm: "gear32-v1", minBytes: 4096, meanBytes: 16384, maxBytes: 65536 };
const refused: readonly [why: string, value: unknown, field: string][] = [
  ["null", null, "value"],
  ["a string", "mincdc4-v1", "value"],
  ["no algorithm", { ...mincdc, algorithm: undefined }, "algorithm"],
  ["an algorithm that is a number", { ...mincdc, algorithm: 1 }, "algorithm"],
  ["no minimum", { ...mincdc, minBytes: undefined }, "minBytes"],
  ["a minimum as text", { ...mincdc, minBytes: "8192" }, "minBytes"],
  ["a fraction", { ...mincdc, minBytes: 8192.5 }, "minBytes"],
  ["a minimum below the window's reach", { ...gear, minBytes: 63 }, "minBytes"],
  ["a negative minimum", { ...gear, minBytes: -4096 }, "minBytes"],
  ["a mean that is not a number", { ...gear, meanBytes: Number.NaN }, "meanBytes"],
  ["a maximum above a segment", { ...gear, maxBytes: (1 << 20) + 1 }, "maxBytes"],
  ["a maximum without end", { ...gear, maxBytes: Number.POSITIVE_INFINITY }, "maxBytes"],
  ["a maximum below twice the minimum", { ...gear, minBytes: 32769 }, "maxBytes"],
  ["a mean off the middle of mincdc", { ...mincdc, meanBytes: 16383 }, "meanBytes"],
  ["a mean too close to the minimum", { ...gear, meanBytes: 4096 + 31 }, "meanBytes"],
  ["a mean at the maximum", { ...gear, meanBytes: 65536 }, "meanBytes"],
];

for (const [why, value, field] of refused) {
  test(`refused: ${why}`, () => {
    assert.throws(
      () => checkChunkerParameters(value),
      (error) =>
        isTenonError(error, "invalid") &&
        error.data.field === field &&
        error.data.format === "chunker parameters",
    );
  });
}

test("an algorithm of another release is unsupported, not invalid", () => {
  for (const algorithm of ["mincdc4-v2", "gear32", "", "__proto__"]) {
    assert.throws(
      () => createChunker({ ...mincdc, algorithm }),
      (error) => isTenonError(error, "unsupported") && error.message.includes("mincdc4-v1"),
    );
  }
});
