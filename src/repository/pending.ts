/** References to atoms whose segment may not have its name yet. */
import type { Run } from "./run-list.ts";
import type { SegmentId } from "./segment.ts";

/** A segment that is being filled, or one that is stored. */
export class SegmentRef {
  id: SegmentId | undefined;
  /** Compressed bytes for each raw byte of its frame; 0 while it isn't written, or when it was there before. */
  storedPerByte = 0;

  sealedId(): SegmentId {
    if (this.id === undefined) throw new Error("the segment is not closed yet");
    return this.id;
  }
}

export interface AtomRef {
  readonly segment: SegmentRef;
  readonly atom: number;
  readonly bytes: number;
}

interface PendingRun {
  readonly segment: SegmentRef;
  readonly first: number;
  count: number;
  bytes: number;
}

/** Collects atoms in order; neighbours in one segment become one run. */
export class RunListBuilder {
  readonly runs: PendingRun[] = [];
  #bytes = 0;

  /** Runs so far. */
  get length(): number {
    return this.runs.length;
  }

  /** Sum of the lengths of all atoms so far. */
  get bytes(): number {
    return this.#bytes;
  }

  add({ segment, atom, bytes }: AtomRef): void {
    this.#bytes += bytes;
    const last = this.runs.at(-1);
    if (last !== undefined && last.segment === segment && last.first + last.count === atom) {
      last.count++;
      last.bytes += bytes;
    } else this.runs.push({ segment, first: atom, count: 1, bytes });
  }

  /** A whole run of a stored segment. */
  addRun(segment: SegmentRef, { first, count, bytes }: Omit<Run, "segment">): void {
    this.#bytes += bytes;
    this.runs.push({ segment, first, count, bytes });
  }
}

/** The runs by name, once every segment has one. */
export function resolveRuns(list: RunListBuilder): Run[] {
  return list.runs.map(({ segment, first, count, bytes }) => ({
    segment: segment.sealedId(),
    first,
    count,
    bytes,
  }));
}

/** Adds up what new atoms cost in the packs; exact once the session is flushed. */
export class StoredTally {
  readonly #bytes = new Map<SegmentRef, number>();
  /** Raw bytes of new atoms. */
  freshBytes = 0;

  add({ segment, bytes }: AtomRef): void {
    this.freshBytes += bytes;
    this.#bytes.set(segment, (this.#bytes.get(segment) ?? 0) + bytes);
  }

  /** Adds what something else cost. */
  addAll(other: StoredTally): void {
    this.freshBytes += other.freshBytes;
    for (const [segment, bytes] of other.#bytes)
      this.#bytes.set(segment, (this.#bytes.get(segment) ?? 0) + bytes);
  }

  /** Compressed bytes. */
  storedBytes(): number {
    let sum = 0;
    for (const [segment, bytes] of this.#bytes) sum += bytes * segment.storedPerByte;
    return Math.round(sum);
  }
}
