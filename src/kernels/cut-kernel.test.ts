import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { xorshiftBytes } from "../bytes/testing/random.ts";
import { type CutKernel, cutKernel } from "./cut-kernel.ts";
import { allCuts, type CutSizes, type FindCut, MULTIPLIER } from "./cut-rule.ts";
import { findGear32, gearTable } from "./gear.ts";
import { growMemory } from "./load.ts";
import { findMincdc4 } from "./mincdc.ts";
import { findWindow8 } from "./window8.ts";

const CAPACITY = 1 << 20;
const rules: readonly [name: "gear" | "mincdc" | "window8", twin: (sizes: CutSizes) => FindCut][] = [
  ["gear", findGear32],
  ["mincdc", () => findMincdc4],
  ["window8", findWindow8],
];

/** Ends of chunks by the kernel, with the data at an address that is `shift` past a multiple of 16. */
function kernelCuts(
  kernel: CutKernel,
  data: Uint8Array,
  sizes: CutSizes,
  final: boolean,
  shift = 0,
): number[] {
  const out = Math.ceil(kernel.base() / 16) * 16;
  const from = out + 4 * Math.ceil(CAPACITY / 64) + shift;
  growMemory(kernel.memory, from + CAPACITY);
  const memory = new Uint8Array(kernel.memory.buffer);
  // What lies around the input must not matter.
  memory.fill(0x5a, from - 64, from + data.length + 64);
  memory.set(data, from);
  const { minBytes, meanBytes, maxBytes } = sizes;
  const count = kernel.cuts(from, from + data.length, final, minBytes, meanBytes, maxBytes, out);
  return Array.from(new Uint32Array(kernel.memory.buffer, out, count), (end) => end - from);
}

/** Runs of the kinds that break chunkers: noise, one value, a short period, few symbols, little-endian counters. */
const adversarial = fc
  .array(
    fc.record({
      kind: fc.constantFrom("noise", "constant", "periodic", "symbols", "counter"),
      length: fc.oneof(fc.integer({ min: 0, max: 80 }), fc.integer({ min: 0, max: 3000 })),
      seed: fc.uint8Array({ minLength: 9, maxLength: 9 }),
    }),
    { maxLength: 6 },
  )
  .map((runs) => {
    const parts = runs.map(({ kind, length, seed }) => {
      const period = 1 + (seed[8]! % 9);
      let state = 1 + seed[0]! + 256 * seed[1]!;
      return Uint8Array.from({ length }, (_, i) => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        if (kind === "noise") return state >>> 24;
        if (kind === "constant") return seed[0]!;
        if (kind === "periodic") return seed[i % period]!;
        if (kind === "symbols") return seed[(state >>> 16) & 1]!;
        return i % 4 === 0 ? i >> 2 : 0;
      });
    });
    return Uint8Array.from(parts.flatMap((part) => [...part]));
  });

const smallSizes = fc
  .record({
    minBytes: fc.integer({ min: 64, max: 400 }),
    above: fc.integer({ min: 32, max: 900 }),
    reach: fc.integer({ min: 1, max: 1200 }),
  })
  .map(({ minBytes, above, reach }) => ({
    minBytes,
    meanBytes: minBytes + above,
    maxBytes: Math.max(2 * minBytes, minBytes + above + reach),
  }));

const normal: CutSizes = { minBytes: 4096, meanBytes: 16384, maxBytes: 65536 };

for (const [name, twin] of rules) {
  const kernel = cutKernel(name);

  test(`${name}: the kernel cuts where its twin cuts, on adversarial data and odd sizes`, () => {
    fc.assert(
      fc.property(
        adversarial,
        smallSizes,
        fc.boolean(),
        fc.integer({ min: 0, max: 15 }),
        (data, sizes, final, shift) => {
          assert.deepEqual(
            kernelCuts(kernel, data, sizes, final, shift),
            allCuts(twin(sizes), data, sizes, final),
          );
        },
      ),
      { numRuns: 300, seed: 7 },
    );
  });

  test(`${name}: the kernel cuts where its twin cuts, at the usual sizes`, () => {
    const inputs = [
      xorshiftBytes(400_000),
      new Uint8Array(200_000),
      xorshiftBytes(300_000).map((byte) => byte & 3),
    ];
    for (const period of [2, 3, 5, 8, 13, 100, 4096]) {
      const pattern = xorshiftBytes(period);
      inputs.push(Uint8Array.from({ length: 150_000 }, (_, i) => pattern[i % period]!));
    }
    for (const data of inputs) {
      const cuts = kernelCuts(kernel, data, normal, true);
      assert.deepEqual(cuts, allCuts(twin(normal), data, normal, true));
      assert.equal(cuts.at(-1), data.length);
    }
  });

  test(`${name}: the kernel cuts where its twin cuts, at every length around the bounds`, () => {
    const sizes = { minBytes: 64, meanBytes: 100, maxBytes: 136 };
    const data = xorshiftBytes(1200);
    for (let length = 0; length <= data.length; length++) {
      const input = data.subarray(0, length);
      for (const final of [true, false]) {
        assert.deepEqual(kernelCuts(kernel, input, sizes, final), allCuts(twin(sizes), input, sizes, final));
      }
    }
  });

  test(`${name}: no constant byte makes a cut before the maximum`, () => {
    for (let byte = 0; byte < 256; byte++) {
      const data = new Uint8Array(3 * normal.maxBytes).fill(byte);
      const cuts = kernelCuts(kernel, data, normal, false);
      assert.deepEqual(cuts, [normal.maxBytes, 2 * normal.maxBytes]);
    }
  });
}

test("mincdc: the place of the greatest product is found in every part of a tile, the last of equals", () => {
  const sizes = { minBytes: 1024, meanBytes: 2048, maxBytes: 3072 };
  const kernel = cutKernel("mincdc");
  // The window whose product is 2^32 - 1, the greatest of all.
  const bytes = new Uint8Array(Uint32Array.of(-inverse(MULTIPLIER)).buffer);
  assert.equal(Math.imul(new Uint32Array(bytes.buffer)[0]!, MULTIPLIER), -1);
  for (let cut = sizes.minBytes; cut <= sizes.maxBytes; cut += cut < 1600 || cut > 3000 ? 1 : 37) {
    const data = new Uint8Array(sizes.minBytes + sizes.maxBytes);
    data.set(bytes, cut - 4);
    assert.equal(kernelCuts(kernel, data, sizes, false)[0], cut);
    if (cut < sizes.minBytes + 4) continue; // the two would overlap
    data.set(bytes, sizes.minBytes - 4);
    assert.equal(kernelCuts(kernel, data, sizes, false)[0], cut);
  }
});

/** Inverse of an odd number modulo 2^32, by Newton's iteration. */
function inverse(odd: number): number {
  let x = odd;
  for (let i = 0; i < 5; i++) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}

test("gear: the table has 256 different entries", () => {
  assert.equal(new Set(gearTable).size, 256);
});
