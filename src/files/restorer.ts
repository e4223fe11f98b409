/**
 * Restoring a tree below one directory.
 *
 * Every directory is reached from the destination one component at a time, each opened without following a
 * link, whether the link was there before or came with the tree. How far that holds against somebody who
 * changes the destination meanwhile stands in directory.ts.
 */
import { fchmodSync, fstatSync, fsyncSync, mkdirSync, realpathSync, symlinkSync, unlinkSync } from "node:fs";
import { TenonError } from "../errors/index.ts";
import { type Addressing, Directory } from "./directory.ts";
import { fileError } from "./file-error.ts";
import { appliedMode, checkExisting, giveName, temporaryName } from "./naming.ts";
import { absolutePath, components, joinPath, splitLast, unsafePath } from "./path.ts";
import type { FileWriter, RestoreOptions, Restorer } from "./types.ts";
import { startFile, type WriteAt } from "./writer.ts";

/** What tests replace; `addressing` is measured otherwise. */
export interface RestorerSeams {
  readonly addressing?: Addressing;
  readonly writeAt?: WriteAt;
}

/** Of a directory on the way to an entry for which the tree has no entry of its own. */
const PARENT_MODE = 0o755;

/** Open directories on the way down: enough for usual trees, and far below a limit of 256 open files. */
const OPEN_LEVELS = 64;

/** A restorer for a destination, which is made with its parents if missing. Errors: `exists`, `not-found`, `io`. */
export async function openRestorer(
  destination: string | Uint8Array,
  options: RestoreOptions & RestorerSeams = {},
): Promise<Restorer> {
  const path = absolutePath(destination);
  let made: boolean;
  try {
    // The recursive call tells the first directory that it made; it is given as text, so only that it did counts.
    made = mkdirSync(path, { recursive: true, mode: 0o755 }) !== undefined;
  } catch (error) {
    throw fileError(error, { doing: "making the directory", path });
  }
  const root = Directory.open(path, options.addressing);
  if (made && options.durable === true) syncParent(path);
  return new TreeRestorer(root, made, options);
}

function syncParent(path: Buffer): void {
  const parent = Directory.open(splitLast(realpathSync.native(path, { encoding: "buffer" })).directory);
  try {
    fsyncSync(parent.fd);
  } finally {
    parent.release();
  }
}

interface Level {
  readonly name: Buffer;
  /** Undefined when the way down is longer than `OPEN_LEVELS` and this is one of its first. */
  directory: Directory | undefined;
}

class TreeRestorer implements Restorer {
  readonly #root: Directory;
  readonly #rootMade: boolean;
  readonly #options: RestoreOptions & RestorerSeams;
  /** The way down to the directory that was used last. */
  readonly #levels: Level[] = [];
  /** Modes to apply at the end, by path in latin1 (one character per byte). */
  readonly #modes = new Map<string, number>();
  /** Directories in which a name was made: what `durable` has to fsync. */
  readonly #touched = new Set<string>();
  #closed = false;

  constructor(root: Directory, rootMade: boolean, options: RestoreOptions & RestorerSeams) {
    this.#root = root;
    this.#rootMade = rootMade;
    this.#options = options;
  }

  async file(path: Uint8Array, { mode }: { mode: number }): Promise<FileWriter | undefined> {
    const { directory, name } = this.#place(path);
    return startFile(directory, { ...this.#options, name, mode });
  }

  async directory(path: Uint8Array, { mode }: { mode: number }): Promise<void> {
    this.#requireOpen();
    const names = components(path);
    const key = keyOf(names);
    const directory = this.#reach(names);
    if (names.length === 0) {
      if (this.#rootMade) this.#modes.set(key, appliedMode(mode, this.#options.keepSetid));
      return;
    }
    const made = this.#modes.has(key);
    if (!made && this.#options.existing !== "overwrite") return;
    this.#modes.set(key, appliedMode(mode, this.#options.keepSetid));
    if (made) return;
    try {
      // Left read-only by an earlier restore, it has to be filled all the same.
      const present = fstatSync(directory.fd).mode & 0o7777;
      if ((present & 0o700) !== 0o700) fchmodSync(directory.fd, present | 0o700);
    } catch (error) {
      throw fileError(error, { doing: "opening up the directory", path: directory.path });
    }
  }

  async symlink(path: Uint8Array, { target }: { target: Uint8Array }): Promise<boolean> {
    const { directory, name } = this.#place(path);
    if (target.length === 0 || target.includes(0)) {
      throw unsafePath(path, "is a link to an empty path or one with NUL");
    }
    const bytes = Buffer.from(target);
    try {
      const state = checkExisting(directory, name, this.#options.existing ?? "error");
      if (state === "skip") return false;
      if (state === "free") {
        symlinkSync(bytes, directory.at(name));
        return true;
      }
      const temporary = temporaryName();
      symlinkSync(bytes, directory.at(temporary));
      try {
        giveName(directory, { from: temporary, to: name, replace: true });
      } catch (error) {
        unlinkSync(directory.at(temporary));
        throw error;
      }
      return true;
    } catch (error) {
      throw fileError(error, { doing: "linking", path: joinPath(directory.path, name) });
    }
  }

  async finish(): Promise<void> {
    this.#requireOpen();
    const keys = new Set([...this.#modes.keys(), ...(this.#options.durable === true ? this.#touched : [])]);
    try {
      // Backwards in bytewise order everything below a directory comes before the directory itself.
      for (const key of [...keys].sort().reverse()) {
        const directory = this.#reach(components(Buffer.from(key, "latin1")));
        try {
          const mode = this.#modes.get(key);
          if (mode !== undefined) fchmodSync(directory.fd, mode);
          if (this.#options.durable === true) fsyncSync(directory.fd);
        } catch (error) {
          throw fileError(error, { doing: "finishing the directory", path: directory.path });
        }
      }
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave(0);
    this.#root.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #requireOpen(): void {
    if (this.#closed) throw new TenonError("usage", "the restorer is closed already");
  }

  /** The directory and the last name of a path. */
  #place(path: Uint8Array): { directory: Directory; name: Buffer } {
    this.#requireOpen();
    const names = components(path);
    const name = names.pop();
    if (name === undefined) throw unsafePath(path, "is empty, where a name is needed");
    const directory = this.#reach(names);
    if (this.#options.durable === true) this.#touched.add(keyOf(names));
    return { directory, name };
  }

  /** Held by this restorer until the next call: retain it to keep it. */
  #reach(names: readonly Buffer[]): Directory {
    let shared = 0;
    while (shared < names.length && this.#levels[shared]?.name.equals(names[shared]!)) shared++;
    if (shared > 0 && this.#levels[shared - 1]!.directory === undefined) shared = 0;
    this.#leave(shared);
    let directory = this.#levels[shared - 1]?.directory ?? this.#root;
    for (let depth = shared; depth < names.length; depth++) {
      const name = Buffer.from(names[depth]!);
      const entered = directory.enter(name);
      directory = entered.directory;
      this.#levels.push({ name, directory });
      if (entered.made) {
        this.#modes.set(keyOf(names.slice(0, depth + 1)), PARENT_MODE);
        if (this.#options.durable === true) this.#touched.add(keyOf(names.slice(0, depth)));
      }
      const far = this.#levels[this.#levels.length - 1 - OPEN_LEVELS];
      far?.directory?.release();
      if (far !== undefined) far.directory = undefined;
    }
    return directory;
  }

  #leave(depth: number): void {
    for (const level of this.#levels.splice(depth)) level.directory?.release();
  }
}

function keyOf(names: readonly Buffer[]): string {
  return names.map((name) => name.toString("latin1")).join("/");
}
