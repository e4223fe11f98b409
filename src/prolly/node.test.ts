import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex, toHex, utf8 } from "../bytes/index.ts";
import { drawer } from "../bytes/testing/random.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import {
  buildMap,
  diffMaps,
  editMap,
  emptyRoot,
  entries,
  getValue,
  leafEntries,
  type MapEntry,
  nodeChildren,
  openRoot,
  PLAIN_MAP,
  type ProllyRoot,
} from "./index.ts";
import { decodeNode, MAX_NODE_BYTES } from "./node.ts";
import { endsAfter, endsBefore, keyHash } from "./splitter.ts";
import { numbered, SUMMED, type TestSpace, testSpace } from "./testing/model.ts";

const entry = (key: string, value: string): MapEntry => ({ key: utf8(key), value: utf8(value) });
const isInvalid = (error: unknown) => isTenonError(error, "invalid");
const hex = (text: string) => fromHex(text.replaceAll(/[ |]/g, ""));

test("golden: the bytes of a leaf, and the empty map", async () => {
  const space = testSpace(PLAIN_MAP);
  const root = await buildMap(space, [entry("bin", ""), entry("bin/sh", "x"), entry("etc", "yz")]);
  const bytes = space.store.nodes.get(root.digest)!;
  const expected = hex("01 00 00 0300 | 00 03 00 62696e | 03 03 01 2f7368 78 | 00 03 02 657463 797a");
  assert.equal(toHex(bytes), toHex(expected));
  assert.equal(root.digest, sha256(expected));
  assert.equal((await emptyRoot(space)).digest, sha256(hex("01 00 00 0000")));
});

test("golden: the root of 20,000 numbered entries pins the splitter and both codecs", async () => {
  const list = Array.from({ length: 20_000 }, (_, i) =>
    entry(`key-${String(i).padStart(5, "0")}`, `value ${i * i}`),
  );
  const root = await buildMap(testSpace(SUMMED), list);
  assert.deepEqual(root, {
    digest: "a6c242b3752d5a7dba2185f699c012b59361853b664885790da261da7fbf8707",
    level: 2,
    count: 20_000,
    sums: [20_000, 285_374],
  });
});

test("splitter: published values of its parts, and its bounds", () => {
  // FNV-1a of "foobar", from the authors' list; the level byte stands for the "f".
  assert.equal(keyHash(utf8("oobar"), 0x66), finalize(0xbf9cf968));
  // MurmurHash3 of nothing with seed 1 is the finalizer of 1.
  assert.equal(finalize(1), 0x514e28b7);
  assert.notEqual(keyHash(utf8("a"), 0), keyHash(utf8("a"), 1));
  assert.equal(endsBefore({ sizeBytes: 5, entries: 0 }, MAX_NODE_BYTES), false);
  assert.equal(endsBefore({ sizeBytes: 16_000, entries: 1 }, 384), false);
  assert.equal(endsBefore({ sizeBytes: 16_000, entries: 1 }, 385), true);
  for (let i = 0; i < 2000; i++) {
    const key = utf8(`k${i}`);
    assert.equal(endsAfter(key, { level: 0, entries: 9, beforeBytes: 5, afterBytes: 511 }), false);
    assert.equal(endsAfter(key, { level: 1, entries: 2, beforeBytes: 5, afterBytes: 9000 }), false);
    // From nothing past the scale: the odds reach 1.
    assert.equal(endsAfter(key, { level: 1, entries: 3, beforeBytes: 5, afterBytes: 4096 }), true);
  }
});

function finalize(seed: number): number {
  let h = seed ^ (seed >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

test("splitter: node sizes stay in their bounds and near the target", async () => {
  const space = testSpace();
  await numbered(60_000).build(space);
  const sizes = [...space.store.nodes.values()].map((bytes) => bytes.length).sort((a, b) => a - b);
  assert.ok(sizes.at(-1)! <= MAX_NODE_BYTES);
  const at = (part: number) => sizes[Math.floor(sizes.length * part)]!;
  assert.ok(at(0.01) > 900 && at(0.5) > 3300 && at(0.5) < 4300 && at(0.99) < 7500, `${at(0.5)} ${at(0.99)}`);
});

test("the largest keys and values fit, in every mixture", async () => {
  const space = testSpace();
  const list: MapEntry[] = [];
  for (let i = 0; i < 200; i++) {
    const key = new Uint8Array(i % 5 === 4 ? 9 : 4351).fill(i);
    key.set(utf8(String(i).padStart(4, "0")));
    list.push({ key, value: new Uint8Array(i % 3 === 0 ? 0 : 8192).fill(i) });
  }
  const root = await buildMap(space, list);
  assert.ok(root.level <= 6, `level ${root.level}`);
  assert.deepEqual(await Array.fromAsync(entries(space, root)), list);
  for (const bytes of space.store.nodes.values()) assert.ok(bytes.length <= MAX_NODE_BYTES);
});

test("nodeChildren and leafEntries: what a node refers to", async () => {
  const space = testSpace();
  const model = numbered(5000);
  const root = await model.build(space);
  const reached = new Map<string, Uint8Array>();
  const queue = [root.digest];
  const found: MapEntry[] = [];
  for (let digest = queue.pop(); digest !== undefined; digest = queue.pop()) {
    const bytes = space.store.nodes.get(digest)!;
    reached.set(digest, bytes);
    queue.push(...nodeChildren(bytes).reverse());
    found.push(...leafEntries(bytes));
  }
  assert.deepEqual(found, model.sorted());
  assert.equal(reached.size, space.store.nodes.size);
});

test("decoder: each rule that a hostile leaf breaks", () => {
  const good = hex("01 00 00 0200 | 00 02 01 6162 78 | 01 01 01 63 79");
  assert.equal(decodeNode(good, "map").keys.length, 2);
  const cases: [string, string, string][] = [
    ["version 0", "00 00 00 0000", "version"],
    ["level above the bound", "01 10 00 0100", "level"],
    ["too many sums", "01 00 05 0000", "sums"],
    ["fewer entries than counted", "01 00 00 0300 | 00 02 01 6162 78 | 01 01 01 63 79", "shared"],
    ["more bytes than entries", "01 00 00 0100 | 00 02 01 6162 78 | 01 01 01 63 79", "after the last entry"],
    ["shares more than there is", "01 00 00 0200 | 00 02 01 6162 78 | 03 01 01 63 79", "shared"],
    ["first key shares", "01 00 00 0100 | 01 02 01 6162 78", "shared"],
    ["shares less than it could", "01 00 00 0200 | 00 02 01 6162 78 | 00 02 01 6163 79", "shared"],
    ["descending", "01 00 00 0200 | 00 02 01 6162 78 | 01 01 01 61 79", "key"],
    ["the same key twice", "01 00 00 0200 | 00 02 01 6162 78 | 02 00 01 79", "key"],
    ["key too long", "01 00 00 0100 | 00 8022 00", "suffix length"],
    ["value too long", "01 00 00 0100 | 00 01 8140 61", "value length"],
    ["inner without children", "01 01 00 0000", "entries"],
    ["child without entries", `01 01 00 0100 | 00 01 61 ${"00".repeat(32)} 00`, "child count"],
    ["cut in the digest", `01 01 00 0100 | 00 01 61 ${"00".repeat(31)}`, "child digest"],
  ];
  for (const [name, bytes, field] of cases) {
    assert.throws(
      () => decodeNode(hex(bytes), "map"),
      (error) => isInvalid(error) && (error as { data: { field: string } }).data.field === field,
      name,
    );
  }
  assert.throws(() => decodeNode(new Uint8Array(MAX_NODE_BYTES + 1), "map"), isInvalid);
  assert.throws(
    () => decodeNode(hex("02 00 00 0000"), "map"),
    (error) => isTenonError(error, "unsupported"),
  );
});

/** An inner node over a leaf with one entry, with one claim about the leaf changed. */
function liar(
  space: TestSpace,
  claim: { key?: string; level?: number; count?: number; sum?: number },
): ProllyRoot {
  const leaf = space.store.put(hex("01 00 02 0100 | 00 01 01 61 78"));
  const next = space.store.put(hex("01 00 02 0100 | 00 01 01 7a 78"));
  const { key = "61", level = 1, count = 1, sum = 1 } = claim;
  const byte = (value: number) => value.toString(16).padStart(2, "0");
  const first = `00 01 ${key} ${leaf} ${byte(count)} 01 ${byte(sum)}`;
  const bytes = hex(`01 ${byte(level)} 02 0200 | ${first} | 00 01 7a ${next} 01 01 01`);
  return { digest: space.store.put(bytes), level, count: count + 1, sums: [2, sum + 1] };
}

test("loading: a child that is not what its parent says", async () => {
  const space = testSpace();
  assert.equal((await Array.fromAsync(entries(space, liar(space, {})))).length, 2);
  for (const claim of [{ key: "62" }, { level: 2 }, { count: 2 }, { sum: 2 }]) {
    const root = liar(space, claim);
    await assert.rejects(Array.fromAsync(entries(space, root)), isInvalid, JSON.stringify(claim));
    await assert.rejects(getValue(space, root, utf8("a")), isInvalid);
    await assert.rejects(editMap(space, root, [{ key: utf8("a"), value: utf8("b") }]), isInvalid);
    await assert.rejects(Array.fromAsync(diffMaps(space, await emptyRoot(space), root)), isInvalid);
  }
  // The second child's keys begin before the first child ends.
  const low = space.store.put(hex("01 00 02 0100 | 00 01 01 6d 78"));
  const overlapping = space.store.put(hex("01 00 02 0200 | 00 01 01 61 78 | 00 01 01 7a 78"));
  const bytes = hex(`01 01 02 0200 | 00 01 6d ${low} 01 01 01 | 00 01 7a ${overlapping} 02 02 02`);
  const root = { digest: space.store.put(bytes), level: 1, count: 3, sums: [3, 3] };
  await assert.rejects(Array.fromAsync(entries(space, root)), isInvalid);
});

test("loading: other content than the digest says is damage; a root with one child is invalid", async () => {
  const space = testSpace();
  const root = await numbered(10).build(space);
  const bytes = space.store.nodes.get(root.digest)!;
  bytes[bytes.length - 1]! ^= 1;
  await assert.rejects(openRoot(space, root.digest), (error) => isTenonError(error, "damaged"));
  await assert.rejects(openRoot(space, "0".repeat(64)), (error) => isTenonError(error, "not-found"));
  const leaf = space.store.put(hex("01 00 02 0100 | 00 01 01 61 78"));
  const lonely = space.store.put(hex(`01 01 02 0100 | 00 01 61 ${leaf} 01 01 01`));
  await assert.rejects(openRoot(space, lonely), isInvalid);
  const plain = await buildMap({ ...space, kind: PLAIN_MAP }, [entry("a", "b")]);
  await assert.rejects(openRoot(space, plain.digest), isInvalid);
});

test("fuzz: mutated nodes decode, or fail with a typed error", async () => {
  const seed = 2026;
  const draw = drawer(seed);
  const space = testSpace();
  await numbered(3000).build(space);
  const nodes = [...space.store.nodes.values()];
  let decoded = 0;
  for (let round = 0; round < 4000; round++) {
    const from = nodes[draw(nodes.length)]!;
    const bytes = from.slice(0, draw(4) === 0 ? draw(from.length + 1) : from.length);
    for (let flips = draw(4); flips > 0 && bytes.length > 0; flips--) {
      bytes[draw(draw(2) === 0 ? bytes.length : Math.min(40, bytes.length))] = draw(256);
    }
    try {
      const node = decodeNode(bytes, "map");
      for (let i = 1; i < node.keys.length; i++) {
        assert.ok(Buffer.compare(node.keys[i - 1]!, node.keys[i]!) < 0);
      }
      decoded++;
    } catch (error) {
      const typed = isInvalid(error) || isTenonError(error, "unsupported");
      assert.ok(typed, `seed ${seed}, round ${round}: ${error}`);
    }
  }
  assert.ok(decoded > 100);
});

test("fuzz: maps whose root was mutated are read to an end, or fail with a typed error", async () => {
  const seed = 4711;
  const draw = drawer(seed);
  const space = testSpace();
  const root = await numbered(2500).build(space);
  assert.equal(root.level, 1);
  const good = space.store.nodes.get(root.digest)!;
  let opened = 0;
  for (let round = 0; round < 250; round++) {
    const bytes = good.slice();
    for (let flips = 1 + draw(2); flips > 0; flips--) bytes[draw(bytes.length)]! ^= 1 << draw(8);
    try {
      const mutated = await openRoot(space, space.store.put(bytes));
      opened++;
      await editMap(space, mutated, [{ key: utf8(`path/to/${draw(2500)}`), value: utf8("v") }]);
      const all = await Array.fromAsync(entries(space, mutated));
      assert.equal(all.length, mutated.count);
      await Array.fromAsync(diffMaps(space, root, mutated));
    } catch (error) {
      const codes = ["invalid", "unsupported", "not-found"] as const;
      assert.ok(
        codes.some((code) => isTenonError(error, code)),
        `seed ${seed}, round ${round}: ${error}`,
      );
    }
  }
  assert.ok(opened > 20);
});
