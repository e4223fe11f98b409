import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { xorshiftBytes } from "../bytes/testing/random.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { bupEnds, nomsEnds, probeGearEnds, probeGearTable } from "../kernels/index.ts";
import {
  BUP_ITSELF,
  bupSplitter,
  NOMS_FIRST,
  NOMS_LAST,
  nomsSplitter,
  probeGearSplitter,
  SPLITTER_BLOCK_BYTES,
  type Splitter,
} from "./index.ts";
import { goRandomBytes } from "./testing/go-random.ts";

/** Ends of all pieces by each rule, the data coming in blocks of the given lengths, used in turn. */
function ends(splitter: Splitter, data: Uint8Array, blocks: readonly number[]): number[][] {
  const found: number[][] = splitter.rules.map(() => []);
  splitter.reset();
  for (let at = 0, i = 0; at < data.length; i++) {
    const block = data.subarray(at, at + blocks[i % blocks.length]!);
    for (const [rule, list] of splitter.advance(block).entries()) {
      for (const end of list) found[rule]!.push(at + end);
    }
    at += block.length;
  }
  return found;
}

/** Lengths of all pieces, the last one included. */
function lengths(pieceEnds: readonly number[], total: number): number[] {
  const all = pieceEnds.at(-1) === total ? pieceEnds : [...pieceEnds, total];
  return all.map((end, i) => end - (all[i - 1] ?? 0));
}

const BITS = [15, 13, 11, 7] as const;
const ANCESTOR_RULES = BITS.map((bits) => ({ bits, maxBytes: 0 }));

/** Runs that break chunkers: noise, one value, a short period, few symbols. */
const adversarial = fc
  .array(
    fc.record({
      kind: fc.constantFrom("noise", "constant", "periodic", "symbols"),
      length: fc.oneof(fc.integer({ min: 0, max: 150 }), fc.integer({ min: 0, max: 4000 })),
      seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    }),
    { maxLength: 6 },
  )
  .map((runs) =>
    Uint8Array.from(
      runs.flatMap(({ kind, length, seed }) => {
        const bytes = xorshiftBytes(length, seed);
        if (kind === "constant") return [...bytes.fill(seed & 0xff)];
        if (kind === "periodic") return [...bytes.map((_, i) => bytes[i % (1 + (seed % 9))]!)];
        return [...(kind === "symbols" ? bytes.map((byte) => byte & 1) : bytes)];
      }),
    ),
  );

const cases: readonly [
  name: string,
  splitter: Splitter,
  twins: readonly ((data: Uint8Array) => number[])[],
][] = [
  ["bup", bupSplitter(ANCESTOR_RULES), ANCESTOR_RULES.map((rule) => (data) => bupEnds(data, rule))],
  [
    "bup with a maximum",
    bupSplitter([BUP_ITSELF, { bits: 8, maxBytes: 100 }, { bits: 7, maxBytes: 65 }]),
    [BUP_ITSELF, { bits: 8, maxBytes: 100 }, { bits: 7, maxBytes: 65 }].map(
      (rule) => (data) => bupEnds(data, rule),
    ),
  ],
  [
    "noms",
    nomsSplitter([NOMS_FIRST, NOMS_LAST, { windowBytes: 67, bits: 6 }, { windowBytes: 1, bits: 6 }]),
    [NOMS_FIRST, NOMS_LAST, { windowBytes: 67, bits: 6 }, { windowBytes: 1, bits: 6 }].map(
      (rule) => (data) => nomsEnds(data, rule),
    ),
  ],
  ["the layer probe's gear", probeGearSplitter(), [probeGearEnds]],
];

for (const [name, splitter, twins] of cases) {
  test(`${name}: the kernel cuts where its twin cuts, however the stream comes in blocks`, () => {
    fc.assert(
      fc.property(
        adversarial,
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 }),
        (data, blocks) => {
          assert.deepEqual(
            ends(splitter, data, blocks),
            twins.map((twin) => twin(data)),
          );
        },
      ),
      { numRuns: 80, seed: 5 },
    );
  });

  test(`${name}: the same on long data, whole blocks, constant bytes and short periods`, () => {
    const inputs = [
      xorshiftBytes(600_000),
      new Uint8Array(300_000),
      xorshiftBytes(300_000, 3).map((byte) => byte & 3),
    ];
    for (const byte of [1, 31, 127, 255]) inputs.push(new Uint8Array(70_000).fill(byte));
    for (const data of inputs) {
      assert.deepEqual(
        ends(splitter, data, [SPLITTER_BLOCK_BYTES]),
        twins.map((twin) => twin(data)),
      );
    }
  });
}

test("the probe's gear: table and boundaries are those that a Python program computed", () => {
  const table = [0, 1, 2, 127, 255].map((i) => probeGearTable[i]!.toString(16));
  assert.deepEqual(table, [
    "6e789e6aa1b965f4",
    "6c45d188009454f",
    "f88bb8a8724c81ec",
    "9899202fd20f0841",
    "cbdc6d34b7c7534d",
  ]);
  const data = xorshiftBytes(262144);
  assert.equal(sha256(data), "1fa4c215ab15c0193e2038427c15962f22ba80e573c6c9ff608608ef48f1d2ef");
  const [found] = ends(probeGearSplitter(), data, [SPLITTER_BLOCK_BYTES]);
  const expected = [6470, 55924, 12457, 48545, 21154, 15658, 11684, 12482, 6828, 55598, 8460, 2082, 4802];
  assert.deepEqual(lengths(found!, data.length), expected);
  const [zeros] = ends(probeGearSplitter(), new Uint8Array(200_000), [100_000]);
  assert.deepEqual(lengths(zeros!, 200_000), [65536, 65536, 65536, 3392]);
});

test("bup: lengths and counts are those that a Python program computed", () => {
  const data = xorshiftBytes(262144);
  const [by15, by13, by11, by7] = ends(bupSplitter(ANCESTOR_RULES), data, [SPLITTER_BLOCK_BYTES]).map(
    (list) => lengths(list, data.length),
  );
  const expected15 = [64137, 13973, 477, 29198, 34610, 35760, 11064, 14145, 29005, 1809, 11860, 16106];
  assert.deepEqual(by15, expected15);
  assert.deepEqual(by13!.slice(0, 8), [15130, 18965, 64, 19049, 1878, 2276, 6775, 4911]);
  assert.deepEqual(by7!.slice(0, 8), [241, 269, 4, 62, 229, 475, 184, 53]);
  assert.deepEqual([by13!.length, by11!.length, by7!.length], [36, 130, 2063]);
});

test("bup: the pieces are those of `bup split`", (t) => {
  const data = Buffer.concat([xorshiftBytes(100_000), new Uint8Array(200_000), xorshiftBytes(90_000, 8)]);
  const folder = mkdtempSync(join(tmpdir(), "tenon-bup-"));
  let printed: string;
  try {
    const path = join(folder, "data");
    writeFileSync(path, data);
    const env = { ...process.env, BUP_DIR: join(folder, "repository") };
    printed = execFileSync("bup", ["split", "--noop", "--blobs", path], { env, encoding: "utf8" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return t.skip("bup is not installed");
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
  const [found] = ends(bupSplitter([BUP_ITSELF]), data, [SPLITTER_BLOCK_BYTES]);
  let at = 0;
  const blobs = lengths(found!, data.length).map((length) => {
    const piece = data.subarray(at, at + length);
    at += length;
    return createHash("sha1").update(`blob ${length}\0`).update(piece).digest("hex");
  });
  assert.ok(blobs.length > 10);
  assert.deepEqual(blobs, printed.trim().split("\n"));
});

test("noms: the chunk counts of its own tests, on the random data of its own tests", () => {
  const splitter = nomsSplitter([NOMS_LAST]);
  // TestBlobSuite4K, 64K, 256K and 1M of noms' go/types/blob_test.go: 2^power bytes from Go's generator, seed = power.
  const published: readonly [power: number, firstBytes: string, chunks: number][] = [
    [12, "3686b9e669d928c8", 2],
    [16, "a48a8032dc75ac30", 15],
    [18, "d788ab3f27fe0170", 64],
    [20, "0ad346f9e6923ab1", 245],
  ];
  for (const [power, firstBytes, chunks] of published) {
    const data = goRandomBytes(power, 2 ** power);
    assert.equal(Buffer.from(data.subarray(0, 8)).toString("hex"), firstBytes, "what Go 1.19 printed");
    const [found] = ends(splitter, data, [SPLITTER_BLOCK_BYTES]);
    assert.equal(lengths(found!, data.length).length, chunks);
  }
});

test("noms has no longest piece: constant data is one", () => {
  for (const list of ends(nomsSplitter([NOMS_FIRST, NOMS_LAST]), new Uint8Array(1 << 20), [100_000])) {
    assert.deepEqual(list, []);
  }
});

test("what a rule can't be is a usage error", () => {
  const usage = (error: unknown) => isTenonError(error, "usage");
  assert.throws(() => bupSplitter([{ bits: 6, maxBytes: 0 }]), usage);
  assert.throws(() => bupSplitter([{ bits: 13, maxBytes: 64 }]), usage);
  assert.throws(() => nomsSplitter([{ windowBytes: 129, bits: 12 }]), usage);
  assert.throws(() => nomsSplitter([{ windowBytes: 64, bits: 21 }]), usage);
  assert.throws(() => probeGearSplitter().advance(new Uint8Array(SPLITTER_BLOCK_BYTES + 1)), usage);
});
