import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { instantiateKernel } from "../kernels/index.ts";
import * as rules from "./diff-twin.ts";
import { CopyMap, DeltaReader, Differ, DifferTwin, deltaWeight, writeDelta } from "./index.ts";

const seed = { seed: 20261121 };
const STREAMS = ["numbers", "heads", "copies", "literals", "values"] as const;
type Streams = Record<(typeof STREAMS)[number], Uint8Array>;

function encode(base: Uint8Array, target: Uint8Array, differ = new Differ()): Streams {
  const writers = Object.fromEntries(STREAMS.map((name) => [name, new ByteWriter()])) as Record<
    string,
    ByteWriter
  >;
  writeDelta(base, target, differ.diff(base, target), writers as never);
  return Object.fromEntries(STREAMS.map((name) => [name, writers[name]!.finish()])) as Streams;
}

function decode(base: Uint8Array, streams: Streams, maxBytes: number): Uint8Array {
  const readers = Object.fromEntries(
    STREAMS.map((name) => [name, new ByteReader(streams[name], "test")]),
  ) as never;
  const delta = new DeltaReader(readers, base.length, maxBytes);
  const out = new Uint8Array(delta.targetBytes);
  delta.apply(base, readers, out);
  for (const name of STREAMS) (readers as Record<string, ByteReader>)[name]!.end();
  return out;
}

/** Pseudo-random bytes of little variety, so that there are matches. */
function noise(length: number, start: number, mask = 0xff): Uint8Array {
  let state = start >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 24) & mask;
  });
}

const edits = fc.array(
  fc.record({
    at: fc.nat(4000),
    remove: fc.nat(40),
    insert: fc.uint8Array({ maxLength: 40 }),
  }),
  { maxLength: 12 },
);

function edited(
  base: Uint8Array,
  changes: readonly { at: number; remove: number; insert: Uint8Array }[],
): Uint8Array {
  let bytes = base;
  for (const { at, remove, insert } of changes) {
    const from = Math.min(at, bytes.length);
    bytes = Uint8Array.from([...bytes.subarray(0, from), ...insert, ...bytes.subarray(from + remove)]);
  }
  return bytes;
}

test("a delta gives the target back", () => {
  const differ = new Differ();
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(4000),
      fc.constantFrom(0xff, 0x0f, 0x01),
      edits,
      (start, length, mask, changes) => {
        const base = noise(length, start, mask);
        const target = edited(base, changes);
        assert.deepEqual(decode(base, encode(base, target, differ), target.length), target);
      },
    ),
    { ...seed, numRuns: 300 },
  );
});

/** The steps of a delta, as one list. */
const stepsOf = ({ count, literal, from, copy }: ReturnType<Differ["diff"]>) =>
  Array.from({ length: count }, (_, i) => [literal[i], from[i], copy[i]]);

test("the kernel finds what its twin finds", () => {
  const differ = new Differ();
  const twin = new DifferTwin();
  const check = (base: Uint8Array, target: Uint8Array) =>
    assert.deepEqual(stepsOf(differ.diff(base, target)), stepsOf(twin.diff(base, target)));
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(3000),
      fc.constantFrom(0xff, 0x0f, 0x03, 0x01, 0),
      edits,
      (start, length, mask, changes) => {
        const base = noise(length, start, mask);
        check(base, edited(base, changes));
        check(base, noise(length >> 1, start + 1, mask));
      },
    ),
    { ...seed, numRuns: 500 },
  );
  const words = new Uint32Array(20_000).map((_, i) => i * 0x10007 + 0x400000);
  check(new Uint8Array(words.buffer), new Uint8Array(words.map((word) => word + 0x1234).buffer));
  check(noise(300_000, 3, 7), noise(300_000, 3, 15));
  for (const length of [0, 1, 5, 6, 7, 8, 9]) check(noise(length, 1, 1), noise(9 - length, 2, 1));
});

test("the numbers that the kernel of differences repeats are its twin's", () => {
  const exported = instantiateKernel<Record<string, { value: number }>>("delta-diff");
  const repeated = Object.keys(exported).filter((name) => /^[A-Z]/.test(name));
  assert.ok(repeated.length > 10);
  const numbers = rules as unknown as Readonly<Record<string, number>>;
  for (const name of repeated) assert.equal(exported[name]!.value, numbers[name], name);
});

test("a delta is weighed as it weighs, and given up where it weighs more than is asked for", () => {
  const differ = new Differ();
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(2000),
      fc.constantFrom(0xff, 0x03),
      edits,
      (start, length, mask, changes) => {
        const base = noise(length, start, mask);
        const target = edited(base, changes);
        const weight = deltaWeight(differ.diff(base, target));
        const most = Math.max(0, weight + (start % 7) - 3);
        assert.equal(differ.weigh(base, target, most), weight <= most ? weight : Number.POSITIVE_INFINITY);
        if (weight <= most) assert.deepEqual(stepsOf(differ.weighed()), stepsOf(differ.diff(base, target)));
      },
    ),
    { ...seed, numRuns: 500 },
  );
});

test("unrelated and empty runs come back as well", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (base, target) => {
      assert.deepEqual(decode(base, encode(base, target), target.length), target);
    }),
    { ...seed, numRuns: 500 },
  );
});

test("a changed byte costs a byte, a moved block few", () => {
  const base = noise(20_000, 7);
  const changed = base.slice();
  changed[5000]! ^= 1;
  const delta = new Differ().diff(base, changed);
  assert.deepEqual([...delta.literal], [0, 1]);
  const moved = Uint8Array.from([...base.subarray(9000), ...base.subarray(0, 9000)]);
  assert.ok(deltaWeight(new Differ().diff(base, moved)) < 50);
});

test("words that all grew by one distance are replaced by that distance", () => {
  const words = new Uint32Array(1000).map((_, i) => i * 0x10007 + 0x400000);
  const grown = words.map((word) => word + 0x1234);
  const base = new Uint8Array(words.buffer);
  const target = new Uint8Array(grown.buffer);
  const { values, literals } = encode(base, target);
  assert.ok(literals.length < 100, `${literals.length} literals`);
  assert.ok(new Set(values).size <= 8, "few different differences");
});

test("the same input gives the same delta, whatever was there before", () => {
  const base = noise(5000, 1, 7);
  const target = edited(base, [{ at: 100, remove: 3, insert: noise(9, 2) }]);
  const used = new Differ();
  used.diff(noise(9000, 3), noise(9000, 4));
  assert.deepEqual(encode(base, target, used), encode(base, target));
});

test("damaged deltas fail with a typed error and never grow beyond the bound", () => {
  const base = noise(3000, 5, 3);
  const target = edited(base, [
    { at: 10, remove: 5, insert: noise(30, 6) },
    { at: 2000, remove: 300, insert: noise(3, 6) },
  ]);
  const whole = encode(base, target);
  fc.assert(
    fc.property(fc.constantFrom(...STREAMS), fc.nat(), fc.nat(255), (name, at, value) => {
      const damaged = { ...whole, [name]: whole[name].slice() };
      if (damaged[name].length === 0) return;
      damaged[name][at % damaged[name].length] = value;
      try {
        assert.ok(decode(base, damaged, 2 * target.length).length <= 2 * target.length);
      } catch (error) {
        assert.ok(isTenonError(error, "invalid"), String(error));
      }
    }),
    { ...seed, numRuns: 1000 },
  );
});

test("a place in the base is found in the target", () => {
  const base = noise(1000, 8);
  const target = edited(base, [{ at: 500, remove: 0, insert: noise(20, 9) }]);
  const map = new CopyMap(new Differ().diff(base, target));
  assert.equal(map.through(0), 0);
  assert.equal(map.through(499), 499);
  assert.equal(map.through(600), 620);
  assert.equal(map.through(1000), 1020);
});
