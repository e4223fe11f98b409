import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { MAX_RUNS_PER_NODE } from "./limits.ts";
import { type AtomRef, SegmentRef } from "./pending.ts";
import {
  decodeRunNode,
  decodeRunNodeAtom,
  encodeRunNode,
  RUN_NODE_RECORD,
  type Run,
  type RunNode,
  runNodeBytes,
  runsFrom,
} from "./run-list.ts";
import { storeRunTree } from "./run-tree.ts";

const seed = 20260102;
const id = fc.integer({ min: 0, max: 5 }).map((n) => String(n).repeat(32));
const run: fc.Arbitrary<Run> = fc.record(
  { segment: id, first: fc.nat(1 << 20), count: fc.nat(1 << 20), bytes: fc.nat(1 << 20) },
  { noNullPrototype: true },
);

function encoded(node: RunNode): Uint8Array {
  const out = new ByteWriter();
  encodeRunNode(out, node);
  return out.finish();
}

test("run list: what was encoded is decoded", () => {
  const property = fc.property(fc.array(run, { maxLength: 30 }), (entries) => {
    const reader = new ByteReader(encoded({ level: 0, entries }), "recipe");
    assert.deepEqual(decodeRunNode(reader), { level: 0, entries });
    reader.end();
  });
  fc.assert(property, { seed, numRuns: 100 });
});

test("run list: an inner node, and a level that the parent did not promise", () => {
  const node: RunNode = {
    level: 2,
    entries: [{ segment: "a".repeat(32), atom: 3, runs: 700, bytes: 12345 }],
  };
  const atom = Buffer.concat([Buffer.of(RUN_NODE_RECORD), encoded(node)]);
  assert.deepEqual(decodeRunNodeAtom(atom, 2), node);
  assert.throws(() => decodeRunNodeAtom(atom, 1), { code: "invalid" });
  assert.throws(() => decodeRunNodeAtom(Buffer.concat([atom, Buffer.of(0)]), 2), { code: "invalid" });
  assert.throws(() => decodeRunNodeAtom(encoded(node), 2), { code: "invalid" });
});

/** A tree in memory: every sealed segment by name. */
function treeOf(runs: readonly Run[]) {
  const segments = new Map<string, Uint8Array[]>();
  let open = new SegmentRef();
  let atoms: Uint8Array[] = [];
  const root = storeRunTree(runs, {
    append(node): AtomRef {
      atoms.push(node.slice());
      return { segment: open, atom: atoms.length - 1, bytes: node.length };
    },
    seal() {
      open.id = segments.size.toString(16).padStart(32, "0");
      segments.set(open.id, atoms);
      open = new SegmentRef();
      atoms = [];
    },
  });
  let loads = 0;
  const load = async (segment: string, atom: number) => {
    loads++;
    return segments.get(segment)![atom]!;
  };
  return { root, load, loads: () => loads };
}

test("run list: a long list becomes a tree that gives the same runs from any offset, by few nodes", async () => {
  const count = MAX_RUNS_PER_NODE * MAX_RUNS_PER_NODE + 3;
  const runs: Run[] = Array.from({ length: count }, (_, i) => ({
    segment: String(i % 10).repeat(32),
    first: i,
    count: 1,
    bytes: 1 + (i % 7),
  }));
  const { root, load, loads } = treeOf(runs);
  assert.equal(root.level, 2);
  const total = runs.reduce((sum, { bytes }) => sum + bytes, 0);
  assert.equal(runNodeBytes(root), total);
  for (const from of [0, 1, 12345, total >> 1, total - 1]) {
    const before = loads();
    let at = 0;
    let wanted = 0;
    while (at + runs[wanted]!.bytes <= from) at += runs[wanted++]!.bytes;
    for await (const { offset, ...found } of runsFrom(root, load, from)) {
      assert.deepEqual(found, runs[wanted]);
      assert.equal(offset, at);
      at += runs[wanted++]!.bytes;
      if (wanted > 5) break;
    }
    assert.ok(loads() - before <= 3, `${loads() - before} nodes`);
  }
  let all = 0;
  for await (const _ of runsFrom(root, load)) all++;
  assert.equal(all, count);
});

test("run list: a node with another length than its parent says is damage", async () => {
  const runs: Run[] = Array.from({ length: MAX_RUNS_PER_NODE + 1 }, () => ({
    segment: "1".repeat(32),
    first: 0,
    count: 1,
    bytes: 10,
  }));
  const { root, load } = treeOf(runs);
  const entries = (root.entries as readonly { bytes: number }[]).map((entry) => ({
    ...entry,
    bytes: entry.bytes + 1,
  }));
  const wrong = { level: root.level, entries } as unknown as RunNode;
  await assert.rejects(
    async () => {
      for await (const _ of runsFrom(wrong, load));
    },
    { code: "damaged" },
  );
});

test("run list: any bytes give a typed error or a node within its bounds", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    try {
      assert.ok(decodeRunNode(new ByteReader(bytes, "recipe")).entries.length <= MAX_RUNS_PER_NODE);
    } catch (error) {
      assert.ok(isTenonError(error, "invalid"), String(error));
    }
  });
  fc.assert(property, { seed, numRuns: 500 });
});
