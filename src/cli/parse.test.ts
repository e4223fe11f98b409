import assert from "node:assert/strict";
import { test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { parseCommandLine } from "./parse.ts";
import { editDistance, nearest } from "./suggest.ts";
import { COMMANDS, commandOf, GLOBAL_OPTIONS } from "./table.ts";

const parse = (...args: string[]) => parseCommandLine(args, {});

async function refused(...args: string[]): Promise<string> {
  try {
    await parse(...args);
  } catch (error) {
    assert.ok(isTenonError(error, "usage"), String(error));
    return error.message;
  }
  assert.fail(`accepted: ${args.join(" ")}`);
}

test("operands and options in any order, before and after the command", async () => {
  const orders = [
    ["-r", "/repo", "add", "--ref", "a:1", "--exclude", "*.o", "--exclude=*.d", "x"],
    ["add", "x", "--exclude", "*.o", "--ref=a:1", "-x", "*.d", "--repo", "/repo"],
    ["--repo=/repo", "add", "-x*.o", "-x", "*.d", "--ref", "a:1", "--", "x"],
  ];
  for (const args of orders) {
    const parsed = await parse(...args);
    assert.ok(parsed?.command === "add");
    assert.deepEqual(parsed.operands, ["x"]);
    assert.equal(parsed.options.ref, "a:1");
    assert.deepEqual(parsed.options.exclude, ["*.o", "*.d"]);
    assert.equal(parsed.options["no-ref"], false);
    assert.equal(parsed.options.compression, undefined);
    assert.equal(parsed.globals.repo, "/repo");
  }
});

test("values get their types", async () => {
  const cat = await parse("cat", "a", "--offset", "1M", "--length=4K");
  assert.ok(cat?.command === "cat");
  assert.deepEqual([cat.options.offset, cat.options.length], [2 ** 20, 4096]);
  const gc = await parse("gc", "--grace", "15m", "-nq");
  assert.ok(gc?.command === "gc");
  assert.deepEqual([gc.options.grace, gc.options["dry-run"], gc.globals.quiet], [900_000, true, true]);
});

test("a dash alone is an operand or a value; after -- everything is an operand", async () => {
  const get = await parse("get", "a", "-o", "-");
  assert.ok(get?.command === "get");
  assert.equal(get.options.output, "-");
  assert.deepEqual((await parse("add", "-", "--name", "n"))?.operands, ["-"]);
  assert.deepEqual((await parse("add", "--", "-x", "--json"))?.operands, ["-x", "--json"]);
});

test("the environment stands in for an option, and the option wins", async () => {
  const env = { TENON_REPO: "/from/env" };
  assert.equal((await parseCommandLine(["ls"], env))?.globals.repo, "/from/env");
  assert.equal((await parseCommandLine(["ls", "-r", "/given"], env))?.globals.repo, "/given");
  assert.equal((await parseCommandLine(["ls"], { TENON_REPO: "" }))?.globals.repo, undefined);
});

test("--help and --version become commands, wherever they stand", async () => {
  assert.equal(await parse(), undefined);
  assert.equal(await parse("--json"), undefined);
  assert.deepEqual((await parse("--help"))?.operands, []);
  for (const args of [
    ["add", "--help"],
    ["-h", "add"],
    ["add", "x", "-h", "--ref", "a"],
  ]) {
    const parsed = await parse(...args);
    assert.deepEqual([parsed?.command, parsed?.operands], ["help", ["add"]]);
  }
  assert.equal((await parse("--version"))?.command, "version");
  assert.equal((await parse("ls", "--version"))?.command, "version");
});

test("what doesn't fit is refused with the nearest name", async () => {
  assert.equal(await refused("statz"), "unknown command 'statz'; did you mean 'stats'?");
  assert.equal(await refused("frobnicate"), "unknown command 'frobnicate'");
  assert.equal(await refused("__proto__"), "unknown command '__proto__'");
  assert.equal(
    await refused("add", "--exlude", "x"),
    "'tenon add' has no option '--exlude'; did you mean '--exclude'?",
  );
  assert.equal(await refused("--jsn", "ls"), "unknown option '--jsn'; did you mean '--json'?");
  assert.equal(await refused("ls", "-Z"), "'tenon ls' has no option '-Z'");
  assert.equal(await refused("--toString"), "unknown option '--toString'");
});

test("missing and surplus values and operands are refused", async () => {
  assert.match(await refused("get", "a", "--output"), /option '--output' needs PATH/);
  assert.match(await refused("get", "a", "-o", "--overwrite"), /option '-o' needs PATH/);
  assert.equal(await refused("ls", "--json=yes"), "option '--json' takes no value");
  assert.equal(await refused("add"), "'tenon add' needs PATH...");
  assert.equal(await refused("tag", "a"), "'tenon tag' needs NAME:TAG");
  assert.equal(await refused("stats", "x"), "'tenon stats' takes no operands, but \"x\" was given");
  assert.equal(await refused("get", "a", "b"), 'one operand too many: "b"');
  assert.equal(
    await refused("cat", "a", "--offset", "1X"),
    "option '--offset': \"1X\" is not a size such as 4096, 64K, 1.5M or 2G",
  );
  assert.match(await refused("add", "x", "--compression", "maximal"), /not one of none, fast, default, max/);
});

test("no command's option has the name of a global one or of another", () => {
  for (const name of Object.keys(COMMANDS) as (keyof typeof COMMANDS)[]) {
    const all = [...Object.entries(GLOBAL_OPTIONS), ...Object.entries(commandOf(name).options)];
    const names = all.flatMap(([long, option]) =>
      "short" in option && option.short ? [long, option.short] : [long],
    );
    assert.equal(new Set(names).size, names.length, name);
  }
});

test("edit distance counts inserted, deleted, replaced and swapped letters", () => {
  const cases: [string, string, number][] = [
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "abc", 0],
    ["stats", "statz", 1],
    ["satts", "stats", 1],
    ["repo", "report", 2],
    ["kitten", "sitting", 3],
  ];
  for (const [a, b, edits] of cases) {
    assert.equal(editDistance(a, b), edits, `${a} ${b}`);
    assert.equal(editDistance(b, a), edits, `${b} ${a}`);
  }
});

test("a beginning is nearer than a misspelling, and far names are not offered", () => {
  assert.equal(nearest("comp", ["come", "compact"]), "compact");
  assert.equal(nearest("x", ["add", "get"]), undefined);
  assert.equal(nearest("gte", ["gc", "get"]), "get");
});
