/** A file in the system's temporary directory that has lost its name already: nothing has to remove it after a crash. */
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Opens one for reading and writing; its descriptor. Errors: those of the system. */
export function openUnnamedFile(): number {
  const folder = mkdtempSync(join(tmpdir(), "tenon-unnamed-"));
  try {
    return openSync(join(folder, "content"), "wx+", 0o600);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
