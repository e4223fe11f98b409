/** The nouns that every file of this room shares. */
import type { Digest } from "../digest/index.ts";

/** Where nodes rest. A node's name is the SHA-256 of its bytes. */
export interface NodeStore {
  /** The node's bytes; `not-found` when there is none. The caller checks the digest. */
  get(digest: Digest): Promise<Uint8Array>;
  /** Keeps the bytes (the store may hold on to the array) and returns their SHA-256. */
  put(bytes: Uint8Array): Promise<Digest> | Digest;
}

/**
 * What the entries of a map mean to the sums kept in its inner nodes. `sums` numbers (at most 4) are kept for
 * every subtree; `measure` gives one entry's share. It must depend on key and value alone.
 */
export interface MapKind {
  /** Name of the format, for errors. */
  readonly format: string;
  /** How many sums each subtree carries, 0 to 4. */
  readonly sums: number;
  /** The entry's share of each sum: `sums` integers from 0 to 2^53 - 1. Throws on a hostile entry. */
  measure(key: Uint8Array, value: Uint8Array): readonly number[];
}

/** Where a map's nodes rest and what its entries mean. */
export interface MapSpace {
  readonly store: NodeStore;
  readonly kind: MapKind;
}

/** A whole map. The digest alone says everything: `openRoot` finds the rest from it. */
export interface ProllyRoot {
  readonly digest: Digest;
  /** Levels above the leaves: 0 when the root is a leaf. */
  readonly level: number;
  /** Entries in the map. */
  readonly count: number;
  /** Sum of the measures of all entries, as many as the kind says. */
  readonly sums: readonly number[];
}

export interface MapEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** Sets a key, or removes it when `value` is undefined. */
export interface MapEdit {
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

/** One key in which two maps differ: `before` or `after` is undefined when the key is absent there. */
export interface MapChange {
  readonly key: Uint8Array;
  readonly before: Uint8Array | undefined;
  readonly after: Uint8Array | undefined;
}

/** A key that both sides changed since the base, to different values. */
export interface MapConflict {
  readonly key: Uint8Array;
  readonly base: Uint8Array | undefined;
  readonly ours: Uint8Array | undefined;
  readonly theirs: Uint8Array | undefined;
}

/** What a resolver decided: a value, the key's removal (`value: undefined`), or null to leave it a conflict. */
export type MapResolution = { readonly value: Uint8Array | undefined } | null;

/** Keys `from` (inclusive) up to `before` (exclusive); an absent end is open. */
export interface KeyRange {
  readonly from?: Uint8Array | undefined;
  readonly before?: Uint8Array | undefined;
}

/** A kind without sums. */
export const PLAIN_MAP: MapKind = { format: "map", sums: 0, measure: () => [] };
