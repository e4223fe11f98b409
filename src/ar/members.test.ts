import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import { isThinAr, readArMembers } from "./index.ts";

function header(name: string, sizeBytes: number): string {
  return `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"644".padEnd(8)}${String(sizeBytes).padEnd(10)}\`\n`;
}

function archive(...members: readonly (readonly [name: string, data: string])[]): Uint8Array {
  const parts = members.map(
    ([name, data]) => header(name, data.length) + data + (data.length % 2 ? "\n" : ""),
  );
  return Buffer.from(`!<arch>\n${parts.join("")}`, "latin1");
}

const named = (bytes: Uint8Array) =>
  readArMembers(bytes).map(({ name, offset, sizeBytes }) => [
    name,
    Buffer.from(bytes.subarray(offset, offset + sizeBytes)).toString(),
  ]);

test("GNU names, short and long; the symbol index and the table are no members", () => {
  const bytes = archive(
    ["/", "\0\0\0\0"],
    ["//", "a-name-of-more-than-sixteen.o/\nanother-name-of-that-kind.o/\n"],
    ["short.o/", "one"],
    ["/0", "two!"],
    ["/31", "three"],
    ["with space.o/", ""],
  );
  assert.deepEqual(named(bytes), [
    ["short.o", "one"],
    ["a-name-of-more-than-sixteen.o", "two!"],
    ["another-name-of-that-kind.o", "three"],
    ["with space.o", ""],
  ]);
});

test("BSD names stand in front of the data", () => {
  const bytes = archive(
    ["__.SYMDEF SORTED", "index"],
    ["#1/20", "__.SYMDEF_64\0\0\0\0\0\0\0\0xx"],
    ["plain.o", "one"],
    ["#1/28", "a-name-of-more-than-16.o\0\0\0\0two"],
  );
  assert.deepEqual(named(bytes), [
    ["plain.o", "one"],
    ["a-name-of-more-than-16.o", "two"],
  ]);
});

test("what is wrong is named with its offset", () => {
  const wrong = (bytes: Uint8Array, message: RegExp) =>
    assert.throws(() => readArMembers(bytes), { code: "invalid", message });
  wrong(Buffer.from("nothing"), /magic at offset 0/);
  wrong(Buffer.from(`!<arch>\n${header("x.o/", 9)}abc`), /size at offset 56: 9 bytes reach outside/);
  wrong(Buffer.from(`!<arch>\n${header("x.o/", 2).replace("`", "'")}ab`), /header at offset 8/);
  wrong(archive(["/5", "ab"]), /\/5 is not in the table/);
  wrong(archive(["//", "no end"], ["/0", "ab"]), /has no end/);
  wrong(archive(["#1/9", "ab"]), /9 bytes of name reach outside/);
});

test("any bytes give members inside the archive, or an error", () => {
  const base = archive(["//", "a-name-of-more-than-sixteen.o/\n"], ["/0", "two!"], ["#1/4", "n.o\0data"]);
  const change = fc.record({ at: fc.nat(base.length - 1), value: fc.nat(255) });
  const property = fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
    const bytes = base.slice();
    for (const { at, value } of changes) bytes[at] = value;
    try {
      for (const { offset, sizeBytes } of readArMembers(bytes)) {
        assert.ok(offset >= 68 && sizeBytes >= 0 && offset + sizeBytes <= bytes.length);
      }
    } catch (error) {
      assert.ok(isTenonError(error, "invalid"), String(error));
    }
  });
  fc.assert(property, { numRuns: 2000, seed: 11 });
});

const noAr = spawnSync("ar", ["--version"]).status === 0 ? false : "ar is not on this machine";

test("archives of GNU ar", { skip: noAr }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tenon-ar-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const names = ["short.o", "a-name-of-more-than-sixteen-bytes.o", "b-name-of-more-than-sixteen-bytes.o"];
  for (const [i, name] of names.entries()) writeFileSync(join(folder, name), "x".repeat(2 * i + 1));
  execFileSync("ar", ["rcs", "whole.a", ...names], { cwd: folder });
  execFileSync("ar", ["rcsT", "thin.a", ...names], { cwd: folder });
  assert.deepEqual(
    named(readFileSync(join(folder, "whole.a"))),
    names.map((name, i) => [name, "x".repeat(2 * i + 1)]),
  );
  const thin = readFileSync(join(folder, "thin.a"));
  assert.ok(isThinAr(thin));
  assert.throws(() => readArMembers(thin), { code: "invalid" });
});
