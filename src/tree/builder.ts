/** Trees from entries in walking order, and batches of edits to a tree. */
import { compareBytes, displayPath, equalBytes } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { editMap, MapBuilder, type NodeStore, sortEdits } from "../prolly/index.ts";
import { encodeEntry, treeSpace } from "./entry.ts";
import { keyOf, parentKey } from "./path.ts";
import type { TreeEdit, TreeEntry, TreePath, TreeRoot } from "./types.ts";

/**
 * Builds a tree in memory bounded by its depth. Entries come in the order of a walk that sorts the names of
 * each directory with `compareNames` and goes into a directory right after its own entry. The root directory's
 * entry, at the empty path, comes first; it may be missing when its mode is not known.
 */
export class TreeBuilder {
  readonly #map: MapBuilder;
  /** Keys of the directories that the last entry is in, from the outside in. */
  #open: Uint8Array[] = [new Uint8Array(0)];
  #last: Uint8Array | undefined;

  constructor(store: NodeStore) {
    this.#map = new MapBuilder(treeSpace(store));
  }

  /** `usage` for an entry out of order or whose directory was not given, `invalid` for a bad path. */
  async add(path: TreePath, entry: TreeEntry): Promise<void> {
    const key = keyOf(path);
    if (this.#last !== undefined && compareBytes(this.#last, key) >= 0) {
      throw new TenonError("usage", `${displayPath(path)}: not in the order of a sorted walk`);
    }
    checkRoot(key, entry);
    const parent = parentKey(key);
    while (parent !== undefined && this.#open.length > 0 && !equalBytes(this.#open.at(-1)!, parent)) {
      this.#open.pop();
    }
    if (this.#open.length === 0) {
      throw new TenonError("usage", `${displayPath(path)}: its directory has no entry of its own`);
    }
    await this.#map.add(key, encodeEntry(entry));
    if (entry.type === "directory" && key.length > 0) this.#open.push(key);
    this.#last = key;
  }

  /** The root; nothing may be added afterwards. */
  finish(): Promise<TreeRoot> {
    return this.#map.finish();
  }
}

/**
 * Sets and removes single entries, in any order (of several edits to a path the last counts), rewriting only
 * the nodes affected. The caller keeps every entry in a directory: removing one doesn't remove what is below.
 */
export function editTree(store: NodeStore, root: TreeRoot, edits: readonly TreeEdit[]): Promise<TreeRoot> {
  const changes = edits.map(({ path, entry }) => {
    const key = keyOf(path);
    if (entry !== undefined) checkRoot(key, entry);
    return { key, value: entry === undefined ? undefined : encodeEntry(entry) };
  });
  return editMap(treeSpace(store), root, sortEdits(changes));
}

function checkRoot(key: Uint8Array, entry: TreeEntry): void {
  if (key.length > 0 || entry.type === "directory") return;
  throw new TenonError("usage", "the empty path names the root, which is a directory");
}
