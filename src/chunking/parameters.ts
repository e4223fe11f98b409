/** The parameters of a chunker: what a repository's config records, and their check. */
import { TenonError } from "../errors/index.ts";
import type { CutSizes } from "../kernels/index.ts";
import { algorithms } from "./algorithms.ts";

/** Everything that decides where a stream is cut. A plain object, stored as JSON in the repository's config. */
export interface ChunkerParameters extends CutSizes {
  /** Versioned name of the rule, e.g. `mincdc4-v1`. A name's meaning never changes. */
  readonly algorithm: string;
  /** No chunk is shorter, save the only chunk of a shorter input. */
  readonly minBytes: number;
  /** Mean length on data without structure. */
  readonly meanBytes: number;
  /** No chunk is longer. */
  readonly maxBytes: number;
}

/** Gear looks back 32 bytes from the lowest cut; and below this the index entry of a chunk weighs as much as the chunk saves. */
const LEAST_MIN_BYTES = 64;
/** A segment is about 1 MiB: a chunk must fit into one, and a chunker's memory stays small. */
const GREATEST_MAX_BYTES = 1 << 20;

export const defaultChunkerParameters: ChunkerParameters = {
  algorithm: "mincdc4-v1",
  minBytes: 10240,
  meanBytes: 16384,
  maxBytes: 22528,
};

function fail(field: string, why: string): TenonError {
  return new TenonError("invalid", `chunker parameters: ${field} ${why}`, {
    format: "chunker parameters",
    field,
  });
}

function lengthField(value: object, field: keyof CutSizes): number {
  const length: unknown = (value as Record<string, unknown>)[field];
  if (typeof length !== "number" || !Number.isSafeInteger(length)) throw fail(field, "is not an integer");
  if (length < LEAST_MIN_BYTES || length > GREATEST_MAX_BYTES) {
    throw fail(field, `is ${length}, outside ${LEAST_MIN_BYTES} to ${GREATEST_MAX_BYTES} bytes`);
  }
  return length;
}

/**
 * Checks a value that came from outside, e.g. parsed JSON, and returns a copy with exactly the four fields.
 * Errors: `invalid` naming the field; `unsupported` for an algorithm that this release doesn't know.
 */
export function checkChunkerParameters(value: unknown): ChunkerParameters {
  if (typeof value !== "object" || value === null) throw fail("value", "is not an object");
  const name: unknown = (value as Record<string, unknown>).algorithm;
  if (typeof name !== "string") throw fail("algorithm", "is not a string");
  const algorithm = algorithms.get(name);
  if (algorithm === undefined) {
    const known = [...algorithms.keys()].join(", ");
    throw new TenonError(
      "unsupported",
      `chunker parameters: algorithm ${JSON.stringify(name.slice(0, 80))} is not known to this release (it knows ${known}); a newer tenon may`,
      { format: "chunker parameters", field: "algorithm" },
    );
  }
  const minBytes = lengthField(value, "minBytes");
  const meanBytes = lengthField(value, "meanBytes");
  const maxBytes = lengthField(value, "maxBytes");
  if (maxBytes < 2 * minBytes)
    throw fail("maxBytes", `is ${maxBytes}, less than twice minBytes (${minBytes})`);
  const why = algorithm.meanProblem({ minBytes, meanBytes, maxBytes });
  if (why !== undefined) throw fail("meanBytes", `is ${meanBytes}, ${why}`);
  return { algorithm: name, minBytes, meanBytes, maxBytes };
}
