import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { displayPath, utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { MemoryNodeStore } from "../prolly/testing/memory.ts";
import {
  comparePaths,
  diffTrees,
  editTree,
  mergeTrees,
  TreeBuilder,
  type TreeConflict,
  type TreeEntry,
  type TreeRoot,
  verifyTree,
  walk,
} from "./index.ts";

/** A tree as text: `d` for a directory, `l` for a symlink, anything else a file with that content. */
type Plain = Readonly<Record<string, string>>;

function entryOf(text: string): TreeEntry {
  if (text === "d") return { type: "directory", mode: 0o755 };
  if (text === "l") return { type: "symlink", target: utf8("x") };
  return { type: "file", mode: 0o644, size: text.length, digest: sha256(utf8(text)) };
}

async function build(store: MemoryNodeStore, plain: Plain): Promise<TreeRoot> {
  const builder = new TreeBuilder(store);
  const sorted = Object.keys(plain).sort((a, b) => comparePaths(utf8(a), utf8(b)));
  for (const path of sorted) await builder.add(utf8(path), entryOf(plain[path]!));
  return builder.finish();
}

async function merge(base: Plain, ours: Plain, theirs: Plain, takeTheirs = false) {
  const store = new MemoryNodeStore();
  const roots = {
    base: await build(store, base),
    ours: await build(store, ours),
    theirs: await build(store, theirs),
  };
  const resolve = takeTheirs ? ({ theirs: entry }: TreeConflict) => ({ entry }) : undefined;
  const { root, conflicts } = await mergeTrees(store, { ...roots, resolve });
  await verifyTree(store, root);
  const found = conflicts.map(({ kind, path }) => `${kind} ${displayPath(path)}`);
  return { store, root, found, conflicts };
}

async function assertMerges(sides: [Plain, Plain, Plain], merged: Plain, conflicts: string[] = []) {
  const { root, found } = await merge(...sides);
  assert.equal(root.digest, (await build(new MemoryNodeStore(), merged)).digest);
  assert.deepEqual(found, conflicts);
}

const BASE: Plain = { "": "d", a: "d", "a/x": "1", "a/y": "2", b: "d", f: "3" };

test("changes in different places come together", async () => {
  const ours = { ...BASE, "a/z": "new", f: "changed" };
  const theirs = { "": "d", a: "d", "a/x": "1!", b: "d", "b/c": "d", "b/c/d": "deep", f: "3" };
  await assertMerges([BASE, ours, theirs], {
    "": "d",
    a: "d",
    "a/x": "1!",
    "a/z": "new",
    b: "d",
    "b/c": "d",
    "b/c/d": "deep",
    f: "changed",
  });
});

test("both changed one entry: ours stays, the conflict says what each has", async () => {
  await assertMerges([BASE, { ...BASE, f: "o" }, { ...BASE, f: "t" }], { ...BASE, f: "o" }, ["content f"]);
  const { conflicts } = await merge(BASE, { ...BASE, f: "o" }, { ...BASE, f: "t" });
  assert.deepEqual(conflicts, [
    { kind: "content", path: utf8("f"), base: entryOf("3"), ours: entryOf("o"), theirs: entryOf("t") },
  ]);
  const { root } = await merge(BASE, { ...BASE, f: "o" }, { ...BASE, f: "t" }, true);
  assert.equal(root.digest, (await build(new MemoryNodeStore(), { ...BASE, f: "t" })).digest);
});

test("theirs adds in a directory that ours removed, or made a file", async () => {
  const without: Plain = { "": "d", b: "d", f: "3" };
  const theirs = { ...BASE, "a/n": "d", "a/n/m": "5" };
  await assertMerges([BASE, without, theirs], without, ["no-parent a/n", "no-parent a/n/m"]);
  const replaced = { ...without, a: "now a file" };
  await assertMerges([BASE, replaced, theirs], replaced, ["no-parent a/n", "no-parent a/n/m"]);
});

test("theirs removes a directory, or makes it a symlink, where ours added", async () => {
  const ours = { ...BASE, "a/n": "d", "a/n/m": "5" };
  const kept: Plain = { "": "d", a: "d", "a/n": "d", "a/n/m": "5", b: "d", f: "3" };
  await assertMerges([BASE, ours, { "": "d", b: "d", f: "3" }], kept, ["not-empty a"]);
  await assertMerges([BASE, ours, { "": "d", a: "l", b: "d", f: "3" }], kept, ["not-empty a"]);
  // Deeper: each directory around what ours added stays.
  const deep: Plain = { "": "d", p: "d", "p/q": "d", "p/q/r": "d", "p/q/r/s": "1" };
  const added = { ...deep, "p/q/r/t": "2" };
  const left: Plain = { "": "d", p: "d", "p/q": "d", "p/q/r": "d", "p/q/r/t": "2" };
  await assertMerges([deep, added, { "": "d" }], left, ["not-empty p", "not-empty p/q", "not-empty p/q/r"]);
});

test("theirs removes a whole directory, replaces another by a file, drops the root's own entry", async () => {
  const base: Plain = { ...BASE, "b/c": "d", "b/c/d": "1", "b/e": "2" };
  const ours: Plain = { ...base, f: "ours" };
  await assertMerges([base, ours, { a: "d", "a/x": "1", "a/y": "2", b: "file", f: "3" }], {
    a: "d",
    "a/x": "1",
    "a/y": "2",
    b: "file",
    f: "ours",
  });
});

/** Trees of up to three levels over two names: small enough that the sides meet often. */
const plainTree = fc
  .array(
    fc.tuple(
      fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 3 }),
      fc.constantFrom("1", "2", "l"),
    ),
    {
      maxLength: 6,
    },
  )
  .map((leaves) => {
    const plain: Record<string, string> = { "": "d" };
    for (const [parts, text] of leaves) {
      const parents = parts.slice(0, -1).map((_, i) => parts.slice(0, i + 1).join("/"));
      if (parents.some((path) => (plain[path] ?? "d") !== "d")) continue;
      for (const path of parents) plain[path] = "d";
      if (plain[parts.join("/")] === undefined) plain[parts.join("/")] = text;
    }
    return plain as Plain;
  });

async function toPlain(store: MemoryNodeStore, root: TreeRoot): Promise<Map<string, TreeEntry>> {
  const out = new Map<string, TreeEntry>();
  for await (const { path, entry } of walk(store, root)) out.set(displayPath(path), entry);
  return out;
}

test("whatever meets, a merge is a tree; every path is accounted for", async () => {
  await fc.assert(
    fc.asyncProperty(
      plainTree,
      plainTree,
      plainTree,
      fc.boolean(),
      async (base, ours, theirs, takeTheirs) => {
        const { store, root, conflicts } = await merge(base, ours, theirs, takeTheirs);
        const merged = await toPlain(store, root);
        const reported = new Set(conflicts.map(({ path }) => displayPath(path)));
        for (const path of new Set([...Object.keys(base), ...Object.keys(ours), ...Object.keys(theirs)])) {
          const keepsOurs =
            theirs[path] === base[path] || reported.has(path) || (!takeTheirs && ours[path] !== base[path]);
          const expected = keepsOurs ? ours[path] : theirs[path];
          assert.deepEqual(merged.get(path), expected === undefined ? undefined : entryOf(expected), path);
        }
      },
    ),
    { seed: 77, numRuns: 600 },
  );
});

test("a change here and one there in a large tree: reads follow the changes", async () => {
  const plain: Record<string, string> = { "": "d" };
  for (let d = 0; d < 100; d++) {
    plain[`d${d}`] = "d";
    for (let f = 0; f < 100; f++) plain[`d${d}/f${f}`] = `${d} ${f}`;
  }
  const store = new MemoryNodeStore();
  const base = await build(store, plain);
  const ours = await editTree(store, base, [{ path: utf8("d3/f3"), entry: entryOf("ours") }]);
  const theirs = await editTree(store, base, [
    { path: utf8("d90/f7"), entry: entryOf("theirs") },
    ...["", ...Array.from({ length: 100 }, (_, f) => `/f${f}`)].map((name) => ({
      path: utf8(`d50${name}`),
      entry: undefined,
    })),
  ]);
  store.reads = 0;
  const { root, conflicts } = await mergeTrees(store, { base, ours, theirs });
  assert.ok(store.reads < 60 && store.reads < store.nodes.size / 2, `${store.reads} of ${store.nodes.size}`);
  assert.deepEqual(conflicts, []);
  let changes = 0;
  for await (const _ of diffTrees(store, base, root)) changes++;
  assert.equal(changes, 103);
  await verifyTree(store, root);
});
