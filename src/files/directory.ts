/**
 * Directories held open, and names inside them.
 *
 * Node has no openat(2). On Linux `/proc/self/fd/N/name` does the same: the kernel resolves the part up to N to
 * the open directory itself, not to its path, so that a directory which somebody renames, or replaces by a
 * link while we write, still receives (or refuses) what was meant for it; only `name`, one component, is
 * resolved anew, by calls that don't follow links. This is measured at start and by a test that swaps a
 * directory for a link.
 *
 * Elsewhere (macOS, the BSDs, a Linux without /proc) names are resolved by path. Before each call the path is
 * checked to lead still to the directory that is open, so that links which are there already, or which the
 * tree itself brought, are always refused; someone who may write to the destination can still win the race
 * between check and call. New directories have mode 0o700 until the end, so that only the destination itself
 * and directories that existed before are open to such a race.
 */

import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, statSync } from "node:fs";
import { displayPath } from "../bytes/index.ts";
import { systemCode, TenonError } from "../errors/index.ts";
import { fileError } from "./file-error.ts";
import { joinPath } from "./path.ts";

const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** How names inside an open directory reach the system. */
export type Addressing = "descriptor" | "path";

let measured: Addressing | undefined;

/** `descriptor` where `/proc/self/fd/N/` is the open directory N. */
export function addressing(): Addressing {
  if (measured !== undefined) return measured;
  measured = "path";
  const fd = openSync("/", OPEN_DIRECTORY);
  try {
    const direct = fstatSync(fd, { bigint: true });
    const through = statSync(`/proc/self/fd/${fd}/.`, { bigint: true });
    if (direct.dev === through.dev && direct.ino === through.ino) measured = "descriptor";
  } catch {
    // No /proc: by path, then.
  } finally {
    closeSync(fd);
  }
  return measured;
}

/** An open directory, shared by counting; closed when the last holder releases it. */
export class Directory {
  /** For messages, and for resolving where there are no descriptors. */
  readonly path: Buffer;
  readonly #fd: number;
  readonly #prefix: Buffer | undefined;
  readonly #dev: bigint;
  readonly #ino: bigint;
  #holders = 1;

  private constructor(path: Buffer, fd: number, by: Addressing) {
    this.path = path;
    this.#fd = fd;
    this.#prefix = by === "descriptor" ? Buffer.from(`/proc/self/fd/${fd}`) : undefined;
    const stat = fstatSync(fd, { bigint: true });
    this.#dev = stat.dev;
    this.#ino = stat.ino;
  }

  /** Opens the directory that a user named; links are followed. */
  static open(path: Buffer, by: Addressing = addressing()): Directory {
    try {
      return new Directory(path, openSync(path, OPEN_DIRECTORY), by);
    } catch (error) {
      throw fileError(error, { doing: "opening the directory", path });
    }
  }

  get fd(): number {
    return this.#fd;
  }

  /** What to give to a system call for the name `name` in this directory. */
  at(name: Uint8Array): Buffer {
    if (this.#prefix !== undefined) return joinPath(this.#prefix, name);
    const stat = lstatSync(this.path, { bigint: true, throwIfNoEntry: false });
    const real = stat?.isSymbolicLink() ? statSync(this.path, { bigint: true, throwIfNoEntry: false }) : stat;
    if (real === undefined || real.dev !== this.#dev || real.ino !== this.#ino) {
      const path = displayPath(this.path);
      throw new TenonError("unsafe", `${path}: the directory was replaced while it was written to`, { path });
    }
    return joinPath(this.path, name);
  }

  /** The directory `name` in this one, made with mode 0o700 if it is missing. Errors: `unsafe`, `exists`, `io`. */
  enter(name: Buffer): { directory: Directory; made: boolean } {
    const path = joinPath(this.path, name);
    let made = false;
    try {
      const by: Addressing = this.#prefix === undefined ? "path" : "descriptor";
      let stat = lstatSync(this.at(name), { bigint: true, throwIfNoEntry: false });
      if (stat === undefined) {
        try {
          mkdirSync(this.at(name), { mode: 0o700 });
          made = true;
        } catch (error) {
          if (systemCode(error) !== "EEXIST") throw error;
        }
        stat = lstatSync(this.at(name), { bigint: true });
      }
      if (stat.isSymbolicLink()) throw linkInTheWay(path);
      if (!stat.isDirectory()) {
        const shown = displayPath(path);
        const text = `${shown}: something that is not a directory is in the way; remove it first`;
        throw new TenonError("exists", text, { path: shown });
      }
      // O_NOFOLLOW, and comparing inodes: a link may have come since.
      const fd = openSync(this.at(name), OPEN_DIRECTORY | constants.O_NOFOLLOW);
      const directory = new Directory(path, fd, by);
      if (directory.#dev !== stat.dev || directory.#ino !== stat.ino) {
        directory.release();
        throw linkInTheWay(path);
      }
      return { directory, made };
    } catch (error) {
      throw fileError(error, { doing: "making the directory", path });
    }
  }

  retain(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    if (--this.#holders === 0) closeSync(this.#fd);
  }
}

function linkInTheWay(path: Buffer): TenonError {
  const shown = displayPath(path);
  const text = `${shown}: a symbolic link where a directory is needed; it could lead outside, remove it first`;
  return new TenonError("unsafe", text, { path: shown });
}
