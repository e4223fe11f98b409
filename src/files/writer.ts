/** A file on its way: written under a temporary name in its own directory, named when it is whole. */

import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  unlinkSync,
  write,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import { displayPath } from "../bytes/index.ts";
import { systemCode, TenonError } from "../errors/index.ts";
import type { Directory } from "./directory.ts";
import { fileError } from "./file-error.ts";
import { appliedMode, checkExisting, giveName, temporaryName } from "./naming.ts";
import { joinPath } from "./path.ts";
import type { FileWriter, RestoreOptions } from "./types.ts";

/** One write at an offset, perhaps of a part only: the seam where tests put a full disk. */
export type WriteAt = (fd: number, bytes: Uint8Array, position: number) => Promise<number> | number;

/** The block of the common file systems: a smaller hole saves nothing. */
const BLOCK_BYTES = 4096;
const ZEROS = new Uint8Array(BLOCK_BYTES);

/** Below this a write stays in its thread: copying 64 KiB is quicker than a trip through the thread pool. */
const POOL_BYTES = 64 * 1024;

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

const writePooled = promisify(write);

async function writeOut(fd: number, bytes: Uint8Array, position: number): Promise<number> {
  if (bytes.length < POOL_BYTES) return writeSync(fd, bytes, 0, bytes.length, position);
  return (await writePooled(fd, bytes, 0, bytes.length, position)).bytesWritten;
}

export interface FileRequest extends RestoreOptions {
  readonly name: Buffer;
  readonly mode: number;
  /** Run after a `durable` file has its name: makes that last too. */
  readonly onDurable?: (() => void) | undefined;
  readonly writeAt?: WriteAt | undefined;
}

/** Starts a file in a directory, which is retained until the file is committed or aborted. */
export function startFile(directory: Directory, request: FileRequest): FileWriter | undefined {
  const path = joinPath(directory.path, request.name);
  try {
    const state = checkExisting(directory, request.name, request.existing ?? "error");
    if (state === "skip") return undefined;
    const temporary = temporaryName();
    const fd = openSync(directory.at(temporary), CREATE, 0o600);
    return new PendingFile({ ...request, directory: directory.retain(), path, temporary, fd });
  } catch (error) {
    throw fileError(error, { doing: "creating", path });
  }
}

interface Pending extends FileRequest {
  readonly directory: Directory;
  readonly path: Buffer;
  readonly temporary: Buffer;
  readonly fd: number;
}

class PendingFile implements FileWriter {
  readonly #file: Pending;
  readonly #writeAt: WriteAt;
  #state: "open" | "committed" | "aborted" = "open";
  #length = 0;
  /** Where the data that is on disk ends; less than the length when the file ends in a hole. */
  #dataEnd = 0;
  /** The write that is on its way. */
  #busy: Promise<void> | undefined;

  constructor(file: Pending) {
    this.#file = file;
    this.#writeAt = file.writeAt ?? writeOut;
  }

  get lengthBytes(): number {
    return this.#length;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#requireOpen();
    this.#busy = this.#file.sparse === true ? this.#writeSparse(bytes) : this.#writeData(bytes);
    try {
      await this.#busy;
    } catch (error) {
      this.#fail(error, "writing");
    }
  }

  async #writeData(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const written = await this.#writeAt(this.#file.fd, bytes.subarray(at), this.#length);
      if (written <= 0) throw Object.assign(new Error("nothing was written"), { code: "EIO" });
      at += written;
      this.#length += written;
    }
    this.#dataEnd = this.#length;
  }

  /**
   * Leaves out zeros that fill a block of the file, or the part of one at either end of `bytes`: what is never
   * written reads as zeros. Everything between goes out in one write.
   */
  async #writeSparse(bytes: Uint8Array): Promise<void> {
    const base = this.#length;
    let dataFrom = 0;
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + BLOCK_BYTES - ((base + at) % BLOCK_BYTES));
      if (isZero(bytes, at, end)) {
        if (at > dataFrom) await this.#writeData(bytes.subarray(dataFrom, at));
        this.#length = base + end;
        dataFrom = end;
      }
      at = end;
    }
    if (dataFrom < bytes.length) await this.#writeData(bytes.subarray(dataFrom));
  }

  async commit(): Promise<void> {
    this.#requireOpen();
    await this.#busy;
    const { directory, fd, name, temporary, mode, keepSetid, durable, existing } = this.#file;
    try {
      if (this.#dataEnd < this.#length) ftruncateSync(fd, this.#length);
      fchmodSync(fd, appliedMode(mode, keepSetid));
      if (durable === true) fsyncSync(fd);
      const replace = existing === "overwrite";
      if (replace) checkExisting(directory, name, "overwrite");
      giveName(directory, { from: temporary, to: name, replace });
    } catch (error) {
      this.#fail(error, "finishing");
    }
    this.#state = "committed";
    try {
      if (durable === true) this.#file.onDurable?.();
    } catch (error) {
      throw fileError(error, { doing: "finishing", path: this.#file.path });
    } finally {
      this.#close();
    }
  }

  async abort(): Promise<void> {
    // The number of a closed file is given to the next one: a write on its way must not meet that.
    await this.#busy?.catch(() => {});
    this.#discard();
  }

  #discard(): void {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    try {
      unlinkSync(this.#file.directory.at(this.#file.temporary));
    } catch (error) {
      if (systemCode(error) !== "ENOENT") {
        throw fileError(error, { doing: "removing the unfinished", path: this.#file.path });
      }
    } finally {
      this.#close();
    }
  }

  #fail(error: unknown, doing: string): never {
    const failure = fileError(error, { doing, path: this.#file.path });
    try {
      this.#discard();
    } catch {
      // What went wrong first is what the caller needs to know.
    }
    throw failure;
  }

  #close(): void {
    closeSync(this.#file.fd);
    this.#file.directory.release();
  }

  #requireOpen(): void {
    if (this.#state === "open") return;
    throw new TenonError("usage", `${displayPath(this.#file.path)}: the file is ${this.#state} already`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }
}

/** Whether at most a block of bytes holds only zeros; most others show it in their first byte. */
function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  return bytes[from] === 0 && Buffer.compare(bytes.subarray(from, to), ZEROS.subarray(0, to - from)) === 0;
}
