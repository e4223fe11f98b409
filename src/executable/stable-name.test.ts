import assert from "node:assert/strict";
import { test } from "node:test";
import { stableName } from "./functions.ts";

test("names without what only a build put into them", () => {
  for (const [name, stable] of [
    ["_ZN4core3fmt5write17h0123456789abcdefE", "_ZN4core3fmt5writeE"],
    ["_ZN4core3fmt5write17h0123456789abcdefE.llvm.1234567890", "_ZN4core3fmt5writeE"],
    ["_RNvCs1234_7mycrate3foo", "_RNvC7mycrate3foo"],
    ["_RNvNtCsb4Gq_4core3fmt5write", "_RNvNtC4core3fmt5write"],
    ["_ZN3foo3barEv", "_ZN3foo3barEv"],
    ["main", "main"],
    ["helper.llvm.42", "helper"],
    ["Cs_not_rust", "Cs_not_rust"],
  ] as const) {
    assert.equal(stableName(name), stable);
  }
});
