import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { missing, Workshop } from "../../library/testing/compile.ts";
import { noStore, runWith } from "../testing/fake.ts";

const shop = new Workshop();
const folder = mkdtempSync(join(tmpdir(), "tenon-lib-layout-"));
after(() => {
  shop.dispose();
  rmSync(folder, { recursive: true });
});
const store = () => import("../../store/index.ts");
const tenon = (...args: string[]) => runWith(["--repo", join(folder, "repository"), ...args], store);

const FLAGS = ["-fno-pic"];
const library = (n: number) => `int puts(const char *); static int held = 2;
  __attribute__((noinline)) static int scale(int x) { return x * ${n} + held++; }
  __attribute__((noinline)) int same(int x) { puts("same"); return scale(x) + 1; }
  int api(int x) { return same(x) - scale(x); }`;
const MAIN = `int printf(const char *, ...); int api(int);
  int main(void) { for (int i = 0; i < 4; i++) printf("%d\\n", api(i)); return 0; }`;

/** Links a program and returns what it prints. */
function linkAndRun(objects: readonly string[], ...options: string[]): string {
  const program = join(folder, "program");
  execFileSync("gcc", ["-static", "-no-pie", ...options, "-o", program, ...objects], { stdio: "pipe" });
  return spawnSync(program, { encoding: "utf8" }).stdout;
}

describe("lib layout, lib delta, spacer-delta", { skip: missing("x86-64") }, () => {
  const main = () => shop.compileFile(MAIN, { name: "main.o", flags: FLAGS });
  const object = (n: number) => shop.compileFile(library(n), { name: "util.o", flags: FLAGS });

  test("stored versions are laid out, and one more is added to them", async () => {
    const [rest, one, two, three] = [main(), object(3), object(4), object(5)];
    await tenon("init");
    await tenon("lib", "add", "util:1.0", one);
    await tenon("lib", "add", "util:1.1", two);
    const out = join(folder, "layout");
    const first = await tenon("lib", "layout", "util", "-o", out);
    assert.equal(first.exitCode, 0, first.stderr);
    assert.match(first.stdout, /^VERSION +SLOTS .*\n1\.0 .*util-1\.0\.o, util-1\.0\.ld\n1\.1 .*\nslots: /);
    const laidOut = (version: string) =>
      linkAndRun([rest, join(out, `util-${version}.o`)], "-T", join(out, `util-${version}.ld`));
    assert.equal(laidOut("1.0"), linkAndRun([rest, one]));
    assert.equal(laidOut("1.1"), linkAndRun([rest, two]));
    const before = readFileSync(join(out, "util-1.0.ld"), "utf8");

    await tenon("lib", "add", "util:1.2", three);
    const json = JSON.parse((await tenon("lib", "layout", "util", "-o", out, "--json")).stdout);
    assert.deepEqual(json.labels, ["1.0", "1.1", "1.2"]);
    assert.deepEqual(
      json.written.map(({ label }: { label: string }) => label),
      ["1.2"],
    );
    assert.equal(laidOut("1.2"), linkAndRun([rest, three]));
    assert.equal(readFileSync(join(out, "util-1.0.ld"), "utf8"), before);
    assert.match(readFileSync(join(out, "util-1.2.sec_to_patch.txt"), "utf8"), /^\.text\.scale\t1\.2$/m);
    assert.match(readFileSync(join(out, "util-1.2.sec_to_globalize.txt"), "utf8"), /^scale\tutil\.o:scale$/m);

    const rebased = JSON.parse(
      (await tenon("lib", "layout", "util", "-o", out, "--rebase", "--json")).stdout,
    );
    assert.equal(rebased.written.length, 3);
    assert.equal(laidOut("1.0"), linkAndRun([rest, one]));
    const other = await tenon("lib", "layout", "other", "-o", out, `1=${one}`);
    assert.equal(other.exitCode, 1, "the directory holds another library's layout");
    const full = await tenon("lib", "layout", "util", "-o", join(folder, "tiny"), "--region", "code=16");
    assert.match(full.stderr, /the code region is full: it has 16 bytes at 0x[0-9a-f]+, \d+ are needed/);
  });

  test("a damaged state is told with what to do, and --rebase goes on without it", async () => {
    const out = join(folder, "damaged");
    const layOut = (...more: string[]) =>
      tenon("lib", "layout", "util", `1=${object(3)}`, "-o", out, ...more);
    assert.equal((await layOut()).exitCode, 0);
    const state = join(out, "layout.json");
    const whole = readFileSync(state, "utf8");
    for (const text of [whole.slice(0, 300), whole.replace('"util"', '"tool"'), ""]) {
      writeFileSync(state, text);
      const { exitCode, stdout, stderr } = await layOut();
      assert.deepEqual([exitCode, stdout], [11, ""]);
      assert.match(
        stderr,
        /^tenon: \S+layout\.json: layout: .*; bring the file back .* or pack .* --rebase: .*\n$/,
      );
      assert.equal(readFileSync(state, "utf8"), text);
    }
    assert.equal((await layOut("--rebase")).exitCode, 0);
    assert.equal(readFileSync(state, "utf8"), whole);
  });

  test("a delta of files is linked in front of the base", async () => {
    const [rest, one, two] = [main(), object(3), object(4)];
    const out = join(folder, "delta");
    const files = [`1=${one}`, `2=${two}`, `3=${one}`];
    const result = await tenon("lib", "delta", "util", ...files, "--from", "1", "--to", "2", "-o", out);
    assert.match(result.stdout, /link in this order: util-2\.delta\.o util-1\.base\.o\n$/, result.stderr);
    const objects = ["util-2.delta.o", "util-1.base.o"].map((name) => join(out, name));
    assert.equal(linkAndRun([rest, ...objects]), linkAndRun([rest, two]));
    assert.equal(readFileSync(join(out, "sec_to_patch.txt"), "utf8"), ".text.scale\t2\n");
    assert.match(readFileSync(join(out, "sec_to_globalize.txt"), "utf8"), /^\.text\.scale\tscale\.tenon\./m);

    const chain = await tenon(
      "lib",
      "delta",
      "util",
      ...files,
      "--from",
      "1,2",
      "--to",
      "3",
      "-o",
      out,
      "--json",
    );
    assert.deepEqual(JSON.parse(chain.stdout).pieces[2].reverted, ["util.o:scale"]);
    const three = ["util-3.delta.o", "util-2.delta.o", "util-1.base.o"].map((name) => join(out, name));
    assert.equal(linkAndRun([rest, ...three]), linkAndRun([rest, one]));
    assert.equal((await tenon("lib", "delta", "util", ...files, "--to", "2")).exitCode, 2);
    assert.equal((await tenon("lib", "delta", "util", ...files, "--from", "9", "--to", "2")).exitCode, 1);
  });

  test("a workspace with the options and file names of the ancestor", async () => {
    const [rest, one, two, three] = [main(), object(3), object(4), object(3)];
    const workspace = join(folder, "workspace");
    mkdirSync(workspace);
    for (const [i, path] of [one, two, three].entries())
      copyFileSync(path, join(workspace, `lib-lambda-v${i + 1}.o`));
    const link = join(workspace, "link64.lds");
    const run = (...more: string[]) => tenon("spacer-delta", "-w", workspace, "--link", link, ...more);
    assert.equal((await run("--uk_version", "1")).exitCode, 0);
    assert.deepEqual(readFileSync(join(workspace, "diff-v1.o")), readFileSync(one));

    const second = await run("-u", "lambda", "-l", "debug", "--uk_name", "lib-lambda-v");
    assert.equal(second.exitCode, 0, second.stderr);
    const pieces = (count: number) =>
      Array.from({ length: count }, (_, i) => join(workspace, `diff-v${count - i}.o`));
    const expected = linkAndRun([rest, two]);
    assert.equal(linkAndRun([rest, ...pieces(2)], "-T", join(workspace, "diff-v2.lds")), expected);
    assert.equal(readFileSync(join(workspace, "sec_to_patch.txt"), "utf8"), ".text.scale\tv2\n");
    assert.ok(existsSync(join(workspace, "sec_to_globalize.txt")));

    // With a script of its own: what the linker would use.
    const verbose = spawnSync("ld", ["--verbose"], { encoding: "utf8" }).stdout;
    const [, script] = verbose.split(/^={20,}$/m);
    writeFileSync(link, script!);
    assert.equal((await run("--uk_version", "3", "--sec_to_patch", "patch.txt")).exitCode, 0);
    const own = join(workspace, "diff-v3.lds");
    const plain = linkAndRun([rest, three]);
    assert.equal(linkAndRun([rest, ...pieces(3)], "-T", own), plain);
    const headers = execFileSync("readelf", ["-SW", join(folder, "program")], { encoding: "utf8" });
    assert.match(headers, / \.text\.lambda\.v1 +PROGBITS +0*4000000 /);
    assert.match(headers, / \.text\.lambda\.v3 +PROGBITS +0*4002000 /);
    assert.ok(existsSync(join(workspace, "patch.txt")));
    assert.deepEqual(readFileSync(join(workspace, "lib-lambda-v1.o")), readFileSync(one), "only read");
    assert.equal((await run("--uk_version", "9")).exitCode, 1);
  });
});

test("wrong options are refused before anything is read", async () => {
  for (const args of [
    ["lib", "layout", "x", "1=a.o", "--base", "12"],
    ["lib", "layout", "x", "1=a.o", "--region", "stack=4K"],
    ["lib", "layout", "x", "1=a.o", "--slots", "some"],
    ["lib", "delta", "x", "1=a.o", "--from", "1"],
    ["spacer-delta", "-l", "loud"],
  ])
    assert.equal((await runWith(args, noStore)).exitCode, 2, args.join(" "));
});
