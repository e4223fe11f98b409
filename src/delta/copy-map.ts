/** Where the places of a base are in the target. */
import type { Delta } from "./diff.ts";

export class CopyMap {
  readonly #from: Float64Array;
  readonly #to: Float64Array;

  constructor({ count, literal, from, copy }: Delta) {
    const steps: { readonly from: number; readonly to: number }[] = [];
    let to = 0;
    for (let i = 0; i < count; i++) {
      to += literal[i]!;
      if (copy[i]! > 0) steps.push({ from: from[i]!, to });
      to += copy[i]!;
    }
    // Of two copies of one place the first in the target counts.
    steps.sort((a, b) => a.from - b.from || b.to - a.to);
    this.#from = Float64Array.from(steps, (step) => step.from);
    this.#to = Float64Array.from(steps, (step) => step.to);
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
