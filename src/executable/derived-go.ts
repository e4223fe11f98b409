/** Go's functab and findfunctab, which follow from the functions' records. */
import type { DerivedContext } from "./derived-tables.ts";
import { BUCKET_BYTES, BUCKET_TEXT_BYTES, PART_TEXT_BYTES } from "./go-functions.ts";
import { PieceKind, ReferenceKind } from "./types.ts";

/** Beginning of each function's code and of its record, as offsets from the text and from functab. */
interface GoRecords {
  readonly entries: Float64Array;
  readonly records: Float64Array;
  readonly count: number;
}

/** Records are pieces of kind go that begin with a reference into the text. */
function findRecords({ pieces, references, targets, bases }: DerivedContext): GoRecords {
  const { count, kind, site, piece } = references;
  const entries = new Float64Array(count);
  const records = new Float64Array(count);
  let found = 0;
  for (let i = 0; i < count; i++) {
    const p = piece[i]!;
    if (kind[i] !== ReferenceKind.goText || pieces.kind[p] !== PieceKind.go) continue;
    if (site[i] !== pieces.offset[p]) continue;
    // The end of functab looks the same, but is shorter than any record.
    if (pieces.length[p]! < 40) continue;
    entries[found] = targets[i]! - bases[ReferenceKind.goText]!;
    records[found++] = pieces.offset[p]!;
  }
  return { entries, records, count: found };
}

/** functab: u32 offset of the code and u32 offset of the record from functab's start, for each function. */
export function foretoldGoFunctions(context: DerivedContext, piece: number): Uint8Array {
  const { entries, records, count } = findRecords(context);
  const start = context.pieces.offset[piece]!;
  const bytes = new Uint8Array(8 * count);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    view.setUint32(8 * i, entries[i]!, true);
    view.setUint32(8 * i + 4, records[i]! - start, true);
  }
  return bytes;
}

/** Parts of a bucket: 16 of 256 bytes of text. */
const PARTS = BUCKET_TEXT_BYTES / PART_TEXT_BYTES;

/**
 * findfunctab: for each 4096 bytes of text the number of the function at their beginning, u32, and for each 256 of
 * them what to add to it, u8. "At" is the first function that has a byte there.
 */
export function foretoldGoBuckets(context: DerivedContext, piece: number): Uint8Array {
  const { entries, count } = findRecords(context);
  const buckets = Math.ceil(context.pieces.length[piece]! / BUCKET_BYTES);
  const bytes = new Uint8Array(buckets * BUCKET_BYTES);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (let bucket = 0; bucket < buckets; bucket++) {
    let first = 0;
    for (let part = 0; part < PARTS; part++) {
      const text = bucket * BUCKET_TEXT_BYTES + part * PART_TEXT_BYTES;
      // The last function that begins at or before these 256 bytes.
      while (at + 1 < count && entries[at + 1]! <= text) at++;
      if (part === 0) {
        first = at;
        view.setUint32(bucket * BUCKET_BYTES, first, true);
      }
      bytes[bucket * BUCKET_BYTES + 4 + part] = at - first;
    }
  }
  return bytes;
}
