/**
 * tree: a directory, or an image, as a prolly map from path to entry.
 *
 * Nouns: a `path` is bytes, relative, '/' between components; an `entry` is a file (mode, size, digest), a
 * directory (mode) or a symlink (target). Invariant: no tree, however hostile its nodes, yields a path that is
 * absolute or has an empty, `.` or `..` component; every entry's parent is a directory of the same tree.
 *
 * Order: component by component, each component by its bytes, a directory right before what it holds. So walk a
 * directory by sorting its names with `compareNames` and going into each subdirectory at once.
 */
export { editTree, TreeBuilder } from "./builder.ts";
export { decodeEntry, encodeEntry, MAX_MODE, MAX_TARGET_BYTES } from "./entry.ts";
export { diffTrees, mergeTrees, type TreeMergeInput, type TreeResolution } from "./merge.ts";
export { checkTreePath, compareNames, comparePaths, MAX_PATH_BYTES, parsePath, ROOT_PATH } from "./path.ts";
export {
  emptyTree,
  leafItems,
  list,
  lookup,
  nodeReferences,
  openTree,
  summary,
  summaryOf,
  verifyTree,
  walk,
} from "./reading.ts";
export type {
  TreeChange,
  TreeConflict,
  TreeEdit,
  TreeEntry,
  TreeItem,
  TreePath,
  TreeRoot,
  TreeSummary,
} from "./types.ts";
