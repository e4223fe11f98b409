/**
 * prolly: ordered maps from bytes to bytes whose shape depends on their content alone.
 *
 * Nouns: a `node` is a run of entries, named by the SHA-256 of its bytes; a `leaf` holds keys and values, an
 * inner node holds children; a `root` is the node that everything hangs from; a `kind` says what the entries
 * mean and which sums are kept over them; a `space` is a kind and the store its nodes rest in. Invariant: equal
 * content gives an equal root digest, whatever the order of the edits that led to it; whatever bytes a store
 * hands back, reading ends with a value or a typed error.
 *
 * Where things are: node (decoding, limits), draft (encoding), splitter (where a node ends), builder (sorted
 * entries to a root), load and path (reading nodes in their place), editor, cursor, diff, merge, verify.
 */
export { buildMap, emptyRoot, MapBuilder } from "./builder.ts";
export { Cursor, entries, getValue, prefixRange, type RangeTotals, rangeTotals } from "./cursor.ts";
export { diffMaps } from "./diff.ts";
export { editMap, sortEdits } from "./editor.ts";
export { openRoot } from "./load.ts";
export { type MergeInput, type MergePlan, mergeMaps, planMerge } from "./merge.ts";
export { leafEntries, MAX_KEY_BYTES, MAX_NODE_BYTES, MAX_VALUE_BYTES, nodeChildren } from "./node.ts";
export type {
  KeyRange,
  MapChange,
  MapConflict,
  MapEdit,
  MapEntry,
  MapKind,
  MapResolution,
  MapSpace,
  NodeStore,
  ProllyRoot,
} from "./types.ts";
export { PLAIN_MAP } from "./types.ts";
export { verifyMap } from "./verify.ts";
