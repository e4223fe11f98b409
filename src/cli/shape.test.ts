import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import { choice, count, duration, size } from "./shape.ts";

test("sizes have suffixes that are powers of 1024", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["4096", 4096],
    ["512B", 512],
    ["64K", 65536],
    ["64k", 65536],
    ["1.5M", 1572864],
    ["2GiB", 2147483648],
    ["1T", 1099511627776],
    ["3KB", 3072],
  ];
  for (const [text, bytes] of cases) assert.equal(size.parse(text), bytes, text);
});

test("what is not a size, a duration or a count is a usage error that names it", () => {
  const wrong: [{ parse(text: string): number }, string[]][] = [
    [size, ["", "-1", "K", "1X", "1e3", "0x10", "9999999T", "1 K", "1.K"]],
    [duration, ["", "-1s", "s", "1w", "1 h", "1:30"]],
    [count, ["", "0", "-1", "1.5", "two", "99999999999999999999"]],
  ];
  for (const [kind, texts] of wrong) {
    for (const text of texts) {
      assert.throws(
        () => kind.parse(text),
        (error) => isTenonError(error, "usage") && error.message.includes(JSON.stringify(text)),
        text,
      );
    }
  }
});

test("durations are in milliseconds, plain numbers are seconds", () => {
  const cases: [string, number][] = [
    ["90", 90_000],
    ["250ms", 250],
    ["1.5s", 1500],
    ["15m", 900_000],
    ["2h", 7_200_000],
    ["1d", 86_400_000],
  ];
  for (const [text, milliseconds] of cases) assert.equal(duration.parse(text), milliseconds, text);
});

test("any whole number of bytes is its own size", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (bytes) => size.parse(String(bytes)) === bytes),
    { seed: 1 },
  );
});

test("a choice refuses other words and lists its own", () => {
  const level = choice("LEVEL", ["none", "max"]);
  assert.equal(level.parse("max"), "max");
  assert.throws(() => level.parse("maximum"), /"maximum" is not one of none, max/);
});
