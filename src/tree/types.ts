/** The nouns that every file of this room shares. */
import type { Digest } from "../digest/index.ts";
import type { ProllyRoot } from "../prolly/index.ts";

/** What a path names. `mode` holds the permission bits, set-id bits and sticky bit: at most 0o7777. */
export type TreeEntry =
  | { readonly type: "file"; readonly mode: number; readonly size: number; readonly digest: Digest }
  | { readonly type: "directory"; readonly mode: number }
  | { readonly type: "symlink"; readonly target: Uint8Array };

/**
 * A path relative to the tree's root: components separated by '/', any bytes but 0 in them, none of them
 * empty, `.` or `..`. The empty path is the root directory itself.
 */
export type TreePath = Uint8Array;

/** An entry with its path. */
export interface TreeItem {
  readonly path: TreePath;
  readonly entry: TreeEntry;
}

/** A directory with everything below it. The digest alone says everything: `openTree` finds the rest. */
export type TreeRoot = ProllyRoot;

/** Read from the root node alone. */
export interface TreeSummary {
  /** Entries of every type, the root directory's own included. */
  readonly entries: number;
  readonly files: number;
  /** Sum of file sizes; content that occurs twice counts twice. */
  readonly bytes: number;
}

/** One path in which two trees differ: `before` or `after` is undefined when the path is absent there. */
export interface TreeChange {
  readonly path: TreePath;
  readonly before: TreeEntry | undefined;
  readonly after: TreeEntry | undefined;
}

/** Sets the entry at a path, or removes that one entry when `entry` is undefined. */
export interface TreeEdit {
  readonly path: TreePath;
  readonly entry: TreeEntry | undefined;
}

/**
 * A path on which a merge kept ours. `content`: both sides changed the entry, differently. `no-parent`: theirs
 * added it in a directory that ours no longer has. `not-empty`: theirs removed (or replaced) a directory in
 * which ours still has entries.
 */
export interface TreeConflict {
  readonly kind: "content" | "no-parent" | "not-empty";
  readonly path: TreePath;
  readonly base: TreeEntry | undefined;
  readonly ours: TreeEntry | undefined;
  readonly theirs: TreeEntry | undefined;
}
