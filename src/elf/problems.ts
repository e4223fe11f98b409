/** What is wrong with a file whose rest can still be used. */

/** One fault: the field in the specification's spelling, where it is in the file, and what is wrong. */
export interface Problem {
  readonly field: string;
  /** File offset in bytes of the field (or of the structure that holds it). */
  readonly offset: number;
  readonly why: string;
}

/** A hostile file can hold one fault per header; nobody reads more than this, and memory stays bounded. */
const KEPT_PROBLEMS = 256;

/** Collects problems; keeps the first 256 and counts the rest. */
export class ProblemList {
  readonly #kept: Problem[] = [];
  #count = 0;

  /** How many were reported, also those that were not kept. */
  get count(): number {
    return this.#count;
  }

  add(field: string, offset: number, why: string): void {
    this.#count++;
    if (this.#kept.length < KEPT_PROBLEMS) this.#kept.push({ field, offset, why });
  }

  /** What was kept, with a last entry that counts what was not. */
  list(): readonly Problem[] {
    const more = this.#count - this.#kept.length;
    if (more === 0) return [...this.#kept];
    return [...this.#kept, { field: "problems", offset: 0, why: `${more} more, not listed` }];
  }
}
