/**
 * The one walk of everything that roots need: refs to trees to blobs to records to segments. Garbage collection,
 * check, statistics and copying between repositories all use it.
 */
import type { Digest } from "../digest/index.ts";
import { isTenonError, TenonError, throwIfAborted } from "../errors/index.ts";
import {
  type AtomReader,
  decodeRunNodeAtom,
  isLeaf,
  MAX_RECIPE_DEPTH,
  type PackName,
  type Run,
  type RunNode,
  type RunSubtree,
  type SegmentId,
} from "../repository/index.ts";
import { nodeReferences } from "../tree/index.ts";
import type { StoreContext } from "./context.ts";

/** What the walk tells. Whatever names something comes before it. */
export interface ClosureVisitor {
  /** A blob, before its parts. False: known already, don't go into it. */
  blob(digest: Digest): boolean;
  /** The atom that holds a blob's record, or a node of its run list. */
  record(segment: SegmentId, atom: number): void;
  /** Atoms of content. */
  run(run: Run): void;
  /** A blob, or what it needs, can't be read. The walk goes on. Absent: the error is thrown. */
  damage?(digest: Digest, error: TenonError): void;
}

export interface ClosureRoot {
  readonly type: "file" | "tree";
  readonly digest: Digest;
}

/** Walks everything that the root needs. */
export async function walkClosure(
  atoms: AtomReader,
  root: ClosureRoot,
  visitor: ClosureVisitor,
  signal?: AbortSignal,
): Promise<void> {
  const tolerant = async (digest: Digest, work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      if (visitor.damage === undefined || !isTenonError(error) || error.code === "interrupted") throw error;
      visitor.damage(digest, error);
    }
  };

  const runs = async (node: RunNode): Promise<void> => {
    if (isLeaf(node)) {
      for (const run of node.entries) visitor.run(run);
      return;
    }
    for (const { segment, atom } of node.entries as readonly RunSubtree[]) {
      visitor.record(segment, atom);
      await runs(decodeRunNodeAtom(await atoms.atom(segment, atom), node.level - 1));
    }
  };

  const blob = async (digest: Digest, depth: number): Promise<void> => {
    throwIfAborted(signal);
    if (!visitor.blob(digest)) return;
    await tolerant(digest, async () => {
      if (depth > MAX_RECIPE_DEPTH) {
        throw new TenonError("damaged", `blob ${digest}: recipes refer to recipes too deeply`, { digest });
      }
      const { record, place } = await atoms.locate(digest);
      visitor.record(place.segment, place.atom);
      await runs(record.runs);
      for (const child of record.children) await blob(child, depth + 1);
    });
  };

  const node = async (digest: Digest, depth: number): Promise<void> => {
    throwIfAborted(signal);
    if (!visitor.blob(digest)) return;
    await tolerant(digest, async () => {
      const { record, place } = await atoms.locate(digest);
      visitor.record(place.segment, place.atom);
      if (record.inline === undefined) {
        throw new TenonError("damaged", `tree node ${digest} is not stored as a node`, { digest });
      }
      const links = nodeReferences(record.inline);
      if (links.nodes.length > 0 && depth > MAX_RECIPE_DEPTH) {
        throw new TenonError("damaged", `tree node ${digest}: the tree is too deep`, { digest });
      }
      for (const child of links.nodes) await node(child, depth + 1);
      for (const file of links.blobs) await blob(file, 0);
    });
  };

  await (root.type === "tree" ? node(root.digest, 0) : blob(root.digest, 0));
}

/** True when a blob and all that it needs are in packs that are not condemned. */
export async function closureIntact(
  { atoms, index }: StoreContext,
  root: ClosureRoot,
  condemned: ReadonlySet<PackName>,
): Promise<boolean> {
  const usable = (pack: PackName) => !condemned.has(pack);
  const seen = new Set<Digest>();
  let intact = true;
  const need = (segment: SegmentId) => {
    intact &&= index.findSegment(segment, usable) !== undefined;
  };
  try {
    await walkClosure(atoms, root, {
      blob: (child) => intact && !seen.has(child) && seen.add(child) !== undefined,
      record: need,
      run: (run) => need(run.segment),
    });
  } catch (error) {
    if (!isTenonError(error)) throw error;
    return false;
  }
  return intact;
}
