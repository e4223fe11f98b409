/** Layers as streams of uncompressed bytes, in bounded memory whatever they claim. */

import { Readable } from "node:stream";
import * as zlib from "node:zlib";
import { displayPath } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { type BlobPlace, readBlob } from "./blob.ts";

export type Compression = "gzip" | "zstd" | "none";

const GZIP_MAGIC = [0x1f, 0x8b];
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

/** By the first bytes. */
export function compressionOf(head: Uint8Array): Compression {
  const begins = (magic: readonly number[]) => magic.every((byte, i) => head[i] === byte);
  return begins(GZIP_MAGIC) ? "gzip" : begins(ZSTD_MAGIC) ? "zstd" : "none";
}

const READ_BYTES = 256 * 1024;
/**
 * A bomb is what expands beyond both: file systems hold runs of zeros, which deflate by 1000 and zstd by 10,000, but
 * no layer of many GiB is made of them.
 */
const UNSUSPICIOUS_BYTES = 2 ** 30;
const MAX_EXPANSION = 200;
/** zstd streams may ask for windows of 2 GiB; layers are made with at most 128 MiB. */
const MAX_WINDOW_LOG = 27;

function decoder(compression: Exclude<Compression, "none">) {
  return compression === "gzip"
    ? zlib.createGunzip({ chunkSize: READ_BYTES })
    : zlib.createZstdDecompress({
        chunkSize: READ_BYTES,
        params: { [zlib.constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG },
      });
}

/**
 * The uncompressed bytes in blocks of 256 KiB, the last one shorter, each valid until the next. Errors: `damaged` for a stream
 * that breaks its format or ends early, `limit` for a bomb, `io`, `interrupted`.
 */
export async function* inflated(
  place: BlobPlace,
  compression: Compression,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const stored = readBlob(place, READ_BYTES);
  if (compression === "none") {
    for (const block of stored) yield block;
    return;
  }
  const failures: unknown[] = [];
  const source = Readable.from(copies(stored, failures), { objectMode: true });
  const stream = decoder(compression);
  source.on("error", (error) => stream.destroy(error));
  const abort = () => stream.destroy(new TenonError("interrupted", "stopped before the end, as asked"));
  signal?.addEventListener("abort", abort, { once: true });
  const gathered = new Uint8Array(READ_BYTES);
  let filled = 0;
  let lengthBytes = 0;
  try {
    for await (const block of source.pipe(stream) as AsyncIterable<Uint8Array>) {
      lengthBytes += block.length;
      if (lengthBytes > UNSUSPICIOUS_BYTES && lengthBytes > place.sizeBytes * MAX_EXPANSION) {
        const why = `expands to more than ${MAX_EXPANSION} times its size`;
        throw new TenonError("limit", `${displayPath(place.path)} ${why}`, { format: compression });
      }
      // Decoders give blocks of any length. Whole ones keep the beginnings of tar members in one piece.
      for (let at = 0; at < block.length; ) {
        const part = block.subarray(at, at + gathered.length - filled);
        gathered.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === gathered.length) {
          yield gathered;
          filled = 0;
        }
      }
    }
    if (filled > 0) yield gathered.subarray(0, filled);
  } catch (error) {
    if (failures.length > 0) throw failures[0];
    if (error instanceof TenonError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new TenonError(
      "damaged",
      `${compression} stream: ${why}`,
      { format: compression },
      { cause: error },
    );
  } finally {
    signal?.removeEventListener("abort", abort);
    source.destroy();
    stream.destroy();
  }
}

/** A decoder keeps what it was given until it has used it, so each block is a copy. */
function* copies(blocks: Iterable<Uint8Array>, failures: unknown[]): Generator<Uint8Array> {
  try {
    for (const block of blocks) yield block.slice();
  } catch (error) {
    failures.push(error);
    throw error;
  }
}
