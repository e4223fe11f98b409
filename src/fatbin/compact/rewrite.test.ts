import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { align, piecesOf } from "./align.ts";
import { WORD_TAG } from "./fields.ts";
import { identityMap, type Piece, PlaceMap } from "./place-map.ts";
import {
  KIND_AARCH64,
  KIND_ANCHORED,
  KIND_SELF_RELATIVE,
  KIND_WORDS,
  KIND_X86_64,
  type Region,
} from "./regions.ts";
import { toDistances, toPlaces } from "./rewrite.ts";

const KINDS = [KIND_X86_64, KIND_AARCH64, KIND_WORDS, KIND_SELF_RELATIVE, KIND_ANCHORED];

/** Bytes in which there are many fields of all kinds, whose values are near, far, tagged already or anything. */
const codeBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 12 }),
      fc.constantFrom(
        ...[[0xe8], [0xe9], [0x0f, 0x84], [0x48, 0x8b, 0x05], [0xc5, 0xfc, 0x28, 0x0d]].map((b) =>
          Uint8Array.from(b),
        ),
      ),
      fc.integer({ min: -600, max: 600 }).map((near) => new Uint8Array(Int32Array.of(near).buffer)),
      fc.integer({ min: 0, max: 0x1ff }).map((place) => Uint8Array.from([0x9a, 0, place >> 8, place & 255])),
      fc
        .integer({ min: 0, max: 0x1ff })
        .map((place) => new Uint8Array(Uint32Array.of(place, WORD_TAG).buffer)),
      fc.integer({ min: 0, max: 0x3ff }).map((address) => new Uint8Array(Uint32Array.of(address, 0).buffer)),
      fc
        .integer({ min: 0, max: 0xffff })
        .map(
          (n) =>
            new Uint8Array(Uint32Array.of(0x9400_0000 | (n & 0x80ff ? n & 0xff : 0x3ff_ff00 | n)).buffer),
        ),
      fc
        .integer({ min: 0, max: 31 })
        .map(
          (n) => new Uint8Array(Uint32Array.of(0x9000_0000 | n, 0x9100_0000 | (n << 5) | (n << 10)).buffer),
        ),
    ),
    { minLength: 1, maxLength: 60 },
  )
  .map((parts) => new Uint8Array(Buffer.concat(parts)));

const piecesOfMap = fc
  .array(fc.record({ start: fc.nat(0x300), shift: fc.integer({ min: -0x200, max: 0x200 }) }), {
    maxLength: 8,
  })
  .map((pieces): Piece[] => [
    { start: 0, shift: pieces[0]?.shift ?? 0 },
    ...pieces.filter(({ start }) => start > 0).sort((a, b) => a.start - b.start),
  ]);

test("rewritten fields come back, whatever the bytes, regions and maps are", () => {
  fc.assert(
    fc.property(
      codeBytes,
      fc.array(
        fc.record({
          kind: fc.constantFrom(...KINDS),
          bytes: fc.nat(300),
          gap: fc.nat(9),
          place: fc.nat(0x300),
        }),
        { minLength: 1, maxLength: 4 },
      ),
      piecesOfMap,
      fc.constantFrom(0, 0x100),
      (bytes, parts, pieces, low) => {
        const regions: Region[] = [];
        let at = 0;
        for (const { kind, bytes: length, gap, place } of parts) {
          const offset = at + gap;
          if (offset + length > bytes.length) break;
          regions.push({ kind, offset, bytes: length, place });
          at = offset + length;
        }
        const geography = { low, span: 0x200, regions };
        for (const map of [identityMap(0x400), new PlaceMap(0x400, pieces)]) {
          const rules = { tag: 0x9a00_0000, low };
          const changed = bytes.slice();
          const fixups = toPlaces(changed, 0, geography, map, rules);
          toDistances(changed, geography, map, rules, fixups);
          assert.deepEqual(changed, bytes);
        }
      },
    ),
    { seed: 11, numRuns: 3000 },
  );
});

test("a place map goes there and back", () => {
  fc.assert(
    fc.property(piecesOfMap, fc.nat(0x5ff), (pieces, place) => {
      const map = new PlaceMap(0x400, pieces);
      const base = map.toBase(place);
      if (base >= 0) assert.equal(map.toTarget(base), place);
    }),
    { seed: 12, numRuns: 2000 },
  );
});

/** Functions of calls and data, one after the other. */
function code(order: readonly number[], bodies: readonly number[][]) {
  const starts = new Map<number, number>();
  let at = 0;
  for (const n of order) {
    starts.set(n, at);
    at += 40 + bodies[n]!.length * 5;
  }
  const bytes = new Uint8Array(at);
  const view = new DataView(bytes.buffer);
  for (const n of order) {
    let here = starts.get(n)!;
    for (let i = 0; i < 40; i++) bytes[here++] = (n * 37 + i * i * 11) & 0x7f;
    for (const callee of bodies[n]!) {
      bytes[here] = 0xe8;
      view.setInt32(here + 1, starts.get(callee)! - (here + 5), true);
      here += 5;
    }
  }
  const regions = [{ kind: KIND_X86_64, offset: 0, bytes: at, place: 0 }];
  return { bytes, geography: { low: 0, span: at, regions } };
}

test("the same functions in another order: every call looks as in the base", () => {
  const bodies = Array.from({ length: 30 }, (_, n) =>
    Array.from({ length: 6 }, (_, i) => (n * 7 + i * 5) % 30),
  );
  const base = code(
    bodies.map((_, n) => n),
    bodies,
  );
  const target = code(
    bodies.map((_, n) => (n * 11) % 30),
    bodies,
  );
  const { votes } = align(base.bytes, base.geography, target.bytes, target.geography);
  const preferred = new Map(
    Array.from(votes.target.subarray(0, votes.count), (place, i) => [place, votes.base[i]!]),
  );
  const map = new PlaceMap(base.bytes.length, piecesOf(votes), preferred);
  const rules = { tag: 0x9a00_0000, low: 0 };
  const [from, to] = [base.bytes.slice(), target.bytes.slice()];
  toPlaces(from, 0, base.geography, identityMap(base.bytes.length), rules);
  toPlaces(to, 0, target.geography, map, rules);
  const lines = (bytes: Uint8Array) =>
    new Set(Array.from({ length: bytes.length / 70 }, (_, i) => bytes.subarray(i * 70, i * 70 + 70).join()));
  assert.deepEqual(lines(to), lines(from));
});
