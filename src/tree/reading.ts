/** Reading trees: one entry, one directory, everything, totals, and what a node refers to. */
import { displayPath } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import {
  Cursor,
  emptyRoot,
  entries,
  getValue,
  leafEntries,
  type NodeStore,
  nodeChildren,
  openRoot,
  rangeTotals,
  verifyMap,
} from "../prolly/index.ts";
import { itemOf, treeSpace } from "./entry.ts";
import { belowRange, keyOf, parentKey, ROOT_PATH, subtreeRange } from "./path.ts";
import type { TreeEntry, TreeItem, TreePath, TreeRoot, TreeSummary } from "./types.ts";

/** The tree whose root node has this digest; reads that node. */
export function openTree(store: NodeStore, digest: Digest): Promise<TreeRoot> {
  return openRoot(treeSpace(store), digest);
}

/** The tree without entries. */
export function emptyTree(store: NodeStore): Promise<TreeRoot> {
  return emptyRoot(treeSpace(store));
}

/** Totals of a whole tree; reads nothing. */
export function summary(root: TreeRoot): TreeSummary {
  return { entries: root.count, files: root.sums[0]!, bytes: root.sums[1]! };
}

/** Totals of what is at a path and below it; reads two ways down. */
export async function summaryOf(store: NodeStore, root: TreeRoot, path: TreePath): Promise<TreeSummary> {
  const { count, sums } = await rangeTotals(treeSpace(store), root, subtreeRange(keyOf(path)));
  return { entries: count, files: sums[0]!, bytes: sums[1]! };
}

/** The entry at a path, or undefined. */
export async function lookup(
  store: NodeStore,
  root: TreeRoot,
  path: TreePath,
): Promise<TreeEntry | undefined> {
  const key = keyOf(path);
  const value = await getValue(treeSpace(store), root, key);
  return value === undefined ? undefined : itemOf({ key, value }).entry;
}

/**
 * What is directly in a directory, sorted by name; what is deeper is passed over by seeking. `not-found` when
 * the path names nothing, `usage` when it is not a directory. The root needs no entry of its own.
 */
export async function* list(
  store: NodeStore,
  root: TreeRoot,
  path: TreePath = ROOT_PATH,
): AsyncGenerator<TreeItem, void, void> {
  const directory = keyOf(path);
  if (directory.length > 0) await checkDirectory(store, root, path);
  const cursor = new Cursor(treeSpace(store), root);
  const { from, before } = belowRange(directory);
  let found = await cursor.seek(from!);
  while (found !== undefined && (before === undefined || Buffer.compare(found.key, before) < 0)) {
    if (found.key.lastIndexOf(0) > directory.length) {
      // Deeper: on to the next name in this directory.
      const child = found.key.subarray(0, found.key.indexOf(0, directory.length + 1));
      found = await cursor.seek(subtreeRange(child).before!);
      continue;
    }
    yield itemOf(found);
    found = await cursor.next();
  }
}

async function checkDirectory(store: NodeStore, root: TreeRoot, path: TreePath): Promise<void> {
  const entry = await lookup(store, root, path);
  const name = displayPath(path);
  if (entry === undefined) throw new TenonError("not-found", `${name}: not in this tree`, { path: name });
  if (entry.type !== "directory") throw new TenonError("usage", `${name}: a ${entry.type}`, { path: name });
}

/**
 * All entries in order, or those at a path and below it. `invalid` when an entry is not in a directory of the
 * tree, so that whoever restores the entries one by one never goes through a symlink among them.
 */
export async function* walk(
  store: NodeStore,
  root: TreeRoot,
  under: TreePath = ROOT_PATH,
): AsyncGenerator<TreeItem, void, void> {
  const top = keyOf(under);
  const open: Uint8Array[] = [];
  for await (const found of entries(treeSpace(store), root, subtreeRange(top))) {
    const item = itemOf(found);
    if (found.key.length > top.length) checkParent(open, found.key, item, top);
    if (item.entry.type === "directory") open.push(found.key);
    yield item;
  }
}

/** `open` holds the directories around the last entry; those that have ended are dropped. */
function checkParent(open: Uint8Array[], key: Uint8Array, item: TreeItem, top: Uint8Array): void {
  const parent = parentKey(key)!;
  const inRoot = parent.length === 0 && top.length === 0; // which needs no entry of its own
  while (open.length > 0 && Buffer.compare(open.at(-1)!, parent) !== 0) open.pop();
  if (open.length > 0 || inRoot) return;
  const path = displayPath(item.path);
  throw new TenonError("invalid", `tree: ${path}: not in a directory of the tree`, { format: "tree", path });
}

/** Reads everything: every node, every path, and that the shape is the one its content has. */
export async function verifyTree(store: NodeStore, root: TreeRoot): Promise<void> {
  for await (const _ of walk(store, root));
  await verifyMap(treeSpace(store), root);
}

/** What one node of a tree refers to: for garbage collection and for copying between repositories. */
export function nodeReferences(bytes: Uint8Array): { nodes: Digest[]; blobs: Digest[] } {
  const blobs: Digest[] = [];
  for (const found of leafEntries(bytes)) {
    const { entry } = itemOf(found);
    if (entry.type === "file") blobs.push(entry.digest);
  }
  return { nodes: nodeChildren(bytes), blobs };
}

/** The entries of a leaf, in order; none for an inner node. For reading what is left of a damaged tree. */
export function leafItems(bytes: Uint8Array): TreeItem[] {
  return leafEntries(bytes).map(itemOf);
}
