/**
 * A backend for a repository that lasts as long as one look at it. It has no place in the file system, so nothing is left
 * of it, however the process ends: its files are in memory, and beyond a limit in a file without a name.
 */
import { closeSync, readSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { TenonError } from "../errors/index.ts";
import { type Content, MemoryBackend } from "./memory.ts";
import { openUnnamedFile } from "./unnamed-file.ts";

/** Most programs are not larger, and an executable is in memory as a whole while it is looked at. */
const MEMORY_BYTES = 64 << 20;

export class ScratchBackend extends MemoryBackend {
  override readonly location = "scratch";
  readonly #memoryBytes: number;
  #heldBytes = 0;
  #fd: number | undefined;
  #end = 0;

  /** `memoryBytes`: of all files together; what comes after goes to the disk. */
  constructor({ memoryBytes = MEMORY_BYTES }: { readonly memoryBytes?: number } = {}) {
    super();
    this.#memoryBytes = memoryBytes;
  }

  /** Errors: `io`. */
  protected override keep(parts: readonly Uint8Array[]): Content {
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    if (this.#heldBytes + size <= this.#memoryBytes) {
      this.#heldBytes += size;
      return super.keep(parts);
    }
    const start = this.#end;
    try {
      this.#fd ??= openUnnamedFile();
      for (const part of parts) {
        for (let at = 0; at < part.length; ) {
          const written = writeSync(this.#fd, part, at, part.length - at, this.#end);
          at += written;
          this.#end += written;
        }
      }
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const text = `can't put ${size} bytes aside in ${tmpdir()}: ${why}; name a place with more room by TMPDIR`;
      throw new TenonError("io", text, { path: tmpdir() }, { cause });
    }
    return { size, readSync: (into, offset) => this.#readPart(into, { start, size, offset }) };
  }

  #readPart(
    into: Uint8Array,
    { start, size, offset }: { readonly start: number; readonly size: number; readonly offset: number },
  ): number {
    // The number of a closed file is given to the next one.
    if (this.#fd === undefined) throw new TenonError("usage", "this repository is closed");
    const wanted = Math.max(0, Math.min(into.length, size - offset));
    let at = 0;
    while (at < wanted) {
      const got = readSync(this.#fd, into, at, wanted - at, start + offset + at);
      if (got === 0) break;
      at += got;
    }
    return at;
  }

  /** Gives the disk back. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
