/** Names of files in a backend, and ranges: the same rules on every backend. */
import { TenonError } from "../errors/index.ts";
import type { ByteRange } from "./types.ts";

/** Longest component: NAME_MAX of the common file systems. */
const MAX_COMPONENT_LENGTH = 255;
/** Longest name: S3 allows 1024 bytes for a key; a prefix of the bucket needs room beside it. */
const MAX_NAME_LENGTH = 768;
const COMPONENT = /^[A-Za-z0-9_@+=-][A-Za-z0-9._@+=-]*$/;

/** The folder of unfinished files; no name begins with it. */
export const TEMPORARY_FOLDER = "tmp";

/** True for a name that every backend can keep. */
export function isName(name: string): boolean {
  if (name.length === 0 || name.length > MAX_NAME_LENGTH) return false;
  const components = name.split("/");
  if (components[0] === TEMPORARY_FOLDER) return false;
  return components.every((part) => part.length <= MAX_COMPONENT_LENGTH && COMPONENT.test(part));
}

/** The name itself, or a `usage` error. */
export function checkName(name: string): string {
  if (isName(name)) return name;
  throw new TenonError("usage", `not a name for a repository file: ${JSON.stringify(name.slice(0, 300))}`, {
    path: name,
  });
}

/** The folder without a trailing '/', or a `usage` error. `""` is the whole backend. */
export function checkFolder(folder: string): string {
  const plain = folder.endsWith("/") ? folder.slice(0, -1) : folder;
  return plain === "" && folder === "" ? "" : checkName(plain);
}

/** A `usage` error for a range that cannot be, `damaged` when the file is too short: before anything is allocated. */
export function checkRange(path: string, range: ByteRange, sizeBytes: number): void {
  const { offset, length } = range;
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(length) || length < 0) {
    throw new TenonError("usage", `${path}: no such range: ${length} bytes at ${offset}`, { path });
  }
  if (length > sizeBytes - offset) throw tooShort(path, range, sizeBytes);
}

/** `damaged`: the file ends before the range does. */
export function tooShort(path: string, { offset, length }: ByteRange, sizeBytes: number): TenonError {
  return new TenonError(
    "damaged",
    `${path}: needs ${length} bytes at offset ${offset}, but the file ends at ${sizeBytes}; run check`,
    { path, field: "range", offset },
  );
}

/** `not-found` for a file of the backend. */
export function missing(path: string): TenonError {
  return new TenonError("not-found", `no such file in the repository: ${path}`, { path });
}

/** Order of names: by code unit, the same everywhere. */
export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
