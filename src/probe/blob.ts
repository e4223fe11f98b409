/** A run of bytes of a file that is read by position: a file, a blob of a layout, a member of an archive. */

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { displayPath } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { fileError } from "../files/index.ts";

export interface BlobPlace {
  readonly path: Buffer;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Not through a link, and without waiting for the other end of a FIFO. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A regular file, open for reading at any position. */
export class RandomFile implements Disposable {
  readonly sizeBytes: number;
  readonly #path: Buffer;
  readonly #fd: number;
  readonly #modified: bigint;

  /** Errors: `io`, `not-found`, `unsupported` for what is not a regular file. */
  constructor(path: Buffer) {
    this.#path = path;
    try {
      this.#fd = openSync(path, FLAGS);
    } catch (error) {
      throw fileError(error, { doing: "opening", path });
    }
    const stat = fstatSync(this.#fd, { bigint: true });
    if (!stat.isFile()) {
      closeSync(this.#fd);
      const shown = displayPath(path);
      throw new TenonError("unsupported", `${shown}: not a regular file`, { path: shown });
    }
    this.sizeBytes = Number(stat.size);
    this.#modified = stat.mtimeNs;
  }

  /** Fills `into` from a position as far as the file goes; the number of bytes. */
  readAt(into: Uint8Array, position: number): number {
    let filled = 0;
    try {
      while (filled < into.length) {
        const got = readSync(this.#fd, into, filled, into.length - filled, position + filled);
        if (got === 0) break;
        filled += got;
      }
    } catch (error) {
      throw fileError(error, { doing: "reading", path: this.#path });
    }
    return filled;
  }

  /** True when size or time of modification are no longer those of the opening. */
  hasChanged(): boolean {
    const stat = fstatSync(this.#fd, { bigint: true });
    return Number(stat.size) !== this.sizeBytes || stat.mtimeNs !== this.#modified;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** The bytes at a place in blocks, which are valid until the next. Error `damaged` when the file ends before. */
export function* readBlob({ path, offset, sizeBytes }: BlobPlace, blockBytes: number): Generator<Uint8Array> {
  using file = new RandomFile(path);
  const block = new Uint8Array(Math.max(1, Math.min(blockBytes, sizeBytes)));
  for (let at = 0; at < sizeBytes; ) {
    const got = file.readAt(block.subarray(0, Math.min(block.length, sizeBytes - at)), offset + at);
    if (got === 0) {
      const shown = displayPath(path);
      throw new TenonError("damaged", `${shown} ends ${sizeBytes - at} bytes before its size`, {
        path: shown,
      });
    }
    at += got;
    yield block.subarray(0, got);
  }
  if (file.hasChanged()) {
    const shown = displayPath(path);
    throw new TenonError("partial", `${shown} changed while it was read`, { path: shown });
  }
}

/** The first bytes at a place, at most `lengthBytes`. */
export function readHead({ path, offset, sizeBytes }: BlobPlace, lengthBytes: number): Uint8Array {
  using file = new RandomFile(path);
  const head = new Uint8Array(Math.min(lengthBytes, sizeBytes));
  return head.subarray(0, file.readAt(head, offset));
}
