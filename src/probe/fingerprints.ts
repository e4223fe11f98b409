/**
 * Which pieces were seen: a table of fingerprints that a hundred million of them still fit into.
 *
 * A fingerprint is the first 8 bytes of a SHA-256. Of n different pieces, one is taken for another with a
 * probability of about n^2 / 2^65: 7 in a million for the 16 million pieces that bup(7) makes of 2 GiB.
 */
import { type Digest, sha256 } from "../digest/index.ts";

export interface Fingerprint {
  /** First and second 32 bits of the digest. */
  readonly high: number;
  readonly low: number;
}

export function fingerprintOf(digest: Digest): Fingerprint {
  return { high: Number.parseInt(digest.slice(0, 8), 16), low: Number.parseInt(digest.slice(8, 16), 16) };
}

export function fingerprint(bytes: Uint8Array): Fingerprint {
  return fingerprintOf(sha256(bytes));
}

/** Shards grow one after the other, so that the old and the new table never stand side by side as a whole. */
const SHARDS = 64;
const FIRST_SLOTS = 64;
/** Fuller than this, chains become long; growth by a quarter keeps the table at least three fifths full. */
const FULLEST = 0.8;
const GROWTH = 1.25;

interface Shard {
  /** high, low, number (if numbered) of each slot; high and low 0: empty. */
  slots: Uint32Array;
  used: number;
}

export class FingerprintTable {
  readonly #shards: Shard[];
  readonly #width: number;
  #count = 0;

  /** `numbered`: fingerprints get numbers from 0 in the order of their coming, for 4 bytes more each. */
  constructor({ numbered }: { readonly numbered: boolean }) {
    this.#width = numbered ? 3 : 2;
    this.#shards = Array.from({ length: SHARDS }, () => ({
      slots: new Uint32Array(FIRST_SLOTS * this.#width),
      used: 0,
    }));
  }

  copy(): FingerprintTable {
    const copy = new FingerprintTable({ numbered: this.#width === 3 });
    for (const [i, { slots, used }] of this.#shards.entries())
      copy.#shards[i] = { slots: slots.slice(), used };
    copy.#count = this.#count;
    return copy;
  }

  /** How many different ones there are. */
  get count(): number {
    return this.#count;
  }

  /** True when it wasn't there yet. */
  add({ high, low }: Fingerprint): boolean {
    const before = this.#count;
    this.#insert(high, low);
    return this.#count > before;
  }

  /** The number of a fingerprint, a new one if it wasn't there. Only for numbered tables. */
  number({ high, low }: Fingerprint): number {
    const shard = this.#shards[high >>> 26]!;
    const at = this.#insert(high, low);
    return shard.slots[at + 2]!;
  }

  #insert(high: number, low: number): number {
    const shard = this.#shards[high >>> 26]!;
    const width = this.#width;
    if (shard.used * width >= shard.slots.length * FULLEST) this.#grow(shard);
    // Zeros mean an empty slot.
    const key = high === 0 && low === 0 ? 1 : low;
    const at = place(shard.slots, width, high, key);
    if (shard.slots[at] === high && shard.slots[at + 1] === key) return at;
    shard.slots[at] = high;
    shard.slots[at + 1] = key;
    if (width === 3) shard.slots[at + 2] = this.#count;
    shard.used++;
    this.#count++;
    return at;
  }

  #grow(shard: Shard): void {
    const width = this.#width;
    const old = shard.slots;
    const slots = new Uint32Array(Math.ceil((old.length / width) * GROWTH) * width);
    for (let at = 0; at < old.length; at += width) {
      const high = old[at]!;
      const low = old[at + 1]!;
      if (high === 0 && low === 0) continue;
      const to = place(slots, width, high, low);
      slots[to] = high;
      slots[to + 1] = low;
      if (width === 3) slots[to + 2] = old[at + 2]!;
    }
    shard.slots = slots;
  }
}

/** Where a fingerprint is, or where it belongs. The high bits chose the shard, so the low half chooses the slot. */
function place(slots: Uint32Array, width: number, high: number, low: number): number {
  const count = slots.length / width;
  let slot = Math.floor((low / 2 ** 32) * count);
  for (;;) {
    const at = slot * width;
    const foundHigh = slots[at]!;
    const foundLow = slots[at + 1]!;
    if ((foundHigh === high && foundLow === low) || (foundHigh === 0 && foundLow === 0)) return at;
    slot = slot + 1 === count ? 0 : slot + 1;
  }
}
