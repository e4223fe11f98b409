import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EM_X86_64 } from "../elf/index.ts";
import { Addends } from "./dissect-data.ts";
import {
  decodeDissection,
  dissect,
  encodeDissection,
  findSkeleton,
  joinInput,
  pieceHashes,
} from "./index.ts";
import { codeFields, type SeenFields } from "./references-code.ts";
import { link, nextRelease, sampleProgram } from "./testing/small-program.ts";
import { PieceKind, type PieceTable } from "./types.ts";

const seed = { seed: 20261121 };

/** Bytes without pattern, of which many are calls and operands that count from the instruction's end. */
function someCode(length: number, start: number): Uint8Array {
  const usual = [0xe8, 0xe9, 0x0f, 0x84, 0x48, 0x8b, 0x05, 0x8d, 0x90, 0xc3, 0, 0, 0, 0];
  let state = start >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 31 === 0 ? usual[(state >>> 16) % usual.length]! : state >>> 24;
  });
}

/** Pieces between cuts; those of code but every fifth. */
function piecesBetween(cuts: readonly number[], kinds: (begin: number) => number): PieceTable {
  const offset = cuts.slice(0, -1);
  return {
    count: offset.length,
    kind: Uint8Array.from(offset, kinds),
    offset: Float64Array.from(offset),
    length: Float64Array.from(offset, (at, i) => cuts[i + 1]! - at),
    address: Float64Array.from(offset),
  };
}

test("fields that were seen before are the ones that another look finds", () => {
  const cut = fc.uniqueArray(fc.integer({ min: 1, max: 3999 }), { maxLength: 30 });
  const ascending = (cuts: readonly number[]) => [...cuts].sort((a, b) => a - b);
  fc.assert(
    fc.property(fc.nat(), cut, cut, fc.boolean(), fc.boolean(), (start, before, later, absolute, isTwo) => {
      const code = someCode(4000, start);
      const options = { machine: EM_X86_64, absolute };
      // One part, or two with data between them.
      const bounds = isTwo ? [0, 1500, 2500, 4000] : [0, 4000];
      const parts: SeenFields["parts"][number][] = [];
      for (let i = 0; i < bounds.length; i += 2) {
        const [begin, end] = [bounds[i]!, bounds[i + 1]!];
        const inside = ascending(before.filter((at) => at > begin && at < end));
        const whole = [begin, ...inside, end];
        const table = piecesBetween(whole, () => PieceKind.code);
        const scanned = codeFields(code, table, { ...options, onlyBlank: false });
        // As a scan gives them: the kind below, what follows above.
        const kinds = scanned.kind.map((kind) => (kind === 0 ? 1 : 5));
        const fieldShapes = scanned.shape.map((shape, k) => (shape << 4) | kinds[k]!);
        parts.push({ bounds: Uint32Array.from(whole), fieldOffsets: scanned.offset, fieldShapes });
      }
      const all = ascending([...new Set([...bounds, ...before, ...later])]);
      const isData = (at: number) => isTwo && at >= 1500 && at < 2500;
      const pieces = piecesBetween(all, (at) => (isData(at) ? PieceKind.data : PieceKind.code));
      const found = codeFields(code, pieces, { ...options, seen: { parts } });
      assert.deepEqual(found, codeFields(code, pieces, options));
    }),
    { ...seed, numRuns: 300 },
  );
});

test("references that are copied with their pieces are the ones that a look at the bytes finds", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 2, max: 60 }), fc.nat(6), (start, functions, changes) => {
      const first = sampleProgram(start, functions);
      const a = dissect(link(first));
      const b = dissect(link(nextRelease(first, start + 1, changes)));
      const base = { dissection: a, hashes: pieceHashes(a) };
      const { head, streams } = encodeDissection(b, pieceHashes(b), [base]);
      const decoded = decodeDissection(head, streams, [a]);
      const found = findSkeleton(joinInput(decoded), { contexts: true });
      assert.deepEqual(decoded.skeleton.references, found.references);
      assert.deepEqual(
        { ...decoded.references, context: undefined },
        { ...b.references, context: undefined },
      );
    }),
    { ...seed, numRuns: 40 },
  );
});

test("addends are found by their fields, in whatever order they came", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(500), { maxLength: 150 }),
      fc.array(fc.nat(500), { maxLength: 50 }),
      (fields, asked) => {
        const addends = new Addends();
        for (const field of fields) addends.add(8 * field, 3 * field + 2 ** 40);
        for (const field of asked) {
          assert.equal(addends.at(8 * field), fields.includes(field) ? 3 * field + 2 ** 40 : -1);
        }
        const view = addends.within(new Uint8Array(8 * 501));
        for (const field of fields)
          assert.equal(Number(view.getBigUint64(8 * field, true)), 3 * field + 2 ** 40);
      },
    ),
    { ...seed, numRuns: 200 },
  );
});
