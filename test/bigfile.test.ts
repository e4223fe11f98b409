/** A file of 5 GB: what add and get need of memory does not depend on it. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const PROGRAM = join(import.meta.dirname, "..", "src", "cli", "main.ts");
const FILE_BYTES = 5e9;
/** What the project promises for any size of input. */
const MAX_RESIDENT_BYTES = 400e6;
/** Each step reads or makes 5 GB, which takes 3 to 7 s of one core: on a busy machine a multiple of that. */
const TIMEOUT_MS = 300_000;
/** The process tells its own peak at its end: maxRSS is in KiB. */
const TELL_PEAK = `data:text/javascript,process.on("exit",()=>process.stderr.write("\\npeak "+process.resourceUsage().maxRSS))`;
/** Where the file is not a hole: at both ends, and around 4 GiB. */
const MARKS = [0, 2 ** 32 - 3, FILE_BYTES - 6];
const MARK = "tenon!";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-bigfile-"));
});
after(() => rmSync(folder, { recursive: true }));

/** Runs tenon; its peak memory in bytes. */
function peakOf(...args: string[]): number {
  const command = ["--import", TELL_PEAK, PROGRAM, "-q", "-r", join(folder, "repository"), ...args];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return Number(/peak (\d+)$/.exec(stderr)![1]) * 1024;
}

test("a sparse file of 5 GB is stored and restored in little memory", { timeout: TIMEOUT_MS }, (t) => {
  const path = join(folder, "large");
  const file = openSync(path, "w+");
  ftruncateSync(file, FILE_BYTES);
  for (const at of MARKS) writeSync(file, MARK, at);
  closeSync(file);

  peakOf("init");
  const adding = peakOf("add", "--ref", "large", path);
  const back = join(folder, "back");
  const getting = peakOf("get", "large", "--sparse", "-o", back);
  t.diagnostic(`peak memory: add ${adding / 1e6} MB, get ${getting / 1e6} MB`);
  assert.ok(adding < MAX_RESIDENT_BYTES, `add took ${adding} bytes`);
  assert.ok(getting < MAX_RESIDENT_BYTES, `get took ${getting} bytes`);

  // `get` compared the digest of all of it; this is about what stands on the disk.
  assert.equal(statSync(back).size, FILE_BYTES);
  assert.ok(statSync(back).blocks * 512 < 10e6, "holes stay holes");
  const restored = openSync(back, "r");
  for (const at of MARKS) {
    const bytes = Buffer.alloc(MARK.length);
    readSync(restored, bytes, 0, bytes.length, at);
    assert.equal(bytes.toString(), MARK);
  }
  closeSync(restored);
});
