import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { writeOutputs } from "./lib-output.ts";

const files = [{ name: "a.txt", bytes: "text" }];

test("directories are made as needed, files are replaced", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "tenon-output-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const deep = join(root, "one", "two");
  await writeOutputs(deep, [{ name: "a.txt", bytes: "older and longer" }], {});
  await writeOutputs(`${deep}/`, files, {});
  assert.equal(readFileSync(join(deep, "a.txt"), "utf8"), "text");
  assert.ok(statSync(deep).isDirectory());

  writeFileSync(join(root, "file"), "");
  for (const path of [join(root, "file"), join(root, "file", "below")])
    await assert.rejects(writeOutputs(path, files, {}), (error) => isTenonError(error, "io"), path);
});

test("a file system without new directories is an error", {
  skip: process.platform !== "linux" && "needs /proc",
  timeout: 20_000,
}, async () => {
  await assert.rejects(writeOutputs("/proc/tenon/layout", files, {}), (error) => isTenonError(error, "io"));
});
