import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { xorshiftBytes } from "../bytes/testing/random.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import {
  type Chunker,
  type ChunkerParameters,
  createChunker,
  cutPoints,
  defaultChunkerParameters,
} from "./index.ts";

const KIB = 1024;
const classic = { minBytes: 4 * KIB, meanBytes: 16 * KIB, maxBytes: 64 * KIB };
const usual: readonly ChunkerParameters[] = [
  defaultChunkerParameters,
  { algorithm: "window8-v1", ...classic },
  { algorithm: "gear32-v1", ...classic },
];
const small: readonly ChunkerParameters[] = [
  { algorithm: "mincdc4-v1", minBytes: 64, meanBytes: 128, maxBytes: 192 },
  { algorithm: "mincdc4-v1", minBytes: 100, meanBytes: 600, maxBytes: 1100 },
  { algorithm: "window8-v1", minBytes: 64, meanBytes: 256, maxBytes: 1024 },
  { algorithm: "gear32-v1", minBytes: 64, meanBytes: 256, maxBytes: 1024 },
];

/** Copies of all chunks of data that is put in by pieces of the given lengths, used in turn. */
function chunksOf(chunker: Chunker, data: Uint8Array, pieces: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, i = 0; at < data.length; i++) {
    const block = chunker.reserve();
    const piece = data.subarray(at, at + Math.min(block.length, pieces[i % pieces.length]!));
    block.set(piece);
    // What is behind the written bytes must not matter.
    block.fill(0xa5, piece.length);
    for (const chunk of chunker.advance(piece.length)) chunks.push(chunk.slice());
    at += piece.length;
  }
  for (const chunk of chunker.finish()) chunks.push(chunk.slice());
  return chunks;
}

const golden: Readonly<Record<string, string>> = {
  "mincdc4-v1":
    "22004 13600 18280 10858 17500 12998 13700 21446 14993 11172 12432 16214 20925 20864 13990 10550 10618",
  "window8-v1": "9082 39457 30244 24682 36716 8890 11304 18183 5209 20039 21392 4626 32320",
  "gear32-v1": "9247 22352 19352 36101 27788 8697 8540 12237 14247 25996 12438 9745 10596 19600 4729 20479",
};

test("the golden chunk lengths hold, and the format page states them", () => {
  const data = xorshiftBytes(256 * KIB);
  assert.equal(sha256(data), "1fa4c215ab15c0193e2038427c15962f22ba80e573c6c9ff608608ef48f1d2ef");
  const page = readFileSync(new URL("../../docs/formats/chunking.md", import.meta.url), "utf8").split("\n");
  for (const parameters of usual) {
    const lengths = cutPoints(data, parameters).join(" ");
    assert.equal(lengths, golden[parameters.algorithm]);
    assert.ok(page.includes(lengths), `the page has the lengths of ${parameters.algorithm}`);
  }
});

for (const parameters of small) {
  const { algorithm, minBytes, maxBytes } = parameters;
  test(`${algorithm} ${minBytes}..${maxBytes}: chunks join to the input, keep the bounds, ignore block borders`, () => {
    const chunker = createChunker(parameters);
    const symbols = fc.constantFrom(1, 2, 4, 256);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 20_000 }),
        symbols,
        fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 8 }),
        (length, kinds, seed, pieces) => {
          const data = xorshiftBytes(length, seed).map((byte) => byte % kinds);
          const chunks = chunksOf(chunker, data, [...pieces, 777]);
          assert.deepEqual(Buffer.concat(chunks), Buffer.from(data));
          const lengths = chunks.map((chunk) => chunk.length);
          assert.deepEqual(lengths, cutPoints(data, parameters));
          for (const chunk of lengths) {
            assert.ok(chunk <= maxBytes && chunk >= Math.min(minBytes, length), `${chunk} of ${length}`);
          }
        },
      ),
      { numRuns: 60, seed: 11 },
    );
  });
}

for (const parameters of usual) {
  const { algorithm, minBytes, meanBytes, maxBytes } = parameters;

  test(`${algorithm}: streams longer than the block are cut alike, however they are split`, () => {
    const data = xorshiftBytes(700 * KIB + 13);
    const chunker = createChunker(parameters);
    const expected = cutPoints(data, parameters);
    for (const pieces of [[256 * KIB], [1], [4096, 1, 100_000], [maxBytes + minBytes, 0], [0, 65_537]]) {
      // Single bytes only over a part: every call costs.
      const input = pieces[0] === 1 ? data.subarray(0, 70_000) : data;
      const chunks = chunksOf(chunker, input, pieces);
      const lengths = chunks.map((chunk) => chunk.length);
      assert.deepEqual(lengths, input === data ? expected : cutPoints(input, parameters));
      assert.ok(Buffer.concat(chunks).equals(input));
    }
  });

  test(`${algorithm}: the mean on noise is about what was asked for`, () => {
    const data = xorshiftBytes(8 << 20, 77);
    const mean = data.length / cutPoints(data, parameters).length;
    assert.ok(Math.abs(mean / meanBytes - 1) < 0.1, `mean ${mean}`);
  });

  test(`${algorithm}: constant data is cut at the maximum, so that its chunks are one`, () => {
    for (const byte of [0x00, 0x01, 0x20, 0x90, 0xcc, 0xff]) {
      const lengths = cutPoints(new Uint8Array(20 * maxBytes).fill(byte), parameters);
      // Only at the end of the stream are there shorter ones.
      assert.ok(lengths.length >= 20 && lengths.length <= 21);
      assert.deepEqual(new Set(lengths.slice(0, 19)), new Set([maxBytes]));
    }
  });

  test(`${algorithm}: periodic data has few different chunks within the bounds`, () => {
    for (const period of [2, 3, 4, 7, 8, 16, 24, 64, 1000]) {
      const pattern = xorshiftBytes(period, 5 + period);
      const data = new Uint8Array(Buffer.alloc(40 * maxBytes, pattern));
      const chunks = chunksOf(createChunker(parameters), data, [256 * KIB]);
      const distinct = new Map(chunks.map((chunk) => [sha256(chunk), chunk.length]));
      const stored = [...distinct.values()].reduce((total, length) => total + length, 0);
      // A rule that cuts at the maximum alone meets every phase of the period.
      assert.ok(distinct.size <= period + 3, `${distinct.size} different chunks at period ${period}`);
      if (period < 64) assert.ok(stored < data.length / 2, `${stored} of ${data.length} at period ${period}`);
      for (const length of distinct.values()) assert.ok(length >= minBytes && length <= maxBytes);
    }
  });

  test(`${algorithm}: after an inserted or removed byte most chunks remain`, () => {
    const data = xorshiftBytes(2 << 20, 9);
    const before = new Set(chunksOf(createChunker(parameters), data, [65_536]).map(sha256));
    for (const at of [0, 1, 5000, 1 << 20, data.length - 1]) {
      const inserted = Buffer.concat([data.subarray(0, at), Uint8Array.of(42), data.subarray(at)]);
      const removed = Buffer.concat([data.subarray(0, at), data.subarray(at + 1)]);
      for (const edited of [inserted, removed]) {
        const after = chunksOf(createChunker(parameters), edited, [65_536]).map(sha256);
        const remaining = after.filter((digest) => before.has(digest)).length;
        assert.ok(remaining >= after.length * 0.85, `${remaining} of ${after.length} remain, edit at ${at}`);
      }
    }
  });
}

test("an input shorter than twice the minimum is one chunk, an empty one is none", () => {
  const { minBytes } = defaultChunkerParameters;
  assert.deepEqual(cutPoints(new Uint8Array(0), defaultChunkerParameters), []);
  assert.deepEqual(cutPoints(xorshiftBytes(1), defaultChunkerParameters), [1]);
  assert.deepEqual(cutPoints(xorshiftBytes(2 * minBytes - 1), defaultChunkerParameters), [2 * minBytes - 1]);
  assert.deepEqual(cutPoints(xorshiftBytes(2 * minBytes), defaultChunkerParameters), [minBytes, minBytes]);
});

test("reset() and finish() leave nothing of the stream before", () => {
  const chunker = createChunker(defaultChunkerParameters);
  const data = xorshiftBytes(100_000);
  const expected = cutPoints(data, defaultChunkerParameters);
  chunksOf(chunker, xorshiftBytes(90_001, 3), [1000]);
  assert.deepEqual(
    chunksOf(chunker, data, [50_000]).map((chunk) => chunk.length),
    expected,
  );
  chunker.reserve().fill(7);
  chunker.advance(12_345);
  chunker.reset();
  assert.deepEqual(chunker.finish(), []);
  assert.deepEqual(
    chunksOf(chunker, data, [50_000]).map((chunk) => chunk.length),
    expected,
  );
});

test("reserving again before advancing keeps the carried bytes", () => {
  const chunker = createChunker(defaultChunkerParameters);
  chunker.reserve().set(xorshiftBytes(5000));
  assert.deepEqual(chunker.advance(5000), []);
  assert.equal(chunker.reserve(), chunker.reserve());
  assert.deepEqual(chunker.advance(0), []);
  const chunks = chunker.finish();
  assert.equal(chunks.length, 1);
  assert.deepEqual(Buffer.from(chunks[0]!), Buffer.from(xorshiftBytes(5000)));
});

test("finishing with a block reserved but not advanced drops the block alone", () => {
  const chunker = createChunker(defaultChunkerParameters);
  chunker.reserve().set(xorshiftBytes(5000));
  chunker.advance(5000);
  chunker.reserve().fill(1);
  assert.deepEqual(
    chunker.finish().map((chunk) => sha256(chunk)),
    [sha256(xorshiftBytes(5000))],
  );
});

test("two chunkers at once do not disturb each other", () => {
  const [one, two] = [createChunker(defaultChunkerParameters), createChunker(defaultChunkerParameters)];
  one.reserve().set(xorshiftBytes(3000, 1));
  two.reserve().set(xorshiftBytes(3000, 2));
  one.advance(3000);
  two.advance(3000);
  assert.equal(sha256(one.finish()[0]!), sha256(xorshiftBytes(3000, 1)));
  assert.equal(sha256(two.finish()[0]!), sha256(xorshiftBytes(3000, 2)));
});

test("misuse is a usage error", () => {
  const chunker = createChunker(defaultChunkerParameters);
  const usage = (error: unknown) => isTenonError(error, "usage");
  assert.throws(() => chunker.advance(0), usage);
  const { length } = chunker.reserve();
  assert.ok(length >= 256 * KIB);
  for (const written of [-1, length + 1, 0.5, Number.NaN])
    assert.throws(() => chunker.advance(written), usage);
  chunker.advance(length);
  assert.throws(() => chunker.advance(0), usage);
});
