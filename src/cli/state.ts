/** Lines about refs, roots and entries that several commands print. */
import type { ListEntry, RefState, Root } from "../store/index.ts";
import { escapeControls, formatCount, formatMode, formatSize } from "./text.ts";

type FileEntry = Exclude<ListEntry, { type: "ref" }>;

/** Digits that tell digests apart in tables; a unique beginning is enough to name a blob. */
const SHORT_DIGITS = 12;

/** The digest as a table shows it: short for people, whole for programs and on demand. */
export function digestFormat({ whole }: { whole: boolean }): (digest: string) => string {
  return whole ? (digest) => digest : (digest) => digest.slice(0, SHORT_DIGITS);
}

/** `tool:latest@3` */
export function stateName(state: Pick<RefState, "ref" | "sequence">): string {
  return `${escapeControls(state.ref)}@${state.sequence}`;
}

/** `12 files, 3.0 MiB` for a tree, `3.0 MiB` for a file. */
export function formatContent(root: Root): string {
  return root.type === "tree"
    ? `${formatCount(root.files, "file")}, ${formatSize(root.size)}`
    : formatSize(root.size);
}

/** `tool:latest@3  DIGEST  3.0 MiB`, or that it was removed. */
export function formatState(state: RefState): string {
  return state.root
    ? `${stateName(state)}  ${state.root.digest}  ${formatContent(state.root)}`
    : `${stateName(state)}  removed`;
}

/** `2026-03-01T12:00:00Z`: a stored time to the second. */
export function formatWhen(when: string): string {
  return escapeControls(when.replace(/\.\d+(?=Z$)/, ""));
}

/** The path as lists show it: a directory ends in a slash, a link shows its target. */
export function formatPath(entry: FileEntry): string {
  const path = escapeControls(entry.path);
  if (entry.type === "directory") return path.endsWith("/") ? path : `${path}/`;
  return entry.type === "symlink" ? `${path} -> ${escapeControls(entry.target ?? "")}` : path;
}

/** `-rwxr-xr-x    3.0 MiB  0123456789ab  bin/tool`: columns of fixed width, since entries arrive one by one. */
export function formatEntry(entry: FileEntry, digest: (digest: string) => string): string {
  const size = entry.size === undefined ? "-" : formatSize(entry.size);
  const shown = entry.digest === undefined ? "-" : digest(entry.digest);
  const width = digest("0".repeat(64)).length;
  return `${formatMode(entry.type, entry.mode)}  ${size.padStart(10)}  ${shown.padEnd(width)}  ${formatPath(entry)}`;
}
