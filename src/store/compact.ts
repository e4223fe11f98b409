/** compact: rewrites packs for size and locality, and takes away everything that no ref needs. */
import type { StoreContext } from "./context.ts";
import { isCompacted, maintain, type Policy } from "./maintain.ts";
import type { CompactOptions, CompactResult } from "./types.ts";

/** Larger frames compress better, smaller ones are read faster: 16 MiB take some 15 ms to decode. */
const FRAME_BYTES = 16 << 20;
/** Smaller packs are joined with others. */
const SMALL_PACK_BYTES = 32 << 20;

export async function compact(context: StoreContext, options: CompactOptions = {}): Promise<CompactResult> {
  const level = options.compression ?? (context.compression === "none" ? "none" : "max");
  const small = [...(await context.backend.list("packs"))].filter(
    ({ size }) => size < SMALL_PACK_BYTES,
  ).length;
  const policy: Policy = {
    operation: "compact",
    packWaste: 0,
    segmentWaste: 0,
    level,
    frameBytes: FRAME_BYTES,
    rewriteWhole: (directory, bytes) =>
      (level === "max" && !isCompacted(directory)) || (bytes < SMALL_PACK_BYTES && small > 1),
  };
  const beforeBytes = await context.backend.totalBytes();
  const result = await maintain(context, policy, options);
  return { ...result, beforeBytes, afterBytes: await context.backend.totalBytes() };
}
