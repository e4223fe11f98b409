import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { dissect } from "./dissect.ts";
import { buildIdKey, debugLinkKey, identify, identityKeys, isIdentityKey } from "./index.ts";
import { handprint, pieceHashes } from "./match-identity.ts";
import { buildPrograms, type Program } from "./testing/programs.ts";
import { link, sampleProgram } from "./testing/small-program.ts";

const folder = mkdtempSync(join(tmpdir(), "tenon-identity-"));
after(() => rmSync(folder, { recursive: true }));

const [program] = buildPrograms(["debug"]);

/** The debug file of a program; undefined without binutils. */
function debugFileOf({ bytes }: Program): Uint8Array | undefined {
  const [whole, debug] = [join(folder, "whole"), join(folder, "debug")];
  writeFileSync(whole, bytes);
  const { status } = spawnSync("objcopy", ["--only-keep-debug", whole, debug]);
  return status === 0 ? new Uint8Array(readFileSync(debug)) : undefined;
}

const debugFile = program && debugFileOf(program);

test("a program and its debug file", { skip: !debugFile && "there are no binutils" }, () => {
  const code = identify(program!.bytes)!;
  const debug = identify(debugFile!)!;
  assert.deepEqual([code.role, code.hasDebugInformation], ["code", true]);
  assert.deepEqual([debug.role, debug.hasDebugInformation], ["debug", true]);
  assert.match(code.buildId!, /^[0-9a-f]{40}$/);
  assert.equal(debug.buildId, code.buildId);
  assert.deepEqual(identityKeys(program!.bytes), [buildIdKey("code", code.buildId!)]);
  assert.deepEqual(identityKeys(debugFile!), [buildIdKey("debug", code.buildId!)]);
});

test("keys: 8 bytes, never one of likeness, and the same role never two", () => {
  const bytes = link(sampleProgram(2, 100));
  const dissection = dissect(bytes);
  for (const key of handprint(dissection, pieceHashes(dissection))) assert.ok(!isIdentityKey(key), key);
  const keys = [
    buildIdKey("code", "ab"),
    buildIdKey("debug", "ab".repeat(20)),
    debugLinkKey(5),
    debugLinkKey(-1),
  ];
  for (const key of [...keys, ...identityKeys(bytes), ...identityKeys(new Uint8Array(3))]) {
    assert.match(key, /^[0-9a-f]{16}$/);
    assert.ok(isIdentityKey(key));
  }
  assert.equal(new Set(keys).size, keys.length);
  assert.deepEqual(identityKeys(bytes), ["a000000000000000"]);
});

test("what is no ELF file has no identity", () => {
  assert.equal(identify(new Uint8Array(100)), undefined);
});
