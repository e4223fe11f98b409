import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import { decodeState, encodeState } from "./index.ts";

const sample = (name: string) => readFileSync(join(import.meta.dirname, "testing", name), "utf8");
/** The layout of a small library in two versions, as version 1 of the format has it, and as version 2. */
const golden = sample("layout-1.json");
const present = sample("layout-2.json");

test("a state of version 2 is read, and written as it was", () => {
  const state = decodeState(present);
  assert.equal(encodeState(state), present);
  assert.deepEqual(state, decodeState(golden));
});

test("content of version 2 that still makes sense and is another is damage; another form is none", () => {
  for (const [from, to] of [
    ['"small"', '"smart"'],
    ['["inner",67108888,true]', '["inner",67108888,false]'],
    ['"sha256": "4', '"sha256": "5'],
    ['"labels":["1","2"]', '"labels":["2","1"]'],
  ] as const) {
    assert.ok(present.includes(from), from);
    assert.throws(
      () => decodeState(present.replace(from, to)),
      (error) => isTenonError(error, "damaged") && error.data.field === "file.sha256",
      from,
    );
  }
  const { sha256: _digest, ...rest } = JSON.parse(present);
  assert.throws(
    () => decodeState(JSON.stringify(rest)),
    (error) => isTenonError(error, "invalid") && error.data.field === "file.sha256",
  );
  assert.deepEqual(decodeState(JSON.stringify(JSON.parse(present), null, 2)), decodeState(golden));
});

test("a state of version 1 is read, which has no digest", () => {
  const state = decodeState(golden);
  assert.deepEqual(state.labels, ["1", "2"]);
  assert.equal(state.machine, "x86-64");
  assert.equal(state.slots.get("inner")!.address, 0x400_0018);
  const inner = state.variants.filter(({ names }) => names.has("inner"));
  assert.equal(inner.length, 2);
  assert.ok(inner.every(({ placements }) => placements![0]!.region === "code"));
});

test("what makes no sense is refused with its field", () => {
  const change = (edit: (state: Record<string, never>) => void) => {
    const state = JSON.parse(golden);
    edit(state);
    return () => decodeState(JSON.stringify(state));
  };
  const set = (path: readonly (string | number)[], value: unknown) =>
    change((state) => {
      let at: Record<string | number, unknown> = state;
      for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
      at[path.at(-1)!] = value;
    });
  for (const [path, value, field] of [
    [["format"], "other", "file.format"],
    [["machine"], "sparc", "file.machine"],
    [["regions", "code", "usedBytes"], 1e12, "file.regions.code.usedBytes"],
    [["regions", "data"], 3, "file.regions.data.base"],
    [["slotTable", 0, 1], 12, "file.slotTable.0.1"],
    [["homes", 0, 2], 0, "file.homes.0.2"],
    [["homes", 0, 3, 0], "stack", "file.homes.0.3.0"],
    [["variants", 1, 0], 0, "file.variants.1.0"],
    [["variants", 0, 2], "yes", "file.variants.0.2"],
    [["variants", 4, 5], ["q1"], "file.variants.4.5.0"],
    [["variants", 4, 5], ["snowhere"], "file.variants"],
    [["labels"], [1], "file.labels.0"],
    // Two in one place: parts of them, or whole regions, whether or not something is in both.
    [["regions", "rodata", "base"], 0x410_0000, "file.regions.base"],
    [["slotTable", 1, 1], 0x400_0004, "file.variants"],
    [["variants", 14, 4, 0, 1], 0x410_0000 + 32, "file.variants"],
    [["homes", 2, 3, 1], 0x800_0000, "file.variants"],
    [["homes", 0, 4], 10, "file.homes"],
  ] as const) {
    assert.throws(
      set(path, value),
      (error) => isTenonError(error, "invalid") && error.data.field === field,
      field,
    );
  }
  assert.throws(set(["version"], 3), (error) => isTenonError(error, "unsupported"));
});

test("any bytes give a state or a TenonError, and of version 2 the same state", () => {
  const cut = fc.record({
    text: fc.constantFrom(golden, present),
    at: fc.nat(golden.length - 1),
    length: fc.nat(40),
    instead: fc.string({ maxLength: 8 }),
  });
  const whole = decodeState(present);
  fc.assert(
    fc.property(cut, ({ text, at, length, instead }) => {
      try {
        const state = decodeState(text.slice(0, at) + instead + text.slice(at + length));
        if (text === present) assert.deepEqual(state, whole);
      } catch (error) {
        assert.ok(isTenonError(error), String(error));
      }
    }),
    { numRuns: 600, seed: 7 },
  );
});
