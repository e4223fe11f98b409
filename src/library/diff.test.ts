import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { type BundleChange, diffVersions, inferRenames, pairBundles, readVersion } from "./index.ts";
import { type CompileOptions, missing, Workshop } from "./testing/compile.ts";
import { C_SOURCE } from "./testing/sources.ts";

const shop = new Workshop();
after(() => shop.dispose());
const skip = missing("x86-64");

const version = (text: string, options: CompileOptions = {}) => readVersion([shop.compile(text, options)]);
const diff = (a: string, b: string, options?: CompileOptions) =>
  diffVersions(version(a, options), version(b, options));
const line = ({ change, kind, name, oldName, text, aspects, onlyRenames }: BundleChange) =>
  [
    change,
    kind,
    text ?? (oldName === undefined ? name : `${oldName}>${name}`),
    ...aspects,
    ...(onlyRenames ? ["renames"] : []),
  ].join(" ");
const lines = (a: string, b: string, options?: CompileOptions) => diff(a, b, options).changes.map(line);

/** Functions that aren't changed, so that others refer to something. */
const REST = "int out(int); int puts(const char *);";
const f = (body: string, name = "f") => `${REST} int ${name}(int x) { ${body} }`;

describe("differences", { skip }, () => {
  test("none between a version and itself, and those of one changed function", () => {
    const same = diff(C_SOURCE, C_SOURCE);
    assert.deepEqual(same.changes, []);
    assert.equal(same.totals.function.keptBytes, same.totals.function.totalBytes);
    assert.ok(same.totals.function.unchanged > 10 && same.totals.string.unchanged >= 5);
    const other = diff(C_SOURCE, C_SOURCE.replace("return ext(9) + 2", "return ext(8) + 2"));
    assert.deepEqual(other.changes.map(line), ["changed function sw bytes"]);
    assert.equal(other.totals.function.changed, 1);
  });

  test("each aspect by itself", () => {
    assert.deepEqual(lines(f("return out(x) + 1;"), f("return out(x) + 2;")), ["changed function f bytes"]);
    const called = (name: string) => `int one(int); int two(int); int f(int x) { return ${name}(x) + 1; }`;
    assert.deepEqual(lines(called("one"), called("two")), ["changed function f relocations"]);
    assert.deepEqual(lines("int v = 1;", "__attribute__((aligned(64))) int v = 1;"), [
      "changed data v alignment",
    ]);
    assert.deepEqual(lines("int v = 1;", "__attribute__((weak)) int v = 1;"), ["changed data v binding"]);
    assert.deepEqual(lines("int v = 1;", "const int v = 1;"), ["changed data v flags"]);
    assert.deepEqual(lines("int v[2];", "int v[3];"), ["changed data v size"]);
    const plain = f("return out(x) + 1;");
    const unwound = diffVersions(
      version(plain),
      version(plain, { flags: ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"] }),
    );
    assert.deepEqual(unwound.changes.map(line), ["changed function f unwind"]);
  });

  test("a change that keeps the size, with sizes and totals", () => {
    const { changes, totals } = diff(f("return out(x) * 3 + 17;"), f("return out(x) * 3 + 18;"));
    assert.deepEqual(changes.map(line), ["changed function f bytes"]);
    assert.equal(changes[0]!.oldSizeBytes, changes[0]!.sizeBytes);
    assert.equal(totals.function.totalBytes, changes[0]!.sizeBytes);
    assert.equal(totals.function.keptBytes, 0);
  });

  test("new, gone, renamed", () => {
    const g = "int g(int x) { return out(x) - out(x * 2); }";
    assert.deepEqual(lines(f("return out(x);"), `${f("return out(x);")} ${g}`), ["new function g"]);
    assert.deepEqual(lines(`${f("return out(x);")} ${g}`, f("return out(x);")), ["gone function g"]);
    const renamed = lines(`${f("return out(x);")} ${g}`, `${f("return out(x);")} ${g.replace("g(", "h(")}`);
    assert.deepEqual(renamed, ["renamed function g>h"]);
    assert.deepEqual(lines("int v[7] = { 1, 2 };", "int w[7] = { 1, 2 };"), ["renamed data v>w"]);
  });

  test("a string that is inlined everywhere is one rename", () => {
    const text = (id: string) => `${REST}
      int f(int x) { return x > 1 ? puts("id ${id}") : out(x); } int g(int x) { return puts("id ${id}") + out(x); }
      int h(int x) { return puts("other") + x; }`;
    assert.deepEqual(lines(text("2024-05-06"), text("2025-07-08")), [
      "changed function f relocations renames",
      "changed function g relocations renames",
      "renamed string id 2025-07-08 bytes",
    ]);
    const [a, b] = [version(text("2024-05-06")), version(text("2025-07-08"))];
    const renames = inferRenames(a, b, pairBundles(a, b));
    assert.deepEqual(
      renames.map(({ because }) => because),
      ["references"],
    );
    const disputed = text("2025-07-08").replace(
      'g(int x) { return puts("id 2025-07-08")',
      'g(int x) { return puts("new")',
    );
    assert.deepEqual(lines(text("2024-05-06"), disputed), [
      "changed function f relocations",
      "changed function g relocations",
      "gone string id 2024-05-06",
      "new string id 2025-07-08",
      "new string new",
    ]);
  });

  test("a function that all callers call under another name is renamed, not one that a single caller replaced", () => {
    const helper = (name: string, n: number) =>
      `__attribute__((noinline, noclone)) static int ${name}(int x) { return x * x + ${n}; }`;
    const text = (name: string, n: number) => `${helper(name, n)} int f(int x) { return ${name}(x) + 1; }
      int g(int x) { return ${name}(x) * 2; }`;
    assert.deepEqual(lines(text("old", 5), text("young", 6)), [
      "changed function f relocations renames",
      "changed function g relocations renames",
      "renamed function util.o:old>util.o:young bytes",
    ]);
    const alone = (name: string, n: number) => `${helper(name, n)} int f(int x) { return ${name}(x) + 1; }`;
    assert.deepEqual(lines(alone("old", 5), alone("young", 6)), [
      "changed function f relocations",
      "gone function util.o:old",
      "new function util.o:young",
    ]);
  });

  test("a specialised function is the same as before it was specialised", () => {
    const text = (attribute: string) => `${REST}
      __attribute__((noinline ${attribute})) static int inner(int x, int k) { for (int i = 0; i < k; i++) x = out(x + k); return x; }
      int f(int x) { return inner(x, 7) + inner(x + 1, 7); }`;
    const [a, b] = [version(text("")), version(text(", noclone, noipa"))];
    assert.ok(
      a.bundles.some(({ name }) => name === "util.o:inner.constprop"),
      "gcc specialises it",
    );
    const change = diffVersions(a, b).changes.find(({ name }) => name === "util.o:inner")!;
    assert.deepEqual([change.change, change.oldName], ["renamed", "util.o:inner.constprop"]);
  });

  test("a file with a release in its name is the same file", () => {
    const text = "static int kept; int out(int *); int f(void) { return out(&kept); }";
    const [a, b] = [version(text, { name: "util-1.2.o" }), version(text, { name: "util-1.10.1.o" })];
    assert.deepEqual(diffVersions(a, b).changes, []);
  });
});
