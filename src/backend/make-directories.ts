/** A directory and what is missing above it. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "../errors/index.ts";

/**
 * Step by step: Node's own recursive way never ends where a file system, such as /proc, takes no new directory in one
 * that exists. Errors: those of the system.
 */
export async function makeDirectories(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = systemCode(error);
    const parent = dirname(path);
    if (code === "EEXIST" && (await stat(path)).isDirectory()) return;
    if (code !== "ENOENT" || parent === path || (await exists(parent))) throw error;
    await makeDirectories(parent);
    await makeDirectories(path);
  }
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
