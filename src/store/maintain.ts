/** Garbage collection and compaction: which packs go, what is moved out of them first. */
import {
  acquireMaintenance,
  assertNoMaintenance,
  Codec,
  type CompressionLevel,
  clearDamagedCondemned,
  liveLeases,
  type PackDirectory,
  type PackedFrame,
  type PackedSegment,
  type PackName,
  readCondemned,
  readPackDirectory,
  repairConfig,
  type SegmentId,
} from "../repository/index.ts";
import type { StoreContext } from "./context.ts";
import type { Operation } from "./events.ts";
import { type Marked, mark } from "./mark.ts";
import { rewrite } from "./rewrite.ts";
import { condemn, packSizes, sweep } from "./sweep.ts";
import type { GcOptions, GcResult } from "./types.ts";

/** How packs are judged: gc does what pays soon, compact does everything. */
export interface Policy {
  readonly operation: Operation & ("gc" | "compact");
  /** A pack is rewritten when more than this share of its bytes is dead. */
  readonly packWaste: number;
  /** In a pack that is rewritten, a segment is taken apart when more than this share of its atoms is dead. */
  readonly segmentWaste: number;
  readonly level: CompressionLevel;
  readonly frameBytes: number;
  /** Rewrite a pack even if nothing in it is dead. */
  readonly rewriteWhole: (directory: PackDirectory, bytes: number) => boolean;
}

/** Unfinished files of processes that are gone: as old as this, nobody writes them any more. */
const TEMPORARY_AGE_MS = 24 * 60 * 60 * 1000;

interface PackPlan {
  readonly victims: Set<PackName>;
  readonly dead: Set<PackName>;
  /** Those of the dead that no index names. */
  readonly unnamed: Set<PackName>;
  readonly whole: SegmentId[];
  readonly dissolve: Set<SegmentId>;
  /** What is gained by the removal of the dead, and by writing the victims again without what is dead in them. */
  freeBytes: number;
}

export async function maintain(context: StoreContext, policy: Policy, options: GcOptions): Promise<GcResult> {
  if (options.dryRun === true) return foretell(context, policy, options);
  const { backend, index, refs } = context;
  const { graceMs, signal, onEvent } = options;
  // The grace period that was asked for judges others; this lease is held by the usual one.
  const lease = await acquireMaintenance(backend);
  try {
    await index.reload();
    await clearDamagedCondemned(backend, lease);
    // Repositories of older releases have no copy.
    await repairConfig(backend);
    const before = await backend.totalBytes();
    // What earlier runs condemned goes first: a new condemnation would have to wait for newer writers.
    const earlier = await sweep(context, lease, undefined, { graceMs, signal });
    const marked = await mark(context, { signal, onBlob: counter(policy, options) });
    const { packs: condemned } = await readCondemned(backend);
    const plan = await planPacks(context, marked, policy, condemned);
    if (plan.victims.size > 0) {
      const { victims, whole, dissolve } = plan;
      const { level, frameBytes } = policy;
      const written = await rewrite(
        context,
        marked,
        { victims, whole, dissolve, level, frameBytes },
        {
          condemned,
          epoch: lease.epoch,
          signal,
          onProgress: (doneBytes) =>
            onEvent?.({
              ...{ type: "progress", operation: policy.operation, phase: "rewriting" },
              ...{ doneBytes, doneItems: marked.blobs.size },
            }),
        },
      );
      // A run that was stopped may have left the very pack that this one made, if lease numbers came again.
      for (const pack of written) {
        plan.victims.delete(pack);
        plan.dead.delete(pack);
      }
    }
    // A pack without index may have got one from its writer meanwhile.
    for (const pack of index.packs()) if (plan.unnamed.has(pack)) plan.dead.delete(pack);
    await condemn(context, lease, new Set([...plan.dead, ...plan.victims]));
    // When something older is still condemned, what this run found out is not all that has to be known.
    const signature = condemned.size === 0 ? marked.refsSignature : undefined;
    const swept = await sweep(context, lease, signature, { graceMs, signal });
    for (const entry of (await refs.list()).refs) {
      if ("state" in entry && entry.state.root === null) await refs.purge(entry.ref);
    }
    await backend.removeTemporaries(Date.now() - TEMPORARY_AGE_MS);
    return {
      freedBytes: Math.max(0, before - (await backend.totalBytes())),
      pendingBytes: swept.pendingBytes,
      waitingFor: swept.waitingFor,
      livePacks: (await packSizes(context)).size,
      removedPacks: swept.removedPacks + earlier.removedPacks,
      rewrittenPacks: plan.victims.size,
    };
  } finally {
    await lease.release();
  }
}

/** What would be done. Nothing is changed, not even by a lease: a repository that can only be read will do. */
async function foretell(context: StoreContext, policy: Policy, options: GcOptions): Promise<GcResult> {
  const { backend, index } = context;
  const { graceMs, signal } = options;
  await assertNoMaintenance(backend);
  try {
    await index.reload();
    const marked = await mark(context, { signal, onBlob: counter(policy, options) });
    const { packs: condemned } = await readCondemned(backend);
    const plan = await planPacks(context, marked, policy, condemned);
    const sizes = await packSizes(context);
    const earlier = [...condemned].filter((pack) => sizes.has(pack));
    const bytes = earlier.reduce((sum, pack) => sum + sizes.get(pack)!, Math.round(plan.freeBytes));
    const writers = await liveLeases(backend, { ...(graceMs !== undefined && { graceMs }) });
    const removed = plan.dead.size + earlier.length;
    return {
      freedBytes: writers.length === 0 ? bytes : 0,
      pendingBytes: writers.length === 0 ? 0 : bytes,
      waitingFor: writers.map(({ description }) => description),
      livePacks: sizes.size - removed - plan.victims.size,
      removedPacks: removed,
      rewrittenPacks: plan.victims.size,
    };
  } catch (error) {
    // A pack may be gone since a maintenance began.
    await assertNoMaintenance(backend);
    throw error;
  }
}

/** Tells of blobs while they are marked. */
function counter({ operation }: Policy, { onEvent }: GcOptions): () => void {
  let doneItems = 0;
  return () =>
    onEvent?.({ type: "progress", operation, phase: "marking", doneBytes: 0, doneItems: ++doneItems });
}

async function planPacks(
  context: StoreContext,
  marked: Marked,
  policy: Policy,
  condemned: ReadonlySet<PackName>,
): Promise<PackPlan> {
  const { backend, index } = context;
  const plan: PackPlan = {
    victims: new Set(),
    dead: new Set(),
    unnamed: new Set(),
    whole: [],
    dissolve: new Set(),
    freeBytes: 0,
  };
  const indexed = index.packs();
  for (const [pack, bytes] of await packSizes(context)) {
    if (condemned.has(pack)) continue;
    if (!indexed.has(pack)) {
      // Of a writer that was stopped, or that is about to write the index: then the sweep waits for it.
      plan.dead.add(pack);
      plan.unnamed.add(pack);
      plan.freeBytes += bytes;
      continue;
    }
    const directory = await readPackDirectory(backend, pack);
    const judged = judge(context, marked, pack, directory);
    if (judged.live.length === 0) {
      plan.dead.add(pack);
      plan.freeBytes += bytes;
    } else if (judged.deadBytes > policy.packWaste * bytes || policy.rewriteWhole(directory, bytes)) {
      plan.victims.add(pack);
      plan.freeBytes += judged.deadBytes;
      for (const id of judged.live) {
        if (marked.segments.get(id)!.deadShare > policy.segmentWaste) plan.dissolve.add(id);
      }
    }
  }
  // What is read together shall stand together: in the order of the walk.
  for (const id of marked.segments.keys()) {
    const place = index.findSegment(id);
    if (place !== undefined && plan.victims.has(place.pack) && !plan.dissolve.has(id)) plan.whole.push(id);
  }
  return plan;
}

/** Which segments of a pack are needed from it, and how many of its bytes nobody needs. */
function judge(
  { index }: StoreContext,
  marked: Marked,
  pack: PackName,
  directory: PackDirectory,
): { readonly live: readonly SegmentId[]; readonly deadBytes: number } {
  const live: SegmentId[] = [];
  let deadBytes = 0;
  for (const frame of directory.frames) {
    for (const segment of frame.segments) {
      const stored = storedBytes(frame, segment);
      const atoms = marked.segments.get(segment.id);
      // A segment that stands in several packs is needed from one of them.
      if (atoms === undefined || index.findSegment(segment.id)?.pack !== pack) deadBytes += stored;
      else {
        live.push(segment.id);
        deadBytes += stored * atoms.deadShare;
      }
    }
  }
  return { live, deadBytes };
}

function storedBytes(frame: PackedFrame, segment: PackedSegment): number {
  return frame.rawBytes === 0 ? 0 : (frame.bytes * segment.bodyBytes) / frame.rawBytes;
}

/** Below this a frame is not worth a better compressor. */
const SMALL_FRAME_BYTES = 4096;

/** True when compact has nothing to gain: the frames are compressed for size, but for those that don't shrink. */
export function isCompacted({ frames }: PackDirectory): boolean {
  const some = frames.some(({ codec }) => codec === Codec.zstdCompact);
  return frames.every(
    ({ codec, rawBytes }) =>
      codec === Codec.zstdCompact || rawBytes < SMALL_FRAME_BYTES || (some && codec === Codec.none),
  );
}
