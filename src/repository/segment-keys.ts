/** Under which keys the atoms of a segment are found: what an index says of it, from the segment alone. */
import { sha256 } from "../digest/index.ts";
import { decodeHandprint, handprintDigest } from "./handprint.ts";
import { holdsRecords, Kind } from "./kinds.ts";
import { decodeBlobRecord, isBlobRecord } from "./record.ts";
import type { Segment } from "./segment.ts";

export interface AtomKey {
  readonly table: "blobs" | "chunks";
  /** First 32 hexadecimal digits of the digest of the chunk, of the handprint's key, or of the blob whose record the atom is. */
  readonly key: string;
  readonly atom: number;
}

/** Chunks by their digests, handprints by their keys, blobs by their records; nothing for kinds that are found through recipes alone. */
export function* keysOfSegment(segment: Segment): Generator<AtomKey> {
  if (segment.kind === Kind.chunk) {
    for (let atom = 0; atom < segment.atoms; atom++) {
      yield { table: "chunks", key: sha256(segment.atom(atom)).slice(0, 32), atom };
    }
  } else if (segment.kind === Kind.handprint) {
    for (let atom = 0; atom < segment.atoms; atom++) {
      for (const key of decodeHandprint(segment.atom(atom)).keys) {
        yield { table: "chunks", key: handprintDigest(key).slice(0, 32), atom };
      }
    }
  } else if (holdsRecords(segment.kind)) {
    for (let atom = 0; atom < segment.atoms; atom++) {
      const bytes = segment.atom(atom);
      if (!isBlobRecord(bytes)) continue;
      yield { table: "blobs", key: decodeBlobRecord(bytes).digest.slice(0, 32), atom };
    }
  }
}
