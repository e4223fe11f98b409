/** gc: takes away what no ref needs. */
import type { StoreContext } from "./context.ts";
import { maintain, type Policy } from "./maintain.ts";
import type { GcOptions, GcResult } from "./types.ts";

/** A tenth of waste costs less than rewriting the other nine. */
const TOLERATED_WASTE = 0.1;

export function gc(context: StoreContext, options: GcOptions = {}): Promise<GcResult> {
  const policy: Policy = {
    operation: "gc",
    packWaste: TOLERATED_WASTE,
    segmentWaste: TOLERATED_WASTE,
    level: context.compression,
    frameBytes: 0,
    rewriteWhole: () => false,
  };
  return maintain(context, policy, options);
}
