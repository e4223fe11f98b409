/** Three-way merge: the changes of both sides since their base, reading only what differs. */
import { compareBytes, equalBytes } from "../bytes/index.ts";
import { diffMaps } from "./diff.ts";
import { editMap } from "./editor.ts";
import type { MapChange, MapConflict, MapEdit, MapResolution, MapSpace, ProllyRoot } from "./types.ts";

export interface MergeInput {
  readonly base: ProllyRoot;
  readonly ours: ProllyRoot;
  readonly theirs: ProllyRoot;
  /** Asked once for each key that both sides changed differently. Without it, every such key is a conflict. */
  readonly resolve?: ((conflict: MapConflict) => MapResolution | Promise<MapResolution>) | undefined;
}

/** What a merge comes to, before it is applied to ours. */
export interface MergePlan {
  /** Ascending; applied to ours they give the merged map. */
  readonly edits: MapEdit[];
  /** Ascending keys that were not resolved: the merged map has ours there. */
  readonly conflicts: MapConflict[];
}

/** Finds what theirs changes in ours. Memory is in proportion to the changes of theirs. */
export async function planMerge(space: MapSpace, input: MergeInput): Promise<MergePlan> {
  const { base, ours, theirs, resolve } = input;
  const plan: MergePlan = { edits: [], conflicts: [] };
  const ourChanges = diffMaps(space, base, ours);
  let mine = (await ourChanges.next()).value as MapChange | undefined;
  for await (const change of diffMaps(space, base, theirs)) {
    while (mine !== undefined && compareBytes(mine.key, change.key) < 0) {
      mine = (await ourChanges.next()).value as MapChange | undefined;
    }
    if (mine === undefined || compareBytes(mine.key, change.key) !== 0) {
      plan.edits.push({ key: change.key, value: change.after });
      continue;
    }
    if (equalValues(mine.after, change.after)) continue;
    const conflict = { key: change.key, base: change.before, ours: mine.after, theirs: change.after };
    const resolution = (await resolve?.(conflict)) ?? null;
    if (resolution === null) plan.conflicts.push(conflict);
    else if (!equalValues(resolution.value, mine.after)) plan.edits.push({ key: change.key, ...resolution });
  }
  await ourChanges.return();
  return plan;
}

/** Merges; conflicts that were not resolved are reported and the merged map has ours there. */
export async function mergeMaps(
  space: MapSpace,
  input: MergeInput,
): Promise<{ root: ProllyRoot; conflicts: MapConflict[] }> {
  const { base, ours, theirs } = input;
  if (base.digest === ours.digest) return { root: theirs, conflicts: [] };
  if (base.digest === theirs.digest || ours.digest === theirs.digest) return { root: ours, conflicts: [] };
  const { edits, conflicts } = await planMerge(space, input);
  return { root: await editMap(space, ours, edits), conflicts };
}

function equalValues(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b);
}
