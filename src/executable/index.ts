/**
 * executable: linked files taken apart into pieces that don't depend on where the linker put them, and joined again.
 *
 * Nouns: a *piece* is a function, a run of data between two labels, an unwind record and so on; a *reference* is a
 * field in a piece that gives the place of another piece; a *label* is a piece and a distance from its start. A
 * piece's *content* is its kind, its bytes with the references blanked, and its *sites*, which say what can't be
 * found again in the bytes. A *derived* piece follows from the rest of the file.
 * Invariant: `join` gives back the very bytes that `dissect` took apart, or `dissect` declines with a typed error.
 * The formats are in docs/formats/executable.md.
 */
export {
  type CodedDissection,
  type DecodedDissection,
  decodeDissection,
  encodeDissection,
  type HashedDissection,
  joinConsumed,
  joinDecoded,
  MAX_EXECUTABLE_BYTES,
} from "./code-dissection.ts";
export { type CodedStreams, MAX_STREAMS, Stream } from "./code-streams.ts";
export {
  compareFunctions,
  type FunctionChange,
  type FunctionDifferences,
} from "./compare-functions.ts";
export { type DissectOptions, dissect, joinInput } from "./dissect.ts";
export {
  buildIdKey,
  debugLinkKey,
  type Identity,
  identify,
  identityKeys,
  isIdentityKey,
} from "./identity.ts";
export {
  type CodingFacts,
  type DissectionFacts,
  describeCoding,
  describeDissection,
  pieceCountOf,
} from "./inspect.ts";
export { findSkeleton, join, type Skeleton } from "./join.ts";
export { handprint, pieceHashes } from "./match-identity.ts";
export { FIELD_BYTES } from "./references-kinds.ts";
export type { ReferenceSites } from "./references-sites.ts";
export * from "./types.ts";
