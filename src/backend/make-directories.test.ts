import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeDirectories } from "./make-directories.ts";

test("what is missing is made, what is there stays, many may do it at once", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "tenon-directories-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const deep = join(root, "a", "b", "c");
  await Promise.all(Array.from({ length: 8 }, () => makeDirectories(deep)));
  assert.ok(statSync(deep).isDirectory());
  symlinkSync(deep, join(root, "link"));
  await makeDirectories(join(root, "link", "d"));
  assert.ok(statSync(join(deep, "d")).isDirectory());
  writeFileSync(join(root, "file"), "");
  await assert.rejects(makeDirectories(join(root, "file")), { code: "EEXIST" });
  await assert.rejects(makeDirectories(join(root, "file", "x")), { code: "ENOTDIR" });
});

test("where no directory can be made, that is an error", {
  skip: process.platform !== "linux" && "needs /proc",
  timeout: 20_000,
}, async () => {
  await assert.rejects(makeDirectories("/proc/tenon/repository"), { code: "ENOENT" });
});
