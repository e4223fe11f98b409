/** Sources of which the beginning was looked at, and sources that are read whole. */
import type { BlobSource, RereadableSource } from "../representation/index.ts";

export { memorySource, rereadableBytes } from "../representation/index.ts";

/** The first `length` bytes, or all there are, and a source that gives everything from the beginning. */
export async function peeked(
  source: BlobSource,
  length: number,
): Promise<{ readonly start: Uint8Array; readonly source: BlobSource }> {
  const start = await fill(source, new Uint8Array(length));
  let at = 0;
  return {
    start,
    source: {
      sizeBytes: source.sizeBytes,
      read(into) {
        if (at === start.length) return source.read(into);
        const part = start.subarray(at, at + into.length);
        into.set(part);
        at += part.length;
        return part.length;
      },
    },
  };
}

/** Reads until `into` is full or the source ends; the part that was filled. */
export async function fill(source: BlobSource, into: Uint8Array): Promise<Uint8Array> {
  let length = 0;
  while (length < into.length) {
    const got = await source.read(into.subarray(length));
    if (got === 0) break;
    length += got;
  }
  return into.subarray(0, length);
}

export async function readWhole(source: RereadableSource): Promise<Uint8Array> {
  const opened = await source.open();
  try {
    return await fill(opened, new Uint8Array(source.sizeBytes));
  } finally {
    await opened.close();
  }
}
