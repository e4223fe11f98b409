/**
 * What differs between two maps, reading only what differs.
 *
 * Each side is a stack of what is still ahead, the next thing on top: subtrees not yet opened, and entries.
 * Two equal subtrees on top are dropped unread. Otherwise the higher one is opened, or both.
 */
import { compareBytes, equalBytes } from "../bytes/index.ts";
import { type LoadedNode, loadChild, loadRoot } from "./load.ts";
import type { ChildRef } from "./node.ts";
import type { KeyRange, MapChange, MapSpace, ProllyRoot } from "./types.ts";

interface Subtree {
  readonly kind: "subtree";
  readonly digest: string;
  readonly level: number;
  /** All its keys are greater than `lower` and at most `last`; undefined: unbounded, only for a root. */
  readonly lower: Uint8Array | undefined;
  readonly last: Uint8Array | undefined;
  load(): Promise<LoadedNode>;
}

interface Entry {
  readonly kind: "entry";
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

class Side {
  readonly #space: MapSpace;
  readonly #range: KeyRange;
  #ahead: (Subtree | Entry)[];

  constructor(space: MapSpace, root: ProllyRoot, range: KeyRange) {
    this.#space = space;
    this.#range = range;
    const { digest, level } = root;
    const load = () => loadRoot(space, root);
    this.#ahead = [{ kind: "subtree", digest, level, lower: undefined, last: undefined, load }];
  }

  /** What is next within the range; undefined at the end. */
  top(): Subtree | Entry | undefined {
    const { from, before } = this.#range;
    for (;;) {
      const top = this.#ahead.at(-1);
      if (top === undefined) return undefined;
      const last = top.kind === "entry" ? top.key : top.last;
      if (from !== undefined && last !== undefined && compareBytes(last, from) < 0) {
        this.#ahead.pop();
        continue;
      }
      // A subtree's keys come after `lower`: at `before` itself nothing of it is left.
      const first = top.kind === "entry" ? top.key : top.lower;
      if (before !== undefined && first !== undefined && compareBytes(first, before) >= 0) {
        this.#ahead = [];
        return undefined;
      }
      return top;
    }
  }

  pop(): void {
    this.#ahead.pop();
  }

  /** Replaces the subtree on top by what it holds. */
  async open(): Promise<void> {
    const top = this.#ahead.at(-1) as Subtree;
    const node = await top.load();
    this.#ahead.pop();
    for (let i = node.keys.length - 1; i >= 0; i--) {
      const key = node.keys[i]!;
      const payload = node.payloads[i]!;
      if (payload instanceof Uint8Array) this.#ahead.push({ kind: "entry", key, value: payload });
      else this.#ahead.push(this.#child(node, i, payload));
    }
  }

  #child(node: LoadedNode, i: number, ref: ChildRef): Subtree {
    return {
      kind: "subtree",
      digest: ref.digest,
      level: node.level - 1,
      lower: i === 0 ? node.lower : node.keys[i - 1]!,
      last: node.keys[i]!,
      load: () => loadChild(this.#space, node, i),
    };
  }
}

/**
 * Keys in which the maps differ, ascending; `range` limits the comparison. Nodes that both maps share are
 * skipped by their digest: n changes in a map of height h read at most about 4 n h nodes.
 */
export async function* diffMaps(
  space: MapSpace,
  before: ProllyRoot,
  after: ProllyRoot,
  range: KeyRange = {},
): AsyncGenerator<MapChange, void, void> {
  const a = new Side(space, before, range);
  const b = new Side(space, after, range);
  for (;;) {
    const x = a.top();
    const y = b.top();
    if (x === undefined && y === undefined) return;
    if (x?.kind === "subtree" && y?.kind === "subtree" && x.digest === y.digest) {
      a.pop();
      b.pop();
      continue;
    }
    const opens = whichOpens(x, y);
    if (opens !== undefined) {
      await Promise.all([opens.x ? a.open() : undefined, opens.y ? b.open() : undefined]);
      continue;
    }
    // Now the one with the smaller key is an entry, or both are.
    const order = x === undefined ? 1 : y === undefined ? -1 : compareFirst(x, y);
    const removed = order <= 0 ? (x as Entry) : undefined;
    const added = order >= 0 ? (y as Entry) : undefined;
    if (removed !== undefined) a.pop();
    if (added !== undefined) b.pop();
    if (removed !== undefined && added !== undefined && equalBytes(removed.value, added.value)) continue;
    yield { key: (removed ?? added)!.key, before: removed?.value, after: added?.value };
  }
}

type Top = Subtree | Entry | undefined;

/** Which subtrees to open next; undefined when the next change can be told without. */
function whichOpens(x: Top, y: Top): { x: boolean; y: boolean } | undefined {
  // A side that lies wholly before the other's next thing has no counterpart there.
  if (x !== undefined && (y === undefined || liesBefore(x, y))) {
    return x.kind === "subtree" ? { x: true, y: false } : undefined;
  }
  if (y !== undefined && (x === undefined || liesBefore(y, x))) {
    return y.kind === "subtree" ? { x: false, y: true } : undefined;
  }
  const levelX = x?.kind === "subtree" ? x.level : -1;
  const levelY = y?.kind === "subtree" ? y.level : -1;
  if (levelX < 0 && levelY < 0) return undefined;
  return { x: levelX >= levelY, y: levelY >= levelX };
}

/** True when all keys of `x` are before all keys of the subtree `y`. */
function liesBefore(x: Subtree | Entry, y: Subtree | Entry): boolean {
  if (y.kind !== "subtree" || y.lower === undefined) return false;
  const last = x.kind === "entry" ? x.key : x.last;
  return last !== undefined && compareBytes(last, y.lower) <= 0;
}

function compareFirst(x: Subtree | Entry, y: Subtree | Entry): number {
  if (x.kind === "subtree") return 1;
  return y.kind === "subtree" ? -1 : compareBytes(x.key, y.key);
}
