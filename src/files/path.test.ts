import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { fileError } from "./file-error.ts";
import { bytewise, componentwise } from "./order.ts";
import { absolutePath, components, splitLast } from "./path.ts";
import { scratch } from "./testing/scratch.ts";

test("paths that would lead outside are refused in every form", () => {
  const hostile = [
    "/",
    "/etc/passwd",
    "..",
    "../x",
    "a/..",
    "a/../b",
    ".",
    "./a",
    "a/.",
    "a//b",
    "a/",
    "//",
    "a\0b",
    "\0",
  ];
  for (const path of hostile) {
    assert.throws(
      () => components(Buffer.from(path)),
      (e) => isTenonError(e, "unsafe"),
      JSON.stringify(path),
    );
  }
  const names = (path: string) =>
    components(Buffer.from(path, "latin1")).map((name) => name.toString("latin1"));
  assert.deepEqual(names(""), []);
  assert.deepEqual(names("a/b"), ["a", "b"]);
  assert.deepEqual(names("...a/..b/c../\xff"), ["...a", "..b", "c..", "\xff"]);
});

test("relative paths become absolute in a directory whose name is not UTF-8", (t) => {
  const strange = Buffer.concat([Buffer.from(`${scratch(t)}/`), Buffer.from([0xff, 0xfe])]);
  mkdirSync(strange);
  const program = `import(${JSON.stringify(new URL("./path.ts", import.meta.url).href)}).then(
    (m) => process.stdout.write(m.absolutePath("x").toString("hex")))`;
  const script = 'cd "$1"/* && exec "$2" -e "$3"';
  const above = strange.subarray(0, -3).toString();
  const got = execFileSync("sh", ["-c", script, "sh", above, process.execPath, program], {
    encoding: "latin1",
  });
  assert.equal(got, Buffer.concat([strange, Buffer.from("/x")]).toString("hex"));
  assert.throws(
    () => absolutePath(""),
    (e) => isTenonError(e, "usage"),
  );
  assert.throws(
    () => absolutePath("a\0b"),
    (e) => isTenonError(e, "usage"),
  );
});

test("the last name of a path", () => {
  const split = (path: string) => Object.values(splitLast(Buffer.from(path))).map(String);
  assert.deepEqual(split("/a/b"), ["/a", "b"]);
  assert.deepEqual(split("/b"), ["/", "b"]);
  for (const path of ["/", "/a/", "/a/.", "/a/.."]) {
    assert.throws(
      () => split(path),
      (e) => isTenonError(e, "usage"),
      path,
    );
  }
});

test("the two orders differ where a name goes on with a byte below '/'", () => {
  const sorted = (order: typeof bytewise) =>
    ["a0", "a/x", "a-b", "a", "a-b/y", ""]
      .map((p) => Buffer.from(p))
      .sort(order)
      .map(String);
  assert.deepEqual(sorted(bytewise), ["", "a", "a-b", "a-b/y", "a/x", "a0"]);
  assert.deepEqual(sorted(componentwise), ["", "a", "a/x", "a-b", "a-b/y", "a0"]);
});

test("system errors name the path, what happened and the code", () => {
  const thrown = Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" });
  const error = fileError(thrown, { doing: "writing", path: Buffer.from([0x61, 0xff]) });
  assert.ok(isTenonError(error, "io"));
  assert.match(error.message, /^writing a\\xff: no space left on the device; free some/);
  assert.deepEqual(error.data, { path: "a\\xff", systemCode: "ENOSPC" });
  assert.equal(error.cause, thrown);
  assert.equal(fileError(error, { doing: "x", path: "y" }), error);
  const mistake = new TypeError("x is not a function");
  assert.equal(fileError(mistake, { doing: "x", path: "y" }), mistake);
  const unknown = fileError(Object.assign(new Error(), { code: "EWEIRD" }), { doing: "x", path: "y" });
  assert.ok(isTenonError(unknown, "io"));
  for (const [code, expected] of [
    ["ENOENT", "not-found"],
    ["EEXIST", "exists"],
    ["EBUSY", "busy"],
    ["EACCES", "io"],
  ] as const) {
    assert.ok(
      isTenonError(fileError(Object.assign(new Error(), { code }), { doing: "x", path: "y" }), expected),
      code,
    );
  }
});
