/**
 * files: walking, reading and restoring the file system safely.
 *
 * Nouns: a **walk** yields every entry under a root in the order of their paths; a **source** is a regular file
 * being read; a **restorer** writes a tree below one directory; a **file writer** is a file that gets its name
 * only when it is whole. Paths are bytes, never text: names need not be UTF-8.
 *
 * Invariants: a walk follows no symbolic link but the root; a source is a regular file, and says afterwards
 * whether it changed while it was read; a restorer creates nothing outside its destination, and nobody sees a
 * file that is half written under its final name. POSIX systems only.
 */

export { exclusion } from "./exclude.ts";
export { fileError } from "./file-error.ts";
export { bytewise, componentwise } from "./order.ts";
export { openRestorer } from "./restorer.ts";
export { restoreFile } from "./single.ts";
export { openSource } from "./source.ts";
export { writeAll } from "./stream.ts";
export type {
  Existing,
  FileWriter,
  PathOrder,
  RestoreOptions,
  Restorer,
  Source,
  SourceChange,
  WalkEntry,
  WalkItem,
  WalkOptions,
  WalkProblem,
} from "./types.ts";
export { walk } from "./walk.ts";
