/** Reading nodes from a store: every claim that a parent makes about its child is checked here. */
import { compareBytes, equalBytes } from "../bytes/index.ts";
import { type Digest, sha256 } from "../digest/index.ts";
import { invalid, isTenonError, TenonError } from "../errors/index.ts";
import { addSums, type ChildRef, decodeNode, MAX_NODE_BYTES, type Node } from "./node.ts";
import type { MapSpace, ProllyRoot } from "./types.ts";

/** A node in its place. */
export interface LoadedNode extends Node {
  readonly digest: Digest;
  /** All keys of the node are greater than this one; undefined at the left edge of the map. */
  readonly lower: Uint8Array | undefined;
}

/** A node with what it holds altogether. */
interface Totals {
  readonly count: number;
  readonly sums: readonly number[];
}

async function readNode(space: MapSpace, digest: Digest, lower: Uint8Array | undefined): Promise<LoadedNode> {
  const { format, sums } = space.kind;
  const bytes = await space.store.get(digest);
  if (bytes.length > MAX_NODE_BYTES) throw invalid(format, "node", 0, `${bytes.length} bytes are too many`);
  if (sha256(bytes) !== digest) {
    throw new TenonError(
      "damaged",
      `${format}: node ${digest} does not have the content its digest promises`,
      {
        format,
        digest,
      },
    );
  }
  const node = decodeNode(bytes, format);
  if (node.sumsWidth !== sums) throw invalid(format, "sums", 2, `${node.sumsWidth}, the format has ${sums}`);
  return { ...node, digest, lower };
}

/** Entries and sums of the first `end` entries of a node. */
export function totalsOf(space: MapSpace, node: Node, end = node.keys.length): Totals {
  const sums = new Array<number>(space.kind.sums).fill(0);
  let count = 0;
  try {
    for (let i = 0; i < end; i++) {
      const payload = node.payloads[i]!;
      if (payload instanceof Uint8Array) {
        count++;
        if (sums.length > 0) addSums(sums, space.kind.measure(node.keys[i]!, payload));
      } else {
        count += payload.count;
        addSums(sums, payload.sums);
      }
    }
  } catch (error) {
    if (isTenonError(error, "limit")) throw invalid(space.kind.format, "sums", 0, "they pass 2^53 - 1");
    throw error;
  }
  if (!Number.isSafeInteger(count)) throw invalid(space.kind.format, "count", 0, "it passes 2^53 - 1");
  return { count, sums };
}

/** The map whose root node has this digest. `not-found` from the store, `damaged`, `invalid`, `unsupported`. */
export async function openRoot(space: MapSpace, digest: Digest): Promise<ProllyRoot> {
  const node = await readNode(space, digest, undefined);
  if (node.level > 0 && node.keys.length < 2) {
    throw invalid(space.kind.format, "entries", 3, "the root has one child, which should be the root");
  }
  return { digest, level: node.level, ...totalsOf(space, node) };
}

/** The root's node, which must be what the root says. */
export async function loadRoot(space: MapSpace, root: ProllyRoot): Promise<LoadedNode> {
  const node = await readNode(space, root.digest, undefined);
  checkClaims(space, node, root.level, root);
  return node;
}

/** A child of an inner node, which must be what the node says. */
export async function loadChild(space: MapSpace, parent: LoadedNode, index: number): Promise<LoadedNode> {
  const ref = parent.payloads[index] as ChildRef;
  const lower = index === 0 ? parent.lower : parent.keys[index - 1]!;
  const node = await readNode(space, ref.digest, lower);
  const { format } = space.kind;
  if (node.keys.length === 0) throw invalid(format, "entries", 3, "an empty node below another");
  if (lower !== undefined && compareBytes(node.keys[0]!, lower) <= 0) {
    throw invalid(format, "key", 5, "a key outside the range that the parent gives");
  }
  if (!equalBytes(node.keys.at(-1)!, parent.keys[index]!)) {
    throw invalid(format, "key", 5, "the last key is not the one that the parent gives");
  }
  checkClaims(space, node, parent.level - 1, ref);
  return node;
}

function checkClaims(space: MapSpace, node: Node, level: number, claim: Totals): void {
  const { format } = space.kind;
  if (node.level !== level) throw invalid(format, "level", 1, `${node.level} in the place of level ${level}`);
  const { count, sums } = totalsOf(space, node);
  if (count !== claim.count)
    throw invalid(format, "count", 3, `${count} entries, ${claim.count} were promised`);
  if (sums.length !== claim.sums.length || sums.some((sum, i) => sum !== claim.sums[i])) {
    throw invalid(format, "sums", 3, `${sums} in the entries, ${claim.sums} were promised`);
  }
}
