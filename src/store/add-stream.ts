/** A stream of pieces of any size as a source that fills buffers. */
import type { BlobSource } from "../representation/index.ts";

export function streamSource(stream: AsyncIterable<Uint8Array>): {
  readonly source: BlobSource;
  readonly close: () => Promise<void>;
} {
  const pieces = stream[Symbol.asyncIterator]();
  let piece: Uint8Array = new Uint8Array(0);
  let ended = false;
  const source: BlobSource = {
    async read(into) {
      let filled = 0;
      while (filled < into.length) {
        if (piece.length === 0) {
          if (ended) break;
          const next = await pieces.next();
          if (next.done === true) {
            ended = true;
            break;
          }
          piece = next.value;
          continue;
        }
        const part = piece.subarray(0, into.length - filled);
        into.set(part, filled);
        filled += part.length;
        piece = piece.subarray(part.length);
      }
      return filled;
    },
  };
  return {
    source,
    async close() {
      if (!ended) await pieces.return?.();
    },
  };
}
