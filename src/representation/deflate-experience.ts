/**
 * What the streams of one input had in common so far: members of an archive, or layers of an image, are mostly made by one
 * encoder, and looking for another in each of thousands would take longer than all the rest.
 */
import { type DeflateModel, modelName, type TokenParameters } from "../gzip/index.ts";
import type { PartContext } from "./types.ts";

/** Models that were right lately are tried first. */
const MAX_RECENT = 4;
/** After so many streams of unknown encoders only the recent models are tried ... */
const MAX_MISSES = 3;
/** ... and all of them once in so many. */
const RETRY_EVERY = 32;

export class Experience {
  static readonly #known = new WeakMap<object, Experience>();
  #recent: DeflateModel[] = [];
  #misses = 0;
  /** How symbols were guessed best in the last stream that needed corrections. */
  parameters: TokenParameters | undefined;

  /** That of the input that a context belongs to. */
  static of({ budget }: PartContext): Experience {
    const known = Experience.#known.get(budget) ?? new Experience();
    Experience.#known.set(budget, known);
    return known;
  }

  /** True when unknown encoders are the rule. */
  get isUnknown(): boolean {
    return this.#misses >= MAX_MISSES && this.#misses % RETRY_EVERY !== 0;
  }

  /** The candidates in the order in which they should be tried. */
  likely(candidates: readonly DeflateModel[]): readonly DeflateModel[] {
    return this.isUnknown ? this.#recent : [...this.#recent, ...candidates];
  }

  /** The model that fitted, if any. */
  note(model: DeflateModel | undefined): void {
    if (model === undefined) {
      this.#misses++;
      return;
    }
    this.#misses = 0;
    const name = modelName(model);
    this.#recent = [model, ...this.#recent.filter((known) => modelName(known) !== name)].slice(0, MAX_RECENT);
  }
}
