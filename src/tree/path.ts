/**
 * Paths as bytes: their rule, their order, their key in the map, and how people read and write them.
 *
 * A file name on Unix is any bytes but 0 and '/'. The key of a path is the path with each '/' as byte 0, the
 * one byte smaller than all that a name may hold: so everything below a directory follows it at once, `a/b`
 * before `a.txt`, and one range of keys is one subtree.
 */
import { compareBytes, utf8 } from "../bytes/index.ts";
import { invalid, TenonError } from "../errors/index.ts";
import { type KeyRange, MAX_KEY_BYTES } from "../prolly/index.ts";
import type { TreePath } from "./types.ts";

export const MAX_PATH_BYTES = MAX_KEY_BYTES;
const SLASH = 0x2f;
const DOT = 0x2e;
const FORMAT = "tree path";

/** The root directory's own path. */
export const ROOT_PATH: TreePath = new Uint8Array(0);

/** Throws `invalid` unless the bytes are a path that a tree may hold. */
export function checkTreePath(path: Uint8Array): void {
  checkComponents(path, SLASH);
}

function checkComponents(bytes: Uint8Array, separator: number): void {
  const bad = (offset: number, why: string) => invalid(FORMAT, "path", offset, why);
  if (bytes.length > MAX_PATH_BYTES) throw bad(0, `${bytes.length} bytes, at most ${MAX_PATH_BYTES}`);
  if (bytes.length === 0) return;
  let start = 0;
  for (let i = 0; i <= bytes.length; i++) {
    const byte = i < bytes.length ? bytes[i]! : separator;
    if (byte === separator) {
      if (i === start) throw bad(i, "an empty component, or a '/' at an end");
      const isDot =
        bytes[start] === DOT && (i - start === 1 || (i - start === 2 && bytes[start + 1] === DOT));
      if (isDot) throw bad(start, "a component that is '.' or '..'");
      start = i + 1;
    } else if (byte === 0 || byte === SLASH) {
      throw bad(i, "a byte that no name may have");
    }
  }
}

/** A checked path's key in the map. */
export function keyOf(path: TreePath): Uint8Array {
  checkTreePath(path);
  return path.map((byte) => (byte === SLASH ? 0 : byte));
}

/** Throws `invalid` unless the bytes are the key of a path that a tree may hold. */
export function checkKey(key: Uint8Array): void {
  checkComponents(key, 0);
}

/** The path of a key read from a map; `invalid` when a tree may not hold it. */
export function pathOf(key: Uint8Array): TreePath {
  checkKey(key);
  return key.map((byte) => (byte === 0 ? SLASH : byte));
}

/** Keys below a directory, its own not included. */
export function belowRange(key: Uint8Array): KeyRange {
  if (key.length === 0) return { from: new Uint8Array(1) };
  return { from: withByte(key, 0), before: withByte(key, 1) };
}

/** Keys of a directory and all below it: no name sorts between the two. */
export function subtreeRange(key: Uint8Array): KeyRange {
  return key.length === 0 ? {} : { from: key, before: withByte(key, 1) };
}

function withByte(key: Uint8Array, byte: number): Uint8Array {
  const longer = new Uint8Array(key.length + 1);
  longer.set(key);
  longer[key.length] = byte;
  return longer;
}

/** The key of the directory that holds this key; undefined for the root. */
export function parentKey(key: Uint8Array): Uint8Array | undefined {
  return key.length === 0 ? undefined : key.subarray(0, Math.max(0, key.lastIndexOf(0)));
}

/** The order in which the names of one directory are walked: by their bytes. */
export const compareNames: (a: Uint8Array, b: Uint8Array) => -1 | 0 | 1 = compareBytes;

/** The order of paths in a tree: component by component, a directory before what it holds. */
export function comparePaths(a: TreePath, b: TreePath): -1 | 0 | 1 {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    if (a[i] === b[i]) continue;
    return rank(a[i]!) < rank(b[i]!) ? -1 : 1;
  }
  return a.length < b.length ? -1 : a.length > b.length ? 1 : 0;
}

function rank(byte: number): number {
  return byte === SLASH ? 0 : byte;
}

/**
 * The path that a text names: UTF-8, with `\xNN` for a byte and `\\` for a backslash. `usage` for a backslash
 * before anything else and for a lone surrogate, `invalid` for what `checkTreePath` refuses.
 */
export function parsePath(text: string): TreePath {
  const fail = (why: string) => new TenonError("usage", `${JSON.stringify(text.slice(0, 80))}: ${why}`);
  if (!text.isWellFormed()) throw fail("not well-formed Unicode");
  const bytes: number[] = [];
  for (const [piece, digits] of text.matchAll(/\\x([0-9a-fA-F]{2})|\\\\|\\|[^\\]+/g)) {
    if (piece === "\\") throw fail("write a backslash as \\\\, any byte as \\xNN");
    if (digits !== undefined) bytes.push(Number.parseInt(digits, 16));
    else if (piece === "\\\\") bytes.push(0x5c);
    else for (const byte of utf8(piece)) bytes.push(byte);
  }
  const path = new Uint8Array(bytes);
  checkTreePath(path);
  return path;
}
