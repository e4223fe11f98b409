import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { missing, Workshop } from "../../library/testing/compile.ts";
import { noStore, runWith } from "../testing/fake.ts";

const shop = new Workshop();
const folder = mkdtempSync(join(tmpdir(), "tenon-lib-cli-"));
after(() => {
  shop.dispose();
  rmSync(folder, { recursive: true });
});
const store = () => import("../../store/index.ts");
const tenon = (...args: string[]) => runWith(["--repo", join(folder, "repository"), ...args], store);

const text = (n: number, id: string) => `int puts(const char *); int out(int);
  int f(int x) { return puts("id ${id}") + out(x); } int g(int x) { return out(x) * ${n}; }`;

describe("lib", { skip: missing("x86-64") }, () => {
  test("add, list, diff", async () => {
    const [one, two] = [
      shop.compileFile(text(3, "2024-05-06"), { name: "util.o" }),
      shop.compileFile(text(5, "2025-07-08"), { name: "util.o" }),
    ];
    assert.equal((await tenon("init")).exitCode, 0);
    const added = await tenon("lib", "add", "util:1.0", one);
    assert.match(
      added.stdout,
      /^stored util:1\.0: x86-64, 1 object, 2 functions, .*, new .*\n3 units of \d+ B; 3 new, \d+ B\n$/,
      added.stderr,
    );
    const again = await tenon("lib", "add", "util:2.0", two, "-m", "next");
    assert.match(again.stdout, /\n3 units of \d+ B; 3 new, \d+ B, beside 1 version\n$/, again.stderr);
    const json = JSON.parse((await tenon("lib", "add", "util:2.1", two, "--json")).stdout);
    assert.deepEqual([json.ref, json.newUnits, json.comparedWith], ["util:2.1", 0, ["util:1.0", "util:2.0"]]);

    const listed = await tenon("lib", "list");
    assert.match(
      listed.stdout,
      /^LIBRARY .*\nutil:1\.0 +x86-64 +1 +2 +3 .*\nutil:2\.0 .*\nutil:2\.1 .*\n$/,
      listed.stderr,
    );
    assert.equal((await tenon("lib", "list", "other")).stdout, "");
    const lines = (await tenon("lib", "list", "util", "--json")).stdout.trim().split("\n");
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).version),
      ["1.0", "2.0", "2.1"],
    );

    const diff = await tenon("lib", "diff", "util", "1.0", "2.0");
    assert.match(diff.stdout, /\n~ +function +\d+ +f +relocations \(renames\)\n/, diff.stderr);
    assert.match(diff.stdout, /\n~ +function +\d+ +g +bytes\n/);
    assert.match(diff.stdout, /\n> +string +14 +"id 2024-05-06" > "id 2025-07-08" +bytes\n/);
    assert.match(
      diff.stdout,
      /\nfunctions: 0 unchanged \(0\.0% of the bytes\), 2 changed \(1 only by renames\), 0 new/,
    );
    const long = ["2024-05-06", "2025-07-08"].map((date) =>
      shop.compileFile(text(3, `${date} and a digest of 64 digits behind it`), { name: "util.o" }),
    ) as [string, string];
    const cut = await tenon("lib", "diff", ...long);
    assert.match(
      cut.stdout,
      /"id 2024-05-06 and a digest of 6\u2026" > "id 2025-07-08 and a digest of 6\u2026" /,
    );
    assert.match((await tenon("lib", "diff", "-v", ...long)).stdout, /"id 2024-05-06 and a .* behind it" > /);
    const quiet = await tenon("lib", "diff", "util", "1.0", "2.0", "-q");
    assert.doesNotMatch(quiet.stdout, /unchanged/);
    const files = await tenon("lib", "diff", one, two, "--json");
    const { version, changes } = JSON.parse(files.stdout);
    assert.deepEqual([version, changes.length], [1, 3]);
    assert.equal((await tenon("lib", "diff", "util", "2.0", "2.1", "-q")).stdout, "");
  });

  test("failures have their exit codes", async () => {
    assert.equal((await tenon("lib", "diff", "nothing", "1", "2")).exitCode, 1);
    const missingFile = await tenon("lib", "add", "x:1", join(folder, "nowhere.o"));
    assert.equal(missingFile.exitCode, 1);
    assert.match(missingFile.stderr, /nowhere\.o/);
  });
});

test("wrong command lines are refused before the store is loaded", async () => {
  for (const [args, message] of [
    [["lib"], /'tenon lib' needs one of: add, list, diff/],
    [["lib", "add", "x:1"], /needs FILE/],
    [["lib", "diff", "x"], /needs V1/],
  ] as const) {
    const { exitCode, stderr } = await runWith(args, noStore);
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, message);
  }
});
