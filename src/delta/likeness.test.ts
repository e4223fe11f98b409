import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { instantiateKernel } from "../kernels/index.ts";
import { LikenessSearch, LikenessSearchTwin, mostWanted } from "./index.ts";
import * as rules from "./likeness-twin.ts";

const seed = { seed: 0x7e0_0005, endOnFailure: true } as const;

/** Bytes without a pattern, of few different values when the mask has few bits. */
function noise(length: number, start: number, mask = 0xff): Uint8Array {
  let state = (start + 1) * 0x9e3779b1;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 20) & mask;
  });
}

function changed(bytes: Uint8Array, at: number): Uint8Array {
  return Uint8Array.from([...bytes.subarray(0, at), ...noise(11, at), ...bytes.subarray(at + 6)]);
}

/** Runs one behind the other, with bytes between that belong to none. */
function lay(runs: readonly Uint8Array[], kinds: readonly number[], gap: number) {
  const offset = new Float64Array(runs.length);
  let at = 0;
  for (const [i, run] of runs.entries()) {
    at += gap;
    offset[i] = at;
    at += run.length;
  }
  const bytes = new Uint8Array(at + gap);
  for (const [i, run] of runs.entries()) bytes.set(run, offset[i]);
  const length = Float64Array.from(runs, (run) => run.length);
  return { bytes, runs: { count: runs.length, offset, length, kind: Uint8Array.from(kinds) } };
}

const ALL = new Uint8Array(256).fill(1);

test("what was edited is found by its features", () => {
  const items = Array.from({ length: 200 }, (_, i) => noise(300 + (i % 50), i + 1));
  const search = new LikenessSearch(201);
  for (const [i, item] of items.entries()) assert.ok(search.want(changed(item, 40 + i), 1, 0));
  assert.equal(search.want(new Uint8Array(15), 1, 0), false);
  assert.ok(search.want(noise(400, 99_999), 1, 0));
  const { bytes, runs } = lay(items, new Array(200).fill(1), 3);
  search.offer(bytes, runs, 1000, ALL, 16);
  const found = items.filter((_, i) => search.best(i).includes(1000 + i)).length;
  assert.ok(found >= 195, `${found} of 200`);
  assert.deepEqual(search.best(200), []);
});

test("of what is equally like, the nearest is best", () => {
  const same = noise(200, 7);
  const search = new LikenessSearch(1);
  search.want(same, 2, 31);
  const { bytes, runs } = lay(new Array(50).fill(same), new Array(50).fill(2), 0);
  search.offer(bytes, runs, 0, ALL, 16);
  assert.deepEqual(search.best(0), [31, 30, 32]);
});

test("classes are kept apart, and what is short or not wanted is left out", () => {
  const same = noise(200, 7);
  const search = new LikenessSearch(2);
  search.want(same, 1, 0);
  search.want(same, 2, 0);
  const { bytes, runs } = lay([same, same, same.subarray(0, 20), same], [1, 2, 2, 3], 5000);
  const classes = new Uint8Array(256);
  classes[1] = classes[2] = 1;
  search.offer(bytes, runs, 10, classes, 100);
  assert.deepEqual([search.best(0), search.best(1)], [[10], [11]]);
});

test("the kernel finds what its twin finds", () => {
  const run = fc.tuple(
    fc.nat(12),
    fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 1500 }) }, fc.constant(140_000)),
    fc.nat(60),
    fc.nat(2),
  );
  const make = (start: number, length: number, edit: number) => {
    const bytes = noise(length, start, start % 3 === 0 ? 1 : 0xff);
    return edit === 0 ? bytes : changed(bytes, edit);
  };
  const some = fc.array(run, { maxLength: 40 });
  fc.assert(
    fc.property(some, some, fc.constantFrom(0, 3, 5000), (wanted, offered, gap) => {
      const search = new LikenessSearch(wanted.length);
      const twin = new LikenessSearchTwin();
      let count = 0;
      for (const [start, length, edit, runClass] of wanted) {
        const bytes = make(start, length, edit);
        assert.equal(search.want(bytes, runClass, edit), twin.want(bytes, runClass, edit));
        if (bytes.length >= 16) count++;
      }
      const items = offered.map(([start, length, edit]) => make(start, length, edit));
      const kinds = offered.map(([, , , runClass]) => runClass);
      const { bytes, runs } = lay(items, kinds, gap);
      search.offer(bytes, runs, 7, ALL, 16);
      for (const [i, item] of items.entries()) twin.offer(item, kinds[i]!, 7 + i);
      for (let i = 0; i < count; i++) assert.deepEqual(search.best(i), twin.best(i));
    }),
    { ...seed, numRuns: 200 },
  );
});

test("what very many have in common takes bounded time, as by the twin", () => {
  const same = noise(40, 3);
  const check = (wanted: number, offered: number) => {
    const search = new LikenessSearch(wanted);
    const twin = new LikenessSearchTwin();
    for (let i = 0; i < wanted; i++) {
      search.want(same, 0, i);
      twin.want(same, 0, i);
    }
    const { bytes, runs } = lay(new Array(offered).fill(same), new Array(offered).fill(0), 0);
    search.offer(bytes, runs, 0, ALL, 16);
    for (let i = 0; i < offered; i++) twin.offer(same, 0, i);
    for (let i = 0; i < wanted; i++) assert.deepEqual(search.best(i), twin.best(i));
    return Math.max(...search.best(wanted - 1));
  };
  assert.equal(check(3, 1000), 3);
  assert.ok(check(2000, 300) < rules.MIN_HITS);
});

test("as many as may be wanted fit", () => {
  const most = mostWanted();
  const search = new LikenessSearch(most);
  const run = noise(64, 1);
  for (let i = 0; i < most; i++) {
    run.set([i, i >> 8, i >> 16], i % 50);
    search.want(run, i & 3, 0);
  }
  const { bytes, runs } = lay([run], [(most - 1) & 3], 0);
  search.offer(bytes, runs, 5, ALL, 16);
  assert.deepEqual(search.best(most - 1), [5]);
});

test("the numbers that the kernel repeats are its twin's", () => {
  const exported = instantiateKernel<Record<string, { value: number }>>("delta-likeness");
  const own = ["WINDOW_BYTES", "MAX_RUNS", "MAX_WANTED"];
  const repeated = Object.keys(exported).filter((name) => /^[A-Z]/.test(name) && !own.includes(name));
  assert.ok(repeated.length >= 8);
  const numbers = rules as unknown as Readonly<Record<string, number>>;
  for (const name of repeated) assert.equal(exported[name]!.value, numbers[name], name);
});
