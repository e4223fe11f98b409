/** Paths as bytes: joining and taking apart those that a stored tree gives. */

import { realpathSync } from "node:fs";
import { displayPath } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";

const SLASH = 0x2f;
/** UTF-8 bytes of a text, or the bytes themselves. */
export function pathBytes(path: string | Uint8Array): Buffer {
  if (typeof path === "string") return Buffer.from(path);
  return Buffer.from(path.buffer, path.byteOffset, path.length);
}

/** `directory/name`. */
export function joinPath(directory: Uint8Array, name: Uint8Array): Buffer {
  const slash = directory.length > 0 && directory[directory.length - 1] !== SLASH ? 1 : 0;
  const out = Buffer.allocUnsafe(directory.length + slash + name.length);
  out.set(directory, 0);
  if (slash === 1) out[directory.length] = SLASH;
  out.set(name, directory.length + slash);
  return out;
}

/** The path from the file system's root; one that is absolute stays as it is. */
export function absolutePath(path: string | Uint8Array): Buffer {
  const bytes = pathBytes(path);
  if (bytes.length === 0) throw new TenonError("usage", "an empty path names nothing", { path: "" });
  if (bytes.includes(0)) {
    throw new TenonError("usage", `${displayPath(bytes)}: a path can't hold a NUL byte`, {
      path: displayPath(bytes),
    });
  }
  if (bytes[0] === SLASH) return bytes;
  // Not process.cwd(): it is text, and the directory's name may not be.
  return joinPath(realpathSync.native(".", { encoding: "buffer" }), bytes);
}

/** Directory and last name of an absolute path; a path that ends in '/', '.' or '..' names no file. */
export function splitLast(path: Uint8Array): { directory: Buffer; name: Buffer } {
  const bytes = pathBytes(path);
  const cut = bytes.lastIndexOf(SLASH);
  const name = bytes.subarray(cut + 1);
  if (name.length === 0 || isDots(name)) {
    const shown = displayPath(bytes);
    throw new TenonError("usage", `${shown}: names a directory; give the name of a file`, { path: shown });
  }
  return { directory: cut === 0 ? bytes.subarray(0, 1) : bytes.subarray(0, Math.max(cut, 0)), name };
}

/**
 * The components of a path that a stored tree gives; none for the empty path. Error `unsafe`: absolute, with
 * an empty component, '.', '..' or NUL.
 */
export function components(path: Uint8Array): Buffer[] {
  const bytes = pathBytes(path);
  if (bytes.length === 0) return [];
  const out: Buffer[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const slash = bytes.indexOf(SLASH, start);
    const end = slash === -1 ? bytes.length : slash;
    const name = bytes.subarray(start, end);
    if (name.length === 0) throw unsafePath(bytes, start === 0 ? "is absolute" : "has an empty component");
    if (isDots(name)) throw unsafePath(bytes, `has the component '${name.toString("latin1")}'`);
    if (name.includes(0)) throw unsafePath(bytes, "holds a NUL byte");
    out.push(name);
    start = end + 1;
  }
  return out;
}

function isDots(name: Buffer): boolean {
  return (name.length === 1 || name.length === 2) && name.every((byte) => byte === 0x2e);
}

/** Refusal of a path in a stored tree. */
export function unsafePath(path: Uint8Array, why: string): TenonError {
  const shown = displayPath(path);
  return new TenonError(
    "unsafe",
    `${shown}: the stored path ${why}; nothing was written for it, and the tree it comes from is not to be trusted`,
    { path: shown },
  );
}
