import assert from "node:assert/strict";
import { test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { cutKernel } from "./cut-kernel.ts";
import { growMemory, loadKernel } from "./load.ts";

test("a kernel that was not built is an io error that says what to run", () => {
  assert.throws(
    () => loadKernel("no-such-kernel"),
    (error) =>
      isTenonError(error, "io") &&
      error.message.includes("npm run build:kernels") &&
      error.data.path === "no-such-kernel.wasm",
  );
});

test("a kernel is compiled once, and every instance has its own memory", () => {
  assert.equal(loadKernel("gear"), loadKernel("gear"));
  assert.notEqual(cutKernel("gear").memory, cutKernel("gear").memory);
});

test("memory grows to what was asked for and never shrinks", () => {
  const { memory } = cutKernel("gear");
  growMemory(memory, 200_001);
  const length = memory.buffer.byteLength;
  assert.ok(length >= 200_001 && length < 200_001 + 65536);
  growMemory(memory, 10);
  assert.equal(memory.buffer.byteLength, length);
});
