/** Content for tests of encoders, and a whole stream from one. */
import fc from "fast-check";
import { type DeflateModel, encoderOf } from "../models.ts";

/** Noise and repetitions by turns, so that every kind of block and match occurs. */
export function mixedContent(mostParts: number): fc.Arbitrary<Buffer> {
  return fc
    .array(
      fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 3000 }),
        fc.record({
          word: fc.uint8Array({ minLength: 1, maxLength: 40 }),
          times: fc.integer({ min: 1, max: 900 }),
        }),
      ),
      { maxLength: mostParts },
    )
    .map((parts) =>
      Buffer.concat(
        parts.map((part) =>
          "word" in part ? Buffer.concat(Array<Uint8Array>(part.times).fill(part.word)) : part,
        ),
      ),
    );
}

export interface LikeLetters {
  readonly bytes: number;
  /** How many different bytes there are: of few, chains are long. */
  readonly letters: number;
  /** How often, of 256 times, something earlier comes again, and at most how much of it. */
  readonly repeats: number;
  readonly mostRepeated: number;
  readonly seed: number;
}

/** Bytes of few kinds in which much is like something earlier, at any distance: matches that are nearly as good as others. */
export function likeContent({ bytes, letters, repeats, mostRepeated, seed }: LikeLetters): Uint8Array {
  const out = new Uint8Array(bytes);
  // A linear congruential generator: Knuth's MMIX has the same form; these are the constants of Numerical Recipes.
  let state = seed >>> 0;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let at = 0; at < bytes; ) {
    if (at > 0 && random(256) < repeats) {
      const distance = 1 + random(Math.min(at, 40_000));
      for (let left = 1 + random(mostRepeated); left > 0 && at < bytes; left--, at++)
        out[at] = out[at - distance]!;
    } else out[at++] = random(letters);
  }
  return out;
}

/** Settings for `likeContent`. */
export const likeSettings: fc.Arbitrary<LikeLetters> = fc.record({
  bytes: fc.oneof(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 600, max: 150_000 })),
  letters: fc.constantFrom(1, 2, 3, 4, 16, 64, 256),
  repeats: fc.constantFrom(0, 1, 30, 120, 255),
  mostRepeated: fc.constantFrom(4, 8, 30, 300),
  seed: fc.nat(),
});

/** What the model makes of the data, given in pieces that end at `cuts`. */
export function deflate(model: DeflateModel, data: Uint8Array, cuts: readonly number[] = []): Buffer {
  const encoder = encoderOf(model);
  const out: Buffer[] = [];
  let at = 0;
  for (const cut of [...cuts.filter((cut) => cut < data.length).sort((a, b) => a - b), data.length]) {
    for (const made of encoder.push(data.subarray(at, cut))) out.push(Buffer.from(made));
    at = cut;
  }
  for (const made of encoder.finish()) out.push(Buffer.from(made));
  encoder.release();
  return Buffer.concat(out);
}
