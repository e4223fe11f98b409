import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { displayPath, toHex, utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { buildMap, PLAIN_MAP } from "../prolly/index.ts";
import { MemoryNodeStore } from "../prolly/testing/memory.ts";
import {
  decodeEntry,
  diffTrees,
  editTree,
  emptyTree,
  encodeEntry,
  list,
  lookup,
  nodeReferences,
  openTree,
  summary,
  summaryOf,
  TreeBuilder,
  type TreeEntry,
  type TreeItem,
  type TreeRoot,
  verifyTree,
  walk,
} from "./index.ts";
import { comparePaths } from "./path.ts";

const isCode = (code: "invalid" | "usage" | "unsupported" | "not-found") => (error: unknown) =>
  isTenonError(error, code);
const directory: TreeEntry = { type: "directory", mode: 0o755 };
const file = (text: string): TreeEntry => ({
  type: "file",
  mode: 0o644,
  size: text.length,
  digest: sha256(utf8(text)),
});
const link = (target: string): TreeEntry => ({ type: "symlink", target: utf8(target) });
const item = (path: string, entry: TreeEntry): TreeItem => ({ path: utf8(path), entry });

const SAMPLE: TreeItem[] = [
  item("", { type: "directory", mode: 0o700 }),
  item("bin", directory),
  item("bin/sh", file("shell")),
  item("bin/zsh", link("sh")),
  item("bin-old", directory),
  item("bin.txt", file("text")),
  item("empty", { type: "directory", mode: 0o1777 }),
  item("lib", directory),
  item("lib/a", directory),
  item("lib/a/b", directory),
  item("lib/a/b/c", file("deep")),
  item("lib/a.so", file("library")),
  item("lib/z", file("")),
];

async function build(store: MemoryNodeStore, items: readonly TreeItem[]): Promise<TreeRoot> {
  const builder = new TreeBuilder(store);
  for (const { path, entry } of items) await builder.add(path, entry);
  return builder.finish();
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const one of source) out.push(one);
  return out;
}

async function names(source: AsyncIterable<TreeItem>): Promise<string[]> {
  return (await collect(source)).map(({ path }) => displayPath(path));
}

/** 20 packages of 40 directories of 15 files. */
function large(): TreeItem[] {
  const items = [item("", directory)];
  for (let p = 0; p < 20; p++) {
    items.push(item(`p${p}`, directory));
    for (let d = 0; d < 40; d++) {
      items.push(item(`p${p}/d${d}`, directory));
      for (let f = 0; f < 15; f++) items.push(item(`p${p}/d${d}/f${f}`, file("x".repeat(p + f))));
    }
  }
  return items.sort((a, b) => comparePaths(a.path, b.path));
}

test("a tree gives back what was put in, in the order of a sorted walk", async () => {
  const store = new MemoryNodeStore();
  const root = await build(store, SAMPLE);
  assert.deepEqual(await collect(walk(store, root)), SAMPLE);
  assert.deepEqual(
    SAMPLE.toSorted((a, b) => comparePaths(a.path, b.path)),
    SAMPLE,
  );
  assert.deepEqual(await openTree(store, root.digest), root);
  for (const { path, entry } of SAMPLE) assert.deepEqual(await lookup(store, root, path), entry);
  for (const path of ["bi", "bin/", "lib/b"].map(utf8)) {
    if (path.at(-1) === 0x2f) await assert.rejects(lookup(store, root, path), isCode("invalid"));
    else assert.equal(await lookup(store, root, path), undefined);
  }
  await verifyTree(store, root);
});

test("golden: the root of the sample pins the entry codec and the keys", async () => {
  const root = await build(new MemoryNodeStore(), SAMPLE);
  assert.deepEqual(root, {
    digest: "b3e1b193250661d3f8d77b235ae406489ffff7cd928e8cdc80968968d83e9f05",
    level: 0,
    count: 13,
    sums: [5, 20],
  });
});

test("golden: the vectors of docs/formats/tree.md", async () => {
  const store = new MemoryNodeStore();
  const empty = await emptyTree(store);
  assert.equal(empty.digest, "3009a30aee2613a6a89f90a52e6ef4c18c498c0a82a73bc8ef2f359f50b3ce12");
  const page = await readFile(new URL("../../docs/formats/tree.md", import.meta.url), "utf8");
  const picture = /```\n(01 00 02 04[^`]*)```/.exec(page)![1]!;
  const root = await build(store, [
    item("", directory),
    item("bin", directory),
    item("bin/sh", { ...file("shell"), mode: 0o755 } as TreeEntry),
    item("bin/zsh", link("sh")),
  ]);
  assert.equal(toHex(store.nodes.get(root.digest)!), picture.replaceAll(/\s/g, ""));
  assert.ok(page.includes(root.digest));
});

test("walk and list below a path", async () => {
  const store = new MemoryNodeStore();
  const root = await build(store, SAMPLE);
  assert.deepEqual(await names(walk(store, root, utf8("lib/a"))), ["lib/a", "lib/a/b", "lib/a/b/c"]);
  assert.deepEqual(await names(walk(store, root, utf8("bin.txt"))), ["bin.txt"]);
  assert.deepEqual(await names(walk(store, root, utf8("li"))), []);
  assert.deepEqual(await names(list(store, root)), ["bin", "bin-old", "bin.txt", "empty", "lib"]);
  assert.deepEqual(await names(list(store, root, utf8("bin"))), ["bin/sh", "bin/zsh"]);
  assert.deepEqual(await names(list(store, root, utf8("lib"))), ["lib/a", "lib/a.so", "lib/z"]);
  assert.deepEqual(await names(list(store, root, utf8("empty"))), []);
  await assert.rejects(names(list(store, root, utf8("bin.txt"))), isCode("usage"));
  await assert.rejects(names(list(store, root, utf8("nowhere"))), isCode("not-found"));
  assert.deepEqual(await names(list(store, await emptyTree(store))), []);
});

test("list passes over what is deeper; totals are read from the edges", async () => {
  const store = new MemoryNodeStore();
  const items = large();
  const root = await build(store, items);
  assert.ok(root.level >= 1);
  store.reads = 0;
  assert.equal((await collect(list(store, root))).length, 20);
  assert.ok(store.reads <= 20 * (root.level + 1) && store.reads < store.nodes.size / 3, `${store.reads}`);
  const sizes = (prefix: string) =>
    items
      .filter(({ path }) => `${Buffer.from(path)}/`.startsWith(prefix))
      .map(({ entry }) => (entry.type === "file" ? entry.size : -1));
  for (const path of ["", "p7", "p7/d3", "p7/d3/f2", "p70"]) {
    const found = sizes(path === "" ? "" : `${path}/`);
    const files = found.filter((size) => size >= 0);
    store.reads = 0;
    assert.deepEqual(await summaryOf(store, root, utf8(path)), {
      entries: found.length,
      files: files.length,
      bytes: files.reduce((a, b) => a + b, 0),
    });
    assert.ok(store.reads <= 2 * (root.level + 1));
  }
  store.reads = 0;
  assert.deepEqual(summary(root), await summaryOf(store, root, utf8("")));
});

test("diffTrees: changes with their entries, everywhere or below a path", async () => {
  const store = new MemoryNodeStore();
  const before = await build(store, SAMPLE);
  const after = await editTree(store, before, [
    { path: utf8("lib/z"), entry: undefined },
    { path: utf8("bin/sh"), entry: file("new shell") },
    { path: utf8("empty/x"), entry: link("../bin") },
  ]);
  const changes = [
    { path: utf8("bin/sh"), before: file("shell"), after: file("new shell") },
    { path: utf8("empty/x"), before: undefined, after: link("../bin") },
    { path: utf8("lib/z"), before: file(""), after: undefined },
  ];
  assert.deepEqual(await collect(diffTrees(store, before, after)), changes);
  assert.deepEqual(await collect(diffTrees(store, before, after, utf8("lib"))), changes.slice(2));
  assert.deepEqual(await collect(diffTrees(store, before, after, utf8("bin-old"))), []);
});

test("builder: out of order, without a directory, below a file, and a root that is none are refused", async () => {
  const attempts: [TreeItem[], "usage" | "invalid"][] = [
    [[item("b", directory), item("a", directory)], "usage"],
    [[item("a", directory), item("a", directory)], "usage"],
    [[item("a.txt", file("")), item("a", directory)], "usage"],
    [[item("a/b", file(""))], "usage"],
    [[item("a", file("")), item("a/b", file(""))], "usage"],
    [[item("a", link("b")), item("a/b", file(""))], "usage"],
    [[item("a", directory), item("a/b", directory), item("b", directory), item("b/c/d", directory)], "usage"],
    [[item("", file(""))], "usage"],
    [[item("/a", directory)], "invalid"],
    [[item("a", { type: "directory", mode: 0o10000 })], "usage"],
    [[item("a", { type: "file", mode: 0, size: -1, digest: sha256(utf8("")) })], "usage"],
    [[item("a", { type: "file", mode: 0, size: 0, digest: "abc" })], "usage"],
    [[item("a", link(""))], "usage"],
    [[item("a", link("x".repeat(4097)))], "usage"],
    [[item("a", link("a\0b"))], "usage"],
  ];
  for (const [items, code] of attempts) {
    await assert.rejects(build(new MemoryNodeStore(), items), isCode(code), displayPath(items.at(-1)!.path));
  }
  const store = new MemoryNodeStore();
  const edits = [{ path: utf8(""), entry: file("") }];
  assert.throws(() => editTree(store, {} as TreeRoot, edits), isCode("usage"));
});

test("the longest path and target fit", async () => {
  const store = new MemoryNodeStore();
  const deep = Array.from({ length: 2176 }, () => "d");
  const items = deep.map((_, i) => item(deep.slice(0, i + 1).join("/"), directory));
  items[2175] = item(deep.join("/"), link("t".repeat(4096)));
  assert.equal(items[2175]!.path.length, 4351);
  const root = await build(store, items);
  assert.deepEqual(await collect(walk(store, root)), items);
});

test("entry codec: round trip, and each rule that hostile bytes break", () => {
  for (const { entry } of SAMPLE) assert.deepEqual(decodeEntry(encodeEntry(entry)), entry);
  const most: TreeEntry = {
    type: "file",
    mode: 0o7777,
    size: Number.MAX_SAFE_INTEGER,
    digest: "f".repeat(64),
  };
  assert.deepEqual(decodeEntry(encodeEntry(most)), most);
  assert.equal(toHex(encodeEntry(directory)), "02ed03");
  const digest = Array<number>(32).fill(7);
  for (const bytes of [
    [],
    [0],
    [1],
    [1, 0, 0],
    [1, 0, 0, ...digest, 0],
    [1, 0x80, 0x20 | 0x80, 0, ...digest],
    [1, 0x80, 0x40, 0, ...digest],
    [2],
    [2, 0, 0],
    [3],
    [3, 65, 0],
    [3, ...Array<number>(4097).fill(65)],
  ]) {
    assert.throws(() => decodeEntry(new Uint8Array(bytes)), isCode("invalid"), `${bytes}`);
  }
  assert.throws(() => decodeEntry(new Uint8Array([4, 0])), isCode("unsupported"));
});

/** A map with the sums of a tree whose keys and values are as given. */
function hostile(store: MemoryNodeStore, pairs: [string, Uint8Array][]): Promise<TreeRoot> {
  const kind = { ...PLAIN_MAP, sums: 2, measure: () => [0, 0] };
  const entries = pairs.map(([key, value]) => ({ key: utf8(key), value }));
  return buildMap({ store, kind }, entries);
}

test("hostile trees: no path leaves the root, nothing goes through a symlink", async () => {
  const store = new MemoryNodeStore();
  const folder = encodeEntry(directory);
  for (const key of ["..", "a\0..", "a\0\0b", "\0a", "a\0", ".", "a/b", "a\0.\0b"]) {
    const root = await hostile(store, [[key, folder]]);
    await assert.rejects(openTree(store, root.digest), isCode("invalid"), JSON.stringify(key));
    await assert.rejects(collect(walk(store, root)), isCode("invalid"));
    await assert.rejects(collect(list(store, root)), isCode("invalid"));
    await assert.rejects(collect(diffTrees(store, root, await emptyTree(store))), isCode("invalid"));
  }
  const stepped = await hostile(store, [
    ["a", encodeEntry(link("/etc"))],
    ["a\0passwd", folder],
  ]);
  await assert.rejects(collect(walk(store, stepped)), isCode("invalid"));
  const orphan = await hostile(store, [["a\0b", folder]]);
  await assert.rejects(collect(walk(store, orphan)), isCode("invalid"));
  await assert.rejects(collect(walk(store, orphan, utf8("a"))), isCode("invalid"));
  const wrongRoot = await hostile(store, [["", encodeEntry(link("x"))]]);
  await assert.rejects(collect(walk(store, wrongRoot)), isCode("invalid"));
  const newer = await hostile(store, [["a", new Uint8Array([9, 1, 2])]]);
  await assert.rejects(openTree(store, newer.digest), isCode("unsupported"));
  const lying = await hostile(store, [["a", encodeEntry(file("four"))]]);
  await assert.rejects(collect(walk(store, lying)), isCode("invalid"));
});

test("nodeReferences: nodes above, blobs in the leaves, each file once per occurrence", async () => {
  const store = new MemoryNodeStore();
  const items = large();
  const root = await build(store, items);
  const queue = [root.digest];
  const blobs: string[] = [];
  let nodes = 0;
  for (let digest = queue.pop(); digest !== undefined; digest = queue.pop()) {
    const references = nodeReferences(store.nodes.get(digest)!);
    queue.push(...references.nodes.reverse());
    blobs.push(...references.blobs);
    nodes++;
  }
  assert.equal(nodes, store.nodes.size);
  assert.deepEqual(
    blobs,
    items.flatMap(({ entry }) => (entry.type === "file" ? [entry.digest] : [])),
  );
});
