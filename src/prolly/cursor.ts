/** Reading a map in order: seek, step, ordinals, ranges and their totals. */
import { compareBytes } from "../bytes/index.ts";
import { totalsOf } from "./load.ts";
import { lowerBound } from "./node.ts";
import { NodePath } from "./path.ts";
import type { KeyRange, MapEntry, MapSpace, ProllyRoot } from "./types.ts";

/** What lies in a range of keys. */
export interface RangeTotals {
  readonly count: number;
  readonly sums: readonly number[];
}

/** A place in a map: on an entry, or past the last one. Starts nowhere: seek first. */
export class Cursor {
  readonly #space: MapSpace;
  readonly #root: ProllyRoot;
  readonly #path: NodePath;
  /** Entry of the leaf; its number of keys when the cursor is past the last entry. */
  #index = 0;
  #placed = false;

  constructor(space: MapSpace, root: ProllyRoot) {
    this.#space = space;
    this.#root = root;
    this.#path = new NodePath(space, root, 0);
  }

  /** The entry under the cursor; undefined past the end and before the first seek. */
  get entry(): MapEntry | undefined {
    if (!this.#placed) return undefined;
    const { keys, payloads } = this.#path.node;
    const key = keys[this.#index];
    return key === undefined ? undefined : { key, value: payloads[this.#index] as Uint8Array };
  }

  /** Entries before the cursor: its own ordinal, counted from 0. Only after a seek. */
  get ordinal(): number {
    return this.before().count;
  }

  /** Totals of the entries before the cursor. Costs no reads. Only after a seek. */
  before(): RangeTotals {
    const { node } = this.#path;
    let { count, sums } = totalsOf(this.#space, node, Math.min(this.#index, node.keys.length));
    for (const { node: above, child } of this.#path.steps) {
      const part = totalsOf(this.#space, above, child);
      count += part.count;
      sums = sums.map((sum, i) => sum + part.sums[i]!);
    }
    return { count, sums };
  }

  /** To the first entry whose key is not less than `key`; reads only nodes that the last place didn't need. */
  async seek(key: Uint8Array): Promise<MapEntry | undefined> {
    this.#placed = false;
    await this.#path.seek(key);
    this.#index = lowerBound(this.#path.node.keys, key);
    this.#placed = true;
    return this.entry;
  }

  /** To the entry with `ordinal` entries before it; past the end when there are not so many. */
  async seekOrdinal(ordinal: number): Promise<MapEntry | undefined> {
    this.#placed = false;
    const rest = await this.#path.seekOrdinal(Math.min(ordinal, this.#root.count));
    this.#index = rest;
    this.#placed = true;
    return this.entry;
  }

  /** To the next entry; undefined when that is past the end. */
  async next(): Promise<MapEntry | undefined> {
    if (!this.#placed) return this.seek(new Uint8Array(0));
    const { length } = this.#path.node.keys;
    if (this.#index < length) this.#index++;
    if (this.#index === length && (await this.#path.next())) this.#index = 0;
    return this.entry;
  }
}

/** The value of a key, or undefined. */
export async function getValue(
  space: MapSpace,
  root: ProllyRoot,
  key: Uint8Array,
): Promise<Uint8Array | undefined> {
  const entry = await new Cursor(space, root).seek(key);
  return entry !== undefined && compareBytes(entry.key, key) === 0 ? entry.value : undefined;
}

/** Entries in ascending order of their keys. */
export async function* entries(
  space: MapSpace,
  root: ProllyRoot,
  range: KeyRange = {},
): AsyncGenerator<MapEntry, void, void> {
  const cursor = new Cursor(space, root);
  let entry = await cursor.seek(range.from ?? new Uint8Array(0));
  while (entry !== undefined) {
    if (range.before !== undefined && compareBytes(entry.key, range.before) >= 0) return;
    yield entry;
    entry = await cursor.next();
  }
}

/** The range of all keys that begin with `prefix`. */
export function prefixRange(prefix: Uint8Array): KeyRange {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  if (end === 0) return { from: prefix };
  const before = new Uint8Array(prefix.subarray(0, end)); // a copy, of a Buffer too
  before[end - 1]!++;
  return { from: prefix, before };
}

/** Count and sums of a range, read along its two edges only. */
export async function rangeTotals(space: MapSpace, root: ProllyRoot, range: KeyRange): Promise<RangeTotals> {
  const cursor = new Cursor(space, root);
  const at = async (key: Uint8Array) => {
    await cursor.seek(key);
    return cursor.before();
  };
  const low = await at(range.from ?? new Uint8Array(0));
  const high = range.before === undefined ? root : await at(range.before);
  if (high.count <= low.count) return { count: 0, sums: low.sums.map(() => 0) };
  return { count: high.count - low.count, sums: high.sums.map((sum, i) => sum - low.sums[i]!) };
}
