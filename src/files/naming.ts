/**
 * How something new gets its name and its mode.
 *
 * The name is given by link(2) where nothing may be replaced, which fails when something is there, and by
 * rename(2) otherwise. File systems without hard links (FAT, some of FUSE) get a check and a rename.
 */

import { randomBytes } from "node:crypto";
import { linkSync, lstatSync, renameSync, type Stats, statSync, unlinkSync } from "node:fs";
import { displayPath } from "../bytes/index.ts";
import { systemCode, TenonError } from "../errors/index.ts";
import type { Directory } from "./directory.ts";
import { joinPath } from "./path.ts";
import type { Existing } from "./types.ts";

/** Setuid and setgid. */
const SETID = 0o6000;

/** How the system says that it won't make this hard link though nothing is in the way. */
const NO_HARD_LINKS: ReadonlySet<string> = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]);

/** The mode that is applied: setuid and setgid only when asked for. */
export function appliedMode(mode: number, keepSetid: boolean | undefined): number {
  return mode & 0o7777 & (keepSetid === true ? 0o7777 : ~SETID);
}

/** What stands under a name, and whether a file or link may take its place. */
export function checkExisting(
  directory: Directory,
  name: Buffer,
  existing: Existing,
): "free" | "replace" | "skip" {
  const stat = lstatSync(directory.at(name), { throwIfNoEntry: false });
  if (stat === undefined) return "free";
  if (existing === "skip") return "skip";
  const shown = displayPath(joinPath(directory.path, name));
  if (existing === "error") {
    const text = `${shown}: already exists`;
    throw new TenonError("exists", text, { path: shown });
  }
  // Renaming over /dev/null, or over a link to it such as /dev/stdout, would break the machine.
  const real = stat.isSymbolicLink() ? pointedTo(directory, name) : stat;
  if (stat.isDirectory() || !(real === undefined || real.isFile() || real.isDirectory())) {
    const what = stat.isDirectory() ? "a directory" : "a device, FIFO or socket";
    throw new TenonError("exists", `${shown}: is ${what}, which is never overwritten`, { path: shown });
  }
  return "replace";
}

/** What a link leads to; undefined for one that leads nowhere, or in a circle. */
function pointedTo(directory: Directory, name: Buffer): Stats | undefined {
  try {
    return statSync(directory.at(name));
  } catch {
    return undefined;
  }
}

/** Drawn once: O_EXCL refuses a name that is taken, so it need only be unlikely. */
const PROCESS_MARK = randomBytes(6).toString("hex");
let temporaryNames = 0;

/** A name that nothing has; short, hidden, and telling where it comes from if a crash leaves it. */
export function temporaryName(): Buffer {
  return Buffer.from(`.tenon-${PROCESS_MARK}-${(temporaryNames++).toString(36)}`);
}

/**
 * Gives what stands under `from` the name `to`. Errors: when `replace` is false and something is there,
 * `EEXIST` as thrown by the system, or `exists`.
 *
 * @param link replaced by tests
 */
export function giveName(
  directory: Directory,
  { from, to, replace }: { from: Buffer; to: Buffer; replace: boolean },
  link: typeof linkSync = linkSync,
): void {
  if (!replace && linked()) unlinkSync(directory.at(from));
  else renameSync(directory.at(from), directory.at(to));

  function linked(): boolean {
    try {
      link(directory.at(from), directory.at(to));
      return true;
    } catch (error) {
      if (!NO_HARD_LINKS.has(systemCode(error) ?? "")) throw error;
      checkExisting(directory, to, "error");
      return false;
    }
  }
}
