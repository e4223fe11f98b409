import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import { applyDerived, DerivedRule } from "./derived-tables.ts";
import { Marks } from "./dissect-marks.ts";
import { type Field, noBases, readTarget, writeTarget } from "./references-fields.ts";
import { FIELD_BYTES } from "./references-kinds.ts";
import { MAX_SITE_BYTES, SiteCursor, writeSite } from "./references-sites.ts";
import { PieceKind, type PieceTable, ReferenceKind } from "./types.ts";

const seed = { seed: 20261123 };

test("sites are read as they were written", () => {
  const site = fc.record({
    gap: fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1)),
    kind: fc.constantFrom(1, 10, 12, 15, 24, 31),
  });
  fc.assert(
    fc.property(fc.array(fc.array(site, { maxLength: 20 }), { maxLength: 10 }), (pieces) => {
      const bytes = new Uint8Array(1 + pieces.flat().length * MAX_SITE_BYTES);
      const end = new Uint32Array(pieces.length);
      let at = 0;
      for (const [i, sites] of pieces.entries()) {
        for (const { gap, kind } of sites) at = writeSite(bytes, at, gap, kind);
        end[i] = at;
      }
      const table = { bytes: bytes.subarray(0, at), end };
      const cursor = new SiteCursor(table);
      for (const [i, sites] of pieces.entries()) {
        cursor.open(table, i);
        let position = 0;
        for (const { gap, kind } of sites) {
          assert.deepEqual([cursor.offset, cursor.kind], [position + gap, kind]);
          position += gap + FIELD_BYTES[kind]!;
          cursor.next();
        }
        assert.equal(cursor.offset, -1);
      }
    }),
    seed,
  );
});

test("a field gives back the address that was written into it", () => {
  const bases = noBases().fill(0x40_0000);
  const words: Readonly<Record<number, number>> = {
    [ReferenceKind.branch26]: 0x9400_0000,
    [ReferenceKind.word19]: 0x5400_0000,
    [ReferenceKind.branch14]: 0x3600_0000,
    [ReferenceKind.adr21]: 0x1000_0000,
  };
  const special: number[] = [
    ReferenceKind.addend64, // has no field of its own
    ReferenceKind.table32, // is a whole piece
    ReferenceKind.low12, // is a part of an address
    ReferenceKind.page21,
  ];
  const kinds = Object.values(ReferenceKind).filter((kind) => !special.includes(kind));
  fc.assert(
    fc.property(fc.constantFrom(...kinds), fc.nat(2 ** 24), fc.nat(2 ** 24), (kind, place, distance) => {
      const address = 0x40_0000 + 4 * place;
      // Whatever the kind counts in is a multiple of 4, and 14 bits of words reach 32 KiB.
      const target = address + 4 * (distance % (kind === ReferenceKind.branch14 ? 8000 : 200_000));
      const view = new DataView(new ArrayBuffer(8));
      view.setUint32(0, words[kind] ?? 0, true);
      const field: Field = { kind, offset: 0, address, shape: 0, pieceAddress: 0x40_0000 };
      writeTarget(view, field, target, bases);
      assert.equal(readTarget(view, field, bases), target);
    }),
    seed,
  );
});

test("addresses that a field can't hold are refused", () => {
  const view = new DataView(new ArrayBuffer(8));
  const field: Field = { kind: 0, offset: 0, address: 0x1000, shape: 0, pieceAddress: 0x1000 };
  const refused: readonly (readonly [kind: number, target: number])[] = [
    [ReferenceKind.pc32, 2 ** 40],
    [ReferenceKind.pc32, Number.NaN],
    [ReferenceKind.abs32, 2 ** 32],
    [ReferenceKind.goText, 0x2000],
    [ReferenceKind.branch26, 2 ** 30],
    [ReferenceKind.branch26, 0x1002],
  ];
  for (const [kind, target] of refused) {
    field.kind = kind;
    assert.throws(
      () => writeTarget(view, field, target, noBases()),
      (error) => isTenonError(error, "invalid"),
    );
  }
});

test("notes are found in order of position", () => {
  const note = fc.record({ at: fc.nat(199), isCut: fc.boolean() });
  fc.assert(
    fc.property(fc.array(note, { maxLength: 30 }), fc.nat(199), fc.nat(200), (notes, from, end) => {
      const marks = new Marks(200, { ranges: [], inFile: [] });
      for (const { at, isCut } of notes) {
        if (isCut) marks.cut(at);
        else marks.site(at, ReferenceKind.abs64);
      }
      const first = (among: typeof notes) =>
        Math.min(end, ...among.map(({ at }) => at).filter((at) => at >= from && at < end));
      if (from > end) return;
      assert.equal(marks.next(from, end), first(notes));
      assert.equal(marks.nextCut(from, end), first(notes.filter(({ isCut }) => isCut)));
    }),
    { ...seed, numRuns: 500 },
  );
});

/** Applies a rule to a piece of zeros behind one piece of words at some addresses: what is foretold. */
function foretold(rule: number, kind: number, addresses: readonly number[], bytes: number): Uint8Array {
  const words = 8 * 1024;
  const pieces: PieceTable = {
    count: 2,
    kind: Uint8Array.of(PieceKind.data, PieceKind.derived),
    offset: Float64Array.of(0, words),
    length: Float64Array.of(words, bytes),
    address: Float64Array.of(0x1000, 0x1000 + words),
  };
  const file = new Uint8Array(words + bytes);
  const count = addresses.length;
  applyDerived(file, {
    machine: 62,
    pieces,
    sites: { bytes: Uint8Array.of(rule), end: Uint32Array.of(0, 1) },
    references: {
      count,
      kind: new Uint8Array(count).fill(kind),
      site: Uint32Array.from(addresses, (address) => address - 0x1000),
      piece: new Uint32Array(count),
      shape: new Uint8Array(count),
      first: Uint32Array.of(0, count, count),
    },
    targets: Float64Array.from(addresses, (address) => address + 5),
    bases: noBases(),
  });
  return file.subarray(words);
}

test("RELATIVE entries are foretold: offset, type, addend", () => {
  const bytes = foretold(DerivedRule.relative, ReferenceKind.relative64, [0x1008, 0x1020], 48);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const word = (at: number) => Number(view.getBigUint64(at, true));
  assert.deepEqual([0, 8, 16, 24, 32, 40].map(word), [0x1008, 8, 0x100d, 0x1020, 8, 0x1025]);
});

test("RELR is foretold: an address, then bitmaps of 63 words", () => {
  const near = [0x1000, 0x1008, 0x1000 + 8 * 63, 0x1000 + 8 * 64];
  const bytes = foretold(DerivedRule.relr, ReferenceKind.relr64, [...near, 0x1000 + 8 * 900], 32);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const words = [0, 8, 16, 24].map((at) => view.getBigUint64(at, true));
  assert.deepEqual(words, [0x1000n, (1n << 63n) | 3n, 3n, 0x2c20n]);
});
