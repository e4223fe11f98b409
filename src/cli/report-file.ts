/** A page or map that a command writes beside what it prints. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { isTenonError, TenonError } from "../errors/index.ts";
import { type FileWriter, restoreFile } from "../files/index.ts";

/**
 * Opened before the work begins, which may be long: where nothing can be written is better known then. The file gets its
 * name, or takes the place of what has it, at the commit. Errors: `not-found` for a directory that isn't there, `exists`,
 * `io`.
 */
export async function reportFile(path: string | undefined): Promise<FileWriter | undefined> {
  if (path === undefined) return undefined;
  try {
    return await restoreFile(path, { existing: "overwrite", mode: 0o644 });
  } catch (error) {
    const folder = dirname(path);
    if (!isTenonError(error, "not-found") || existsSync(folder)) throw error;
    const text = `${path} can't be written: there is no directory ${folder}; make it first, or name another place`;
    throw new TenonError("not-found", text, { ...error.data, path }, { cause: error });
  }
}
