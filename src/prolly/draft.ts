/** The node codec, writing side: a node that takes entries in key order until the splitter ends it. */
import { ByteWriter, compareBytes, fromHex } from "../bytes/index.ts";
import { DIGEST_BYTES } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import {
  addSums,
  type ChildRef,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  NODE_HEADER_BYTES,
  NODE_VERSION,
  type Payload,
} from "./node.ts";
import { endsAfter, endsBefore } from "./splitter.ts";
import type { MapKind } from "./types.ts";

/** A node that is ready to be kept. */
export interface FinishedNode {
  readonly bytes: Uint8Array;
  readonly level: number;
  /** Its last key; empty for the empty leaf. */
  readonly key: Uint8Array;
  readonly count: number;
  readonly sums: readonly number[];
}

export class NodeDraft {
  readonly level: number;
  readonly #kind: MapKind;
  readonly #writer = new ByteWriter(8192);
  #entries = 0;
  #last: Uint8Array = new Uint8Array(0);
  #count = 0;
  #sums: number[] = [];

  constructor(kind: MapKind, level: number) {
    this.level = level;
    this.#kind = kind;
    this.clear();
  }

  get entries(): number {
    return this.#entries;
  }

  /** Forgets its entries. */
  clear(): void {
    this.#writer.reset();
    this.#writer.u8(NODE_VERSION).u8(this.level).u8(this.#kind.sums).u16(0);
    this.#entries = 0;
    this.#count = 0;
    this.#sums = new Array<number>(this.#kind.sums).fill(0);
  }

  /**
   * Puts an entry in. Returns the nodes that this ends, in order: none, the node before the entry (when it
   * didn't fit), the node with the entry, or both.
   */
  push(key: Uint8Array, payload: Payload): FinishedNode[] {
    const ended: FinishedNode[] = [];
    const shared = this.#entries === 0 ? 0 : sharedPrefix(this.#last, key);
    const node = { sizeBytes: this.#writer.length, entries: this.#entries };
    const cut = endsBefore(node, entryBytes(key, shared, payload));
    if (cut) ended.push(this.finish());
    const beforeBytes = this.#writer.length;
    this.#write(key, cut ? 0 : shared, payload);
    this.#entries++;
    this.#last = key;
    const afterBytes = this.#writer.length;
    if (endsAfter(key, { level: this.level, entries: this.#entries, beforeBytes, afterBytes })) {
      ended.push(this.finish());
    }
    return ended;
  }

  /** Ends the node where it is. */
  finish(): FinishedNode {
    const bytes = this.#writer.finish();
    bytes[NODE_HEADER_BYTES - 2] = this.#entries & 0xff;
    bytes[NODE_HEADER_BYTES - 1] = this.#entries >>> 8;
    const key = this.#entries === 0 ? new Uint8Array(0) : this.#last;
    const finished = { bytes, level: this.level, key, count: this.#count, sums: this.#sums };
    this.clear();
    return finished;
  }

  #write(key: Uint8Array, shared: number, payload: Payload): void {
    const writer = this.#writer.varint(shared).varint(key.length - shared);
    if (payload instanceof Uint8Array) {
      writer.varint(payload.length).raw(key.subarray(shared)).raw(payload);
      this.#count += 1;
      addSums(this.#sums, this.#kind.measure(key, payload));
    } else {
      writer.raw(key.subarray(shared)).raw(fromHex(payload.digest)).varint(payload.count);
      for (const sum of payload.sums) writer.varint(sum);
      this.#count += payload.count;
      addSums(this.#sums, payload.sums);
    }
  }
}

/** Fails with `limit` on a key or value that no node takes. */
export function checkEntrySize(key: Uint8Array, value: Uint8Array | undefined): void {
  if (key.length > MAX_KEY_BYTES) {
    throw new TenonError("limit", `a key of ${key.length} bytes: at most ${MAX_KEY_BYTES} are allowed`);
  }
  if (value !== undefined && value.length > MAX_VALUE_BYTES) {
    throw new TenonError("limit", `a value of ${value.length} bytes: at most ${MAX_VALUE_BYTES} are allowed`);
  }
}

/** Fails with `usage` unless `key` comes after `previous`. */
export function checkAscending(previous: Uint8Array | undefined, key: Uint8Array): void {
  if (previous !== undefined && compareBytes(previous, key) >= 0) {
    throw new TenonError("usage", "keys must be given in ascending order, each once");
  }
}

function sharedPrefix(a: Uint8Array, b: Uint8Array): number {
  const end = Math.min(a.length, b.length);
  let i = 0;
  while (i < end && a[i] === b[i]) i++;
  return i;
}

function entryBytes(key: Uint8Array, shared: number, payload: Payload): number {
  const suffix = key.length - shared;
  const head = varintBytes(shared) + varintBytes(suffix) + suffix;
  return payload instanceof Uint8Array
    ? head + varintBytes(payload.length) + payload.length
    : head + childBytes(payload);
}

function childBytes(child: ChildRef): number {
  let size = DIGEST_BYTES + varintBytes(child.count);
  for (const sum of child.sums) size += varintBytes(sum);
  return size;
}

function varintBytes(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}
