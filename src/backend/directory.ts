/** A backend in a local directory: link(2) and rename(2) give a finished file its name, fsync makes it stay. */

import { randomBytes } from "node:crypto";
import type { Dirent } from "node:fs";
import { type FileHandle, link, lstat, open, readdir, rename, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { systemCode, TenonError } from "../errors/index.ts";
import { DirectoryFile, DirectoryWriter, type Temporary, writeAll } from "./directory-files.ts";
import { makeDirectories } from "./make-directories.ts";
import { byName, checkFolder, checkName, isName, missing, TEMPORARY_FOLDER } from "./names.ts";
import { NO_HARD_LINKS, systemError } from "./system.ts";
import type { Backend, BackendWriter, ByteRange, FileStat, ListedFile, RandomFile } from "./types.ts";

export interface DirectoryBackendOptions {
  /** False leaves out every fsync: only for tests, where no power cut comes. Default true. */
  readonly durable?: boolean;
}

export class DirectoryBackend implements Backend {
  readonly location: string;
  readonly #durable: boolean;
  /** Folders that exist, with entries in their parents that outlive a power cut. */
  readonly #folders = new Map<string, Promise<void>>();

  constructor(directory: string, options: DirectoryBackendOptions = {}) {
    this.location = resolve(directory);
    this.#durable = options.durable ?? true;
  }

  async read(name: string, range?: ByteRange): Promise<Uint8Array> {
    const file = await this.openRandom(name);
    try {
      return await file.read(range?.offset ?? 0, range?.length ?? file.size);
    } finally {
      await file.close();
    }
  }

  async openRandom(name: string): Promise<RandomFile> {
    const path = this.#path(name);
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, "r");
      const stat = await handle.stat();
      if (!stat.isFile()) throw Object.assign(new Error("not a regular file"), { code: "EISDIR" });
      return new DirectoryFile(name, handle, stat.size);
    } catch (error) {
      await handle?.close();
      throw this.#failed(error, "read", name);
    }
  }

  async stat(name: string): Promise<FileStat | undefined> {
    try {
      const stat = await lstat(this.#path(name));
      return stat.isFile() ? { size: stat.size, mtimeMs: stat.mtimeMs } : undefined;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw this.#failed(error, "look at", name);
    }
  }

  async list(folder: string): Promise<ListedFile[]> {
    const top = checkFolder(folder);
    const files: ListedFile[] = [];
    for await (const file of this.#walk(top)) {
      if (isName(file.name)) files.push(file);
    }
    return files.sort(byName);
  }

  async listNames(folder: string): Promise<string[]> {
    const names: string[] = [];
    for await (const name of this.#walkNames(checkFolder(folder))) {
      if (isName(name)) names.push(name);
    }
    return names.sort();
  }

  async createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    const path = this.#path(name);
    // Spares the losers of a race, and every second init, the writing.
    if ((await this.stat(name)) !== undefined) return false;
    try {
      const temporary = await this.#write(bytes);
      try {
        return await this.#link(temporary, path);
      } finally {
        await unlink(temporary).catch(ignoreAbsent);
      }
    } catch (error) {
      throw this.#failed(error, "create", name);
    }
  }

  async createWriter(): Promise<BackendWriter> {
    try {
      return new DirectoryWriter(await this.#openTemporary(), {
        place: (temporary, name) => this.#place(temporary, name),
        durable: this.#durable,
        failed: (error, verb, name) => this.#failed(error, verb, name),
      });
    } catch (error) {
      throw this.#failed(error, "create", TEMPORARY_FOLDER);
    }
  }

  async replace(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(name);
    try {
      const temporary = await this.#write(bytes);
      await this.#rename(temporary, path);
    } catch (error) {
      throw this.#failed(error, "write", name);
    }
  }

  async remove(name: string): Promise<void> {
    try {
      await unlink(this.#path(name)).catch(ignoreAbsent);
    } catch (error) {
      throw this.#failed(error, "remove", name);
    }
  }

  async totalBytes(): Promise<number> {
    let sum = 0;
    for await (const { size } of this.#walk("")) sum += size;
    return sum;
  }

  async removeTemporaries(beforeMs: number): Promise<number> {
    let freed = 0;
    for await (const { name, size, mtimeMs } of this.#walk(TEMPORARY_FOLDER)) {
      if (mtimeMs >= beforeMs) continue;
      try {
        await unlink(join(this.location, name)).catch(ignoreAbsent);
      } catch (error) {
        throw this.#failed(error, "remove", name);
      }
      freed += size;
    }
    return freed;
  }

  #path(name: string): string {
    return join(this.location, checkName(name));
  }

  #failed(error: unknown, verb: string, name: string): unknown {
    return systemCode(error) === "ENOENT" && verb === "read"
      ? missing(name)
      : systemError(error, verb, join(this.location, name));
  }

  /** Regular files below a folder, in no order; what vanishes meanwhile is left out, symbolic links too. */
  async *#walk(top: string): AsyncGenerator<ListedFile> {
    for await (const name of this.#walkNames(top)) {
      try {
        const { size, mtimeMs } = await lstat(join(this.location, name));
        yield { name, size, mtimeMs };
      } catch (error) {
        if (!isAbsent(error)) throw this.#failed(error, "look at", name);
      }
    }
  }

  async *#walkNames(top: string): AsyncGenerator<string> {
    const folders = [top];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      let entries: Dirent[];
      try {
        entries = await readdir(join(this.location, folder), { withFileTypes: true });
      } catch (error) {
        if (isAbsent(error)) continue;
        throw this.#failed(error, "list", folder);
      }
      for (const entry of entries) {
        const name = folder === "" ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory()) folders.push(name);
        if (entry.isFile()) yield name;
      }
    }
  }

  /** Makes the folder and lets it outlive a power cut: every entry on the way to it is synced once. */
  #makeFolder(folder: string): Promise<void> {
    let made = this.#folders.get(folder);
    if (made === undefined) {
      made = (async () => {
        await makeDirectories(folder);
        // Also when it was there: whoever made it may not have come to its fsync yet.
        for (let at = folder; at !== this.location; at = dirname(at)) await this.#syncFolder(dirname(at));
        await this.#syncFolder(dirname(this.location)).catch((error: unknown) => {
          // The parent may be closed to us; then it was there long before, or a crash costs an empty repository.
          if (!["EACCES", "EPERM"].includes(systemCode(error) ?? "")) throw error;
        });
      })();
      this.#folders.set(folder, made);
      made.catch(() => this.#folders.delete(folder));
    }
    return made;
  }

  async #syncFolder(folder: string): Promise<void> {
    if (!this.#durable) return;
    const handle = await open(folder, "r");
    try {
      await handle.sync();
    } catch (error) {
      // Some network file systems have no fsync for directories; there the server sees to it.
      if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP"].includes(systemCode(error) ?? "")) throw error;
    } finally {
      await handle.close();
    }
  }

  async #openTemporary(): Promise<Temporary> {
    const folder = join(this.location, TEMPORARY_FOLDER);
    // 8 random bytes: machines that share a directory may share process numbers.
    const path = join(folder, `${process.pid}-${randomBytes(8).toString("hex")}`);
    return this.#inFolder(folder, async () => ({ path, handle: await open(path, "wx") }));
  }

  /** Does something in a folder; makes the folder when it is missing, also when it vanished since. */
  async #inFolder<T>(folder: string, action: () => Promise<T>): Promise<T> {
    await this.#makeFolder(folder);
    try {
      return await action();
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
      this.#folders.delete(folder);
      await this.#makeFolder(folder);
      return await action();
    }
  }

  /** Writes a temporary file and makes its bytes durable; returns its path. */
  async #write(bytes: Uint8Array): Promise<string> {
    const { path, handle } = await this.#openTemporary();
    try {
      await writeAll(handle, bytes);
      if (this.#durable) await handle.sync();
      await handle.close();
      return path;
    } catch (error) {
      await handle.close().catch(() => {});
      await unlink(path).catch(() => {});
      throw error;
    }
  }

  /** Gives a second name to a file; false when the name is taken. link(2) is the one call that does this atomically. */
  async #link(temporary: string, path: string): Promise<boolean> {
    const folder = dirname(path);
    try {
      await this.#inFolder(folder, () => link(temporary, path));
    } catch (error) {
      const system = systemCode(error) ?? "";
      if (system === "EEXIST") return false;
      if (NO_HARD_LINKS.has(system)) {
        throw new TenonError(
          "unsupported",
          `${this.location}: the file system has no hard links (${system}), by which tenon keeps writers apart; use another one`,
          { path, system },
          { cause: error },
        );
      }
      throw error;
    }
    await this.#syncFolder(folder);
    return true;
  }

  async #rename(temporary: string, path: string): Promise<void> {
    const folder = dirname(path);
    try {
      await this.#inFolder(folder, () => rename(temporary, path));
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw error;
    }
    await this.#syncFolder(folder);
  }

  /** Gives a finished temporary file its name, which follows from its content. */
  async #place(temporary: string, name: string): Promise<void> {
    const path = this.#path(name);
    if (!(await this.#link(temporary, path))) {
      const [ours, theirs] = await Promise.all([lstat(temporary), lstat(path)]);
      // Another length under the same content's name can only be damage: ours heals it.
      if (!theirs.isFile() || theirs.size !== ours.size) return this.#rename(temporary, path);
      // Whoever was first may not have come to its fsync yet.
      await this.#syncFolder(dirname(path));
    }
    await unlink(temporary).catch(ignoreAbsent);
  }
}

/** ENOTDIR: a file stands where a folder of the name would be, so there is no such file either. */
function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "");
}

function ignoreAbsent(error: unknown): void {
  if (!isAbsent(error)) throw error;
}
