import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareBytes, displayPath, utf8 } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { checkTreePath, comparePaths, parsePath } from "./index.ts";
import { keyOf, pathOf } from "./path.ts";

const seed = 20260101;
const component = fc
  .uint8Array({ minLength: 1, maxLength: 12 })
  .map((bytes) => bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte)))
  .filter((bytes) => !/^\.\.?$/.test(Buffer.from(bytes).toString("latin1")));
const path = fc
  .array(fc.oneof(component, fc.string({ unit: "grapheme", minLength: 1 }).map(clean)), { maxLength: 5 })
  .map(
    (parts) =>
      new Uint8Array(Buffer.concat(parts.flatMap((part, i) => (i > 0 ? [utf8("/"), part] : [part])))),
  );

function clean(text: string): Uint8Array {
  return utf8(`n${text.replaceAll(/[\0/]/g, "_")}`);
}

test("paths: good ones pass, each kind of bad one is invalid", () => {
  for (const good of ["", "a", "a/b", "...", ".a", "a.", "..a/b..", "a b", "a\\b", "\u0001", "é/\u{1f600}"]) {
    checkTreePath(utf8(good));
    assert.equal(Buffer.from(pathOf(keyOf(utf8(good)))).toString(), good);
  }
  for (const bad of [
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "a/.",
    "a/..",
    "../a",
    "./a",
    "a/../b",
    "a\0b",
    "\0",
  ]) {
    assert.throws(
      () => checkTreePath(utf8(bad)),
      (error) => isTenonError(error, "invalid"),
      bad,
    );
  }
  checkTreePath(new Uint8Array(4351).fill(0x61));
  assert.throws(() => checkTreePath(new Uint8Array(4352).fill(0x61)), /4352 bytes/);
  checkTreePath(new Uint8Array([0xff, 0xfe, 0x2f, 0x80]));
});

test("displayed paths are parsed back, and hold no control characters", () => {
  fc.assert(
    fc.property(path, (bytes) => {
      const text = displayPath(bytes);
      assert.deepEqual(new Uint8Array(parsePath(text)), bytes);
      assert.ok(!/\p{Cc}|\p{Cf}|\p{Cs}/u.test(text));
    }),
    { seed, numRuns: 2000 },
  );
});

test("displayPath: what is escaped and what is not", () => {
  const cases: [number[] | string, string][] = [
    ["a/b", "a/b"],
    ["é \u{1f600}", "é \u{1f600}"],
    ["a\\x41", "a\\\\x41"],
    ["a\nb", "a\\x0ab"],
    ["\u001b[31m", "\\x1b[31m"],
    ["\u0085", "\\xc2\\x85"],
    ["a\u202eb", "a\\xe2\\x80\\xaeb"],
    ["\ufeffa", "\\xef\\xbb\\xbfa"],
    [[0xff, 0x61], "\\xffa"],
    [[0xc3], "\\xc3"],
    [[0xc0, 0xaf], "\\xc0\\xaf"],
    [[0xe0, 0x80, 0x80], "\\xe0\\x80\\x80"],
    [[0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"],
    [[0xf0, 0x80, 0x80, 0x80], "\\xf0\\x80\\x80\\x80"],
    [[0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"],
    [[0xe2, 0x82, 0x41], "\\xe2\\x82A"],
  ];
  for (const [bytes, text] of cases) {
    assert.equal(displayPath(typeof bytes === "string" ? utf8(bytes) : new Uint8Array(bytes)), text);
  }
});

test("parsePath: a stray backslash, a lone surrogate and a bad path are refused", () => {
  for (const text of ["a\\n", "a\\", "\\x4", "\\xg0", "\ud800"]) {
    assert.throws(
      () => parsePath(text),
      (error) => isTenonError(error, "usage"),
      text,
    );
  }
  for (const text of ["/a", "\\x2e\\x2e", "a\\x2f", "a\\x00"]) {
    assert.throws(
      () => parsePath(text),
      (error) => isTenonError(error, "invalid"),
      text,
    );
  }
});

test("the order of paths is the order of their keys", () => {
  fc.assert(
    fc.property(path, path, (a, b) => {
      assert.equal(comparePaths(a, b), compareBytes(keyOf(a), keyOf(b)));
    }),
    { seed, numRuns: 2000 },
  );
  assert.equal(comparePaths(utf8("a/b"), utf8("a.txt")), -1);
  assert.equal(comparePaths(utf8("a"), utf8("a/b")), -1);
});
