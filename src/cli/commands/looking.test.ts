import assert from "node:assert/strict";
import { test } from "node:test";
import { TenonError } from "../../errors/index.ts";
import type { ListEntry } from "../../store/index.ts";
import type { OpenRepository } from "../store.ts";
import { each, fakeStore, runWith } from "../testing/fake.ts";
import { DIGEST, FILE, state, TREE } from "../testing/samples.ts";

test("init", async () => {
  assert.equal(
    (await runWith(["init", "-r", "/x"], fakeStore({}))).stdout,
    "made an empty repository in /x\n",
  );
  assert.deepEqual(JSON.parse((await runWith(["init", "-r", "/x", "--json"], fakeStore({}))).stdout), {
    location: "/x",
  });
});

test("init takes a directory, as other programs do, and one name for it", async () => {
  const env = { TENON_REPO: "/elsewhere" };
  const made = await runWith(["init", "--json", "builds"], fakeStore({}), { env });
  assert.deepEqual(JSON.parse(made.stdout), { location: "builds" });
  const told = await runWith(["init", "builds"], fakeStore({}));
  assert.match(told.stdout, /^made an empty repository in builds\n.*--repo.*TENON_REPO/);
  const refused: [string[], RegExp][] = [
    [["init", "builds", "-r", "/x"], /once/],
    [["init", "-r", "builds", "builds"], /once/],
    [["init", ""], /empty/],
    [["init", "a", "b"], /one operand too many/],
  ];
  for (const [args, why] of refused) {
    const { exitCode, stderr } = await runWith(args, fakeStore({}), { env });
    assert.equal(exitCode, 2, args.join(" "));
    assert.match(stderr, why);
  }
});

test("get and cat", async () => {
  const seen: unknown[] = [];
  const repository: Partial<OpenRepository> = {
    async get(spec, options) {
      const { output, overwrite, sparse, keepSetid } = options!;
      seen.push({ spec, output, overwrite, sparse, keepSetid });
      const digest = spec.includes(":/") ? { digest: "c".repeat(64) } : {};
      return { output: "out\u0007", root: FILE, ...digest, files: 1, bytes: 3 * 2 ** 20, problems: 0 };
    },
    cat(spec, options) {
      seen.push({ spec, offset: options?.offset, length: options?.length });
      return each(Buffer.from("ab"), Buffer.from("cd"));
    },
  };
  const store = fakeStore(repository);
  const got = await runWith(["get", "tool", "-o", "out", "--overwrite"], store);
  assert.equal(got.stdout, `restored out\\x07: 1 file, 3.0 MiB\nfile ${DIGEST}\n`);
  assert.equal((await runWith(["get", "tool", "-o", "-"], store)).stdout, "abcd");
  assert.equal((await runWith(["cat", "tool", "--offset", "1K", "--length", "4"], store)).stdout, "abcd");
  assert.deepEqual(seen, [
    { spec: "tool", output: "out", overwrite: true, sparse: false, keepSetid: false },
    { spec: "tool", offset: undefined, length: undefined },
    { spec: "tool", offset: 1024, length: 4 },
  ]);
  assert.match((await runWith(["get", "a:/in/it"], store)).stdout, /\nfile c{64}\n$/, "of what was restored");
});

test("get: something left out is partial, something damaged is damage", async () => {
  for (const [code, exitCode] of [
    ["exists", 3],
    ["damaged", 11],
  ] as const) {
    const store = fakeStore({
      async get(_spec, options) {
        options?.onEvent?.({ type: "problem", operation: "get", code, message: "no", path: "a" });
        options?.onEvent?.({ type: "problem", operation: "get", code: "exists", message: "no", path: "b" });
        return { output: "out", root: TREE, files: 1, bytes: 1, problems: 2 };
      },
    });
    assert.equal((await runWith(["get", "-q", "x"], store)).exitCode, exitCode);
  }
});

const ENTRIES: ListEntry[] = [
  { type: "directory", path: "bin", mode: 0o755 },
  { type: "file", path: "bin/to\nol", mode: 0o755, size: 2048, digest: DIGEST },
  { type: "symlink", path: "link", mode: 0o777, target: "bin/\u001btool" },
];

test("ls: names for people, whole digests when piped, lines of JSON", async () => {
  const store = fakeStore({ list: () => each(...ENTRIES) });
  assert.equal((await runWith(["ls", "x"], store)).stdout, "bin/\nbin/to\\nol\nlink -> bin/\\x1btool\n");
  const dash = (width: number) => "-".padEnd(width);
  assert.equal(
    (await runWith(["ls", "-l", "x"], store, { terminal: true })).stdout,
    [
      `drwxr-xr-x           -  ${dash(12)}  bin/`,
      "-rwxr-xr-x     2.0 KiB  0123456789ab  bin/to\\nol",
      `lrwxrwxrwx           -  ${dash(12)}  link -> bin/\\x1btool`,
      "",
    ].join("\n"),
  );
  assert.ok((await runWith(["ls", "-l", "x"], store)).stdout.includes(DIGEST));
  const lines = (await runWith(["ls", "--json", "x"], store)).stdout.trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    ENTRIES,
  );

  const refs = fakeStore({
    list: () =>
      each<ListEntry>(
        { type: "ref", ref: "a:1", state: state() },
        { type: "ref", ref: "long:name", state: state({ root: TREE }) },
      ),
  });
  assert.equal((await runWith(["ls"], refs)).stdout, "a:1\nlong:name\n");
  assert.equal(
    (await runWith(["ls", "-l"], refs, { terminal: true })).stdout,
    "a:1        0123456789ab  2026-03-01T12:00:00Z  3.0 MiB\nlong:name  0123456789ab  2026-03-01T12:00:00Z  1,200 files, 5.0 MiB\n",
  );
  assert.equal((await runWith(["__refs"], refs)).stdout, "a:1\nlong:name\n");
});

test("log: newest first, at most N", async () => {
  let closed = false;
  const { root: _root, ...removed } = state({ sequence: 3, what: "" });
  const log = async function* () {
    try {
      yield* [removed, state(), state({ sequence: 1 })];
    } finally {
      closed = true;
    }
  };
  const { stdout } = await runWith(["log", "-n", "2", "tool"], fakeStore({ log }));
  assert.equal(
    stdout,
    `tool:latest@3  2026-03-01T12:00:00Z  a@b  removed\ntool:latest@2  2026-03-01T12:00:00Z  a@b  ${DIGEST}  3.0 MiB  why\n`,
  );
  assert.ok(closed);
});

test("diff: what changed and how", async () => {
  const file = { type: "file", path: "f", mode: 0o644, size: 1024, digest: DIGEST } as const;
  const link = { type: "symlink", path: "f", mode: 0o777, target: "x" } as const;
  const diff = () =>
    each(
      { path: "f", change: "added", after: file } as const,
      { path: "f", change: "removed", before: link } as const,
      { path: "f", change: "changed", before: file, after: { ...file, size: 2048 } } as const,
      { path: "f", change: "changed", before: file, after: { ...file, mode: 0o755 } } as const,
      { path: "f", change: "changed", before: file, after: link } as const,
      { path: "f", change: "changed", before: link, after: { ...link, target: "y" } } as const,
    );
  assert.equal(
    (await runWith(["diff", "a", "b"], fakeStore({ diff }))).stdout,
    [
      "+ f  (1.0 KiB)",
      "- f -> x",
      "~ f  (1.0 KiB to 2.0 KiB)",
      "~ f  (-rw-r--r-- to -rwxr-xr-x)",
      "~ f -> x  (file became symlink)",
      "~ f -> y  (was -> x)",
      "",
    ].join("\n"),
  );
});

test("tag and rm", async () => {
  const removed: string[] = [];
  const store = fakeStore({
    tag: async (source, ref) => state({ ref, what: source, sequence: 1 }),
    async remove(ref, options) {
      if (ref === "gone") throw new TenonError("not-found", "no ref gone:latest");
      removed.push(`${ref} ${options?.history}`);
      return state({ ref: `${ref}:latest` });
    },
  });
  assert.equal(
    (await runWith(["tag", "tool", "tool:stable"], store)).stdout,
    `tool:stable@1  ${DIGEST}  3.0 MiB\n`,
  );
  assert.equal((await runWith(["rm", "a"], store)).stdout, "a:latest  removed\n");
  assert.equal((await runWith(["rm", "a", "--history"], store)).stdout, "a:latest@2  history forgotten\n");
  assert.equal((await runWith(["rm", "gone"], store)).exitCode, 1);
  const some = await runWith(["rm", "b", "gone", "c"], store);
  assert.deepEqual([some.exitCode, some.stderr], [3, "tenon: problem: no ref gone:latest\n"]);
  assert.deepEqual(removed, ["a false", "a true", "b false", "c false"]);
});
