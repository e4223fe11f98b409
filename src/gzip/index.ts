/**
 * gzip: members of a gzip file, and encoders that make the very same deflate stream again.
 *
 * Nouns: a `member` is header, deflate stream, trailer; a `model` names an encoder with its parameters;
 * `corrections` say where the symbols of a stream differ from what is guessed from its content. Invariant: a model
 * is only ever a guess: whoever uses one compares what it makes with what was there.
 */

export {
  gzipHeaderBytes,
  isGzip,
  isZlib,
  MAX_GZIP_HEADER_BYTES,
  ZLIB_HEADER_BYTES,
  ZLIB_TRAILER_BYTES,
} from "./header.ts";
export {
  type CorrectedModel,
  candidates,
  type DeflateModel,
  decodeModel,
  encodeModel,
  encoderOf,
  gzipHint,
  modelName,
  type StreamHint,
  type StreamModel,
  zlibHint,
} from "./models.ts";
export {
  TokenAnalysis,
  type TokenParameters,
  TokenSynthesis,
  tokenParameters,
} from "./token-model.ts";
export type { DeflateEncoder } from "./types.ts";
