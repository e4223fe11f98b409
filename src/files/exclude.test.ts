import assert from "node:assert/strict";
import { test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { exclusion } from "./exclude.ts";

function left(glob: string, path: string | Uint8Array, isDirectory = false): boolean {
  return exclusion([glob])(Buffer.from(path as string), isDirectory);
}

test("globs leave out what they name and nothing else", () => {
  const rows: [string, string, boolean][] = [
    ["*.o", "x.o", true],
    ["*.o", "a/b/x.o", true],
    ["*.o", "x.oo", false],
    ["*.o", "x.o/y", false],
    ["a/*.o", "a/x.o", true],
    ["a/*.o", "b/a/x.o", false],
    ["a/*.o", "a/b/x.o", false],
    ["/x", "x", true],
    ["/x", "a/x", false],
    ["a/**", "a/b/c", true],
    ["a/**/z", "a/z", true],
    ["a/**/z", "a/b/c/z", true],
    ["a/**/z", "b/z", false],
    ["**/m/*", "q/m/r", true],
    ["a?c", "aüc", true],
    ["a?c", "ac", false],
    ["[a-c]x", "bx", true],
    ["[!a-c]x", "bx", false],
    ["[!a-c]x", "dx", true],
    ["[]x]", "]", true],
    ["[a-]", "-", true],
    ["\\*", "*", true],
    ["\\*", "a", false],
    ["a*b*c", "aXbYbZc", true],
    ["a*b*c", "aXbYbZ", false],
    ["*", "", false],
  ];
  for (const [glob, path, expected] of rows) assert.equal(left(glob, path), expected, `${glob} on ${path}`);
});

test("a trailing slash means directories; bytes that are not UTF-8 match wildcards", () => {
  assert.equal(left("build/", "a/build", true), true);
  assert.equal(left("build/", "a/build", false), false);
  assert.equal(left("a*", Buffer.from([0x61, 0xff])), true);
  assert.equal(left("a?", Buffer.from([0x61, 0xff])), true);
});

test("a hostile name takes no exponential time", () => {
  assert.equal(left(`${"*a".repeat(60)}b`, "a".repeat(255)), false);
  assert.equal(left(`${"**/a/".repeat(20)}b`, "a/".repeat(200)), false);
});

test("malformed globs are refused", () => {
  for (const glob of ["", "/", "a[b"])
    assert.throws(
      () => exclusion([glob]),
      (e) => isTenonError(e, "usage"),
      glob,
    );
});
