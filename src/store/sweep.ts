/** Condemning packs, and taking them away when no writer relies on them (docs/concurrency.md). */
import {
  clearCondemned,
  liveLeases,
  type MaintenanceLease,
  type PackName,
  packOfPath,
  packPath,
  readCondemned,
  removeStaleLeases,
  sweepBlockers,
  writeCondemned,
} from "../repository/index.ts";
import type { StoreContext } from "./context.ts";
import { mark, refsSignature } from "./mark.ts";

export interface SweepResult {
  readonly removedPacks: number;
  readonly pendingBytes: number;
  /** Writers that began before the condemnation and still work. */
  readonly waitingFor: readonly string[];
}

export interface SweepOptions {
  readonly graceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sizes of all pack files, in an index or not. */
export async function packSizes({ backend }: StoreContext): Promise<Map<PackName, number>> {
  const sizes = new Map<PackName, number>();
  for (const { name, size } of await backend.list("packs")) {
    const pack = packOfPath(name);
    if (pack !== undefined) sizes.set(pack, size);
  }
  return sizes;
}

/** Condemns packs; nothing is taken away yet. */
export async function condemn(context: StoreContext, lease: MaintenanceLease, packs: ReadonlySet<PackName>) {
  if (packs.size > 0) await writeCondemned(context.backend, lease, { when: new Date().toISOString(), packs });
}

/**
 * Removes everything that is condemned, unless a writer that began before still works and may rely on it.
 * `signature`: the refs when it was found out that nobody needs these packs; undefined when that was in an earlier
 * run, and has to be found out again.
 */
export async function sweep(
  context: StoreContext,
  lease: MaintenanceLease,
  signature: string | undefined,
  { graceMs, signal }: SweepOptions,
): Promise<SweepResult> {
  const { backend, index } = context;
  const { epoch, packs: condemned, condemnations } = await readCondemned(backend);
  if (condemnations.length === 0) return { removedPacks: 0, pendingBytes: 0, waitingFor: [] };
  const leases = { ...(graceMs !== undefined && { graceMs }) };
  const blockers = sweepBlockers(await liveLeases(backend, leases), epoch);
  if (blockers.length > 0) {
    const sizes = await packSizes(context);
    let pendingBytes = 0;
    for (const pack of condemned) pendingBytes += sizes.get(pack) ?? 0;
    return { removedPacks: 0, pendingBytes, waitingFor: blockers.map(({ description }) => description) };
  }
  await removeStaleLeases(backend, leases);
  // A writer may have come and gone since the mark, and may rely on what was dead then.
  const unchanged = signature !== undefined && (await refsSignature(context)) === signature;
  const rescued = unchanged ? new Set<PackName>() : await neededOf(context, condemned, signal);
  const gone = new Set([...condemned].filter((pack) => !rescued.has(pack)));
  await lease.assertHeld();
  if ([...index.packs()].some((pack) => gone.has(pack))) await index.mergeAll(gone);
  for (const pack of gone) {
    await lease.assertHeld();
    await backend.remove(packPath(pack));
  }
  for (const { epoch: old } of condemnations) {
    await lease.assertHeld();
    await clearCondemned(backend, old);
  }
  return { removedPacks: gone.size, pendingBytes: 0, waitingFor: [] };
}

/** Condemned packs without which something alive would be lost. */
async function neededOf(
  context: StoreContext,
  condemned: ReadonlySet<PackName>,
  signal: AbortSignal | undefined,
): Promise<Set<PackName>> {
  await context.index.reload();
  const { segments } = await mark(context, { signal });
  const needed = new Set<PackName>();
  for (const id of segments.keys()) {
    if (context.index.findSegment(id, (pack) => !condemned.has(pack)) !== undefined) continue;
    const place = context.index.findSegment(id);
    if (place !== undefined) needed.add(place.pack);
  }
  return needed;
}
