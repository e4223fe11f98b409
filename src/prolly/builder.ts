/** Sorted entries in, a root out. Holds one unfinished node per level, however many entries there are. */
import { TenonError } from "../errors/index.ts";
import { checkAscending, checkEntrySize, type FinishedNode, NodeDraft } from "./draft.ts";
import { MAX_LEVEL, type Payload } from "./node.ts";
import type { MapEntry, MapSpace, ProllyRoot } from "./types.ts";

/** Takes the entries of one level and builds every level above it as far as it is needed. */
export class LevelBuilder {
  readonly #space: MapSpace;
  readonly #draft: NodeDraft;
  /** The first node of this level, until a second one shows that a level above is needed. */
  #only: FinishedNode | undefined;
  #above: LevelBuilder | undefined;

  constructor(space: MapSpace, level: number) {
    if (level > MAX_LEVEL) throw new TenonError("limit", `a map may have at most ${MAX_LEVEL + 1} levels`);
    this.#space = space;
    this.#draft = new NodeDraft(space.kind, level);
  }

  async add(key: Uint8Array, payload: Payload): Promise<void> {
    for (const node of this.#draft.push(key, payload)) await this.#pass(node);
  }

  /** Ends every level. The root is the only node of the lowest level that has just one. */
  async finish(): Promise<ProllyRoot> {
    const nothingYet = this.#only === undefined && this.#above === undefined;
    if (this.#draft.entries > 0 || nothingYet) await this.#pass(this.#draft.finish());
    if (this.#above !== undefined) return this.#above.finish();
    const node = this.#only!;
    return rootOf(node, await this.#space.store.put(node.bytes));
  }

  async #pass(node: FinishedNode): Promise<void> {
    if (this.#above === undefined) {
      if (this.#only === undefined) {
        this.#only = node;
        return;
      }
      this.#above = new LevelBuilder(this.#space, node.level + 1);
      await this.#refer(this.#only);
      this.#only = undefined;
    }
    await this.#refer(node);
  }

  async #refer(node: FinishedNode): Promise<void> {
    const digest = await this.#space.store.put(node.bytes);
    await this.#above!.add(node.key, { digest, count: node.count, sums: node.sums });
  }
}

function rootOf(node: FinishedNode, digest: string): ProllyRoot {
  return { digest, level: node.level, count: node.count, sums: node.sums };
}

/** Builds a map from entries given in ascending order of their keys. */
export class MapBuilder {
  readonly #leaves: LevelBuilder;
  #last: Uint8Array | undefined;

  constructor(space: MapSpace) {
    this.#leaves = new LevelBuilder(space, 0);
  }

  /**
   * `usage` when the key is not after the last one, `limit` when key or value is too large. The key's bytes
   * must not change until the next call has ended.
   */
  async add(key: Uint8Array, value: Uint8Array): Promise<void> {
    checkAscending(this.#last, key);
    checkEntrySize(key, value);
    this.#last = key;
    await this.#leaves.add(key, value);
  }

  /** The root; nothing may be added afterwards. */
  finish(): Promise<ProllyRoot> {
    return this.#leaves.finish();
  }
}

/** Builds a map from sorted entries. */
export async function buildMap(
  space: MapSpace,
  entries: Iterable<MapEntry> | AsyncIterable<MapEntry>,
): Promise<ProllyRoot> {
  const builder = new MapBuilder(space);
  for await (const { key, value } of entries) await builder.add(key, value);
  return builder.finish();
}

/** The root of the map without entries. */
export function emptyRoot(space: MapSpace): Promise<ProllyRoot> {
  return new LevelBuilder(space, 0).finish();
}
