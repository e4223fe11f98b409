/**
 * gzip: members of a gzip file, and encoders that make the very same deflate stream again.
 *
 * Nouns: a `member` is header, deflate stream, trailer; a `model` names an encoder with its parameters. Invariant:
 * a model is only ever a guess: whoever uses one compares what it makes with what was there.
 */

export { gzipHeaderBytes, isGzip, MAX_GZIP_HEADER_BYTES } from "./header.ts";
export { candidates, type DeflateModel, decodeModel, encodeModel, encoderOf, modelName } from "./models.ts";
export type { DeflateEncoder } from "./types.ts";
