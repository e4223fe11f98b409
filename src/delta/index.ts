/**
 * delta: what is alike, and one run of bytes said by another.
 *
 * Nouns: a `base` is bytes that both sides have, a `target` is what is to be said; a `delta` is a list of steps, each
 * some new bytes and then a copy from the base. A `feature` of a run of bytes is the greatest of many hashes: runs
 * that share features are alike. Invariant: a delta applied to its base gives the target or a typed error, in time
 * and memory bounded by the lengths that the caller allows; nothing here depends on the order of a hash table.
 */
export { DeltaReader, type DeltaSources, type DeltaStreams, unzigzag, writeDelta, zigzag } from "./codec.ts";
export { CopyMap } from "./copy-map.ts";
export { type Delta, Differ, deltaWeight } from "./diff.ts";
export { DifferTwin } from "./diff-twin.ts";
export { LikenessSearch, mostWanted } from "./likeness.ts";
export { LikenessSearchTwin } from "./likeness-twin.ts";
