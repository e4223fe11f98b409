/**
 * The hash tables of the dynamic symbols. Their sizes aren't stated anywhere: they follow from the tables.
 *
 * DT_HASH: nbucket u32, nchain u32, buckets u32[nbucket], chains u32[nchain].
 * DT_GNU_HASH: nbuckets u32, symoffset u32, bloom_size u32, bloom_shift u32, bloom u64[bloom_size],
 * buckets u32[nbuckets], chains u32[] for the symbols from symoffset on.
 */
import type { AddressMap } from "./addresses.ts";
import type { ProblemList } from "./problems.ts";
import type { FileView } from "./view.ts";

/** A table that the dynamic table points to, in the file. */
export interface DynamicArea {
  readonly address: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** DT_HASH: the number of chains is the number of dynamic symbols. */
export interface HashTable extends DynamicArea {
  readonly bucketCount: number;
  readonly symbolCount: number;
}

/** DT_GNU_HASH: symbols below `symbolOffset` are not hashed. */
export interface GnuHashTable extends DynamicArea {
  readonly bucketCount: number;
  readonly symbolOffset: number;
  readonly bloomWords: number;
  readonly bloomShift: number;
  readonly symbolCount: number;
}

/** Reads DT_HASH at an address; undefined when it isn't whole in the file. */
export function readHash(
  view: FileView,
  addresses: AddressMap,
  address: number | undefined,
  problems: ProblemList,
): HashTable | undefined {
  if (address === undefined) return undefined;
  const offset = addresses.offsetOf(address, 8);
  if (offset === undefined) return undefined;
  const bucketCount = view.u32(offset);
  const symbolCount = view.u32(offset + 4);
  const sizeBytes = 8 + 4 * (bucketCount + symbolCount);
  if (addresses.offsetOf(address, sizeBytes) === undefined) {
    problems.add("DT_HASH", offset, `${bucketCount} buckets and ${symbolCount} chains are not in the file`);
    return undefined;
  }
  return { address, offset, sizeBytes, bucketCount, symbolCount };
}

/** Reads DT_GNU_HASH at an address; undefined when it isn't whole in the file. */
export function readGnuHash(
  view: FileView,
  addresses: AddressMap,
  address: number | undefined,
  problems: ProblemList,
): GnuHashTable | undefined {
  if (address === undefined) return undefined;
  const offset = addresses.offsetOf(address, 16);
  if (offset === undefined) return undefined;
  const bucketCount = view.u32(offset);
  const symbolOffset = view.u32(offset + 4);
  const bloomWords = view.u32(offset + 8);
  const bloomShift = view.u32(offset + 12);
  const chainsAt = 16 + 8 * bloomWords + 4 * bucketCount;
  if (addresses.offsetOf(address, chainsAt) === undefined) {
    problems.add(
      "DT_GNU_HASH",
      offset,
      `${bloomWords} bloom words and ${bucketCount} buckets are not in the file`,
    );
    return undefined;
  }
  let highest = 0;
  for (let i = 0; i < bucketCount; i++) {
    highest = Math.max(highest, view.u32(offset + 16 + 8 * bloomWords + 4 * i));
  }
  let symbolCount = symbolOffset;
  if (highest >= symbolOffset && highest > 0) {
    // The last chain ends with an entry whose lowest bit is set.
    symbolCount = highest;
    for (;;) {
      const at = chainsAt + 4 * (symbolCount - symbolOffset);
      if (addresses.offsetOf(address, at + 4) === undefined) {
        problems.add("DT_GNU_HASH", offset, "the last chain has no end");
        return undefined;
      }
      symbolCount++;
      if (view.u32(offset + at) & 1) break;
    }
  }
  const sizeBytes = chainsAt + 4 * (symbolCount - symbolOffset);
  return { address, offset, sizeBytes, bucketCount, symbolOffset, bloomWords, bloomShift, symbolCount };
}
