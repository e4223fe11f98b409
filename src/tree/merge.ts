/**
 * Comparing and merging trees.
 *
 * A merge of maps may leave an entry outside any directory: theirs adds a file where ours removed the
 * directory, or removes a directory that ours has put a file in. Two passes over the changes of theirs find
 * these, and ours is kept there: ours is a tree by itself, so what comes out is one too.
 */
import { compareBytes } from "../bytes/index.ts";
import {
  Cursor,
  diffMaps,
  editMap,
  getValue,
  type MapEdit,
  type MapSpace,
  type NodeStore,
  planMerge,
  rangeTotals,
} from "../prolly/index.ts";
import { decodeEntry, encodeEntry, itemOf, treeSpace } from "./entry.ts";
import { belowRange, keyOf, parentKey, pathOf, ROOT_PATH, subtreeRange } from "./path.ts";
import type { TreeChange, TreeConflict, TreeEntry, TreePath, TreeRoot } from "./types.ts";

/** Paths in which two trees differ, in order, at `under` and below it; reads only what differs. */
export async function* diffTrees(
  store: NodeStore,
  before: TreeRoot,
  after: TreeRoot,
  under: TreePath = ROOT_PATH,
): AsyncGenerator<TreeChange, void, void> {
  const range = subtreeRange(keyOf(under));
  for await (const change of diffMaps(treeSpace(store), before, after, range)) {
    yield {
      path: pathOf(change.key),
      before: entryOf(change.key, change.before),
      after: entryOf(change.key, change.after),
    };
  }
}

function entryOf(key: Uint8Array, value: Uint8Array | undefined): TreeEntry | undefined {
  return value === undefined ? undefined : itemOf({ key, value }).entry;
}

/** What a resolver decided: an entry, its removal (`entry: undefined`), or null to leave it a conflict. */
export type TreeResolution = { readonly entry: TreeEntry | undefined } | null;

export interface TreeMergeInput {
  readonly base: TreeRoot;
  readonly ours: TreeRoot;
  readonly theirs: TreeRoot;
  /** Asked about each path that both sides changed differently. */
  readonly resolve?: ((conflict: TreeConflict) => TreeResolution | Promise<TreeResolution>) | undefined;
}

/** Merges; where a conflict is reported, the merged tree has what ours has. Conflicts are in path order. */
export async function mergeTrees(
  store: NodeStore,
  input: TreeMergeInput,
): Promise<{ root: TreeRoot; conflicts: TreeConflict[] }> {
  const { base, ours, theirs, resolve } = input;
  if (base.digest === ours.digest) return { root: theirs, conflicts: [] };
  if (base.digest === theirs.digest || ours.digest === theirs.digest) return { root: ours, conflicts: [] };
  const space = treeSpace(store);
  const plan = await planMerge(space, {
    base,
    ours,
    theirs,
    resolve: resolve && (async (conflict) => resolutionOf(await resolve(contentConflict(conflict)))),
  });
  const refused: Refusal[] = [];
  const withParents = await refuseOrphans(space, ours, plan.edits, refused);
  const edits = await keepFilled(space, ours, withParents, refused);
  const conflicts = plan.conflicts.map(contentConflict);
  for (const { edit, kind } of refused) {
    const { key } = edit;
    const at = async (root: TreeRoot) => entryOf(key, await getValue(space, root, key));
    conflicts.push({
      kind,
      path: pathOf(key),
      base: await at(base),
      ours: await at(ours),
      theirs: await at(theirs),
    });
  }
  conflicts.sort((a, b) => compareBytes(keyOf(a.path), keyOf(b.path)));
  return { root: await editMap(space, ours, edits), conflicts };
}

interface Refusal {
  readonly kind: "no-parent" | "not-empty";
  readonly edit: MapEdit;
}

function contentConflict(conflict: {
  key: Uint8Array;
  base: Uint8Array | undefined;
  ours: Uint8Array | undefined;
  theirs: Uint8Array | undefined;
}): TreeConflict {
  const { key, base, ours, theirs } = conflict;
  return {
    kind: "content",
    path: pathOf(key),
    base: entryOf(key, base),
    ours: entryOf(key, ours),
    theirs: entryOf(key, theirs),
  };
}

function resolutionOf(resolution: TreeResolution): { value: Uint8Array | undefined } | null {
  if (resolution === null) return null;
  return { value: resolution.entry === undefined ? undefined : encodeEntry(resolution.entry) };
}

function isDirectory(value: Uint8Array | undefined): boolean {
  return value !== undefined && decodeEntry(value).type === "directory";
}

/** Neighbouring keys share most of the way down, which the cursor keeps. */
async function valueAt(cursor: Cursor, key: Uint8Array): Promise<Uint8Array | undefined> {
  const entry = await cursor.seek(key);
  return entry !== undefined && compareBytes(entry.key, key) === 0 ? entry.value : undefined;
}

/** Drops what would be put where no directory is; parents come before what they hold. */
async function refuseOrphans(
  space: MapSpace,
  ours: TreeRoot,
  edits: readonly MapEdit[],
  refused: Refusal[],
): Promise<MapEdit[]> {
  const accepted: MapEdit[] = [];
  /** Directories that theirs put, which the entries coming next may be in; those that ended are dropped. */
  const put: Uint8Array[] = [];
  const cursor = new Cursor(space, ours);
  let last: { key: Uint8Array; isDirectory: boolean } | undefined;
  for (const edit of edits) {
    const parent = parentKey(edit.key);
    if (edit.value !== undefined && parent !== undefined && parent.length > 0) {
      while (put.length > 0 && !isBelow(parent, put.at(-1)!)) put.pop();
      const isPut = put.length > 0 && compareBytes(put.at(-1)!, parent) === 0;
      if (last === undefined || compareBytes(last.key, parent) !== 0) {
        last = { key: parent, isDirectory: isDirectory(await valueAt(cursor, parent)) };
      }
      if (!isPut && !last.isDirectory) {
        refused.push({ kind: "no-parent", edit });
        continue;
      }
    }
    accepted.push(edit);
    if (isDirectory(edit.value)) put.push(edit.key);
  }
  return accepted;
}

/** True when `key` is `directory` or lies below it. */
function isBelow(key: Uint8Array, directory: Uint8Array): boolean {
  if (compareBytes(key.subarray(0, directory.length), directory) !== 0) return false;
  return key.length === directory.length || directory.length === 0 || key[directory.length] === 0;
}

/**
 * Drops the removal (or replacement by a file) of a directory that will still hold something. Backwards, so
 * that a directory that stays keeps the one around it. How much stays below is counted, not read: entries
 * of ours below, less the removals accepted there, plus the additions.
 */
async function keepFilled(
  space: MapSpace,
  ours: TreeRoot,
  edits: readonly MapEdit[],
  refused: Refusal[],
): Promise<MapEdit[]> {
  /** Accepted edits, last key first, each with the balance of additions less removals up to it. */
  const accepted: MapEdit[] = [];
  const balance: number[] = [];
  const cursor = new Cursor(space, ours);
  for (const edit of edits.toReversed()) {
    const old = await valueAt(cursor, edit.key);
    const isRoot = edit.key.length === 0; // its own entry may go while it holds something
    if (isDirectory(old) && !isDirectory(edit.value) && !isRoot) {
      const range = belowRange(edit.key);
      const { count } = await rangeTotals(space, ours, range);
      // All accepted so far comes after this key: what is below it is the end of the list.
      const first = countFrom(accepted, range.before);
      const change = (balance.at(-1) ?? 0) - (first === 0 ? 0 : balance[first - 1]!);
      if (count + change > 0) {
        refused.push({ kind: "not-empty", edit });
        continue;
      }
    }
    accepted.push(edit);
    const by = (edit.value === undefined ? 0 : 1) - (old === undefined ? 0 : 1);
    balance.push((balance.at(-1) ?? 0) + by);
  }
  return accepted.reverse();
}

/** How many edits of a descending list are at or after `key`. */
function countFrom(descending: readonly MapEdit[], key: Uint8Array | undefined): number {
  if (key === undefined) return 0;
  let low = 0;
  let high = descending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(descending[middle]!.key, key) >= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
