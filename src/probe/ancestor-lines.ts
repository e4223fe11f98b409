/** The lines that the layer probe printed, with its rounding and its wording. */

export interface LayerProbeCounts {
  /** Gzip layers that could be inflated and weren't empty. */
  readonly layers: number;
  /** All files of the cache, configs and manifests included. */
  readonly compressedBytes: number;
  readonly uncompressedBytes: number;
  readonly chunks: number;
  readonly uniqueBytes: number;
}

/** One decimal as Rust and C print it: the nearest, and of two equally near the even one. */
export function oneDecimal(value: number): string {
  const tenths = value * 10;
  const below = Math.floor(tenths);
  // Only multiples of 1/4 of the form n/4 can lie in the middle between tenths exactly: n + 0.25 and n + 0.75.
  if (value * 4 === Math.floor(value * 4) && tenths - below === 0.5) {
    return ((below % 2 === 0 ? below : below + 1) / 10).toFixed(1);
  }
  return value.toFixed(1);
}

/** `where` is what was probed, as its first line named the directory. */
export function layerProbeLines(where: string, counts: LayerProbeCounts): string[] {
  const { layers, compressedBytes, uncompressedBytes, chunks, uniqueBytes } = counts;
  const mib = (bytes: number) => oneDecimal(bytes / (1024 * 1024));
  const share = uncompressedBytes > 0 ? (100 * uniqueBytes) / uncompressedBytes : 0;
  const average = chunks > 0 ? uncompressedBytes / chunks / 1024 : 0;
  return [
    `=== chunk-dedup probe over ${where} ===`,
    `layers (gzip blobs) processed : ${layers}`,
    `current on-disk (compressed)  : ${mib(compressedBytes)} MiB  (exact-layer-deduped already)`,
    `uncompressed layer bytes      : ${mib(uncompressedBytes)} MiB  (${chunks} chunks, avg ${oneDecimal(average)} KiB)`,
    `unique chunk bytes            : ${mib(uniqueBytes)} MiB  (${oneDecimal(share)}% of uncompressed)`,
    `==> sub-layer redundancy found by chunking: ${oneDecimal(100 - share)}%  (100% - unique/uncompressed)`,
    `    note: chunk store holds UNCOMPRESSED unique bytes (${mib(uniqueBytes)} MiB) vs current`,
    `    compressed on-disk (${mib(compressedBytes)} MiB) — chunk-CDN only nets storage if per-chunk`,
    `    recompression keeps unique below ${mib(compressedBytes)} MiB.`,
  ];
}
