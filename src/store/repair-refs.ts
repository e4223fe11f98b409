/**
 * Refs after damage: states that can't be read, and states whose roots have lost something, are written again in
 * their places with what is left. Numbers, authors and whatever is whole stay as they are.
 */
import type { Digest } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import type { NodeStore } from "../prolly/index.ts";
import { formatRef, type RefName, type RefRoot, type RefState, type RefStore } from "../repository/index.ts";
import { type SalvagedTree, salvageTree } from "./repair-trees.ts";

const WHO = "tenon repair";
/** Half of what a state can hold: the note of an earlier repair stays readable. */
const MAX_KEPT_MESSAGE_LENGTH = 8 * 1024;

export interface RepairedRef {
  readonly ref: string;
  /** Paths, and whole states. */
  readonly lost: readonly string[];
}

export class RefRepairer {
  readonly #refs: RefStore;
  readonly #nodes: NodeStore;
  readonly #lost: ReadonlySet<Digest>;
  readonly #trees = new Map<Digest, SalvagedTree>();

  /** New tree nodes go to `nodes`. */
  constructor(refs: RefStore, nodes: NodeStore, lost: ReadonlySet<Digest>) {
    this.#refs = refs;
    this.#nodes = nodes;
    this.#lost = lost;
  }

  /** Makes the smaller trees of a ref's states, and changes nothing yet. */
  async prepare(ref: RefName, affected: (digest: Digest) => boolean): Promise<void> {
    for (const state of (await this.#states(ref)).values()) {
      const root = state?.root;
      if (root?.type !== "tree" || !affected(root.digest) || this.#trees.has(root.digest)) continue;
      this.#trees.set(
        root.digest,
        await salvageTree(this.#nodes, root.digest, (blob) => this.#lost.has(blob)),
      );
    }
  }

  /** From the oldest state to the newest: after a crash the next repair goes on where this one ended. */
  async repair(ref: RefName, when: string): Promise<RepairedRef | undefined> {
    const states = await this.#states(ref);
    const newest = Math.max(...states.keys());
    const removed = states.get(newest)?.root === null;
    const name = formatRef(ref);
    const lost: string[] = [];
    let changed = false;
    let before: RefRoot | null = null;
    for (const [sequence, state] of states) {
      const label = sequence === newest ? name : `${name}@${sequence}`;
      if (state === undefined) {
        // The newest intact root steps in for the present one; an earlier state names nothing any more.
        const root: RefRoot | null = sequence === newest ? before : null;
        const what = `repair: state ${sequence} could not be read${root === null ? "" : "; this is the root of the one before"}`;
        lost.push(`${label}: the state`);
        changed = (await this.#refs.restate(ref, sequence, { root, who: WHO, what, when })) || changed;
        continue;
      }
      const { who, what, when: then } = state;
      const left = removed || state.root === null ? { root: state.root, lost: [] } : this.#left(state.root);
      lost.push(...left.lost.map((path) => (path === "" ? label : `${label}:${path}`)));
      const change =
        left.lost.length === 0
          ? { root: state.root, who, what, when: then }
          : { root: left.root, who, what: this.#message(what, state.root!, left.lost.length), when: then };
      changed = (await this.#refs.restate(ref, sequence, change)) || changed;
      before = change.root ?? before;
    }
    return changed ? { ref: name, lost } : undefined;
  }

  #message(what: string, root: RefRoot, lost: number): string {
    const note = `[repair: ${lost} ${lost === 1 ? "entry" : "entries"} of ${root.type} ${root.digest} lost]`;
    return `${what.slice(0, MAX_KEPT_MESSAGE_LENGTH)} ${note}`.trim();
  }

  #left(root: RefRoot): { readonly root: RefRoot | null; readonly lost: readonly string[] } {
    if (root.type === "file")
      return this.#lost.has(root.digest) ? { root: null, lost: [""] } : { root, lost: [] };
    const tree = this.#trees.get(root.digest);
    return tree === undefined ? { root, lost: [] } : { root: tree.root ?? null, lost: tree.lost };
  }

  /** Every state from the oldest to the newest, undefined for those that can't be read. */
  async #states(ref: RefName): Promise<Map<number, RefState | undefined>> {
    const states: [number, RefState | undefined][] = [];
    for await (const entry of this.#refs.history(ref)) {
      if ("state" in entry) states.push([entry.sequence, entry.state]);
      // A state that its successor does not follow is whole in itself.
      else states.push([entry.sequence, await this.#readable(ref, entry.sequence)]);
    }
    return new Map(states.reverse());
  }

  async #readable(ref: RefName, sequence: number): Promise<RefState | undefined> {
    try {
      return await this.#refs.readState(ref, sequence);
    } catch (error) {
      if (isTenonError(error) && error.code !== "io" && error.code !== "unsupported") return undefined;
      throw error;
    }
  }
}
