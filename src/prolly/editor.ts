/**
 * A batch of edits to a map, rewriting only the nodes that they affect.
 *
 * Level by level from the leaves: the edits of one level replace some of its nodes, and the replaced nodes are
 * the edits of the level above. Rewriting starts at the node that holds an edit and goes on until the new
 * nodes end where an old one did; from there on the old nodes are what a build from scratch would write. An
 * edit at or before a node's first key starts one node earlier, since that key may be what ended the node
 * before (splitter: an entry that doesn't fit).
 */
import { compareBytes } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { emptyRoot, LevelBuilder } from "./builder.ts";
import { checkAscending, checkEntrySize, type FinishedNode, NodeDraft } from "./draft.ts";
import { type LoadedNode, loadRoot } from "./load.ts";
import type { ChildRef, LevelEntry, Payload } from "./node.ts";
import { NodePath } from "./path.ts";
import type { MapEdit, MapSpace, ProllyRoot } from "./types.ts";

interface LevelEdit {
  readonly key: Uint8Array;
  readonly payload: Payload | undefined;
}

/**
 * Applies edits, given in ascending order of their keys, each key once. The root is the one that building the
 * resulting map from scratch gives. Removing an absent key does nothing. Memory is in proportion to the batch.
 * `usage` when out of order, `limit` when a key or value is too large; errors of reading as in `openRoot`.
 */
export async function editMap(
  space: MapSpace,
  root: ProllyRoot,
  edits: readonly MapEdit[],
): Promise<ProllyRoot> {
  let last: Uint8Array | undefined;
  let pending: LevelEdit[] = [];
  for (const { key, value } of edits) {
    checkAscending(last, key);
    checkEntrySize(key, value);
    last = key;
    pending.push({ key, payload: value });
  }
  for (let level = 0; level < root.level && pending.length > 0; level++) {
    pending = await new LevelEditor(space, root, level).apply(pending);
  }
  return pending.length === 0 ? root : rewriteRoot(space, root, pending);
}

/** Sorts edits for `editMap`; of several edits to one key the last one given counts. */
export function sortEdits(edits: readonly MapEdit[]): MapEdit[] {
  const sorted = [...edits].sort((a, b) => compareBytes(a.key, b.key)); // stable: equal keys keep their order
  return sorted.filter((edit, i) => {
    const next = sorted[i + 1];
    return next === undefined || compareBytes(edit.key, next.key) !== 0;
  });
}

/** Edits of one level that wait for their place. */
class EditQueue {
  readonly #edits: readonly LevelEdit[];
  #next = 0;

  constructor(edits: readonly LevelEdit[]) {
    this.#edits = edits;
  }

  /** Key of the first edit that waits. */
  get key(): Uint8Array | undefined {
    return this.#edits[this.#next]?.key;
  }

  /** The node's entries, with the edits up to its last key applied. */
  *through(node: LoadedNode): Generator<LevelEntry> {
    for (const [i, key] of node.keys.entries()) {
      let replaced = false;
      while (!replaced && this.key !== undefined) {
        const order = compareBytes(this.key, key);
        if (order > 0) break;
        yield* this.#take();
        replaced = order === 0;
      }
      if (!replaced) yield { key, payload: node.payloads[i]! };
    }
  }

  /** All edits that still wait. */
  *rest(): Generator<LevelEntry> {
    while (this.key !== undefined) yield* this.#take();
  }

  *#take(): Generator<LevelEntry> {
    const { key, payload } = this.#edits[this.#next++]!;
    if (payload !== undefined) yield { key, payload };
  }
}

/** The root node's level may have any number of nodes afterwards: the tree grows or shrinks here. */
async function rewriteRoot(
  space: MapSpace,
  root: ProllyRoot,
  edits: readonly LevelEdit[],
): Promise<ProllyRoot> {
  const queue = new EditQueue(edits);
  const entries = [...queue.through(await loadRoot(space, root)), ...queue.rest()];
  if (entries.length === 0) return emptyRoot(space);
  if (root.level > 0 && entries.length === 1) {
    return collapse(space, { ...(entries[0]!.payload as ChildRef), level: root.level - 1 });
  }
  const builder = new LevelBuilder(space, root.level);
  for (const { key, payload } of entries) await builder.add(key, payload);
  return builder.finish();
}

/** Goes down while there is a single child: the root is the only node of the lowest such level. */
async function collapse(space: MapSpace, top: ProllyRoot): Promise<ProllyRoot> {
  let root = top;
  for (;;) {
    const node = await loadRoot(space, root);
    if (node.level === 0 || node.keys.length > 1) return root;
    root = { ...(node.payloads[0] as ChildRef), level: node.level - 1 };
  }
}

/** Rewrites nodes of one level below the root. */
class LevelEditor {
  readonly #space: MapSpace;
  readonly #path: NodePath;
  readonly #draft: NodeDraft;
  /** Digests of the old nodes of the present run: written already. */
  readonly #known = new Set<string>();
  readonly #removed: LevelEntry[] = [];
  readonly #added: LevelEntry[] = [];

  constructor(space: MapSpace, root: ProllyRoot, level: number) {
    this.#space = space;
    this.#path = new NodePath(space, root, level);
    this.#draft = new NodeDraft(space.kind, level);
  }

  /** Applies the edits and returns those of the level above. */
  async apply(edits: readonly LevelEdit[]): Promise<LevelEdit[]> {
    const queue = new EditQueue(edits);
    while (queue.key !== undefined) {
      await this.#findStart(queue.key);
      await this.#run(queue);
    }
    return joinEdits(this.#removed, this.#added);
  }

  async #findStart(key: Uint8Array): Promise<void> {
    const path = this.#path;
    await path.seek(key);
    if (compareBytes(key, path.node.keys[0]!) > 0 || !(await path.previous())) return;
    const done = this.#removed.at(-1)?.key;
    if (done !== undefined && compareBytes(path.node.keys.at(-1)!, done) <= 0) await path.next();
  }

  /** From the start of the path's node to the first place where a new node ends together with an old one. */
  async #run(queue: EditQueue): Promise<void> {
    this.#known.clear();
    for (;;) {
      const { node } = this.#path;
      this.#known.add(node.digest);
      for (const { key, payload } of queue.through(node)) await this.#push(key, payload);
      this.#removed.push({ key: node.keys.at(-1)!, payload: { digest: node.digest, count: 0, sums: [] } });
      if (!(await this.#path.next())) break;
      if (this.#draft.entries === 0) return;
    }
    for (const { key, payload } of queue.rest()) await this.#push(key, payload);
    if (this.#draft.entries > 0) await this.#keep(this.#draft.finish());
  }

  async #push(key: Uint8Array, payload: Payload): Promise<void> {
    for (const ended of this.#draft.push(key, payload)) await this.#keep(ended);
  }

  async #keep(node: FinishedNode): Promise<void> {
    const { bytes, key, count, sums } = node;
    let digest = sha256(bytes);
    if (!this.#known.has(digest)) digest = await this.#space.store.put(bytes);
    this.#added.push({ key, payload: { digest, count, sums } });
  }
}

/** Old children out, new ones in, those that stayed left alone. Both lists ascend. */
function joinEdits(removed: readonly LevelEntry[], added: readonly LevelEntry[]): LevelEdit[] {
  const edits: LevelEdit[] = [];
  let at = 0;
  for (const { key, payload } of added) {
    let order = -1;
    for (; at < removed.length; at++) {
      order = compareBytes(removed[at]!.key, key);
      if (order >= 0) break;
      edits.push({ key: removed[at]!.key, payload: undefined });
    }
    const stayed = order === 0 && digestOf(removed[at]!) === digestOf({ key, payload });
    if (order === 0) at++;
    if (!stayed) edits.push({ key, payload });
  }
  for (; at < removed.length; at++) edits.push({ key: removed[at]!.key, payload: undefined });
  return edits;
}

function digestOf(entry: LevelEntry): string {
  return (entry.payload as ChildRef).digest;
}
