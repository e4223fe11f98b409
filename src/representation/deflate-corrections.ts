/** Corrections for one deflate stream: how its symbols are guessed best, what that gets wrong, and the proof. */
import { Hasher } from "../digest/index.ts";
import { throwIfAborted } from "../errors/index.ts";
import { type CorrectedModel, TokenAnalysis, type TokenParameters, tokenParameters } from "../gzip/index.ts";
import type { Experience } from "./deflate-experience.ts";
import { corrected } from "./deflate-recipe.ts";
import type { SourceReader } from "./source.ts";

/**
 * Corrections may take this share of the stream. The content is compressed again when it is stored, about as well
 * as it was; what corrections take comes on top, and pays when the content, or its like, is stored once more.
 */
const MAX_SHARE = 1 / 8;
/** They are in memory until they are proven. */
const MAX_CORRECTION_BYTES = 96 << 20;
/** Compressed bytes that decide how to guess. */
const SAMPLE_BYTES = 128 << 10;
/** A faster way to guess is taken if its corrections take so much more of the stream. */
const SPEED_SHARE = 1 / 200;
/** Streams of a few bytes cost more in corrections than their share. */
const FREE_BYTES = 32;
const STEP_BYTES = 32 << 10;
/** The analysis reads ahead of the end of the stream by what a block's header may have, and its own buffer. */
const AHEAD_BYTES = 4096;

export interface Corrections {
  readonly model: CorrectedModel;
  readonly pieces: readonly Uint8Array[];
  /** Of the compressed stream. */
  readonly streamBytes: number;
  readonly streamDigest: string;
}

/** The cheapest way to guess, or a reason. Errors: `invalid`. */
async function choose(original: SourceReader, experience: Experience): Promise<TokenParameters | string> {
  const seen = (await original.peek(SAMPLE_BYTES)).slice();
  const before = experience.isUnknown ? experience.parameters : undefined;
  if (before !== undefined) {
    const { bytes, of } = costOf(before, seen);
    if (bytes <= of * MAX_SHARE + FREE_BYTES) return before;
  }
  const costs = tokenParameters.map((parameters) => costOf(parameters, seen));
  const of = costs[0]!.of;
  const least = Math.min(...costs.map(({ bytes }) => bytes));
  if (least > of * MAX_SHARE + FREE_BYTES) return tooMany(least / of);
  const best = costs.find(({ bytes }) => bytes <= least + of * SPEED_SHARE)!;
  experience.parameters = best.parameters;
  return best.parameters;
}

/** Corrections for the beginning of a stream, and of how many bytes. */
function costOf(
  parameters: TokenParameters,
  seen: Uint8Array,
): { readonly parameters: TokenParameters; readonly bytes: number; readonly of: number } {
  const analysis = new TokenAnalysis(parameters);
  try {
    let bytes = 0;
    for (const piece of analysis.push(seen, seen.length < SAMPLE_BYTES)) bytes += piece.length;
    return {
      parameters,
      bytes: bytes + (analysis.isDone ? 0 : analysis.breakOff()),
      of: analysis.streamBytes,
    };
  } finally {
    analysis.release();
  }
}

function tooMany(share: number): string {
  return `its encoder is none of those that are known, and corrections would take ${Math.ceil(share * 100)} % of it`;
}

/**
 * Takes one stream from `original`, which stands at its beginning and then behind its end. A string says why not.
 * Errors: `invalid` for what is no deflate stream.
 */
export async function analyseStream(
  original: SourceReader,
  experience: Experience,
  signal: AbortSignal | undefined,
): Promise<Corrections | string> {
  const parameters = await choose(original, experience);
  if (typeof parameters === "string") return parameters;
  const analysis = new TokenAnalysis(parameters);
  try {
    const hasher = new Hasher();
    const pieces: Uint8Array[] = [];
    let correctionBytes = 0;
    let ahead = 0;
    const pass = async (length: number) => {
      for (let left = length; left > 0; ) {
        const part = await original.peek(Math.min(left, STEP_BYTES));
        hasher.update(part);
        original.skip(part.length);
        left -= part.length;
      }
    };
    while (!analysis.isDone) {
      throwIfAborted(signal);
      const bytes = (await original.peek(ahead + STEP_BYTES)).subarray(ahead);
      for (const piece of analysis.push(bytes, bytes.length === 0)) {
        pieces.push(piece);
        correctionBytes += piece.length;
      }
      ahead += bytes.length;
      if (!analysis.isDone && ahead > AHEAD_BYTES) {
        await pass(ahead - AHEAD_BYTES);
        ahead = AHEAD_BYTES;
      }
      const share = correctionBytes / analysis.streamBytes;
      if (correctionBytes > MAX_CORRECTION_BYTES) return "its corrections would take more than 96 MiB";
      if (correctionBytes > analysis.streamBytes * MAX_SHARE + FREE_BYTES) return tooMany(share);
    }
    await pass(analysis.streamBytes - hasher.length);
    return {
      model: { ...parameters, correctionBytes },
      pieces,
      streamBytes: hasher.length,
      streamDigest: hasher.digest(),
    };
  } finally {
    analysis.release();
  }
}

/** True when the content and the corrections make the stream again. */
export async function provesStream(
  { model, pieces, streamBytes, streamDigest }: Corrections,
  content: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  const hasher = new Hasher();
  for await (const made of corrected(model, content, each(pieces))) hasher.update(made);
  return hasher.length === streamBytes && hasher.digest() === streamDigest;
}

async function* each(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}
