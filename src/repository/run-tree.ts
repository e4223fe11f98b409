/** Long run lists become trees: level by level, each node an atom. */
import { ByteWriter } from "../bytes/index.ts";
import { MAX_RUNS_PER_NODE } from "./limits.ts";
import type { AtomRef } from "./pending.ts";
import {
  encodeRunNode,
  isLeaf,
  RUN_NODE_RECORD,
  type Run,
  type RunNode,
  type RunSubtree,
  runNodeBytes,
} from "./run-list.ts";

export interface RunTreeSink {
  append(node: Uint8Array): AtomRef;
  /** Closes the segment, so that what was appended has its name. */
  seal(): void;
}

/** The root for a list of runs; all nodes below it go to the sink. */
export function storeRunTree(runs: readonly Run[], sink: RunTreeSink): RunNode {
  let node: RunNode = { level: 0, entries: runs };
  while (node.entries.length > MAX_RUNS_PER_NODE) {
    const children: RunNode[] = [];
    for (let i = 0; i < node.entries.length; i += MAX_RUNS_PER_NODE) {
      const entries = node.entries.slice(i, i + MAX_RUNS_PER_NODE);
      children.push({ level: node.level, entries } as RunNode);
    }
    const stored = children.map((child) => {
      const out = new ByteWriter(1 << 12).u8(RUN_NODE_RECORD);
      encodeRunNode(out, child);
      return sink.append(out.view());
    });
    sink.seal();
    const entries = children.map(
      (child, i): RunSubtree => ({
        segment: stored[i]!.segment.sealedId(),
        atom: stored[i]!.atom,
        runs: countRuns(child),
        bytes: runNodeBytes(child),
      }),
    );
    node = { level: node.level + 1, entries };
  }
  return node;
}

function countRuns(node: RunNode): number {
  if (isLeaf(node)) return node.entries.length;
  let sum = 0;
  for (const entry of node.entries as readonly RunSubtree[]) sum += entry.runs;
  return sum;
}
