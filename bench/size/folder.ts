/** Folders: what they hold, and temporary ones. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** Bytes of all files below `path`, as they would be copied (not in blocks of the file system). */
export function sizeOf(path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** Calls `use` with an empty folder below `place` and removes it afterwards. */
export function withFolder<T>(place: string, use: (folder: string) => T): T {
  mkdirSync(place, { recursive: true });
  const folder = mkdtempSync(join(place, "work-"));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
