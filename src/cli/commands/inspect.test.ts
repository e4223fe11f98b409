import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { link, nextRelease, sampleProgram } from "../../executable/testing/small-program.ts";
import type { DebugReport, DiffEntry } from "../../store/index.ts";
import * as store from "../../store/index.ts";
import { each, fakeStore, runWith } from "../testing/fake.ts";
import { DIGEST, FILE } from "../testing/samples.ts";

const folder = mkdtempSync(join(tmpdir(), "tenon-cli-inspect-"));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const realStore = async () => store;

const program = sampleProgram(1, 200);
writeFileSync(at("one"), link(program));
writeFileSync(at("two"), link(nextRelease(program, 2, 6)));
writeFileSync(at("one.gz"), gzipSync(link(program)));
const repo = at("repository");

test("a path without a repository, and beside one", async () => {
  const alone = await runWith(["inspect", "-r", repo, at("one")], realStore);
  assert.deepEqual([alone.exitCode, alone.stderr], [0, ""]);
  assert.match(alone.stdout, /^one\n {2}\d+\.\d KiB \([\d,]+ bytes\), sha256 [0-9a-f]{64}\n/);
  for (const line of ["  would be kept as executable", "  ELF 64-bit x86-64 shared", "coded by itself"]) {
    assert.ok(alone.stdout.split("\n").includes(line), line);
  }
  for (const table of [
    /^PIECES +COUNT +BYTES +COPIED +CHANGED +NEW/m,
    /^REFERENCES +COUNT +PREDICTED/m,
    /^STORED BYTES/m,
  ])
    assert.match(alone.stdout, table);
  assert.ok(!readdirSync(folder).includes("repository"));

  assert.equal((await runWith(["init", "-r", repo], realStore)).exitCode, 0);
  assert.equal(
    (await runWith(["add", "-q", "-r", repo, "--ref", "app:1", at("one")], realStore)).exitCode,
    0,
  );
  const beside = await runWith(["inspect", "-r", repo, at("two")], realStore);
  assert.ok(beside.stdout.split("\n").includes("coded by app:1"), beside.stdout);
  const without = await runWith(["inspect", "-r", repo, "--alone", at("two")], realStore);
  assert.ok(without.stdout.split("\n").includes("coded by itself"));
});

test("a ref, JSON, a container, and what isn't there", async () => {
  for (const spec of ["app:1", "ref:app:1"]) {
    const { exitCode, stdout } = await runWith(["inspect", "-r", repo, spec], realStore);
    assert.equal(exitCode, 0);
    assert.ok(stdout.split("\n").includes("  kept as executable"), stdout);
  }
  const report = JSON.parse((await runWith(["inspect", "--json", "-r", repo, "app:1"], realStore)).stdout);
  assert.deepEqual([report.version, report.isStored, report.representation], [1, true, "executable"]);
  const packed = await runWith(["inspect", "-r", repo, at("one.gz")], realStore);
  assert.match(packed.stdout, /would be kept as gzip\n/);
  assert.match(packed.stdout, /^holds 1 different file of /m);
  const said = async (file: string, where = repo) => {
    const { exitCode, stderr } = await runWith(["inspect", "-r", where, file], realStore);
    return `${exitCode} ${stderr}`;
  };
  assert.equal(
    await said("nothing"),
    '1 tenon: there is no file nothing, and as a ref: nothing is named "nothing"; tenon ls shows the refs\n',
  );
  assert.match(
    await said("app:1:/x"),
    /^1 tenon: there is no file app:1:\/x, and as a ref: app is a file and/,
  );
  assert.equal(await said("./nothing"), "1 tenon: there is no file ./nothing\n");
  assert.match(
    await said("nothing", at("none")),
    /^1 tenon: there is no file nothing, and as a ref: no repository/,
  );
  assert.match(await said("ref:./nothing"), /^2 tenon: cannot read "\.\/nothing"/);
  assert.match(await said("ref:x", at("none")), /^10 /);
  assert.equal((await runWith(["inspect", "-r", repo, folder], realStore)).exitCode, 2);
  assert.equal((await runWith(["inspect"], realStore)).exitCode, 2);
});

const report: DebugReport = {
  version: 1,
  spec: "app:1",
  name: "app",
  role: "code",
  digest: DIGEST,
  size: 5,
  buildId: "abcd",
  hasDebugInformation: false,
  matches: [{ digest: DIGEST, size: 2048, by: "build-id", places: ["dbg:1:/a\u001b", "dbg:2"] }],
};

test("debug: where it is, or that it isn't", async () => {
  const found = await runWith(["debug", "app:1"], fakeStore({ debug: async () => report }));
  assert.equal(found.exitCode, 0);
  assert.equal(
    found.stdout,
    `dbg:1:/a\\x1b  debug file  2.0 KiB  ${DIGEST}  by build-id\ndbg:2  debug file  2.0 KiB  ${DIGEST}  by build-id\nbuild-id abcd\n`,
  );
  const none = fakeStore({ debug: async () => ({ ...report, matches: [], hasDebugInformation: true }) });
  const missing = await runWith(["debug", "app:1"], none);
  assert.deepEqual(
    [missing.exitCode, missing.stdout, missing.stderr],
    [
      1,
      "build-id abcd\nit has debug information of its own\n",
      "tenon: the repository has no debug file for app:1, build-id abcd\n",
    ],
  );
  const json = await runWith(["debug", "--json", "app:1"], none);
  assert.deepEqual([json.exitCode, JSON.parse(json.stdout).matches], [1, []]);
  const options: unknown[] = [];
  const written = await runWith(
    ["debug", "app:1", "-o", "out", "--overwrite"],
    fakeStore({
      async debug(spec, given) {
        options.push(spec, given?.output, given?.overwrite);
        return { ...report, output: "out" };
      },
    }),
  );
  assert.match(written.stdout, /restored out: 2\.0 KiB\n$/);
  assert.deepEqual(options, ["app:1", "out", true]);
});

test("diff: counts of functions, their names when asked for", async () => {
  const functions = {
    pairedBy: "name",
    same: 1200,
    changed: 1,
    added: 2,
    removed: 1,
    sameBytes: 5,
    changes: [
      {
        change: "changed",
        name: "main",
        beforeAddress: 16,
        beforeBytes: 95,
        afterAddress: 32,
        afterBytes: 1010,
      },
      { change: "added", name: "a\u0007", afterAddress: 64, afterBytes: 8 },
      { change: "added", name: "", afterAddress: 4096, afterBytes: 16 },
      { change: "removed", name: "old", beforeAddress: 80, beforeBytes: 7 },
    ],
  } as const;
  const { digest, size } = FILE;
  const before = { type: "file", path: "f", mode: 0o755, size, digest } as const;
  const after = { ...before, size: size + 1024 } as const;
  const entries: DiffEntry[] = [
    { path: "f", change: "changed", before, after, functions },
    { path: "f", change: "changed", before, after, functions: { problem: "ELF32" } },
    {
      path: "f",
      change: "changed",
      before,
      after,
      functions: { ...functions, pairedBy: "content", changed: 0, added: 0, removed: 0, changes: [] },
    },
  ];
  const asked: unknown[] = [];
  const fake = fakeStore({
    diff(_a, _b, options) {
      asked.push(options?.functions);
      return each(...entries);
    },
  });
  const counted = (await runWith(["diff", "a", "b"], fake)).stdout.split("\n");
  assert.deepEqual(
    counted.filter((line) => line.startsWith("    ")),
    [
      "    functions: 1 changed, 2 new, 1 gone, 1,200 the same",
      "    functions can't be told apart: ELF32",
      "    functions: none differs, 1,200 the same (no names)",
    ],
  );
  const listed = (await runWith(["diff", "--functions", "a", "b"], fake)).stdout.split("\n");
  assert.deepEqual(listed.slice(2, 6), [
    "    ~ main  (95 to 1,010 bytes)",
    "    + a\\x07  (8 bytes)",
    "    + 0x1000  (16 bytes)",
    "    - old  (7 bytes)",
  ]);
  const lines = (await runWith(["diff", "--json", "a", "b"], fake)).stdout.trimEnd().split("\n");
  const { changes: _listed, ...numbers } = functions;
  assert.deepEqual(JSON.parse(lines[0]!).functions, numbers);
  const all = (await runWith(["diff", "--json", "--functions", "a", "b"], fake)).stdout.trimEnd().split("\n");
  assert.deepEqual(JSON.parse(all[0]!), entries[0]);
  await runWith(["diff", "--quick", "a", "b"], fake);
  assert.deepEqual(asked, [true, true, true, true, false]);
  assert.equal((await runWith(["diff", "--quick", "--functions", "a", "b"], fake)).exitCode, 2);
});
