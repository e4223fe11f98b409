/** Files over 2 GiB: offsets that 32 bits can't hold. They take 5 GB of memory and disk, so only on demand. */
import assert from "node:assert/strict";
import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { type FatFile, packCompact, packFat } from "./index.ts";
import { run, start, Workshop } from "./testing/compiled.ts";
import { tinyProgram } from "./testing/tiny-program.ts";

const workshop = new Workshop();
after(() => workshop[Symbol.dispose]());
const isHere = process.platform === "linux" && process.arch === "x64";
const skip =
  (!isHere && "fat files for x86-64 start on x86-64 and Linux only") ||
  (process.env.TENON_LARGE_TESTS !== "1" && "5 GB of memory and disk: set TENON_LARGE_TESTS=1");

/** Linux writes less than 2 GiB with one call. */
const CALL_BYTES = 1 << 28;

function write(fat: FatFile): string {
  const path = join(workshop.folder, "large");
  rmSync(path, { force: true });
  const file = openSync(path, "w", 0o755);
  for (const piece of fat.pieces())
    for (let at = 0; at < piece.length; at += CALL_BYTES)
      writeSync(file, piece.subarray(at, at + CALL_BYTES));
  closeSync(file);
  return path;
}

test("flavours of more than 2 GiB: mapped, as a default of a compact file, and restored", { skip }, () => {
  const large = tinyProgram({ status: 5, ballastBytes: 2200 * 2 ** 20 - 7 });
  const small = tinyProgram({ status: 6 });
  const largeFirst = [
    { source: "large", bytes: large, features: "" },
    { source: "small", bytes: small, features: "sse3" },
  ];
  const smallFirst = [
    { source: "small", bytes: small, features: "" },
    { source: "large", bytes: large, features: "sse3" },
  ];
  const env = { XDG_CACHE_HOME: workshop.folder };
  const ends = (fat: FatFile) => {
    const file = write(fat);
    // The second time from the cache.
    const features = ["", "", "none"].map((list) => (list === "" ? {} : { TENON_FAT_FEATURES: list }));
    return features.map((asked) => start(file, [], { env: { ...env, ...asked } }).status);
  };
  assert.deepEqual(ends(packFat(largeFirst)), [6, 6, 5]);
  assert.deepEqual(ends(run(packCompact(largeFirst))), [6, 6, 5]);
  assert.deepEqual(ends(run(packCompact(smallFirst))), [5, 5, 6]);
});
