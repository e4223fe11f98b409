/**
 * Standard output and error as file descriptors. `process.stdout` writes pipes synchronously, so that a slow
 * reader would hold up signals; here the write waits on another thread.
 */
import { write, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isatty } from "node:tty";
import type { Sink } from "./output.ts";

/** How long to wait when somebody made the shared descriptor non-blocking and it is full. */
const RETRY_MS = 5;
/** Width when the terminal doesn't tell. */
const DEFAULT_COLUMNS = 80;

function writeSome(descriptor: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    write(descriptor, bytes, 0, bytes.length, null, (error, written) =>
      error ? reject(error) : resolve(written),
    );
  });
}

function isFull(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EAGAIN";
}

/** The sink of descriptor 1 or 2. */
export function descriptorSink(descriptor: 1 | 2): Sink {
  const isTerminal = isatty(descriptor);
  return {
    isTerminal,
    columns: () =>
      (isTerminal ? (descriptor === 1 ? process.stdout : process.stderr).columns : 0) || DEFAULT_COLUMNS,
    async write(bytes) {
      let at = 0;
      while (at < bytes.length) {
        try {
          at += await writeSome(descriptor, bytes.subarray(at));
        } catch (error) {
          if (!isFull(error)) throw error;
          await sleep(RETRY_MS);
        }
      }
    },
    writeNow(text) {
      const bytes = Buffer.from(text);
      let at = 0;
      // A full or closed descriptor loses the message: there is nobody to tell.
      try {
        while (at < bytes.length) at += writeSync(descriptor, bytes, at);
      } catch {}
    },
  };
}
