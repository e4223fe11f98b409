/**
 * Where a node ends: the boundary rule.
 *
 * A node of s bytes has the cumulative hazard H(s) = (s / 4096)^4, a Weibull distribution of shape 4 and scale
 * 4096, so sizes gather near the target where a constant chance would spread them geometrically. (Dolt's
 * prolly trees draw on the same distribution.) An entry that takes the node from s0 to s1 bytes ends it when
 * the 32-bit hash of its key is below 2^32 (H(s1) - H(s0)). With sizes in units of 16 bytes, 2^32 H(16 i) is
 * exactly i^4: the table below, integers without rounding. Sizes are those of the encoded node.
 *
 * Bounds: no end below 512 bytes; an entry that would take the node past 16384 bytes begins the next node; an
 * inner node has at least 3 children (3 of the largest fit), so that every level has at most a third, rounded
 * up, of the nodes below it, whatever the keys. The last node of a level ends where the entries do.
 */
import { MAX_NODE_BYTES } from "./node.ts";

export const MIN_NODE_BYTES = 512;
export const MIN_CHILDREN = 3;

/** i^4 for i = size / 16: what the target of 4096 = 16 * 2^8 bytes makes of 2^32 H. The largest, 2^40, is exact in a double. */
const FOURTH_POWERS: readonly number[] = Array.from(
  { length: MAX_NODE_BYTES / 16 + 1 },
  (_, i) => i * i * i * i,
);

/**
 * 32 bits from a key and a level: FNV-1a (Fowler, Noll, Vo) over the level as one byte and then the key,
 * finished with MurmurHash3's 32-bit finalizer (Appleby), since FNV-1a alone mixes the last bytes poorly. The
 * level takes part because an inner node's keys all passed this test on the level below.
 */
export function keyHash(key: Uint8Array, level: number): number {
  let h = Math.imul(0x811c9dc5 ^ level, 0x01000193);
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key[i]!, 0x01000193);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}

/** True when the node must end before an entry of `entryBytes` is put into it. */
export function endsBefore(node: { sizeBytes: number; entries: number }, entryBytes: number): boolean {
  return node.entries > 0 && node.sizeBytes + entryBytes > MAX_NODE_BYTES;
}

/** True when the node ends after an entry that took it from `before` to `after` bytes, header included. */
export function endsAfter(
  key: Uint8Array,
  node: { level: number; entries: number; beforeBytes: number; afterBytes: number },
): boolean {
  if (node.afterBytes < MIN_NODE_BYTES) return false;
  if (node.level > 0 && node.entries < MIN_CHILDREN) return false;
  const odds = FOURTH_POWERS[node.afterBytes >>> 4]! - FOURTH_POWERS[node.beforeBytes >>> 4]!;
  return keyHash(key, node.level) < odds;
}
