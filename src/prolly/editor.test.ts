import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../bytes/index.ts";
import { drawer } from "../bytes/testing/random.ts";
import { isTenonError } from "../errors/index.ts";
import { buildMap, editMap, emptyRoot, type MapEdit, sortEdits, verifyMap } from "./index.ts";
import { keyHash } from "./splitter.ts";
import { Model, numbered, testSpace } from "./testing/model.ts";

/** Keys of every length class, values that make nodes overflow, from a small pool so that edits hit. */
function drawEdit(draw: (below: number) => number, pool: number): MapEdit {
  const id = draw(pool);
  const shape = id % 97;
  const length = shape === 0 ? 4351 - 8 : shape < 4 ? 900 : draw(2) * 3;
  const pad = "k".repeat(shape < 4 ? length : 0);
  const key = utf8(`${String(id).padStart(8, "0")}${pad}`);
  if (draw(3) === 0) return { key, value: undefined };
  const size = draw(40) === 0 ? 4000 + draw(4193) : draw(60);
  return { key, value: new Uint8Array(size).fill(draw(256)) };
}

test("random batches of edits give the root of a build from scratch", async () => {
  for (const [seed, pool, steps, batch] of [
    [1, 60, 60, 6],
    [2, 700, 50, 40],
    [3, 4000, 20, 500],
    [4, 4000, 30, 5],
    [5, 12_000, 3, 10_000],
  ] as const) {
    const draw = drawer(seed * 7919);
    const space = testSpace();
    const model = new Model();
    let root = await emptyRoot(space);
    for (let step = 0; step < steps; step++) {
      const edits = sortEdits(Array.from({ length: 1 + draw(batch) }, () => drawEdit(draw, pool)));
      for (const { key, value } of edits) model.set(key, value);
      root = await editMap(space, root, edits);
      assert.deepEqual(root, await model.build(testSpace()), `seed ${seed}, step ${step}`);
    }
  }
});

/** A key with this number whose hash is so high that nodes grow until an entry doesn't fit. */
function stubbornKey(id: number): Uint8Array {
  for (let salt = 0; ; salt++) {
    const key = utf8(`${String(id).padStart(5, "0")}.${salt}`);
    if (keyHash(key, 0) >= 0xff000000) return key;
  }
}

test("nodes that end because the next entry doesn't fit: editing that entry keeps the root canonical", async () => {
  const keys = Array.from({ length: 900 }, (_, id) => stubbornKey(id));
  for (let seed = 1; seed <= 6; seed++) {
    const draw = drawer(seed * 104729);
    const space = testSpace();
    const model = new Model();
    const value = () => new Uint8Array(draw(150) === 0 ? 8192 : 20 + draw(20));
    for (const key of keys) if (draw(4) > 0) model.set(key, value());
    let root = await model.build(space);
    for (let step = 0; step < 20; step++) {
      const large = model.sorted().filter((entry) => entry.value.length === 8192);
      // Shrink, remove or displace an entry that may have ended the node before it, and change others.
      const key = large.length > 0 && draw(3) > 0 ? large[draw(large.length)]!.key : keys[draw(keys.length)]!;
      const other = keys[draw(keys.length)]!;
      const edits = sortEdits([
        { key, value: draw(3) === 0 ? undefined : value() },
        { key: other, value: draw(3) === 0 ? undefined : new Uint8Array(draw(4) === 0 ? 8192 : draw(60)) },
      ]);
      for (const edit of edits) model.set(edit.key, edit.value);
      root = await editMap(space, root, edits);
      assert.deepEqual(root, await model.build(testSpace()), `seed ${seed}, step ${step}`);
    }
  }
});

test("a run of edits that removes nearly everything, and then everything", async () => {
  const space = testSpace();
  const model = numbered(12_000);
  let root = await model.build(space);
  assert.ok(root.level >= 2);
  const entries = model.sorted();
  for (const left of [7000, 500, 3, 1, 0]) {
    const edits = entries.slice(left).map(({ key }) => ({ key, value: undefined }));
    for (const { key } of edits) model.set(key, undefined);
    root = await editMap(space, root, edits);
    assert.deepEqual(root, await model.build(testSpace()));
  }
  assert.deepEqual(root, await emptyRoot(space));
});

test("one edit among 100,000 entries writes one node per level, two where a boundary moves", async () => {
  const space = testSpace();
  const model = numbered(100_000);
  const root = await model.build(space);
  const draw = drawer(11);
  const entries = model.sorted();
  const writes: number[] = [];
  for (let i = 0; i < 60; i++) {
    const { key } = entries[draw(entries.length)]!;
    const value = i % 3 === 0 ? undefined : new Uint8Array(draw(80)).fill(i);
    space.store.reads = 0;
    space.store.writes = 0;
    const edited = await editMap(space, root, [{ key, value }]);
    writes.push(space.store.writes);
    assert.ok(space.store.reads <= 6 * (root.level + 1), `${space.store.reads} reads`);
    assert.equal(edited.count, value === undefined ? 99_999 : 100_000);
  }
  const depth = root.level + 1;
  assert.ok(Math.max(...writes) <= 3 * depth, `writes ${writes}`);
  assert.ok(writes.reduce((a, b) => a + b, 0) / writes.length <= 1.5 * depth, `writes ${writes}`);
});

test("edits without effect keep the root and write nothing", async () => {
  const space = testSpace();
  const model = numbered(5000);
  const root = await model.build(space);
  const { key, value } = model.sorted()[2500]!;
  space.store.writes = 0;
  assert.deepEqual(await editMap(space, root, []), root);
  assert.deepEqual(await editMap(space, root, [{ key, value }]), root);
  assert.deepEqual(await editMap(space, root, [{ key: utf8("path/to/0025x"), value: undefined }]), root);
  assert.equal(space.store.writes, 0);
});

test("edits out of order, twice, or too large are refused", async () => {
  const space = testSpace();
  const root = await emptyRoot(space);
  const edit = (key: string) => ({ key: utf8(key), value: utf8("v") });
  const isUsage = (error: unknown) => isTenonError(error, "usage");
  const isLimit = (error: unknown) => isTenonError(error, "limit");
  await assert.rejects(editMap(space, root, [edit("b"), edit("a")]), isUsage);
  await assert.rejects(editMap(space, root, [edit("a"), edit("a")]), isUsage);
  await assert.rejects(editMap(space, root, [edit("a".repeat(4352))]), isLimit);
  await assert.rejects(editMap(space, root, [{ key: utf8("a"), value: new Uint8Array(8193) }]), isLimit);
  await assert.rejects(buildMap(space, [edit("b"), edit("a")] as never), isUsage);
});

test("sortEdits: the last edit of a key counts", () => {
  const edits = sortEdits([
    { key: utf8("b"), value: utf8("1") },
    { key: utf8("a"), value: utf8("2") },
    { key: utf8("b"), value: undefined },
  ]);
  assert.deepEqual(edits, [
    { key: utf8("a"), value: utf8("2") },
    { key: utf8("b"), value: undefined },
  ]);
});

test("verifyMap: accepts what a builder made, refuses another shape of the same entries", async () => {
  const space = testSpace();
  const root = await numbered(3000).build(space);
  await verifyMap(space, root);
  // The same two entries, but as two leaves below a root, which no builder writes.
  const one = await buildMap(space, [{ key: utf8("a"), value: utf8("1") }]);
  const two = await buildMap(space, [{ key: utf8("b"), value: utf8("2") }]);
  const child = (key: string, digest: string) => [0, 1, ...utf8(key), ...Buffer.from(digest, "hex"), 1, 1, 1];
  const bytes = new Uint8Array([1, 1, 2, 2, 0, ...child("a", one.digest), ...child("b", two.digest)]);
  const odd = { digest: space.store.put(bytes), level: 1, count: 2, sums: [2, 2] };
  await assert.rejects(verifyMap(space, odd), (error) => isTenonError(error, "invalid"));
});
