/**
 * Likeness by features: N-transform sketches as in Shilane et al., "WAN optimized replication of backup datasets using
 * stream-informed delta compression" (2012): for each of several multipliers the greatest transformed hash of all
 * n-grams. Single features are voted on, not joined to super-features: of two versions of a short function, few share
 * three features in a row, but nearly all share some.
 */

import { instantiateKernel, type KernelMemory } from "../kernels/index.ts";

export const FEATURES = 12;
const GRAM_BYTES = 8;

/** Odd multipliers: fixed, since features are compared between files. */
const MULTIPLIERS = new Int32Array(FEATURES);
const ADDENDS = new Int32Array(FEATURES);
for (let i = 0, state = 0x9e3779b9; i < FEATURES; i++) {
  // A linear congruential sequence (Numerical Recipes): any spread of odd numbers does.
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  MULTIPLIERS[i] = state | 1;
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  ADDENDS[i] = state;
}

/** Long runs are sampled: one n-gram in four is enough, chosen by its hash, so that both sides choose the same. */
const SAMPLED_FROM_BYTES = 1024;
const SAMPLE_MASK = 0x30000;

/** What assembly/delta-features.ts exports and this module calls. */
interface Kernel {
  readonly memory: KernelMemory;
  readonly WINDOW_BYTES: { readonly value: number };
  input(): number;
  multipliers(): number;
  addends(): number;
  best(): number;
  reset(): void;
  scan(grams: number, mask: number): void;
}

/** The kernel with its constants, and views of its memory, which never grows. */
interface Engine {
  readonly kernel: Kernel;
  readonly windowBytes: number;
  readonly window: Uint8Array;
  readonly best: Uint32Array;
}

let loaded: Engine | undefined;

function engine(): Engine {
  if (loaded === undefined) {
    const kernel = instantiateKernel<Kernel>("delta-features");
    const { buffer } = kernel.memory;
    const windowBytes = kernel.WINDOW_BYTES.value;
    new Int32Array(buffer, kernel.multipliers(), FEATURES).set(MULTIPLIERS);
    new Int32Array(buffer, kernel.addends(), FEATURES).set(ADDENDS);
    loaded = {
      kernel,
      windowBytes,
      window: new Uint8Array(buffer, kernel.input(), windowBytes + GRAM_BYTES),
      best: new Uint32Array(buffer, kernel.best(), FEATURES),
    };
  }
  return loaded;
}

/** Writes the features of `bytes` to `into` at `at`; false when there are too few bytes. */
export function featuresOf(bytes: Uint8Array, into: Uint32Array, at: number): boolean {
  if (bytes.length < 2 * GRAM_BYTES) return false;
  const { kernel, windowBytes, window, best } = engine();
  const mask = bytes.length >= SAMPLED_FROM_BYTES ? SAMPLE_MASK : 0;
  kernel.reset();
  const grams = bytes.length - GRAM_BYTES + 1;
  for (let done = 0; done < grams; done += windowBytes) {
    const count = Math.min(windowBytes, grams - done);
    window.set(bytes.subarray(done, done + count + GRAM_BYTES - 1));
    kernel.scan(count, mask);
  }
  into.set(best, at);
  return true;
}

/** The same in plain TypeScript. */
export function featuresOfTwin(bytes: Uint8Array, into: Uint32Array, at: number): boolean {
  if (bytes.length < 2 * GRAM_BYTES) return false;
  const mask = bytes.length >= SAMPLED_FROM_BYTES ? SAMPLE_MASK : 0;
  into.fill(0, at, at + FEATURES);
  let low = 0;
  let high = 0;
  for (let i = 0; i < bytes.length; i++) {
    low = (low >>> 8) | (high << 24);
    high = (high >>> 8) | (bytes[i]! << 24);
    if (i < GRAM_BYTES - 1) continue;
    let hash = Math.imul(low ^ Math.imul(high, 0x915f77f5), 0xd9f6c0d5);
    hash ^= hash >>> 15;
    if ((hash & mask) !== 0) continue;
    for (let f = 0; f < FEATURES; f++) {
      const value = (Math.imul(hash, MULTIPLIERS[f]!) + ADDENDS[f]!) >>> 0;
      if (value > into[at + f]!) into[at + f] = value;
    }
  }
  return true;
}

/** More entries under one feature than this say nothing: stubs and thunks. */
const MAX_ENTRIES_WALKED = 24;

/** Who shares features with a run of bytes. */
export class LikenessIndex {
  readonly #heads: Int32Array<ArrayBuffer>;
  readonly #next: Int32Array<ArrayBuffer>;
  readonly #features: Uint32Array<ArrayBuffer>;
  readonly #items: Int32Array<ArrayBuffer>;
  /** By entry, all zero between calls, and the entries that have any. */
  readonly #votes: Uint8Array;
  readonly #voted: number[] = [];
  #count = 0;

  /** For at most `capacity` items; `spread` as for so many, when that is more. */
  constructor(capacity: number, spread = capacity) {
    const slots = Math.max(16, spread * FEATURES);
    this.#heads = new Int32Array(1 << (32 - Math.clz32(slots)));
    this.#next = new Int32Array(capacity * FEATURES);
    this.#features = new Uint32Array(capacity * FEATURES);
    this.#items = new Int32Array(capacity);
    this.#votes = new Uint8Array(capacity);
  }

  #slot(feature: number, f: number): number {
    return (Math.imul(feature ^ (f << 27), 0x9e3779b1) >>> 8) & (this.#heads.length - 1);
  }

  /** Adds an item, each once, with features that `featuresOf` wrote. */
  add(item: number, features: Uint32Array, at: number): void {
    const entry = this.#count++;
    this.#items[entry] = item;
    for (let f = 0; f < FEATURES; f++) {
      const feature = features[at + f]!;
      const place = entry * FEATURES + f;
      const slot = this.#slot(feature, f);
      this.#features[place] = feature;
      this.#next[place] = this.#heads[slot]!;
      this.#heads[slot] = place + 1;
    }
  }

  /** Gives the memory back at once. Nothing is to be added or asked afterwards. */
  release(): void {
    for (const column of [this.#heads, this.#next, this.#features, this.#items]) column.buffer.transfer(0);
  }

  /** The items with most features in common, most first, at most `limit`; of equal ones the least number first. */
  best(features: Uint32Array, at: number, limit: number): number[] {
    const votes = this.#votes;
    const voted = this.#voted;
    const known = this.#features;
    const next = this.#next;
    const items = this.#items;
    voted.length = 0;
    for (let f = 0; f < FEATURES; f++) {
      const feature = features[at + f]!;
      let place = this.#heads[this.#slot(feature, f)]! - 1;
      for (let walked = 0; place >= 0 && walked < MAX_ENTRIES_WALKED; walked++) {
        if (known[place] === feature && place % FEATURES === f) {
          const entry = (place / FEATURES) | 0;
          if (votes[entry] === 0) voted.push(entry);
          votes[entry]!++;
        }
        place = next[place]! - 1;
      }
    }
    const found: number[] = [];
    while (found.length < limit && found.length < voted.length) {
      let best = -1;
      for (const entry of voted) {
        if (votes[entry] === 0) continue;
        const isBetter =
          best < 0 ||
          votes[entry]! > votes[best]! ||
          (votes[entry] === votes[best] && items[entry]! < items[best]!);
        if (isBetter) best = entry;
      }
      votes[best] = 0;
      found.push(items[best]!);
    }
    for (const entry of voted) votes[entry] = 0;
    return found;
  }
}
