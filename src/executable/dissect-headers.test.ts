/** Program headers that lie in a loaded segment, in files without section headers that say what is data. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { equalBytes } from "../bytes/index.ts";
import { dissect, join, joinInput } from "./index.ts";
import { buildPrograms } from "./testing/programs.ts";

const programs = buildPrograms(["no-pie", "static"]);

test("without section headers, at a fixed address", { skip: programs.length === 0 }, () => {
  for (const { name, bytes } of programs) {
    const bare = bytes.slice();
    bare.fill(0, 40, 48); // e_shoff
    bare.fill(0, 60, 64); // e_shnum, e_shstrndx
    assert.ok(equalBytes(join(joinInput(dissect(bare, { prove: false }))), bare), name);
  }
});
