/**
 * repair: salvages what is whole. The config first, then packs, then the index from the packs, then refs: a crash in between leaves
 * more than before, and the next repair goes on. Nothing that is whole is ever removed.
 */
import type { Backend } from "../backend/index.ts";
import type { Digest } from "../digest/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import {
  acquireMaintenance,
  allLeases,
  clearDamagedCondemned,
  formatRef,
  IndexSet,
  liveLeases,
  type MaintenanceLease,
  type PackName,
  packPath,
  readCondemned,
  rebuildIndex,
  removeStaleLeases,
  repairConfig,
  type SegmentId,
  salvagePack,
  WriteSession,
} from "../repository/index.ts";
import { type Examination, examine } from "./check.ts";
import { closeContext, contextOf, openBase, type RepositoryBase } from "./context.ts";
import type { OperationOptions } from "./events.ts";
import { rescueBlobs } from "./repair-blobs.ts";
import { RefRepairer, type RepairedRef } from "./repair-refs.ts";
import type { OpenOptions, RepairResult } from "./types.ts";
import { nodeWriter } from "./writing.ts";

export async function repair(backend: Backend, options: OpenOptions = {}): Promise<RepairResult> {
  // Nothing can be opened without it; whoever else is at work reads the same bytes before and after.
  const restored = await repairConfig(backend);
  const base = await openBase(backend, options.jobs);
  const lease = await acquireMaintenance(backend);
  try {
    await beAlone(base, lease);
    let seen = await look(base, options);
    let packs = { rewritten: 0, dropped: 0 };
    // An index file that is gone leaves no trace but what nobody finds: nothing is given up before the packs were asked.
    const rebuilt = seen.damagedPacks.size > 0 || seen.indexDamaged || seen.lost.size > 0;
    if (rebuilt) {
      packs = await repairPacks(base, lease, seen.damagedPacks, options);
      seen = await look(base, options);
    }
    const refsChanged = await repairRefs(base, lease, seen, options);
    return {
      ...(restored !== undefined && { restored }),
      rebuiltIndex: rebuilt,
      packsRewritten: packs.rewritten,
      packsDropped: packs.dropped,
      refsChanged,
      lostBlobs: [...seen.lost].sort(),
    };
  } finally {
    await lease.release();
  }
}

/** Examines everything; fails when what looks like damage may be whole. */
async function look(base: RepositoryBase, options: OperationOptions): Promise<Examination> {
  const seen = await examine(base, { ...options, readData: true, operation: "repair" });
  const { undecided } = seen.findings;
  if (undecided === undefined) return seen;
  const message = `nothing was repaired, since something may be whole that can't be read here: ${undecided.message}`;
  throw new TenonError(undecided.code, message, undecided.data, { cause: undecided });
}

/** Clears leases and condemnations that nobody can read, and refuses beside a writer: it may rely on what is damaged. */
async function beAlone({ backend }: RepositoryBase, lease: MaintenanceLease): Promise<void> {
  for (const { name, kind, problem } of await allLeases(backend)) {
    // A writer that still works finds its lease gone, or writes it anew within a minute; it moves no ref in between.
    if (problem !== undefined && kind === "writer") await backend.remove(name);
  }
  await removeStaleLeases(backend);
  await clearDamagedCondemned(backend, lease);
  const [writer] = await liveLeases(backend);
  if (writer === undefined) return;
  throw new TenonError("busy", `somebody is writing: ${writer.description}; wait for the end and run again`, {
    path: writer.name,
  });
}

async function repairPacks(
  base: RepositoryBase,
  lease: MaintenanceLease,
  damaged: ReadonlySet<PackName>,
  { signal, onEvent }: OperationOptions,
): Promise<{ readonly rewritten: number; readonly dropped: number }> {
  const { backend, compression: level } = base;
  let rewritten = 0;
  const { packs: condemned } = await readCondemned(backend);
  const index = await IndexSet.open(backend, () => {});
  const context = contextOf(base, index);
  try {
    const saved = new Set<SegmentId>();
    for (const pack of damaged) {
      throwIfAborted(signal);
      const { segments } = await salvagePack(backend, pack, {
        index: index.files,
        level,
        epoch: lease.epoch,
      });
      if (segments.size > 0) rewritten++;
      for (const id of segments) saved.add(id);
    }
    await rescueBlobs(context, { damaged, saved, condemned, epoch: lease.epoch, signal });
  } finally {
    await closeContext(context);
  }
  let doneItems = 0;
  await rebuildIndex(backend, {
    without: damaged,
    condemned,
    signal,
    onProgress: (doneBytes, totalBytes) =>
      onEvent?.({
        type: "progress",
        operation: "repair",
        phase: "rebuilding index",
        doneBytes,
        totalBytes,
        doneItems: ++doneItems,
      }),
  });
  await lease.assertHeld();
  for (const pack of damaged) await backend.remove(packPath(pack));
  return { rewritten, dropped: damaged.size - rewritten };
}

async function repairRefs(
  base: RepositoryBase,
  lease: MaintenanceLease,
  { refs: { roots, broken }, lost, findings }: Examination,
  { signal }: OperationOptions,
): Promise<RepairedRef[]> {
  const touched = new Set(findings.all.flatMap(({ blobs, refs }) => (blobs.size > 0 ? [...refs] : [])));
  const affected = new Set<Digest>();
  const names = new Map(broken.map(({ ref }) => [formatRef(ref), ref]));
  for (const { ref, label, root } of roots) {
    if (!touched.has(label)) continue;
    affected.add(root.digest);
    names.set(formatRef(ref), ref);
  }
  if (names.size === 0) return [];
  const { backend } = base;
  const index = await IndexSet.open(backend);
  const context = contextOf(base, index);
  try {
    const { packs: condemned } = await readCondemned(backend);
    const session = new WriteSession(backend, index, {
      level: base.compression,
      condemned,
      epoch: lease.epoch,
    });
    const repairer = new RefRepairer(base.refs, nodeWriter(context, session), lost);
    try {
      for (const ref of names.values()) {
        throwIfAborted(signal);
        await repairer.prepare(ref, (digest) => affected.has(digest));
      }
      await session.flush();
    } catch (error) {
      await session.abort();
      throw error;
    }
    await lease.assertHeld();
    const when = new Date().toISOString();
    const changed: RepairedRef[] = [];
    for (const ref of names.values()) {
      const result = await repairer.repair(ref, when);
      if (result !== undefined) changed.push(result);
    }
    return changed;
  } finally {
    await closeContext(context);
  }
}
