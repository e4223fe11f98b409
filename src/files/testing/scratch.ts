/** For tests: a temporary directory that goes away with its test. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** The real path of a new directory, removed after the test whatever its modes, names and depth then are. */
export function scratch(t: TestContext): string {
  const path = mkdtempSync(join(realpathSync(tmpdir()), "tenon-files-"));
  t.after(() => {
    execFileSync("sh", ["-c", 'chmod -R u+rwX "$1" 2>/dev/null; rm -rf "$1"', "sh", path]);
  });
  return path;
}
