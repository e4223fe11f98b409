/** Restoring one file to a place that the user named. */
import { fsyncSync } from "node:fs";
import { Directory } from "./directory.ts";
import { absolutePath, splitLast } from "./path.ts";
import type { FileWriter, RestoreOptions } from "./types.ts";
import { startFile, type WriteAt } from "./writer.ts";

/**
 * A writer for the file at `path`; its directory must exist and may be reached through links, the user having
 * named it. Undefined when the file exists and the policy is `skip`. Under `overwrite` a link at `path` is
 * replaced itself, and devices, FIFOs and links to them are refused.
 *
 * Errors: `usage` for a path that names no file, `exists`, `not-found`, `io`.
 */
export async function restoreFile(
  path: string | Uint8Array,
  options: RestoreOptions & { mode: number; writeAt?: WriteAt },
): Promise<FileWriter | undefined> {
  const { directory: parent, name } = splitLast(absolutePath(path));
  const directory = Directory.open(parent);
  try {
    return startFile(directory, { ...options, name, onDurable: () => fsyncSync(directory.fd) });
  } finally {
    directory.release();
  }
}
