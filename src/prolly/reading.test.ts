import assert from "node:assert/strict";
import { test } from "node:test";
import { compareBytes, utf8 } from "../bytes/index.ts";
import { drawer } from "../bytes/testing/random.ts";
import {
  buildMap,
  Cursor,
  diffMaps,
  editMap,
  emptyRoot,
  entries,
  getValue,
  type KeyRange,
  type MapChange,
  type MapEdit,
  mergeMaps,
  openRoot,
  prefixRange,
  rangeTotals,
  sortEdits,
} from "./index.ts";
import { Model, numbered, testSpace } from "./testing/model.ts";

function drawKey(draw: (below: number) => number, pool: number): Uint8Array {
  return utf8(`path/to/${String(draw(pool)).padStart(6, "0")}${draw(3) === 0 ? "x" : ""}`);
}

function inRange(key: Uint8Array, { from, before }: KeyRange): boolean {
  if (from !== undefined && compareBytes(key, from) < 0) return false;
  return before === undefined || compareBytes(key, before) < 0;
}

function modelDiff(a: Model, b: Model): MapChange[] {
  const both = a.copy();
  for (const { key, value } of b.entries.values()) both.set(key, value);
  return both
    .sorted()
    .map(({ key }) => ({ key, before: a.get(key), after: b.get(key) }))
    .filter(({ before, after }) => !same(before, after));
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : Buffer.compare(a, b) === 0;
}

/** Scattered edits, or a run that removes, replaces or inserts neighbours. */
function drawEdits(draw: (below: number) => number, pool: number, count: number): MapEdit[] {
  const start = draw(pool);
  const scattered = draw(2) === 0;
  return sortEdits(
    Array.from({ length: count }, (_, i) => ({
      key: scattered
        ? drawKey(draw, pool)
        : utf8(`path/to/${String(start + i).padStart(6, "0")}y`.slice(0, 15 - draw(2))),
      value: draw(2) === 0 ? undefined : new Uint8Array(draw(60)).fill(draw(250)),
    })),
  );
}

test("openRoot finds level, count and sums from the digest alone", async () => {
  const space = testSpace();
  for (const count of [0, 1, 300, 20_000]) {
    const root = await numbered(count).build(space);
    assert.deepEqual(await openRoot(space, root.digest), root);
    assert.equal(root.count, count);
  }
});

test("cursor: seeks, steps and ordinals are those of a sorted array", async () => {
  const space = testSpace();
  const model = numbered(10_000);
  const root = await model.build(space);
  const sorted = model.sorted();
  assert.deepEqual(await Array.fromAsync(entries(space, root)), sorted);
  const draw = drawer(3);
  const cursor = new Cursor(space, root);
  for (let i = 0; i < 400; i++) {
    const key = drawKey(draw, 10_100);
    const at = sorted.findIndex((entry) => compareBytes(entry.key, key) >= 0);
    const ordinal = at < 0 ? sorted.length : at;
    assert.deepEqual(await cursor.seek(key), sorted[ordinal]);
    assert.equal(cursor.ordinal, ordinal);
    assert.deepEqual(await cursor.next(), sorted[ordinal + 1]);
    assert.equal(cursor.ordinal, Math.min(ordinal + 1, sorted.length));
    assert.deepEqual(await getValue(space, root, key), model.get(key));
    const nth = draw(10_050);
    assert.deepEqual(await cursor.seekOrdinal(nth), sorted[nth]);
    assert.equal(cursor.ordinal, Math.min(nth, sorted.length));
    assert.deepEqual(await cursor.next(), sorted[nth + 1]);
  }
});

test("cursor: past the end it stays there, in an empty map too", async () => {
  const space = testSpace();
  for (const count of [0, 2000]) {
    const cursor = new Cursor(space, await numbered(count).build(space));
    assert.equal(cursor.entry, undefined);
    assert.equal(await cursor.seek(utf8("z")), undefined);
    assert.equal(await cursor.next(), undefined);
    assert.equal(await cursor.next(), undefined);
    assert.equal(cursor.ordinal, count);
  }
});

test("ranges: entries, totals and prefixes are those of a filtered array", async () => {
  const space = testSpace();
  const model = numbered(6000);
  const root = await model.build(space);
  const sorted = model.sorted();
  const draw = drawer(9);
  const ranges: KeyRange[] = [
    {},
    { from: utf8("z") },
    { before: utf8("a") },
    prefixRange(utf8("path/to/0012")),
  ];
  for (let i = 0; i < 60; i++) ranges.push({ from: drawKey(draw, 6000), before: drawKey(draw, 6000) });
  for (const range of ranges) {
    const expected = sorted.filter(({ key }) => inRange(key, range));
    assert.deepEqual(await Array.fromAsync(entries(space, root, range)), expected);
    const bytes = expected.reduce((sum, { value }) => sum + value.length, 0);
    const filled = expected.filter(({ value }) => value.length > 0).length;
    assert.deepEqual(await rangeTotals(space, root, range), {
      count: expected.length,
      sums: [filled, bytes],
    });
  }
  space.store.reads = 0;
  await rangeTotals(space, root, { from: utf8("path/to/001"), before: utf8("path/to/005") });
  assert.ok(space.store.reads <= 2 * (root.level + 1), `${space.store.reads} reads`);
});

test("prefixRange: a prefix that ends in 0xff, or is nothing else", () => {
  assert.deepEqual(prefixRange(new Uint8Array([1, 255])), {
    from: new Uint8Array([1, 255]),
    before: new Uint8Array([2]),
  });
  assert.deepEqual(prefixRange(new Uint8Array([255])), { from: new Uint8Array([255]) });
  assert.deepEqual(prefixRange(new Uint8Array(0)), { from: new Uint8Array(0) });
});

test("diff is the difference of the models, whole and in ranges", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const draw = drawer(seed * 31337);
    const pool = [20, 400, 4000][seed % 3]!;
    const space = testSpace();
    const before = numbered(draw(pool));
    const after = before.copy();
    for (const { key, value } of drawEdits(draw, pool, 1 + draw(pool / 4))) after.set(key, value);
    const a = await before.build(space);
    const b = await after.build(space);
    const expected = modelDiff(before, after);
    assert.deepEqual(await Array.fromAsync(diffMaps(space, a, b)), expected, `seed ${seed}`);
    const range = { from: drawKey(draw, pool), before: drawKey(draw, pool) };
    const limited = expected.filter(({ key }) => inRange(key, range));
    assert.deepEqual(await Array.fromAsync(diffMaps(space, a, b, range)), limited, `seed ${seed}`);
  }
});

test("diff with the empty map lists everything", async () => {
  const space = testSpace();
  const model = numbered(3000);
  const [root, empty] = [await model.build(space), await emptyRoot(space)];
  assert.deepEqual(await Array.fromAsync(diffMaps(space, empty, root)), modelDiff(new Model(), model));
  assert.deepEqual(await Array.fromAsync(diffMaps(space, root, empty)), modelDiff(model, new Model()));
});

test("diff reads in proportion to the changes: 100,000 entries, then 1, 10 and 100 changes", async () => {
  const space = testSpace();
  const model = numbered(100_000);
  const root = await model.build(space);
  const height = root.level + 1;
  space.store.reads = 0;
  assert.deepEqual(await Array.fromAsync(diffMaps(space, root, root)), []);
  assert.equal(space.store.reads, 0);
  const draw = drawer(5);
  for (const changes of [1, 10, 100]) {
    const edits = Array.from({ length: changes }, () => ({ key: drawKey(draw, 99_999), value: utf8("new") }));
    const edited = await editMap(space, root, sortEdits(edits));
    space.store.reads = 0;
    const found = await Array.fromAsync(diffMaps(space, root, edited));
    assert.equal(found.length, sortEdits(edits).length);
    assert.ok(space.store.reads <= 4 * height * changes, `${changes} changes: ${space.store.reads} reads`);
  }
  // Few reads below 100,000 / 85 leaves: a long run added in one place is read on one side only.
  const run = Array.from({ length: 3000 }, (_, i) => ({
    key: utf8(`path/to/050000/${String(i).padStart(5, "0")}`),
    value: utf8("added in the middle"),
  }));
  const longer = await editMap(space, root, run);
  space.store.reads = 0;
  assert.equal((await Array.fromAsync(diffMaps(space, root, longer))).length, 3000);
  assert.ok(space.store.reads < 60, `${space.store.reads} reads`);
});

test("merge is the merge of the models; conflicts are reported or resolved", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const draw = drawer(seed * 27644437);
    const pool = [20, 400, 4000][seed % 3]!;
    const space = testSpace();
    const models = { base: numbered(draw(pool)), ours: new Model(), theirs: new Model() };
    for (const side of ["ours", "theirs"] as const) {
      models[side] = models.base.copy();
      const edits = drawEdits(draw, pool, 1 + draw(pool / 4));
      for (const { key, value } of edits) models[side].set(key, value);
    }
    const { base, ours, theirs } = models;
    const expected = ours.copy();
    const conflicts: Uint8Array[] = [];
    for (const { key, after } of modelDiff(base, theirs)) {
      const mine = ours.get(key);
      if (same(mine, base.get(key))) expected.set(key, after);
      else if (!same(mine, after)) conflicts.push(key);
    }
    const roots = {
      base: await base.build(space),
      ours: await ours.build(space),
      theirs: await theirs.build(space),
    };
    const merged = await mergeMaps(space, roots);
    assert.deepEqual(merged.root, await expected.build(testSpace()), `seed ${seed}`);
    assert.deepEqual(
      merged.conflicts.map(({ key }) => key),
      conflicts,
    );
    for (const { key, base: old, ours: mine, theirs: other } of merged.conflicts) {
      assert.deepEqual([old, mine, other], [base.get(key), ours.get(key), theirs.get(key)]);
      expected.set(key, other);
    }
    const resolved = await mergeMaps(space, { ...roots, resolve: ({ theirs: value }) => ({ value }) });
    assert.deepEqual(resolved.root, await expected.build(testSpace()), `seed ${seed}`);
    assert.deepEqual(resolved.conflicts, []);
  }
});

test("merge reads in proportion to the changes, and nothing when one side has none", async () => {
  const space = testSpace();
  const base = await numbered(50_000).build(space);
  const edit = (name: string) => editMap(space, base, [{ key: utf8(name), value: utf8("merged") }]);
  const [ours, theirs] = [await edit("path/to/000100x"), await edit("path/to/040000x")];
  space.store.reads = 0;
  assert.deepEqual((await mergeMaps(space, { base, ours: base, theirs })).root, theirs);
  assert.deepEqual((await mergeMaps(space, { base, ours, theirs: base })).root, ours);
  assert.deepEqual((await mergeMaps(space, { base, ours, theirs: ours })).root, ours);
  assert.equal(space.store.reads, 0);
  const { root } = await mergeMaps(space, { base, ours, theirs });
  assert.ok(space.store.reads <= 12 * (base.level + 1), `${space.store.reads} reads`);
  assert.equal(root.count, 50_002);
});

test("buildMap takes an asynchronous source", async () => {
  const model = numbered(500);
  const source = async function* () {
    yield* model.sorted();
  };
  assert.deepEqual(await buildMap(testSpace(), source()), await model.build(testSpace()));
});
