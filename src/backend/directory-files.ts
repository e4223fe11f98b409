/** Open files of a directory backend. */
import { readSync } from "node:fs";
import { type FileHandle, unlink } from "node:fs/promises";
import { TenonError } from "../errors/index.ts";
import { checkName, checkRange, TEMPORARY_FOLDER, tooShort } from "./names.ts";
import { systemError } from "./system.ts";
import type { BackendWriter, RandomFile } from "./types.ts";

/** A file without a name that readers would see. */
export interface Temporary {
  readonly path: string;
  readonly handle: FileHandle;
}

export class DirectoryFile implements RandomFile {
  readonly size: number;
  readonly #name: string;
  readonly #handle: FileHandle;

  constructor(name: string, handle: FileHandle, size: number) {
    this.#name = name;
    this.#handle = handle;
    this.size = size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    checkRange(this.#name, { offset, length }, this.size);
    const bytes = new Uint8Array(length);
    try {
      for (let at = 0; at < length; ) {
        const { bytesRead } = await this.#handle.read(bytes, at, length - at, offset + at);
        if (bytesRead === 0) throw tooShort(this.#name, { offset, length }, offset + at);
        at += bytesRead;
      }
    } catch (error) {
      throw systemError(error, "read", this.#name);
    }
    return bytes;
  }

  readSync(into: Uint8Array, offset: number): number {
    let at = 0;
    try {
      while (at < into.length) {
        const count = readSync(this.#handle.fd, into, at, into.length - at, offset + at);
        if (count === 0) break;
        at += count;
      }
    } catch (error) {
      throw systemError(error, "read", this.#name);
    }
    return at;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** What a writer needs of its backend. */
export interface WriterHost {
  place(temporary: string, name: string): Promise<void>;
  failed(error: unknown, verb: string, name: string): unknown;
  readonly durable: boolean;
}

/** A file in the making, in the folder of temporaries. */
export class DirectoryWriter implements BackendWriter {
  bytesWritten = 0;
  readonly #temporary: Temporary;
  readonly #host: WriterHost;
  #open = true;

  constructor(temporary: Temporary, host: WriterHost) {
    this.#temporary = temporary;
    this.#host = host;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#mustBeOpen();
    try {
      await writeAll(this.#temporary.handle, bytes);
    } catch (error) {
      throw this.#host.failed(error, "write", TEMPORARY_FOLDER);
    }
    this.bytesWritten += bytes.length;
  }

  async commit(name: string): Promise<void> {
    this.#mustBeOpen();
    checkName(name);
    const { path, handle } = this.#temporary;
    try {
      if (this.#host.durable) await handle.sync();
      this.#open = false;
      await handle.close();
      await this.#host.place(path, name);
    } catch (error) {
      await this.abort();
      await unlink(path).catch(() => {});
      throw this.#host.failed(error, "create", name);
    }
  }

  async abort(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#temporary.handle.close().catch(() => {});
    await unlink(this.#temporary.path).catch(() => {});
  }

  #mustBeOpen(): void {
    if (!this.#open) throw new TenonError("usage", "this file was committed or aborted before");
  }
}

/** FileHandle.write may write less than it was given. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await handle.write(bytes, at, bytes.length - at)).bytesWritten;
  }
}
