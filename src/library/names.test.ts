import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutCounters } from "./names.ts";

test("numbers that compilers append are left out", () => {
  for (const [name, plain] of [
    ["name.1234", "name"],
    ["name.12.3", "name"],
    ["name1234", "name1234"],
    ["name.", "name."],
    ["a.1b", "a.1b"],
    [".5", ".5"],
    [".5.6", ".5"],
    ["a..5", "a..5"],
    ["a..5.6", "a..5"],
    ["", ""],
  ] as const)
    assert.equal(withoutCounters(name, false), plain, name);
  assert.equal(withoutCounters("f.constprop.0.cold.1", true), "f.constprop.cold");
  assert.equal(withoutCounters("f.12", true), "f.12");
});

test("a name as long as a file takes no longer than it must", () => {
  // Quadratic time would be some minutes.
  const name = `a${".1".repeat(500_000)}x`;
  assert.equal(withoutCounters(name, false), name);
  assert.equal(withoutCounters(`${name}${".1".repeat(500_000)}`, false), name);
});
