/**
 * chunking: where a stream of bytes is cut.
 *
 * Nouns: a *chunk* is a run of bytes between two *cuts*; an *algorithm* is a versioned rule that finds cuts; the
 * *parameters* are its name and its sizes. Invariant: where a chunk ends depends on nothing but the parameters
 * and the bytes from the chunk's beginning, never on how the stream was split into blocks. The algorithms are
 * part of the format: docs/formats/chunking.md. A *splitter* cuts by the rules of other programs, to measure what
 * they would save: nothing is ever stored by them, and some know no longest piece.
 */
export { BUP_ITSELF, bupSplitter } from "./bup-rollsum.ts";
export { type Chunker, createChunker, cutPoints } from "./chunker.ts";
export { NOMS_FIRST, NOMS_LAST, nomsSplitter } from "./noms-buzhash.ts";
export { type ChunkerParameters, checkChunkerParameters, defaultChunkerParameters } from "./parameters.ts";
export { probeGearSplitter } from "./probe-gear.ts";
export { SPLITTER_BLOCK_BYTES, type Splitter } from "./splitter.ts";
