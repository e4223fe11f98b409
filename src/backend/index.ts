/**
 * backend: where immutable files rest.
 *
 * Nouns: a `Backend` keeps files under names of plain ASCII; a file is immutable once it has its name, apart from
 * the few that `replace` writes. A `RandomFile` is read at any place, a `BackendWriter` makes a file whose name is
 * known only at its end. Invariant: under a name there is nothing or the whole file, for every reader and after
 * every crash, and of many that create the same name exactly one succeeds.
 */
export { DirectoryBackend, type DirectoryBackendOptions } from "./directory.ts";
export { makeDirectories } from "./make-directories.ts";
export { MemoryBackend, type MemoryBackendOptions } from "./memory.ts";
export { checkName, isName } from "./names.ts";
export { probeCreateIfAbsent } from "./probe.ts";
export { ScratchBackend } from "./scratch.ts";
export type { Backend, BackendWriter, ByteRange, FileStat, ListedFile, RandomFile } from "./types.ts";
export { openUnnamedFile } from "./unnamed-file.ts";
