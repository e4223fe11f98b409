/**
 * Refs after damage: states that can't be read, and states whose roots have lost something, are written again in
 * their places with what is left. Numbers, authors and whatever is whole stay as they are. A root is never left out: collection
 * takes that for a removal, and everything before it for garbage.
 */
import type { Digest } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import type { NodeStore } from "../prolly/index.ts";
import {
  formatRef,
  type RefChange,
  type RefName,
  type RefRoot,
  type RefState,
  type RefStore,
} from "../repository/index.ts";
import { type SalvagedTree, salvageTree } from "./repair-trees.ts";

const WHO = "tenon repair";
/** Half of what a state can hold: the note of an earlier repair stays readable. */
const MAX_KEPT_MESSAGE_LENGTH = 8 * 1024;

const NOTHING_LOST: SalvagedTree = { lost: [] };

function stepIn(before: RefRoot | null): string {
  return before === null ? "" : " this is the root of the state before";
}

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
    /** What was before a removal may have been collected since: nothing is salvaged there. */
    const removal = Math.max(
      0,
      ...[...states].filter(([, state]) => state?.root === null).map(([number]) => number),
    );
    const name = formatRef(ref);
    const lost: string[] = [];
    let changed = false;
    let before: RefRoot | null = null;
    for (const [sequence, state] of states) {
      const label = sequence === newest ? name : `${name}@${sequence}`;
      let change: RefChange;
      if (state === undefined) {
        lost.push(`${label}: the state`);
        const what = `[repair: state ${sequence} could not be read]${stepIn(before)}`;
        change = { root: before, who: WHO, what, when };
      } else {
        const left = state.root === null || sequence < removal ? NOTHING_LOST : this.#left(state.root);
        lost.push(...left.lost.map((path) => (path === "" ? label : `${label}:${path}`)));
        change = left.lost.length === 0 ? state : this.#reduced(state, left, before);
      }
      changed = (await this.#refs.restate(ref, sequence, change)) || changed;
      before = change.root ?? before;
    }
    return changed ? { ref: name, lost } : undefined;
  }

  /** The state with what is left of its root; with nothing left, the root of the state before steps in. */
  #reduced(state: RefState, { root, lost }: SalvagedTree, before: RefRoot | null): RefChange {
    const { type, digest } = state.root!;
    const note = `[repair: ${lost.length} ${lost.length === 1 ? "entry" : "entries"} of ${type} ${digest} lost]`;
    const what = `${state.what.slice(0, MAX_KEPT_MESSAGE_LENGTH)} ${note}${root === undefined ? stepIn(before) : ""}`;
    return { ...state, root: root ?? before, what: what.trim() };
  }

  #left(root: RefRoot): SalvagedTree {
    if (root.type === "file") return this.#lost.has(root.digest) ? { lost: [""] } : NOTHING_LOST;
    return this.#trees.get(root.digest) ?? NOTHING_LOST;
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
