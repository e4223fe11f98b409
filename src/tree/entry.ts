/**
 * The entry codec (docs/formats/tree.md has the byte tables).
 *
 *   file:      1 | mode varint | size varint | digest 32
 *   directory: 2 | mode varint
 *   symlink:   3 | target, to the end of the value
 *
 * Type 0 is reserved; a type above 3 belongs to a newer release.
 */
import { ByteReader, ByteWriter, fromHex, toHex } from "../bytes/index.ts";
import { DIGEST_BYTES, isDigest } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import type { MapKind, MapSpace, NodeStore } from "../prolly/index.ts";
import { checkKey, pathOf } from "./path.ts";
import type { TreeEntry, TreeItem } from "./types.ts";

const FORMAT = "tree";
const FILE = 1;
const DIRECTORY = 2;
const SYMLINK = 3;
/** Permission bits, set-user-id, set-group-id and sticky bit. */
export const MAX_MODE = 0o7777;
/** PATH_MAX on Linux. */
export const MAX_TARGET_BYTES = 4096;

/** The value of an entry in the map; `usage` for one that breaks its bounds. */
export function encodeEntry(entry: TreeEntry): Uint8Array {
  const writer = new ByteWriter(48);
  if (entry.type === "symlink") {
    const { target } = entry;
    if (target.length === 0 || target.length > MAX_TARGET_BYTES || target.includes(0)) {
      throw new TenonError("usage", `a symlink target has 1 to ${MAX_TARGET_BYTES} bytes, none of them 0`);
    }
    return writer.u8(SYMLINK).raw(target).finish();
  }
  checkInteger("mode", entry.mode, MAX_MODE);
  if (entry.type === "directory") return writer.u8(DIRECTORY).varint(entry.mode).finish();
  checkInteger("size", entry.size, Number.MAX_SAFE_INTEGER);
  if (!isDigest(entry.digest)) throw new TenonError("usage", `not a digest: ${entry.digest}`);
  writer.u8(FILE).varint(entry.mode).varint(entry.size).raw(fromHex(entry.digest));
  return writer.finish();
}

function checkInteger(field: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && value <= max) return;
  throw new TenonError("usage", `a tree entry's ${field} is an integer from 0 to ${max}, not ${value}`);
}

/** The entry of a value; `invalid`, or `unsupported` for a type of a newer release. */
export function decodeEntry(value: Uint8Array): TreeEntry {
  const reader = new ByteReader(value, FORMAT);
  const type = reader.u8("entry type");
  if (type === SYMLINK) {
    const target = reader.view(reader.remaining, "target");
    if (target.length === 0 || target.length > MAX_TARGET_BYTES || target.includes(0)) {
      throw reader.error("target", `1 to ${MAX_TARGET_BYTES} bytes, none of them 0`, 1);
    }
    return { type: "symlink", target };
  }
  checkType(reader, type);
  const mode = reader.varint("mode", MAX_MODE);
  if (type === DIRECTORY) {
    reader.end("after the directory");
    return { type: "directory", mode };
  }
  const size = reader.varint("size");
  const digest = toHex(reader.view(DIGEST_BYTES, "digest"));
  reader.end("after the file");
  return { type: "file", mode, size, digest };
}

function checkType(reader: ByteReader, type: number): void {
  if (type === FILE || type === DIRECTORY) return;
  if (type === 0) throw reader.error("entry type", "0 is reserved", 0);
  throw new TenonError("unsupported", `tree: entry type ${type} needs a newer release`, {
    format: FORMAT,
    field: "entry type",
    offset: 0,
  });
}

const NO_FILE: readonly number[] = [0, 0];

/** Trees keep two sums for each subtree: files, and bytes in them. */
export const TREE_KIND: MapKind = {
  format: FORMAT,
  sums: 2,
  measure(key, value) {
    checkKey(key); // a key that is no path never gets past the reading of its node
    const reader = new ByteReader(value, FORMAT);
    const type = reader.u8("entry type");
    if (type === DIRECTORY || type === SYMLINK) return NO_FILE;
    checkType(reader, type);
    reader.varint("mode", MAX_MODE);
    return [1, reader.varint("size")];
  },
};

export function treeSpace(store: NodeStore): MapSpace {
  return { store, kind: TREE_KIND };
}

/** A map's entry as a tree's; `invalid` for a path or value that a tree may not hold. */
export function itemOf({ key, value }: { key: Uint8Array; value: Uint8Array }): TreeItem {
  const item = { path: pathOf(key), entry: decodeEntry(value) };
  if (key.length === 0 && item.entry.type !== "directory") {
    throw new ByteReader(value, FORMAT).error("entry type", "the root is not a directory", 0);
  }
  return item;
}
