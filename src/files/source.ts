/**
 * Reading one regular file.
 *
 * A FIFO or device that takes the file's place between the walk and the opening neither hangs nor starts
 * anything: what is at the path is examined first, it is opened without waiting (O_NONBLOCK, which means
 * nothing to regular files) and without following a link (O_NOFOLLOW), and examined again when open.
 */

import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  read,
  readSync,
} from "node:fs";
import { promisify } from "node:util";
import { displayPath } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { fileError } from "./file-error.ts";
import { pathBytes } from "./path.ts";
import type { Source, SourceChange } from "./types.ts";

const readAsync = promisify(read);

/**
 * Below this, `read` stays in its thread: reading 64 KiB from the page cache takes less time than the 30 to
 * 50 us of a trip through the thread pool.
 */
const POOL_BYTES = 64 * 1024;

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens a regular file, not following a link in the last component. Opening, examining and closing are
 * synchronous calls: 10 us a file together, against 250 us through the thread pool.
 *
 * Errors: `not-found`, `io`; `unsupported` for what is not a regular file.
 */
export async function openSource(path: string | Uint8Array): Promise<Source> {
  const bytes = pathBytes(path);
  let fd: number | undefined;
  try {
    requireFile(lstatSync(bytes, { bigint: true }), bytes);
    fd = openSync(bytes, FLAGS);
    const stat = fstatSync(fd, { bigint: true });
    requireFile(stat, bytes);
    return new OpenSource(fd, bytes, stat);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw fileError(error, { doing: "opening", path: bytes });
  }
}

function requireFile(stat: BigIntStats, path: Uint8Array): void {
  if (stat.isFile()) return;
  const what = stat.isDirectory()
    ? "a directory"
    : stat.isSymbolicLink()
      ? "a symbolic link"
      : stat.isFIFO()
        ? "a FIFO"
        : stat.isSocket()
          ? "a socket"
          : "a device";
  const shown = displayPath(path);
  throw new TenonError("unsupported", `opening ${shown}: it is ${what}, not a regular file`, { path: shown });
}

class OpenSource implements Source {
  readonly sizeBytes: number;
  readonly mode: number;
  readonly #path: Buffer;
  readonly #opened: BigIntStats;
  #fd: number;
  #offset = 0;
  /** The read that is on its way in another thread. */
  #busy: Promise<unknown> | undefined;
  /** The file ended before its size. */
  #endedEarly = false;

  constructor(fd: number, path: Buffer, opened: BigIntStats) {
    this.#fd = fd;
    this.#path = path;
    this.#opened = opened;
    this.sizeBytes = Number(opened.size);
    this.mode = Number(opened.mode) & 0o7777;
  }

  async read(into: Uint8Array): Promise<number> {
    const wanted = this.#wanted(into);
    if (wanted < POOL_BYTES) return this.readSync(into);
    let filled = 0;
    try {
      while (filled < wanted && this.#fd !== -1) {
        const reading = readAsync(this.#fd, into, filled, wanted - filled, this.#offset);
        this.#busy = reading;
        const { bytesRead } = await reading;
        if (bytesRead === 0) {
          this.#endedEarly = true;
          break;
        }
        filled += bytesRead;
        this.#offset += bytesRead;
      }
    } catch (error) {
      throw fileError(error, { doing: "reading", path: this.#path });
    }
    return filled;
  }

  readSync(into: Uint8Array): number {
    const wanted = this.#wanted(into);
    let filled = 0;
    try {
      while (filled < wanted) {
        const got = readSync(this.#fd, into, filled, wanted - filled, this.#offset);
        if (got === 0) {
          this.#endedEarly = true;
          break;
        }
        filled += got;
        this.#offset += got;
      }
    } catch (error) {
      throw fileError(error, { doing: "reading", path: this.#path });
    }
    return filled;
  }

  /** Never past the size at opening: a file that grows as fast as it is read would have no end. */
  #wanted(into: Uint8Array): number {
    if (this.#fd === -1) throw new TenonError("usage", "reading a source that is closed");
    return Math.min(into.length, this.sizeBytes - this.#offset);
  }

  /**
   * A change that leaves size, mtime and ctime alone goes unseen: a write within the same tick of the file
   * system's clock (up to 10 ms), or through a mapping that was not synced.
   */
  async changed(): Promise<SourceChange | undefined> {
    const before = this.#opened;
    try {
      const now = fstatSync(this.#fd, { bigint: true });
      if (now.size > before.size) return "grew";
      if (now.size < before.size || this.#endedEarly) return "shrank";
      if (this.sizeBytes === 0 && this.#hasMore()) return "grew";
      if (now.mtimeNs !== before.mtimeNs) return "modified";
      // Renaming over the file, or removing it, moves its ctime too: ask for that first.
      const named = lstatSync(this.#path, { bigint: true, throwIfNoEntry: false });
      if (named === undefined || named.dev !== now.dev || named.ino !== now.ino) return "replaced";
      return now.ctimeNs !== before.ctimeNs ? "modified" : undefined;
    } catch (error) {
      throw fileError(error, { doing: "examining", path: this.#path });
    }
  }

  /** Files of /proc have content but the size 0. */
  #hasMore(): boolean {
    return readSync(this.#fd, new Uint8Array(1), 0, 1, this.sizeBytes) > 0;
  }

  async close(): Promise<void> {
    if (this.#fd === -1) return;
    const fd = this.#fd;
    this.#fd = -1;
    // The number of a closed file is given to the next one: a read on its way must not meet that.
    await this.#busy?.catch(() => {});
    closeSync(fd);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
