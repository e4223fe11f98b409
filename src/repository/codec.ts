/** How a frame is compressed. The number is in the pack's directory; a decoder that was released stays. */
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { TenonError } from "../errors/index.ts";

export const Codec = {
  none: 0,
  zstd: 1,
  /** zstd, compressed for size: compact leaves such frames alone. Decoded like `zstd`. */
  zstdCompact: 2,
} as const;

/** Names of levels; the names are in the repository's config, the numbers may change with measurements. */
export const compressionLevels = ["none", "fast", "default", "max"] as const;
export type CompressionLevel = (typeof compressionLevels)[number];

/** `default` is for speed at add; `max` is what compact uses, with a window as large as the largest frame. */
const zstdLevel: Record<Exclude<CompressionLevel, "none">, number> = { fast: 1, default: 3, max: 19 };
const MAX_WINDOW_LOG = 26;
/** Less than this never shrinks by more than the frame's own head. */
const MIN_COMPRESSED_BYTES = 64;

const compress = promisify(zlib.zstdCompress) as (
  bytes: Uint8Array,
  options: zlib.ZstdOptions,
) => Promise<Buffer>;
const decompress = promisify(zlib.zstdDecompress) as (
  bytes: Uint8Array,
  options: zlib.ZstdOptions,
) => Promise<Buffer>;

/**
 * Node's zlib calls back for each filled output buffer, 16 KiB by default, which took a fifth of the time of add:
 * with a buffer for everything it calls back once. What zstd adds to incompressible bytes is below 1/256 + 64.
 */
function outputBytes(rawBytes: number): number {
  return rawBytes + (rawBytes >> 8) + 128;
}

export interface EncodedFrame {
  readonly codec: number;
  readonly bytes: Uint8Array;
}

/**
 * Compresses on the thread pool, decompresses the result again and compares: what is committed was read once.
 * Bytes that don't shrink are kept as they are.
 */
export async function encodeFrame(raw: Uint8Array, level: CompressionLevel): Promise<EncodedFrame> {
  if (level === "none" || raw.length < MIN_COMPRESSED_BYTES) return { codec: Codec.none, bytes: raw };
  const { constants } = zlib;
  const params: Record<number, number> = {
    [constants.ZSTD_c_compressionLevel]: zstdLevel[level],
    [constants.ZSTD_c_contentSizeFlag]: 1,
  };
  if (level === "max") {
    params[constants.ZSTD_c_windowLog] = MAX_WINDOW_LOG;
    params[constants.ZSTD_c_enableLongDistanceMatching] = 1;
  }
  const bytes = await compress(raw, {
    params,
    pledgedSrcSize: raw.length,
    chunkSize: outputBytes(raw.length),
  });
  if (bytes.length >= raw.length) return { codec: Codec.none, bytes: raw };
  const codec = level === "max" ? Codec.zstdCompact : Codec.zstd;
  const again = await decodeFrame(codec, bytes, raw.length);
  if (Buffer.compare(again, raw) !== 0) {
    throw new TenonError("damaged", "a frame differs after compression and decompression: faulty memory?");
  }
  return { codec, bytes };
}

/** Decompresses a frame whose raw length is known; never yields more than that. */
export async function decodeFrame(codec: number, bytes: Uint8Array, rawBytes: number): Promise<Uint8Array> {
  let raw: Uint8Array;
  if (codec === Codec.none) raw = bytes;
  else if (codec === Codec.zstd || codec === Codec.zstdCompact) {
    try {
      raw = await decompress(bytes, {
        maxOutputLength: Math.max(rawBytes, 1),
        chunkSize: outputBytes(rawBytes),
        params: { [zlib.constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG + 1 },
      });
    } catch (cause) {
      throw new TenonError("damaged", "a frame can't be decompressed", { format: "pack" }, { cause });
    }
  } else {
    throw new TenonError("unsupported", `codec ${codec} is not known: made by a newer tenon`, {
      format: "pack",
    });
  }
  if (raw.length !== rawBytes) {
    throw new TenonError("damaged", `a frame holds ${raw.length} bytes, its directory says ${rawBytes}`, {
      format: "pack",
    });
  }
  return raw;
}
