/** Segments of one kind that are compressed together, on their way into a pack. */
import type { KindNumber } from "./kinds.ts";
import { MAX_SEGMENT_BYTES } from "./limits.ts";
import type { SegmentBody } from "./pack.ts";
import type { SegmentRef } from "./pending.ts";

/** Writes a frame, and tells its compressed size when it is known. */
export type FrameSink = (
  kind: KindNumber,
  segments: readonly SegmentBody[],
  onWritten: (bytes: number) => void,
) => void;

interface Group {
  readonly refs: SegmentRef[];
  readonly segments: SegmentBody[];
  rawBytes: number;
}

export class FrameGroups {
  readonly #groups = new Map<KindNumber, Group>();
  readonly #frameBytes: number;
  readonly #sink: FrameSink;

  /** A frame is written when its segments have `frameBytes` together; with 0 each segment is a frame. */
  constructor(frameBytes: number, sink: FrameSink) {
    this.#frameBytes = frameBytes;
    this.#sink = sink;
  }

  add(kind: KindNumber, ref: SegmentRef, segment: SegmentBody): void {
    const before = this.#groups.get(kind);
    const most = Math.max(this.#frameBytes, MAX_SEGMENT_BYTES);
    if (before !== undefined && before.rawBytes + segment.body.length > most) this.#write(kind);
    const group = this.#groups.get(kind) ?? { refs: [], segments: [], rawBytes: 0 };
    this.#groups.set(kind, group);
    group.refs.push(ref);
    group.segments.push(segment);
    group.rawBytes += segment.body.length;
    if (group.rawBytes >= this.#frameBytes) this.#write(kind);
  }

  /** Writes what is waiting. */
  flush(): void {
    for (const kind of [...this.#groups.keys()]) this.#write(kind);
  }

  clear(): void {
    this.#groups.clear();
  }

  #write(kind: KindNumber): void {
    const group = this.#groups.get(kind);
    if (group === undefined) return;
    this.#groups.delete(kind);
    const { refs, segments, rawBytes } = group;
    this.#sink(kind, segments, (bytes) => {
      for (const ref of refs) ref.storedPerByte = bytes / rawBytes;
    });
  }
}
