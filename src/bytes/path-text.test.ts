import assert from "node:assert/strict";
import { test } from "node:test";
import { displayPath } from "./path-text.ts";

test("a shown path is one line, and two paths never look the same", () => {
  assert.equal(displayPath("grün/日本"), "grün/日本");
  assert.equal(displayPath(Buffer.from([0x61, 0xff, 0xc3])), "a\\xff\\xc3");
  assert.equal(displayPath("a\nb\u001b[2J"), "a\\x0ab\\x1b[2J");
  assert.equal(displayPath("\u202egpj.exe"), "\\xe2\\x80\\xaegpj.exe");
  assert.equal(displayPath("a\\xff"), "a\\\\xff");
});
