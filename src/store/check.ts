/** check: names what is damaged and which refs it touches, and goes on to the end. Changes nothing, but an index on demand. */
import type { Digest } from "../digest/index.ts";
import { throwIfAborted } from "../errors/index.ts";
import { acquireMaintenance, type PackName, readCondemned, rebuildIndex } from "../repository/index.ts";
import { checkContent, nameTouched } from "./check-content.ts";
import { checkFiles } from "./check-files.ts";
import { Findings } from "./check-findings.ts";
import { checkIndex } from "./check-index.ts";
import { checkPacks } from "./check-packs.ts";
import { type CheckedRefs, checkRefs } from "./check-refs.ts";
import { closeContext, contextOf, type RepositoryBase } from "./context.ts";
import type { Operation, OperationOptions } from "./events.ts";
import type { CheckOptions, CheckResult } from "./types.ts";

/** Everything that a check knows at its end: what `repair` works from. */
export interface Examination {
  readonly findings: Findings;
  readonly packs: number;
  readonly blobs: number;
  readonly bytesRead: number;
  /** Index files are damaged, or don't agree with the packs. */
  readonly indexDamaged: boolean;
  readonly damagedPacks: ReadonlySet<PackName>;
  /** Leases and condemnations that can't be read. */
  readonly unreadable: readonly string[];
  readonly refs: CheckedRefs;
  /** Blobs that refs need and that can't be given back. */
  readonly lost: ReadonlySet<Digest>;
}

export interface ExamineOptions extends OperationOptions {
  readonly readData: boolean;
  readonly operation: Operation & ("check" | "repair");
}

export async function examine(base: RepositoryBase, options: ExamineOptions): Promise<Examination> {
  const { readData, signal, onEvent, operation } = options;
  throwIfAborted(signal);
  const findings = new Findings();
  const progress = (phase: string, doneBytes: number, doneItems: number, totalBytes?: number) =>
    onEvent?.({
      type: "progress",
      operation,
      phase,
      doneBytes,
      doneItems,
      ...(totalBytes !== undefined && { totalBytes }),
    });
  const unreadable = await checkFiles(base, findings);
  // Refs before the index: what a ref names was in an index before the ref was moved.
  const refs = await checkRefs(base, findings, signal);
  const { index, bytesRead, damaged } = await checkIndex(base, findings, signal);
  const context = contextOf(base, index);
  try {
    const packs = await checkPacks(base, index, findings, {
      readData,
      signal,
      onProgress: ({ doneBytes, totalBytes, packs }) =>
        progress("reading packs", doneBytes, packs, totalBytes),
    });
    const content = await checkContent(context, refs.roots, findings, {
      readData,
      signal,
      onProgress: ({ doneBytes, blobs }) => progress("reading blobs", doneBytes, blobs),
    });
    if (content.lost.size > 0) {
      // A ref may have been removed and its content collected meanwhile: only what refs name now is lost.
      await nameTouched(context, (await checkRefs(base, undefined, signal)).roots, findings, signal);
      findings.dropUntouched();
    }
    return {
      findings,
      packs: packs.packs,
      blobs: content.blobs,
      bytesRead: bytesRead + packs.bytesRead,
      indexDamaged: damaged || packs.indexDiffers,
      damagedPacks: packs.damaged,
      unreadable,
      refs,
      lost: content.lost,
    };
  } finally {
    await closeContext(context);
  }
}

export async function check(base: RepositoryBase, options: CheckOptions = {}): Promise<CheckResult> {
  const { readData = false, signal, onEvent } = options;
  if (options.rebuildIndex === true) await rebuild(base, options);
  const { findings, packs, blobs, bytesRead } = await examine(base, {
    readData,
    operation: "check",
    ...(signal && { signal }),
    ...(onEvent && { onEvent }),
  });
  const damages = findings.damages();
  return { ok: damages.length === 0, packs, blobs, bytesRead, damages, notes: findings.notes };
}

/** What can't be read is left out of the new index, and the check that follows tells it. */
async function rebuild({ backend }: RepositoryBase, { signal, onEvent }: OperationOptions): Promise<void> {
  const lease = await acquireMaintenance(backend);
  try {
    const { packs: condemned } = await readCondemned(backend);
    let doneItems = 0;
    await rebuildIndex(backend, {
      condemned,
      signal,
      onProgress: (doneBytes, totalBytes) =>
        onEvent?.({
          type: "progress",
          operation: "check",
          phase: "rebuilding index",
          doneBytes,
          totalBytes,
          doneItems: ++doneItems,
        }),
    });
  } finally {
    await lease.release();
  }
}
