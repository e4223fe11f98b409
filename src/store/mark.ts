/** What is alive: everything that some state of some ref needs. */
import type { Digest } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import { formatRef, type RefState, type SegmentId } from "../repository/index.ts";
import { walkClosure } from "./closure.ts";
import type { RepositoryBase, StoreContext } from "./context.ts";

/** Which atoms of a segment are needed. */
export class LiveAtoms {
  readonly #bits: Uint8Array;
  readonly atoms: number;
  count = 0;

  constructor(atoms: number) {
    this.atoms = atoms;
    this.#bits = new Uint8Array(Math.ceil(atoms / 8));
  }

  add(first: number, count: number): void {
    for (let atom = first; atom < first + count; atom++) {
      const bit = 1 << (atom & 7);
      if ((this.#bits[atom >> 3]! & bit) !== 0) continue;
      this.#bits[atom >> 3]! |= bit;
      this.count++;
    }
  }

  has(atom: number): boolean {
    return (this.#bits[atom >> 3]! & (1 << (atom & 7))) !== 0;
  }

  /** Share of atoms that nobody needs. */
  get deadShare(): number {
    return this.atoms === 0 ? 0 : 1 - this.count / this.atoms;
  }
}

export interface Marked {
  /** In the order in which the walk met them: what is read together stands together. */
  readonly segments: ReadonlyMap<SegmentId, LiveAtoms>;
  readonly blobs: ReadonlySet<Digest>;
  /** Changes when any ref does. */
  readonly refsSignature: string;
}

/** The names of all states: they are immutable, so equal names mean equal refs. */
export async function refsSignature({ backend }: RepositoryBase): Promise<string> {
  return (await backend.listNames("refs")).join("\n");
}

/** All states that keep content alive: every state of every ref since it was last removed. */
export async function liveStates({ refs }: RepositoryBase): Promise<RefState[]> {
  const states: RefState[] = [];
  const natural = new Intl.Collator("en", { numeric: true });
  const present = [...(await refs.list()).refs];
  present.sort((a, b) => natural.compare(formatRef(a.ref), formatRef(b.ref)));
  for (const entry of present) {
    if ("problem" in entry) throw refuse(formatRef(entry.ref), entry.problem);
    if (entry.state.root === null) continue;
    for await (const older of refs.history(entry.ref)) {
      if ("problem" in older) throw refuse(formatRef(entry.ref), older.problem);
      // What was before a removal may have been collected since.
      if (older.state.root === null) break;
      states.push(older.state);
    }
  }
  return states;
}

function refuse(ref: string, problem: TenonError): TenonError {
  const message = `${ref}: ${problem.message}; nothing is taken away from a damaged repository: run tenon repair first`;
  return new TenonError("damaged", message, { ...problem.data, ref }, { cause: problem });
}

/** Marks everything alive. Fails on the first damage: what can't be read can't be known to be garbage. */
export async function mark(
  context: StoreContext,
  { signal, onBlob }: { readonly signal?: AbortSignal | undefined; readonly onBlob?: () => void } = {},
): Promise<Marked> {
  const signature = await refsSignature(context);
  const segments = new Map<SegmentId, LiveAtoms>();
  const blobs = new Set<Digest>();
  const live = (segment: SegmentId, first: number, count: number) => {
    let atoms = segments.get(segment);
    if (atoms === undefined) {
      const place = context.index.findSegment(segment);
      if (place === undefined)
        throw new TenonError("damaged", `segment ${segment} is in no pack`, { segment });
      atoms = new LiveAtoms(place.atoms);
      segments.set(segment, atoms);
    }
    if (first + count > atoms.atoms) {
      throw new TenonError("damaged", `segment ${segment} has ${atoms.atoms} atoms, a recipe names more`, {
        segment,
      });
    }
    atoms.add(first, count);
  };
  for (const state of await liveStates(context)) {
    if (state.root === null) continue;
    try {
      await walkClosure(
        context.atoms,
        state.root,
        {
          blob(digest) {
            if (blobs.has(digest)) return false;
            blobs.add(digest);
            onBlob?.();
            return true;
          },
          record: (segment, atom) => live(segment, atom, 1),
          run: ({ segment, first, count }) => live(segment, first, count),
        },
        signal,
      );
    } catch (error) {
      if (error instanceof TenonError && (error.code === "damaged" || error.code === "invalid")) {
        throw refuse(state.ref, error);
      }
      throw error;
    }
  }
  return { segments, blobs, refsSignature: signature };
}
