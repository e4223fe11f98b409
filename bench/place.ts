/**
 * Where measurements keep their files: in memory where the system has a file system for that.
 *
 * On a disk, what a program takes depends on what ran before it: ext4 passes over inodes that were deleted in the
 * last seconds, so that creating thousands of files right after deleting as many takes twenty times as long.
 */
import { accessSync, constants, mkdtempSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const IN_MEMORY = "/dev/shm";

/** A new temporary folder with room for `bytes`. */
export function makePlace(bytes: number): string {
  let parent = tmpdir();
  try {
    accessSync(IN_MEMORY, constants.W_OK);
    const { bavail, bsize } = statfsSync(IN_MEMORY);
    if (bavail * bsize > bytes) parent = IN_MEMORY;
  } catch {
    // Another system, or no access: the temporary folder, then.
  }
  return mkdtempSync(join(parent, "tenon-bench-"));
}

/** For reports. */
export function placeName(place: string): string {
  return place.startsWith(`${IN_MEMORY}/`)
    ? "repositories and output in memory"
    : "repositories and output on disk";
}
