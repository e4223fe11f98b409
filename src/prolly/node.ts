/**
 * The node codec, reading side, and the limits of the format (docs/formats/tree.md has the byte tables).
 *
 *   version u8 = 1 | level u8 | sums u8 | entries u16 | entry ...
 *   entry of a leaf:       shared varint | suffix length varint | value length varint | suffix | value
 *   entry of an inner node: shared varint | suffix length varint | suffix | digest 32 | count varint | sum varint ...
 *
 * A key is the first `shared` bytes of the key before it and then the suffix; `shared` is as large as it can
 * be, so that there is one way to write a node. An inner entry's key is the last key of its child.
 */
import { ByteReader, toHex } from "../bytes/index.ts";
import { DIGEST_BYTES, type Digest } from "../digest/index.ts";
import { invalid, TenonError } from "../errors/index.ts";
import type { MapEntry } from "./types.ts";

export const NODE_VERSION = 1;
export const NODE_HEADER_BYTES = 5;
/** No node is larger: the largest entry that the two limits below allow still fits. */
export const MAX_NODE_BYTES = 16384;
/** A Linux path (PATH_MAX, 4096) and one more name (NAME_MAX, 255) fit. */
export const MAX_KEY_BYTES = 4096 + 255;
/** Twice the longest symlink target. */
export const MAX_VALUE_BYTES = 8192;
/** 15 levels of inner nodes: 14 million leaves in the worst case (3 children each); the usual 60 need 4 levels. */
export const MAX_LEVEL = 15;
export const MAX_SUMS = 4;

/** What an inner node knows of a child. */
export interface ChildRef {
  readonly digest: Digest;
  /** Entries below. */
  readonly count: number;
  /** Sums over the entries below. */
  readonly sums: readonly number[];
}

/** A leaf's value, or an inner node's child. */
export type Payload = Uint8Array | ChildRef;

/** An entry of any level. */
export interface LevelEntry {
  readonly key: Uint8Array;
  readonly payload: Payload;
}

/** A decoded node. Keys ascend strictly; `payloads` are values on level 0 and children above. */
export interface Node {
  readonly bytes: Uint8Array;
  readonly level: number;
  /** Sums that each child of an inner node carries. */
  readonly sumsWidth: number;
  readonly keys: readonly Uint8Array[];
  readonly payloads: readonly Payload[];
}

/** Adds to sums in place; `limit` when a sum leaves 2^53 - 1. */
export function addSums(total: number[], more: readonly number[]): void {
  for (let i = 0; i < total.length; i++) {
    const sum = total[i]! + more[i]!;
    if (!Number.isSafeInteger(sum)) {
      throw new TenonError("limit", "the sums of a map may not pass 2^53 - 1: use several smaller maps");
    }
    total[i] = sum;
  }
}

/**
 * Decodes a node by itself; what it claims about its children is checked when they are read. Views into
 * `bytes` are handed out, so it must not change afterwards. `unsupported` for another version, `invalid` for
 * bytes that no builder writes.
 */
export function decodeNode(bytes: Uint8Array, format: string): Node {
  if (bytes.length > MAX_NODE_BYTES) {
    throw invalid(format, "node", 0, `${bytes.length} bytes, at most ${MAX_NODE_BYTES} are allowed`);
  }
  const reader = new ByteReader(bytes, format);
  const version = reader.u8("version");
  if (version === 0) throw reader.error("version", "0 is reserved", 0);
  if (version !== NODE_VERSION) {
    throw new TenonError("unsupported", `${format}: node version ${version} needs a newer release`, {
      format,
      field: "version",
      offset: 0,
    });
  }
  const level = reader.u8("level");
  if (level > MAX_LEVEL) throw reader.error("level", `${level} is above ${MAX_LEVEL}`, 1);
  const sumsWidth = reader.u8("sums");
  if (sumsWidth > MAX_SUMS) throw reader.error("sums", `${sumsWidth} is more than ${MAX_SUMS}`, 2);
  const count = reader.u16("entries");
  if (level > 0 && count === 0) throw reader.error("entries", "an inner node without children", 3);
  const keys: Uint8Array[] = [];
  const payloads: Payload[] = [];
  let previous: Uint8Array | undefined;
  for (let i = 0; i < count; i++) {
    const at = reader.offset;
    const shared = reader.varint("shared", previous?.length ?? 0);
    const suffixLength = reader.varint("suffix length", MAX_KEY_BYTES - shared);
    const valueLength = level === 0 ? reader.varint("value length", MAX_VALUE_BYTES) : 0;
    const suffix = reader.view(suffixLength, "suffix");
    const key = shared === 0 ? suffix : join(previous!, shared, suffix);
    if (previous !== undefined) checkOrder(reader, at, { previous, shared, suffix });
    keys.push(key);
    payloads.push(level === 0 ? reader.view(valueLength, "value") : readChild(reader, sumsWidth));
    previous = key;
  }
  reader.end("after the last entry");
  return { bytes, level, sumsWidth, keys, payloads };
}

function join(previous: Uint8Array, shared: number, suffix: Uint8Array): Uint8Array {
  const key = new Uint8Array(shared + suffix.length);
  key.set(previous.subarray(0, shared));
  key.set(suffix, shared);
  return key;
}

/** `shared` as large as possible and the key after the one before: both show in the suffix's first byte. */
function checkOrder(
  reader: ByteReader,
  at: number,
  key: { previous: Uint8Array; shared: number; suffix: Uint8Array },
): void {
  const first = key.suffix[0];
  if (first === undefined) throw reader.error("key", "repeats or precedes the key before it", at);
  if (key.shared === key.previous.length) return;
  const before = key.previous[key.shared]!;
  if (first === before) throw reader.error("shared", "smaller than it could be", at);
  if (first < before) throw reader.error("key", "not in ascending order", at);
}

function readChild(reader: ByteReader, sumsWidth: number): ChildRef {
  const digest = toHex(reader.view(DIGEST_BYTES, "child digest"));
  const at = reader.offset;
  const count = reader.varint("child count");
  if (count === 0) throw reader.error("child count", "a child without entries", at);
  const sums: number[] = [];
  for (let i = 0; i < sumsWidth; i++) sums.push(reader.varint("child sum"));
  return { digest, count, sums };
}

/** Digests of the nodes that a node refers to, in key order; none for a leaf. */
export function nodeChildren(bytes: Uint8Array): Digest[] {
  const node = decodeNode(bytes, "node");
  return node.level === 0 ? [] : node.payloads.map((payload) => (payload as ChildRef).digest);
}

/** The entries of a leaf, in key order; none for an inner node. */
export function leafEntries(bytes: Uint8Array): MapEntry[] {
  const node = decodeNode(bytes, "node");
  if (node.level > 0) return [];
  return node.keys.map((key, i) => ({ key, value: node.payloads[i] as Uint8Array }));
}

/** The first index whose key is not less than `key`; `keys.length` when all are less. */
export function lowerBound(keys: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Buffer.compare(keys[middle]!, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
