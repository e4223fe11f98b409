/** Numbers for keys of 128 bits, in typed arrays: a Map of strings takes five times the memory. */

/** Slots at first: those of 2 MiB of pages. */
const FIRST_SLOTS = 1024;
/** Of 2^-32 of the circle: the multiplier of Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4). */
const GOLDEN = 0x9e37_79b1;

/** Open addressing with linear probing, at most half full. Numbers count from 1. */
export class KeyTable {
  #slots = new Uint32Array(FIRST_SLOTS);
  #words = new Int32Array(FIRST_SLOTS * 2);
  #size = 0;

  /** The highest number given. */
  get size(): number {
    return this.#size;
  }

  /** The number of a key, a new one if it wasn't there: then it is the new `size`. Words are 32 bits each. */
  add(a: number, b: number, c: number, d: number): number {
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    const slot = this.#find(a | 0, b | 0, c | 0, d | 0);
    const known = this.#slots[slot]!;
    if (known !== 0) return known;
    const number = ++this.#size;
    this.#slots[slot] = number;
    this.#words.set([a, b, c, d], (number - 1) * 4);
    return number;
  }

  /** The number of a key, or 0. */
  get(a: number, b: number, c: number, d: number): number {
    return this.#slots[this.#find(a | 0, b | 0, c | 0, d | 0)]!;
  }

  #find(a: number, b: number, c: number, d: number): number {
    const slots = this.#slots;
    const words = this.#words;
    const mask = slots.length - 1;
    const mixed = Math.imul(Math.imul(Math.imul(a ^ (d >>> 7), GOLDEN) ^ b, GOLDEN) ^ c ^ (d << 9), GOLDEN);
    for (let slot = (mixed ^ (mixed >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const number = slots[slot]!;
      if (number === 0) return slot;
      const at = (number - 1) * 4;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return slot;
    }
  }

  #grow(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let number = 1; number <= this.#size; number++) {
      const at = (number - 1) * 4;
      this.#slots[this.#find(words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!)] = number;
    }
  }
}
