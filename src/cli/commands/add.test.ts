import assert from "node:assert/strict";
import { test } from "node:test";
import type { AddInput, AddOptions, AddResult, StoreEvent } from "../../store/index.ts";
import { fakeStore, noStore, runWith } from "../testing/fake.ts";
import { FILE, TREE } from "../testing/samples.ts";

function addingStore(
  seen: { inputs?: readonly AddInput[]; options?: AddOptions },
  events: StoreEvent[],
  result: Partial<AddResult>,
) {
  return fakeStore({
    async add(inputs, options) {
      Object.assign(seen, { inputs, options });
      for (const event of events) options?.onEvent?.(event);
      return { roots: [], files: 0, bytes: 0, newFiles: 0, storedBytes: 0, problems: 0, ...result };
    },
  });
}

const item = (path: string, facts: Partial<Extract<StoreEvent, { type: "item" }>>): StoreEvent => {
  return { type: "item", operation: "add", path, kind: "file", size: 1, representation: "chunks", ...facts };
};

const ITEMS = [
  item("tool", {
    storedBytes: 2 ** 20,
    declined: [{ representation: "executable", reason: "no sections" }],
  }),
  item("dir/a", { storedBytes: 2048 }),
  item("dir/sub/b", { known: true, representation: "executable" }),
  item("dirt", { storedBytes: 999 }),
];
const ADDED: Partial<AddResult> = {
  roots: [
    { path: "tool", ref: "tool:latest", sequence: 2, root: FILE },
    { path: "dir/", root: TREE },
  ],
  files: 1201,
  bytes: 8 * 2 ** 20,
  newFiles: 2,
  storedBytes: 1_100_000,
};

test("add: a line per path with what it cost and why it is not kept better", async () => {
  const seen: { inputs?: readonly AddInput[]; options?: AddOptions } = {};
  const args = ["add", "tool", "dir/", "-m", "why", "--exclude", "*.o", "--compression", "fast"];
  const { exitCode, stdout, stderr } = await runWith(args, addingStore(seen, ITEMS, ADDED), {
    terminal: true,
    env: { NO_COLOR: "1" },
  });
  assert.equal(
    stdout,
    [
      "REF            DIGEST           SIZE  FILES      NEW  KEPT AS                 PATH",
      "tool:latest@2  0123456789ab  3.0 MiB      1  1.0 MiB  chunks                  tool",
      "  not executable: no sections",
      "-              0123456789ab  5.0 MiB  1,200  2.0 KiB  chunks 1, executable 1  dir/",
      "1,201 files, 8.0 MiB, 2 new; the repository grew by 1.0 MiB",
      "",
    ].join("\n"),
  );
  assert.deepEqual([exitCode, stderr], [0, ""]);
  assert.deepEqual(seen.inputs, ["tool", "dir/"]);
  const { who, message, exclude, compression, noRef, ref } = seen.options!;
  assert.deepEqual(
    { who, message, exclude, compression, noRef, ref },
    {
      who: "somebody@somewhere",
      message: "why",
      exclude: ["*.o"],
      compression: "fast",
      noRef: false,
      ref: undefined,
    },
  );
});

test("add --json: the store's result, with the facts of each path", async () => {
  const { stdout, stderr } = await runWith(["add", "--json", "tool", "dir/"], addingStore({}, ITEMS, ADDED));
  const result = JSON.parse(stdout);
  assert.equal(result.storedBytes, 1_100_000);
  assert.deepEqual(result.roots[0], {
    ...ADDED.roots![0],
    storedBytes: 2 ** 20,
    newFiles: 1,
    representations: [{ name: "chunks", files: 1 }],
    declined: [{ representation: "executable", reason: "no sections", files: 1 }],
  });
  assert.deepEqual([result.roots[1].storedBytes, result.roots[1].newFiles], [2048, 1]);
  assert.equal(stderr.trimEnd().split("\n").length, ITEMS.length);
});

test("add with --ref: several paths are one root", async () => {
  const roots = [{ path: "tool dir", ref: "all:1", sequence: 1, root: TREE }];
  const { stdout } = await runWith(
    ["add", "--json", "--ref", "all:1", "tool", "dir"],
    addingStore({}, ITEMS, { roots }),
  );
  assert.equal(JSON.parse(stdout).roots[0].storedBytes, 2 ** 20 + 2048 + 999);
});

test("add: many different reasons are counted together", async () => {
  const events = Array.from({ length: 100 }, (_, i) =>
    item(`dir/${i}`, { declined: [{ representation: "executable", reason: `reason ${i}` }] }),
  );
  const roots = [{ path: "dir", root: TREE }];
  const { stdout } = await runWith(["add", "dir"], addingStore({}, events, { roots }));
  const reasons = stdout.split("\n").filter((line) => line.startsWith("  not "));
  assert.equal(reasons.length, 9);
  assert.equal(reasons.at(-1), "  not others: various reasons (92 files)");
});

test("add: standard input has a name, once", async () => {
  const seen: { inputs?: readonly AddInput[] } = {};
  await runWith(["add", "-", "--ref", "tool:1"], addingStore(seen, [], {}));
  assert.equal((seen.inputs![0] as { name: string }).name, "tool");
  await runWith(["add", "-", "--ref", "tool:1", "--name", "n"], addingStore(seen, [], {}));
  assert.equal((seen.inputs![0] as { name: string }).name, "n");
  for (const args of [
    ["-"],
    ["-", "-", "--name", "n"],
    ["x", "--name", "n"],
    ["x", "--ref", "a", "--no-ref"],
  ]) {
    assert.equal((await runWith(["add", ...args], noStore)).exitCode, 2, args.join(" "));
  }
});

test("add: problems make it partial; --quiet leaves only them", async () => {
  const problem: StoreEvent = {
    type: "problem",
    operation: "add",
    code: "io",
    message: "EACCES",
    path: "secret",
  };
  const { exitCode, stdout, stderr } = await runWith(
    ["add", "-q", "dir"],
    addingStore({}, [...ITEMS, problem], { problems: 1 }),
  );
  assert.deepEqual([exitCode, stdout, stderr], [3, "", "tenon: problem: secret: EACCES\n"]);
});
