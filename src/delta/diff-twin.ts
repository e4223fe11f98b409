/**
 * Finding what a target has in common with a base, in plain TypeScript, and the rules for it: greedy copies, found by
 * hashes of six bytes or by going on where the last copy ended.
 *
 * As in bsdiff (Colin Percival, "Naive differences of executable code", 2003) a copy goes on over bytes that differ:
 * here as two copies with a few new bytes between, on the same diagonal. Unlike bsdiff no suffix array is sorted.
 */
import type { Delta } from "./diff.ts";

/** Bytes that are hashed: two short x86-64 instructions. */
export const GRAM_BYTES = 6;
/** New bytes compress to a third; a copy from nearby costs two bytes, one from afar and the way back five to six. */
export const MIN_JUMP_BYTES = 6;
export const MIN_FAR_JUMP_BYTES = 18;
export const NEAR_BYTES = 96;
/** On the diagonal of the last copy a step costs two bytes. */
export const MIN_RESUME_BYTES = 3;
/** As far beside the last copy a resumed one may begin. */
export const RESUME_WITHIN_BYTES = 32;
/** Words that all moved by one distance: half of the bytes are equal, never four in a row. */
export const DENSE_WINDOW_BYTES = 16;
export const DENSE_EQUAL_BYTES = 8;
export const MIN_DENSE_BYTES = 2;
/** A jump must be this much longer than going on. */
export const JUMP_GAIN_BYTES = 8;
/** Going on for so long, nothing else is looked for. */
export const LONG_RUN_BYTES = 64;
/** Places with one hash that are looked at: repetitive data has thousands. */
export const MAX_CHAIN = 12;
/** What a delta weighs, in half bytes of what it costs: new bytes, and beside them its steps. */
export const BYTE_WEIGHT = 2;
export const STEP_WEIGHT = 3;

/** As `Differ`. Finds deltas; keeps its tables between calls. Not reentrant: a delta is valid until the next call. */
export class DifferTwin {
  #heads = new Int32Array(0);
  #links = new Int32Array(0);
  #literal = new Uint32Array(64);
  #from = new Uint32Array(64);
  #copy = new Uint32Array(64);
  #count = 0;

  diff(base: Uint8Array, target: Uint8Array): Delta {
    this.#count = 0;
    const shift = this.#index(base);
    const heads = this.#heads;
    const links = this.#links;
    const length = target.length;
    let pending = 0;
    let diagonal = 0;
    let at = 0;
    while (at < length) {
      let from = at + diagonal;
      let found = 0;
      if (from >= 0 && from < base.length && base[from] === target[at]) {
        const run = equalRun(base, from, target, at);
        const near = at - pending <= RESUME_WITHIN_BYTES;
        if (run >= (near ? MIN_RESUME_BYTES : MIN_JUMP_BYTES) || at + run === length) found = run;
        else if (near && run >= MIN_DENSE_BYTES && isDense(base, from, target, at)) found = run;
      }
      if (found < LONG_RUN_BYTES && at + GRAM_BYTES <= length) {
        let candidate = heads[hashAt(target, at) >>> shift]! - 1;
        let threshold = Math.max(MIN_JUMP_BYTES - 1, found > 0 ? found + JUMP_GAIN_BYTES : 0);
        for (let tries = 0; candidate >= 0 && tries < MAX_CHAIN; tries++) {
          // The byte that would make it longer than the best is compared first.
          if (base[candidate + threshold] === target[at + threshold] || at + threshold >= length) {
            const run = equalRun(base, candidate, target, at);
            const away = candidate - at - diagonal;
            if (
              run > threshold &&
              (run >= MIN_FAR_JUMP_BYTES || (away <= NEAR_BYTES && away >= -NEAR_BYTES))
            ) {
              threshold = run;
              found = run;
              from = candidate;
            }
          }
          candidate = links[candidate]! - 1;
        }
      }
      if (found === 0) {
        at++;
        continue;
      }
      let back = 0;
      while (at - back > pending && from - back > 0 && base[from - back - 1] === target[at - back - 1])
        back++;
      this.#step(at - back - pending, from - back, found + back);
      at += found;
      diagonal = from + found - at;
      pending = at;
    }
    if (pending < length) this.#step(length - pending, 0, 0);
    return { count: this.#count, literal: this.#literal, from: this.#from, copy: this.#copy };
  }

  /** Hash chains over the base, nearest place last. Returns the shift that gives a table slot. */
  #index(base: Uint8Array): number {
    const bits = Math.max(8, Math.min(22, 32 - Math.clz32(base.length)));
    if (this.#heads.length < 1 << bits) this.#heads = new Int32Array(1 << bits);
    else this.#heads.fill(0, 0, 1 << bits);
    if (this.#links.length < base.length) this.#links = new Int32Array(Math.ceil(base.length * 1.25));
    const heads = this.#heads;
    const links = this.#links;
    const shift = 32 - bits;
    // From behind, so that a chain begins with the first place.
    for (let at = base.length - GRAM_BYTES; at >= 0; at--) {
      const slot = hashAt(base, at) >>> shift;
      links[at] = heads[slot]!;
      heads[slot] = at + 1;
    }
    return shift;
  }

  #step(literal: number, from: number, copy: number): void {
    const at = this.#count++;
    if (at === this.#literal.length) {
      this.#literal = doubled(this.#literal);
      this.#from = doubled(this.#from);
      this.#copy = doubled(this.#copy);
    }
    this.#literal[at] = literal;
    this.#from[at] = from;
    this.#copy[at] = copy;
  }
}

function doubled(column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(column.length * 2);
  larger.set(column);
  return larger;
}

function hashAt(bytes: Uint8Array, at: number): number {
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  const high = bytes[at + 4]! | (bytes[at + 5]! << 8);
  // Odd constants of good spectral quality, from Steele and Vigna, "Computationally easy, spectrally good multipliers".
  return Math.imul(Math.imul(low, 0x915f77f5) ^ high, 0xd9f6c0d5);
}

function equalRun(base: Uint8Array, from: number, target: Uint8Array, at: number): number {
  const most = Math.min(base.length - from, target.length - at);
  let run = 0;
  while (run < most && base[from + run] === target[at + run]) run++;
  return run;
}

function isDense(base: Uint8Array, from: number, target: Uint8Array, at: number): boolean {
  const most = Math.min(DENSE_WINDOW_BYTES, base.length - from, target.length - at);
  let equal = 0;
  for (let i = 0; i < most; i++) if (base[from + i] === target[at + i]) equal++;
  return equal >= DENSE_EQUAL_BYTES;
}
