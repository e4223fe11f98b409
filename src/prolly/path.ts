/** The way from the root down to one node of a chosen level, and from there to its neighbours. */
import { type LoadedNode, loadChild, loadRoot } from "./load.ts";
import { type ChildRef, lowerBound } from "./node.ts";
import type { MapSpace, ProllyRoot } from "./types.ts";

interface Frame {
  readonly node: LoadedNode;
  /** Which child the next frame is. */
  child: number;
}

export class NodePath {
  readonly #space: MapSpace;
  readonly #root: ProllyRoot;
  /** Nodes from the root to the chosen level; nodes already loaded are used again where the way is the same. */
  #frames: Frame[] = [];
  readonly #level: number;

  constructor(space: MapSpace, root: ProllyRoot, level: number) {
    this.#space = space;
    this.#root = root;
    this.#level = level;
  }

  /** The node on the chosen level. Only after a move. */
  get node(): LoadedNode {
    return this.#frames.at(-1)!.node;
  }

  /** Children before this path, from the root down: what an ordinal is summed from. */
  get steps(): readonly { readonly node: LoadedNode; readonly child: number }[] {
    return this.#frames.slice(0, -1);
  }

  /** To the node whose range has the key; to the last node when the key is after all of them. */
  seek(key: Uint8Array): Promise<void> {
    return this.#descend(0, (node) => Math.min(lowerBound(node.keys, key), node.keys.length - 1));
  }

  /** To the node with the entry of this ordinal; returns how many entries are left before it in that node. */
  async seekOrdinal(ordinal: number): Promise<number> {
    let rest = ordinal;
    await this.#descend(0, (node) => {
      let child = 0;
      while (child < node.keys.length - 1 && rest >= (node.payloads[child] as ChildRef).count) {
        rest -= (node.payloads[child] as ChildRef).count;
        child++;
      }
      return child;
    });
    return rest;
  }

  /** To the next node of the level; false, without moving, when there is none. */
  next(): Promise<boolean> {
    return this.#step(1);
  }

  /** To the node before; false, without moving, when there is none. */
  previous(): Promise<boolean> {
    return this.#step(-1);
  }

  async #step(by: 1 | -1): Promise<boolean> {
    for (let depth = this.#frames.length - 2; depth >= 0; depth--) {
      const frame = this.#frames[depth]!;
      const child = frame.child + by;
      if (child < 0 || child >= frame.node.keys.length) continue;
      const edge = (node: LoadedNode) => (by === 1 ? 0 : node.keys.length - 1);
      await this.#descend(depth, (node) => (node === frame.node ? child : edge(node)));
      return true;
    }
    return false;
  }

  /** Goes down from the frame at `depth`, into the child that `choose` names in each node. */
  async #descend(depth: number, choose: (node: LoadedNode) => number): Promise<void> {
    if (this.#frames.length === 0) {
      this.#frames.push({ node: await loadRoot(this.#space, this.#root), child: -1 });
    }
    for (let at = depth; ; at++) {
      const frame = this.#frames[at]!;
      if (frame.node.level <= this.#level) return;
      const child = choose(frame.node);
      if (frame.child === child && this.#frames.length > at + 1) continue;
      this.#frames.length = at + 1;
      frame.child = child;
      this.#frames.push({ node: await loadChild(this.#space, frame.node, child), child: -1 });
    }
  }
}
