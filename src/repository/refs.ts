/**
 * Refs: the only names in a repository that move, by compare and swap.
 *
 * Each state is an immutable file; a ref moves when the file with the next number is created, which exactly one
 * of several writers can do. The newest file is the ref's present state: when it is damaged, the ref is damaged,
 * an older state never steps in by itself.
 */
import type { Backend } from "../backend/index.ts";
import { equalBytes } from "../bytes/index.ts";
import { type Digest, EMPTY_DIGEST, sha256 } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import { formatRef, type RefName } from "./refnames.ts";
import {
  MAX_STATE_BYTES,
  parseState,
  parseStateName,
  REF_FORMAT,
  REFS_FOLDER,
  type RefChange,
  type RefState,
  refFolder,
  serializeState,
  stateName,
} from "./refstate.ts";
import { readBounded } from "./sealed.ts";

/** One line of a history: a state, or why there is none. */
export type RefHistoryEntry =
  | { readonly sequence: number; readonly state: RefState }
  | { readonly sequence: number; readonly problem: TenonError };

/** One ref of a list: its present state, or why there is none. */
export type RefListEntry = { readonly ref: RefName } & RefHistoryEntry;

export interface RefList {
  /** Sorted by `name:tag`. Removed refs are here too, their state's root is null. */
  readonly refs: readonly RefListEntry[];
  /** Files below `refs/` that are no states. */
  readonly foreign: readonly string[];
}

export interface RefUpdate extends RefChange {
  /** The number of the state that this one follows; 0 for a ref that has none yet. */
  readonly expectedSequence: number;
}

/** So many writers may move one ref at the same time and each get through; each round one of them does. */
const MAX_MOVE_ATTEMPTS = 100;
/** A state may be forgotten between the listing and the read, each time by another writer's newer state. */
const MAX_READ_ATTEMPTS = 10;
/** Reads in flight while listing: enough to hide a network's latency, few enough for 1024 descriptors. */
const LIST_CONCURRENCY = 16;

export class RefStore {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** The present state (root null when the ref was removed), undefined when there never was one, `damaged`. */
  async read(ref: RefName): Promise<RefState | undefined> {
    for (let attempt = 1; ; attempt++) {
      const sequence = (await this.#sequences(ref)).at(-1);
      if (sequence === undefined) return undefined;
      try {
        return parseState(await this.#bytes(ref, sequence), ref, sequence);
      } catch (error) {
        if (!isTenonError(error, "not-found") || attempt === MAX_READ_ATTEMPTS) throw error;
      }
    }
  }

  /** One state; `not-found` when it never was or was forgotten. */
  async readState(ref: RefName, sequence: number): Promise<RefState> {
    try {
      return parseState(await this.#bytes(ref, sequence), ref, sequence);
    } catch (error) {
      if (!isTenonError(error, "not-found")) throw error;
      throw new TenonError("not-found", `${formatRef(ref)} has no state ${sequence}; see its log`, {
        ref: formatRef(ref),
      });
    }
  }

  /**
   * Newest first. A damaged state, one that is missing between two others, and one that its successor does not
   * follow are reported in their place, and the history goes on.
   */
  async *history(ref: RefName): AsyncGenerator<RefHistoryEntry> {
    const sequences = (await this.#sequences(ref)).reverse();
    /** What the state just before (that is, newer) says about the next one's file. */
    let parent: { readonly of: number; readonly digest: Digest | null } | undefined;
    for (const [i, sequence] of sequences.entries()) {
      for (let gap = (sequences[i - 1] ?? sequence + 1) - 1; gap > sequence; gap--) {
        yield { sequence: gap, problem: this.#damaged(ref, gap, "the file is missing") };
      }
      let bytes: Uint8Array;
      try {
        bytes = await this.#bytes(ref, sequence);
        const state = parseState(bytes, ref, sequence);
        if (parent?.of === sequence + 1 && parent.digest !== sha256(bytes)) {
          yield {
            sequence,
            problem: this.#damaged(ref, sequence, `state ${parent.of} followed another one`),
          };
        } else {
          yield { sequence, state };
        }
        parent = { of: sequence, digest: state.parent };
      } catch (error) {
        // Forgotten while this was reading: the history just ends earlier.
        if (isTenonError(error, "not-found")) return;
        yield { sequence, problem: asProblem(error) };
      }
    }
  }

  /** All refs with their present states. */
  async list(): Promise<RefList> {
    const newest = new Map<string, { ref: RefName; sequence: number }>();
    const foreign: string[] = [];
    for (const path of await this.#backend.listNames(REFS_FOLDER)) {
      const state = parseStateName(path);
      // Sorted by name, so the last of a ref is its newest.
      if (state) newest.set(formatRef(state.ref), state);
      else foreign.push(path);
    }
    const wanted = [...newest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, state]) => state);
    const refs: RefListEntry[] = [];
    for (let at = 0; at < wanted.length; at += LIST_CONCURRENCY) {
      const batch = wanted.slice(at, at + LIST_CONCURRENCY);
      refs.push(...(await Promise.all(batch.map((state) => this.#present(state)))));
    }
    return { refs, foreign };
  }

  /**
   * Adds the next state; `conflict` when the ref is not at the expected one (any more).
   * A state that was reported as conflict was never the ref's present state, or was already followed by another.
   */
  async update(ref: RefName, update: RefUpdate): Promise<RefState> {
    const { expectedSequence, root, who, what, when } = update;
    const found = (await this.#sequences(ref)).at(-1) ?? 0;
    if (found !== expectedSequence) throw this.#conflict(ref, { expected: expectedSequence, found });
    let parent: Digest | null = null;
    if (found > 0) {
      const bytes = await this.#bytes(ref, found).catch((error: unknown) => {
        throw isTenonError(error, "not-found")
          ? this.#conflict(ref, { expected: found, found: undefined })
          : error;
      });
      parseState(bytes, ref, found);
      parent = sha256(bytes);
    } else if (root === null) {
      throw new TenonError("not-found", `there is no ref ${formatRef(ref)} to remove`, {
        ref: formatRef(ref),
      });
    }
    const sequence = found + 1;
    const state: RefState = { ref: formatRef(ref), sequence, root, who, what, when, parent };
    const bytes = serializeState(state);
    // What could not be read back must not become the present state.
    parseState(bytes, ref, sequence);
    if (!(await this.#backend.createIfAbsent(stateName(ref, sequence), bytes))) {
      throw this.#conflict(ref, { expected: found, found: undefined });
    }
    await this.#confirm(ref, sequence, sha256(bytes));
    return state;
  }

  /** Adds the next state whatever the present one is; tries again when somebody else was faster. */
  async move(ref: RefName, change: RefChange): Promise<RefState> {
    for (let attempt = 1; ; attempt++) {
      const expectedSequence = (await this.#sequences(ref)).at(-1) ?? 0;
      try {
        return await this.update(ref, { ...change, expectedSequence });
      } catch (error) {
        if (!isTenonError(error, "conflict") || attempt === MAX_MOVE_ATTEMPTS) throw error;
      }
    }
  }

  /**
   * Deletes all states before the present one, oldest first, so that no crash leaves a gap. Returns the bytes
   * freed. Refuses when the present state is damaged: an older one may be all that is left.
   */
  async forgetHistory(ref: RefName): Promise<number> {
    const newest = (await this.read(ref))?.sequence ?? 0;
    let freed = 0;
    for (const { name, size } of await this.#backend.list(refFolder(ref))) {
      const sequence = parseStateName(name)?.sequence;
      if (sequence === undefined || sequence >= newest) continue;
      await this.#backend.remove(name);
      freed += size;
    }
    return freed;
  }

  /**
   * Deletes the history of a removed ref; `conflict` for one that was not removed. The state that removed it stays:
   * its number is what keeps a slow writer, who has seen an earlier state, from moving a ref that begins anew.
   */
  async purge(ref: RefName): Promise<number> {
    const state = await this.read(ref);
    if (state !== undefined && state.root !== null) {
      throw new TenonError("conflict", `${state.ref} is in use (state ${state.sequence})`, {
        ref: state.ref,
      });
    }
    return this.forgetHistory(ref);
  }

  /**
   * Writes a state again in its place, following the state before it as that is now: for repair, which holds the
   * maintenance lease. A state that says just this already is left alone. Returns whether it was written.
   */
  async restate(ref: RefName, sequence: number, change: RefChange): Promise<boolean> {
    const { root, who, what, when } = change;
    const present = await this.#bytesIfAny(ref, sequence);
    const before = sequence === 1 ? undefined : await this.#bytesIfAny(ref, sequence - 1);
    let parent = before && sha256(before);
    // Its predecessor was forgotten: what it says about that one stands, if it can be read.
    if (parent === undefined && sequence > 1) parent = parentOf(present, ref, sequence) ?? EMPTY_DIGEST;
    const state: RefState = { ref: formatRef(ref), sequence, root, who, what, when, parent: parent ?? null };
    const bytes = serializeState(state);
    parseState(bytes, ref, sequence);
    if (present !== undefined && equalBytes(present, bytes)) return false;
    await this.#backend.replace(stateName(ref, sequence), bytes);
    return true;
  }

  async #bytesIfAny(ref: RefName, sequence: number): Promise<Uint8Array | undefined> {
    try {
      return await this.#bytes(ref, sequence);
    } catch (error) {
      if (isTenonError(error, "not-found") || isTenonError(error, "limit")) return undefined;
      throw error;
    }
  }

  /**
   * A writer that slept between its listing and its create may have got the number of a state that was forgotten
   * meanwhile. Then its state is not the newest, and the one that is does not follow it: it is taken back.
   */
  async #confirm(ref: RefName, sequence: number, digest: Digest): Promise<void> {
    const newest = (await this.#sequences(ref)).at(-1);
    if (newest === sequence) return;
    const next = await this.readState(ref, sequence + 1).catch((error: unknown) => {
      // Forgotten: nobody can tell any more whether it followed this state, and the caller may just try again.
      if (!isTenonError(error, "not-found")) throw error;
    });
    if (next?.parent === digest) return;
    await this.#backend.remove(stateName(ref, sequence));
    throw this.#conflict(ref, { expected: sequence - 1, found: newest });
  }

  async #present({ ref, sequence }: { ref: RefName; sequence: number }): Promise<RefListEntry> {
    try {
      const state = parseState(await this.#bytes(ref, sequence), ref, sequence);
      return { ref, sequence, state };
    } catch (error) {
      if (!isTenonError(error, "not-found")) return { ref, sequence, problem: asProblem(error) };
    }
    try {
      const state = await this.read(ref);
      if (state) return { ref, sequence: state.sequence, state };
      return { ref, sequence, problem: this.#damaged(ref, sequence, "the file vanished while it was read") };
    } catch (error) {
      return { ref, sequence, problem: asProblem(error) };
    }
  }

  /** Ascending. */
  async #sequences(ref: RefName): Promise<number[]> {
    const names = await this.#backend.listNames(refFolder(ref));
    return names.flatMap((name) => parseStateName(name)?.sequence ?? []);
  }

  #bytes(ref: RefName, sequence: number): Promise<Uint8Array> {
    const path = stateName(ref, sequence);
    return readBounded(this.#backend, { format: REF_FORMAT, path, maxBytes: MAX_STATE_BYTES });
  }

  #damaged(ref: RefName, sequence: number, why: string): TenonError {
    const path = stateName(ref, sequence);
    return new TenonError("damaged", `${path}: ${why}`, { path, format: REF_FORMAT, ref: formatRef(ref) });
  }

  #conflict(ref: RefName, { expected, found }: { expected: number; found: number | undefined }): TenonError {
    const name = formatRef(ref);
    const where =
      found === undefined ? "not there any more" : found === 0 ? "not there" : `at state ${found}`;
    return new TenonError(
      "conflict",
      `${name}: expected at state ${expected}, but it is ${where}; look and run again`,
      {
        ref: name,
        expected,
        found,
      },
    );
  }
}

function parentOf(bytes: Uint8Array | undefined, ref: RefName, sequence: number): Digest | undefined {
  try {
    return (bytes && parseState(bytes, ref, sequence).parent) ?? undefined;
  } catch (error) {
    if (isTenonError(error)) return undefined;
    throw error;
  }
}

/** Problems with one state go into the list; everything else (a bug, an abort) goes up. */
function asProblem(error: unknown): TenonError {
  if (isTenonError(error)) return error;
  throw error;
}
