/** Restoring to a stream such as stdout. */
import type { Writable } from "node:stream";
import { throwIfAborted } from "../errors/index.ts";
import { fileError } from "./file-error.ts";

export interface Written {
  readonly lengthBytes: number;
  /** The reader went away before the end, as `head` does: no failure, but a reason to stop. */
  readonly readerLeft: boolean;
}

/** What a stream reports when the other side of a pipe or socket is closed. */
const READER_LEFT: ReadonlySet<string> = new Set([
  "EPIPE",
  "ECONNRESET",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/**
 * Writes every piece, waiting for each until the stream has passed it on: so no more than one piece is in
 * memory, and its bytes may be reused when the next one is asked for. The stream is not ended.
 *
 * Errors: `io` when the stream fails, `interrupted` by the signal, and what the pieces throw.
 */
export async function writeAll(
  stream: Writable,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: { signal?: AbortSignal | undefined; name?: string } = {},
): Promise<Written> {
  const { signal, name = "standard output" } = options;
  throwIfAborted(signal);
  let lengthBytes = 0;
  let failed = false;
  stream.on("error", reportedElsewhere);
  try {
    for await (const piece of pieces) {
      if (piece.length === 0) continue;
      const error = await passOn(stream, piece, signal);
      if (error !== undefined) {
        failed = true;
        if (READER_LEFT.has((error as { code?: string }).code ?? ""))
          return { lengthBytes, readerLeft: true };
        throw fileError(error, { doing: "writing to", path: name });
      }
      lengthBytes += piece.length;
    }
    return { lengthBytes, readerLeft: false };
  } finally {
    // The event of a failed write comes after this.
    if (!failed) stream.off("error", reportedElsewhere);
  }
}

/** A failed write is reported to its callback and as an event, which unheard would end the process. */
function reportedElsewhere(): void {}

/** What the stream reports for one write; rejects only when the signal fires first. */
function passOn(
  stream: Writable,
  piece: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Error | undefined> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      try {
        throwIfAborted(signal);
      } catch (error) {
        reject(error);
      }
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    stream.write(piece, (error) => {
      signal?.removeEventListener("abort", onAbort);
      resolve(error ?? undefined);
    });
    onAbort();
  });
}
