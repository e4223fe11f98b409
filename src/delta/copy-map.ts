/** Where the places of a base are in the target. */
import type { Delta } from "./diff.ts";

export class CopyMap {
  readonly #from: Uint32Array;
  readonly #to: Uint32Array;

  constructor({ count, literal, from, copy }: Delta) {
    const froms = new Uint32Array(count);
    const tos = new Uint32Array(count);
    let steps = 0;
    let sorted = true;
    let to = 0;
    for (let i = 0; i < count; i++) {
      to += literal[i]!;
      if (copy[i]! > 0) {
        froms[steps] = from[i]!;
        tos[steps] = to;
        if (steps > 0 && from[i]! <= froms[steps - 1]!) sorted = false;
        steps++;
      }
      to += copy[i]!;
    }
    this.#from = froms.subarray(0, steps);
    this.#to = tos.subarray(0, steps);
    if (sorted) return;
    // Of two copies of one place the first in the target counts.
    const order = new Uint32Array(steps).map((_, i) => i);
    order.sort((a, b) => froms[a]! - froms[b]! || b - a);
    this.#from = order.map((i) => froms[i]!);
    this.#to = order.map((i) => tos[i]!);
  }

  /** An offset in the base as one in the target; what was not copied is taken to follow the copy before it. */
  through(offset: number): number {
    const from = this.#from;
    let low = 0;
    let high = from.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (from[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? offset : offset - from[low - 1]! + this.#to[low - 1]!;
  }
}
