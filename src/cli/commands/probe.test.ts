import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { noStore, runWith } from "../testing/fake.ts";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-cli-probe-"));
  const text = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `line ${i * i}\n`).join(""));
  writeFileSync(join(folder, "one"), text);
  writeFileSync(join(folder, "two"), Buffer.concat([Buffer.from("changed\n"), text]));
  writeFileSync(join(folder, "cut.gz"), gzipSync(text).subarray(0, 5000));
});
after(() => rmSync(folder, { recursive: true }));

const path = (name: string) => join(folder, name);

test("a table of all methods, without a store", async () => {
  const { exitCode, stdout, stderr } = await runWith(["probe", path("one"), path("two")], noStore);
  assert.deepEqual([exitCode, stderr], [0, ""]);
  const lines = stdout.split("\n");
  assert.match(lines[0]!, /^5\d\d\.\d KiB in 2 files, stored in 5\d\d\.\d KiB now$/);
  assert.match(lines[2]!, /^METHOD +UNIQUE +SHARE +PIECES +PACKED +ALONE$/);
  for (const name of ["exact", "bup(15)", "bup(7)", "gear(14)", "noms(67/12)", "tenon-chunks"]) {
    assert.ok(
      lines.some((line) => line.startsWith(`${name} `)),
      name,
    );
  }
  assert.ok(stdout.includes("without elf: there is no executable"));
  assert.match(stdout, /shared between .*\n {2}\S+one and \S+two +2\d\d\.\d KiB/);
  assert.ok(!stdout.includes("Would a chunk store"), "files are not compressed blobs");
});

test("--json prints the report, --html writes a page, --no-recompress leaves the compressed sizes out", async () => {
  const page = path("report.html");
  const args = ["probe", "--json", "--no-recompress", "--html", page, path("one"), path("two")];
  const { exitCode, stdout } = await runWith(args, noStore);
  assert.equal(exitCode, 0);
  const report = JSON.parse(stdout);
  assert.equal(report.version, 1);
  assert.deepEqual(report.inputs, [path("one"), path("two")]);
  assert.ok(report.methods.every((method: object) => !("packedBytes" in method)));
  assert.ok(readFileSync(page, "utf8").includes("tenon-chunks"));
});

test("what is damaged is named on standard error, and the exit code says so", async () => {
  const { exitCode, stdout, stderr } = await runWith(["probe", path("one"), path("cut.gz")], noStore);
  assert.equal(exitCode, 3);
  assert.match(stderr, /problem: \S+cut\.gz: gzip stream: unexpected end of file/);
  assert.ok(stdout.startsWith("278.7 KiB in 1 file, "), stdout.slice(0, 40));
  const events = await runWith(["probe", "--json", "-q", path("one"), path("cut.gz")], noStore);
  const problem = JSON.parse(events.stderr.trim());
  assert.deepEqual([problem.type, problem.operation, problem.code], ["problem", "probe", "damaged"]);
});

test("nothing to measure, and no place for the page, are errors before anything is measured", async () => {
  const gone = await runWith(["probe", path("gone")], noStore);
  assert.equal(gone.exitCode, 1);
  assert.match(gone.stderr, /gone/);
  const page = path("no-directory/report.html");
  const unwritable = await runWith(["probe", "--html", page, path("gone")], noStore);
  assert.deepEqual([unwritable.exitCode, unwritable.stdout, existsSync(page)], [1, "", false]);
  assert.match(
    unwritable.stderr,
    /^tenon: \S+report\.html can't be written: there is no directory \S+no-directory; make/,
  );
  assert.equal((await runWith(["probe"], noStore)).exitCode, 2);
});

test("a page that was there stays when measuring fails, and nothing unfinished beside it", async () => {
  writeFileSync(path("kept.html"), "the page of last week");
  assert.equal((await runWith(["probe", "--html", path("kept.html"), path("gone")], noStore)).exitCode, 1);
  assert.equal(readFileSync(path("kept.html"), "utf8"), "the page of last week");
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith(".")),
    [],
  );
  const inTheWay = await runWith(["probe", "--html", folder, path("one")], noStore);
  assert.deepEqual([inTheWay.exitCode, inTheWay.stdout], [1, ""]);
});
