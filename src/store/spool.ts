/** A stream put aside, so that it can be read as often as a file. */
import { closeSync, read, write } from "node:fs";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { openUnnamedFile } from "../backend/index.ts";
import { fileError } from "../files/index.ts";
import type { BlobSource, RereadableSource } from "../representation/index.ts";

/** Kept in memory: most of what comes through a pipe and can be looked into is not larger. */
const MEMORY_BYTES = 16 << 20;
const BLOCK_BYTES = 1 << 20;

const readFile = promisify(read);
const writeFile = promisify(write);

/** A source whose bytes were put aside, as far as the limit allows. */
export interface Spooled {
  /** Everything, when the source ended within the limit. */
  readonly whole: RereadableSource | undefined;
  /** Everything from the beginning, once: what was put aside, then the rest of the source. */
  readonly once: BlobSource;
  close(): Promise<void>;
}

/**
 * Reads a source to its end, or up to `limitBytes`. What doesn't fit into memory goes to a file without a name in the
 * system's temporary directory, which nothing has to remove after a crash. Errors: `io`.
 */
export async function spool(
  source: BlobSource,
  limitBytes: number,
  onRead?: (bytes: number) => void,
): Promise<Spooled> {
  const store = new SpoolStore();
  let ended = false;
  try {
    const block = new Uint8Array(BLOCK_BYTES);
    while (store.bytes < limitBytes) {
      const length = await source.read(block.subarray(0, Math.min(block.length, limitBytes - store.bytes)));
      if (length === 0) {
        ended = true;
        break;
      }
      await store.append(block.subarray(0, length));
      onRead?.(length);
    }
  } catch (error) {
    await store.close();
    throw error;
  }
  const first = store.reader();
  return {
    whole: ended
      ? { sizeBytes: store.bytes, open: async () => ({ ...store.reader(), close: async () => {} }) }
      : undefined,
    once: {
      sizeBytes: ended ? store.bytes : source.sizeBytes,
      async read(into) {
        return (await first.read(into)) || (ended ? 0 : source.read(into));
      },
    },
    close: () => store.close(),
  };
}

/** Bytes in memory, and behind them those in a file. */
class SpoolStore {
  bytes = 0;
  #memory: Uint8Array[] = [];
  #memoryBytes = 0;
  #fd: number | undefined;

  async append(bytes: Uint8Array): Promise<void> {
    if (this.#fd === undefined && this.bytes + bytes.length <= MEMORY_BYTES) {
      this.#memory.push(bytes.slice());
      this.#memoryBytes += bytes.length;
    } else {
      await this.#write(bytes, this.bytes - this.#memoryBytes);
    }
    this.bytes += bytes.length;
  }

  async #write(bytes: Uint8Array, position: number): Promise<void> {
    try {
      this.#fd ??= openUnnamedFile();
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await writeFile(this.#fd, bytes, at, bytes.length - at, position + at);
        at += bytesWritten;
      }
    } catch (error) {
      throw fileError(error, { doing: "putting a stream aside in", path: tmpdir() });
    }
  }

  reader(): BlobSource {
    let at = 0;
    let piece = 0;
    let pieceStart = 0;
    return {
      sizeBytes: this.bytes,
      read: async (into) => {
        if (at >= this.bytes) return 0;
        if (at < this.#memoryBytes) {
          const bytes = this.#memory[piece]!;
          const part = bytes.subarray(at - pieceStart, at - pieceStart + into.length);
          into.set(part);
          at += part.length;
          if (at - pieceStart === bytes.length) {
            piece++;
            pieceStart = at;
          }
          return part.length;
        }
        const { bytesRead } = await readFile(this.#fd!, into, 0, into.length, at - this.#memoryBytes);
        at += bytesRead;
        return bytesRead;
      },
    };
  }

  async close(): Promise<void> {
    this.#memory = [];
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
