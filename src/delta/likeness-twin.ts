/**
 * Likeness by features, in plain TypeScript, and the rules for it: N-transform sketches as in Shilane et al., "WAN
 * optimized replication of backup datasets using stream-informed delta compression" (2012): for each of several
 * multipliers the greatest transformed hash of all n-grams. Single features are voted on, not joined to
 * super-features: of two versions of a short function, few share three features in a row, but nearly all share some.
 */

export const FEATURES = 12;
export const GRAM_BYTES = 8;

/** Odd multipliers: fixed, so that the same is found everywhere. */
export const MULTIPLIERS = new Int32Array(FEATURES);
export const ADDENDS = new Int32Array(FEATURES);
for (let i = 0, state = 0x9e3779b9; i < FEATURES; i++) {
  // A linear congruential sequence (Numerical Recipes): any spread of odd numbers does.
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  MULTIPLIERS[i] = state | 1;
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  ADDENDS[i] = state;
}

/** Long runs are sampled: one n-gram in four is enough, chosen by its hash, so that both sides choose the same. */
export const SAMPLED_FROM_BYTES = 1024;
export const SAMPLE_MASK = 0x30000;

/** What more candidates than this have in common says nothing: stubs and thunks. */
export const MAX_HITS = 255;
/** What many of the wanted runs have in common takes time: with so many votes, fewer candidates must do. */
export const MIN_HITS = 24;
export const MAX_VOTES = 32768;
/** Candidates that are given for each run. */
export const CANDIDATES = 3;

/** The features of a run; undefined when it is too short. */
export function featuresTwin(bytes: Uint8Array): Uint32Array | undefined {
  if (bytes.length < 2 * GRAM_BYTES) return undefined;
  const mask = bytes.length >= SAMPLED_FROM_BYTES ? SAMPLE_MASK : 0;
  const features = new Uint32Array(FEATURES);
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
      if (value > features[f]!) features[f] = value;
    }
  }
  return features;
}

interface Shared {
  readonly runs: number[];
  hits: number;
  votes: number;
}

/** As `LikenessSearch`. */
export class LikenessSearchTwin {
  readonly #shared = new Map<string, Shared>();
  readonly #best: { item: number; votes: number; away: number }[][] = [];
  readonly #nears: number[] = [];

  want(bytes: Uint8Array, runClass: number, near: number): boolean {
    const features = featuresTwin(bytes);
    if (features === undefined) return false;
    for (const key of keysOf(features, runClass)) {
      const shared = this.#shared.get(key) ?? { runs: [], hits: 0, votes: 0 };
      this.#shared.set(key, shared);
      shared.runs.push(this.#best.length);
    }
    this.#best.push([]);
    this.#nears.push(near);
    return true;
  }

  offer(bytes: Uint8Array, runClass: number, item: number): void {
    const features = featuresTwin(bytes);
    if (features === undefined) return;
    const votes = new Map<number, number>();
    for (const key of keysOf(features, runClass)) {
      const shared = this.#shared.get(key);
      if (shared === undefined || shared.hits === MAX_HITS) continue;
      if (shared.hits >= MIN_HITS && shared.votes >= MAX_VOTES) continue;
      shared.hits++;
      shared.votes += shared.runs.length;
      for (const run of shared.runs) votes.set(run, (votes.get(run) ?? 0) + 1);
    }
    for (const [run, count] of votes) {
      const best = this.#best[run]!;
      best.push({ item, votes: count, away: Math.abs(item - this.#nears[run]!) });
      // Stable: of equal ones the first that was offered stays before.
      best.sort((a, b) => b.votes - a.votes || a.away - b.away).length = Math.min(best.length, CANDIDATES);
    }
  }

  best(run: number): number[] {
    return this.#best[run]!.map(({ item }) => item);
  }
}

function keysOf(features: Uint32Array, runClass: number): string[] {
  return Array.from(features, (feature, f) => `${runClass} ${f} ${feature}`);
}
