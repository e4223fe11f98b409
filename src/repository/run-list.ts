/**
 * Run lists: which atoms, in order, a recipe is made of (docs/formats/recipe.md).
 *
 *     node   = level varint, segmentCount varint, ids 16 bytes each, entryCount varint, entries
 *     entry  = segment varint (number in the list of ids), first varint, count varint, bytes varint      level 0
 *              segment varint, atom varint, runs varint, bytes varint                                    level 1..
 *
 * A long list is a tree: an entry of level n names an atom that holds a node of level n - 1. `bytes` is the sum
 * of the lengths of all atoms below, so a read at an offset loads one node of each level.
 */
import { ByteReader, type ByteWriter, fromHex, toHex } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { MAX_ATOMS_PER_SEGMENT, MAX_RUN_LIST_LEVEL, MAX_RUNS_PER_NODE, MAX_SEGMENT_BYTES } from "./limits.ts";
import { SEGMENT_ID_BYTES, type SegmentId } from "./segment.ts";

/** `count` atoms of one segment, from number `first` on; `bytes` is the sum of their lengths. */
export interface Run {
  readonly segment: SegmentId;
  readonly first: number;
  readonly count: number;
  readonly bytes: number;
}

/** A node of a run-list tree, as an atom. */
export interface RunSubtree {
  readonly segment: SegmentId;
  readonly atom: number;
  readonly runs: number;
  readonly bytes: number;
}

export type RunNode =
  | { readonly level: 0; readonly entries: readonly Run[] }
  | { readonly level: number; readonly entries: readonly RunSubtree[] };

export function runNodeBytes(node: RunNode): number {
  let sum = 0;
  for (const entry of node.entries) sum += entry.bytes;
  return sum;
}

export function isLeaf(node: RunNode): node is { readonly level: 0; readonly entries: readonly Run[] } {
  return node.level === 0;
}

export function encodeRunNode(out: ByteWriter, node: RunNode): void {
  const numbers = new Map<SegmentId, number>();
  for (const { segment } of node.entries) if (!numbers.has(segment)) numbers.set(segment, numbers.size);
  out.varint(node.level).varint(numbers.size);
  for (const id of numbers.keys()) out.raw(fromHex(id));
  out.varint(node.entries.length);
  if (isLeaf(node)) {
    for (const { segment, first, count, bytes } of node.entries) {
      out.varint(numbers.get(segment)!).varint(first).varint(count).varint(bytes);
    }
  } else {
    for (const { segment, atom, runs, bytes } of (node as { entries: readonly RunSubtree[] }).entries) {
      out.varint(numbers.get(segment)!).varint(atom).varint(runs).varint(bytes);
    }
  }
}

/** `level` is what the parent demands; a root may have any. */
export function decodeRunNode(reader: ByteReader, level?: number): RunNode {
  const found = reader.varint("level", MAX_RUN_LIST_LEVEL);
  if (level !== undefined && found !== level) throw reader.error("level", `${found} where ${level} must be`);
  const segmentCount = reader.varint("segmentCount", MAX_RUNS_PER_NODE);
  const ids: SegmentId[] = [];
  for (let i = 0; i < segmentCount; i++) ids.push(toHex(reader.view(SEGMENT_ID_BYTES, "id")));
  const entryCount = reader.varint("entryCount", MAX_RUNS_PER_NODE);
  const segmentOf = () => ids[reader.varint("segment", Math.max(0, segmentCount - 1))];
  const runs: Run[] = [];
  const subtrees: RunSubtree[] = [];
  for (let i = 0; i < entryCount; i++) {
    const segment = segmentOf();
    if (segment === undefined) throw reader.error("segment", "an entry without segments");
    if (found === 0) {
      const first = reader.varint("first", MAX_ATOMS_PER_SEGMENT);
      const count = reader.varint("count", MAX_ATOMS_PER_SEGMENT);
      runs.push({ segment, first, count, bytes: reader.varint("bytes", MAX_SEGMENT_BYTES) });
    } else {
      const atom = reader.varint("atom", MAX_ATOMS_PER_SEGMENT);
      const count = reader.varint("runs");
      subtrees.push({ segment, atom, runs: count, bytes: reader.varint("bytes") });
    }
  }
  return found === 0 ? { level: 0, entries: runs } : { level: found, entries: subtrees };
}

/** Decodes an atom that holds a run-list node and nothing else. */
export function decodeRunNodeAtom(atom: Uint8Array, level: number): RunNode {
  const reader = new ByteReader(atom, "recipe");
  if (reader.u8("record type") !== RUN_NODE_RECORD)
    throw reader.error("record type", "not a run-list node", 0);
  const node = decodeRunNode(reader, level);
  reader.end();
  return node;
}

/** First byte of an atom of kind recipe or node. */
export const BLOB_RECORD = 1;
export const RUN_NODE_RECORD = 2;

/** Gives the bytes of an atom. */
export type AtomLoader = (segment: SegmentId, atom: number) => Promise<Uint8Array>;

/** The runs from the one that holds byte `from` of the list on, with the offset of each in the list's bytes. */
export async function* runsFrom(
  node: RunNode,
  load: AtomLoader,
  from = 0,
  base = 0,
): AsyncGenerator<Run & { readonly offset: number }> {
  let offset = base;
  for (const entry of node.entries) {
    const end = offset + entry.bytes;
    if (end > from || (entry.bytes === 0 && from <= offset)) {
      if ("first" in entry) yield { ...entry, offset };
      else {
        const child = decodeRunNodeAtom(await load(entry.segment, entry.atom), node.level - 1);
        if (runNodeBytes(child) !== entry.bytes) {
          throw new TenonError("damaged", "a run-list node has another length than its parent says", {
            format: "recipe",
          });
        }
        yield* runsFrom(child, load, from, offset);
      }
    }
    offset = end;
  }
}
