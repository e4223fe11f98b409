import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { compareFunctions, type FunctionDifferences } from "./index.ts";
import { link, nextRelease, sampleProgram } from "./testing/small-program.ts";

const folder = mkdtempSync(join(tmpdir(), "tenon-functions-"));
after(() => rmSync(folder, { recursive: true }));

const SOURCE = `
extern int printf(const char *, ...);
extern int puts(const char *);
#ifdef MORE
__attribute__((noinline)) int fresh(int x) { puts("a function that was not there"); return printf("%d!\\n", x); }
#endif
__attribute__((noinline)) int steady(int x) { for (int i = 0; i < x; i++) printf("%d\\n", i * x); return x * 3; }
__attribute__((noinline)) int edited(int x) {
#ifdef MORE
  if (x > 7) return fresh(x);
#endif
  return printf("edited %d\\n", x) + steady(x);
}
#ifndef MORE
__attribute__((noinline)) int dropped(int x) { puts("soon gone"); return x ^ 5; }
#endif
__attribute__((noinline)) int one(int x) { return printf("%d", x) + 1; }
__attribute__((noinline)) int two(int x) { return printf("%d", x) + 1; }
int main(int count, char **arguments) {
#ifdef MORE
  return edited(count) + steady(count) + two(count);
#else
  return edited(count) + steady(count) + one(count) + dropped(count);
#endif
}
__attribute__((noinline)) int caller(int x) { puts("caller");
#ifdef MORE
  return two(x) + 3;
#else
  return one(x) + 3;
#endif
}
`;

/** The two versions, by a compiler; undefined where it is missing. */
function versions(compiler: string, flags: readonly string[]): [Uint8Array, Uint8Array] | undefined {
  const source = join(folder, "source.c");
  writeFileSync(source, SOURCE);
  const built = [["-DLESS"], ["-DMORE"]].map((defines, i) => {
    const output = join(folder, `program-${i}`);
    const { status } = spawnSync(compiler, [
      "-O1",
      // Equal functions stay two.
      "-fno-ipa-icf",
      ...flags,
      ...defines,
      "-o",
      output,
      source,
    ]);
    return status === 0 ? new Uint8Array(readFileSync(output)) : undefined;
  });
  const [before, later] = built;
  return before && later ? [before, later] : undefined;
}

const shown = ({ changes }: FunctionDifferences) =>
  Object.fromEntries(changes.filter(({ name }) => name !== "").map(({ name, change }) => [name, change]));

const EXPECTED = {
  fresh: "added",
  edited: "changed",
  dropped: "removed",
  main: "changed",
  caller: "changed",
};

for (const [name, compiler, flags] of [
  ["x86-64", "x86_64-linux-gnu-gcc", []],
  ["x86-64 at a fixed address", "x86_64-linux-gnu-gcc", ["-no-pie", "-fno-pie"]],
  ["x86-64 object file", "x86_64-linux-gnu-gcc", ["-c"]],
  ["AArch64", "aarch64-linux-gnu-gcc", []],
] as const) {
  const built = versions(compiler, flags);
  test(`${name}: by name, wherever the linker put them`, { skip: !built && `${compiler} is missing` }, () => {
    const [before, later] = built!;
    const found = compareFunctions(before, later);
    assert.equal(found.pairedBy, "name");
    const named = shown(found);
    if (name === "x86-64 object file") {
      // What calls in object files lead to is in relocations, which stay as they are.
      assert.deepEqual({ ...named, caller: "changed" }, EXPECTED);
    } else assert.deepEqual(named, EXPECTED);
    assert.ok(found.same >= 3, `${found.same}`);
    assert.ok(found.sameBytes > 0);
    const edited = found.changes.find((change) => change.name === "edited")!;
    assert.ok(edited.afterBytes! > edited.beforeBytes!);
    const itself = compareFunctions(later, later);
    assert.deepEqual([itself.changes, itself.changed + itself.added + itself.removed], [[], 0]);
  });
}

const stripped = versions("x86_64-linux-gnu-gcc", ["-s"]);

test("stripped: by content and order", { skip: !stripped && "there is no gcc" }, () => {
  const found = compareFunctions(...stripped!);
  assert.equal(found.pairedBy, "content");
  assert.ok(found.same >= 5, `${found.same}`);
  assert.ok(found.changed >= 1 && found.changed + found.added + found.removed <= 9, JSON.stringify(found));
  for (const { name, afterAddress, beforeAddress } of found.changes) {
    assert.equal(name, "");
    assert.ok((afterAddress ?? beforeAddress)! > 0);
  }
});

const unstripped = versions("x86_64-linux-gnu-gcc", []);

test("against a stripped one names say nothing", { skip: !unstripped && "there is no gcc" }, () => {
  const found = compareFunctions(unstripped![0], stripped![0]);
  assert.equal(found.pairedBy, "content");
  // Start-up code is cut where symbols say.
  assert.ok(found.same >= 10, `${found.same}`);
  assert.ok(found.changed + found.added + found.removed <= 4, JSON.stringify(found.changes));
});

test("generated releases: counts add up", () => {
  const program = sampleProgram(11, 200);
  const [before, later] = [link(program), link(nextRelease(program, 12, 5))];
  const found = compareFunctions(before, later);
  const total = (bytes: Uint8Array) => {
    const { same, changes } = compareFunctions(bytes, bytes);
    assert.deepEqual(changes, []);
    return same;
  };
  assert.equal(found.same + found.changed + found.added, total(later));
  assert.equal(found.same + found.changed + found.removed, total(before));
  // All symbols have one name here; equal contents find each other all the same.
  assert.ok(found.same > 180, `${found.same}`);
});

test("what is no executable is refused", () => {
  const whole = link(sampleProgram(1, 20));
  assert.throws(() => compareFunctions(whole, new Uint8Array(5000)), { code: "invalid" });
});
