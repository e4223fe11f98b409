import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { equalBytes } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { decodeObject, encodeObject } from "./object-delta.ts";
import { levelledTables, levelObject, readObjectHeaders, unlevelObject, viewOf } from "./object-form.ts";
import { objectContents, objectKeys } from "./object-keys.ts";
import { objectSymbols } from "./object-symbols.ts";
import { compileVersions, flavours, missing } from "./testing/compiled-objects.ts";

const seed = { seed: 20261121 };

for (const flavour of flavours) {
  describe(flavour.name, { skip: missing(flavour) }, () => {
    const versions = missing(flavour) === false ? compileVersions(flavour, 3) : [];

    test("the level form gives the file back, and differs from it", () => {
      for (const file of versions) {
        const level = levelObject(file);
        assert.equal(level.length, file.length);
        assert.ok(!equalBytes(level, file));
        unlevelObject(level);
        assert.ok(equalBytes(level, file));
      }
    });

    test("a version is said by another, in either direction, by a fraction of its bytes", () => {
      for (const [base, target] of [
        [versions[0]!, versions[1]!],
        [versions[2]!, versions[0]!],
      ] as const) {
        const streams = encodeObject(base, target);
        const bytes = streams.reduce((sum, { length }) => sum + length, 0);
        assert.ok(bytes < target.length / 6, `${bytes} for ${target.length}`);
        assert.ok(equalBytes(decodeObject(base, streams, target.length), target));
      }
    });

    test("versions share keys", () => {
      const [first, second] = versions.map((file) => new Set(objectKeys(objectContents(file))));
      const shared = [...first!].filter((key) => second!.has(key)).length;
      assert.ok(shared >= 3, `${shared} of ${first!.size}`);
    });

    test("damaged files give their bytes back or a typed error", () => {
      const file = versions[0]!;
      const { shoff, shnum } = readObjectHeaders(file);
      const places = fc.oneof(
        fc.nat(63),
        fc.integer({ min: shoff, max: shoff + shnum * 64 - 1 }),
        fc.nat(file.length - 1),
      );
      const changes = fc.array(fc.tuple(places, fc.nat(255)), { minLength: 1, maxLength: 12 });
      fc.assert(
        fc.property(changes, (edits) => {
          const strange = file.slice();
          for (const [at, value] of edits) strange[at] = value;
          try {
            const level = levelObject(strange);
            unlevelObject(level);
            assert.ok(equalBytes(level, strange));
            const streams = encodeObject(file, strange);
            assert.ok(equalBytes(decodeObject(file, streams, strange.length), strange));
            objectKeys(objectContents(strange));
          } catch (error) {
            if (!isTenonError(error, "invalid")) throw error;
          }
        }),
        { ...seed, numRuns: 150 },
      );
    });

    test("hostile streams give a typed error or other bytes", () => {
      const [base, target] = versions as [Uint8Array, Uint8Array];
      const streams = encodeObject(base, target);
      let errors = 0;
      for (const [i, stream] of streams.entries()) {
        for (let at = 0; at < stream.length; at += 1 + Math.floor(stream.length / 40)) {
          const damaged = stream.slice();
          damaged[at]! ^= 1 + ((at * 37) % 255);
          for (const bytes of [damaged, stream.subarray(0, at)]) {
            try {
              decodeObject(base, streams.with(i, bytes), target.length);
            } catch (error) {
              assert.ok(isTenonError(error, "invalid"), String(error));
              errors++;
            }
          }
        }
      }
      assert.ok(errors > 100);
    });
  });
}

test("tables that overlap one another or the headers are left alone", { skip: missing(flavours[0]!) }, () => {
  const [file] = compileVersions(flavours[0]!, 1);
  const headers = readObjectHeaders(file!);
  const tables = levelledTables(file!, headers);
  const relocations = tables.find(({ type }) => type === 4)!;
  const at = headers.shoff + relocations.section * 64;
  for (const offset of [0, 8, headers.shoff - 24, tables.find(({ type }) => type === 2)!.offset + 24]) {
    const strange = file!.slice();
    viewOf(strange).setUint32(at + 24, offset, true);
    const level = levelObject(strange);
    unlevelObject(level);
    assert.ok(equalBytes(level, strange), `${offset}`);
    const left = levelledTables(strange, headers);
    for (const [i, { offset: start }] of left.entries())
      assert.ok(i === 0 || start >= left[i - 1]!.offset + left[i - 1]!.bytes);
  }
});

test("what is no object file is refused", { skip: missing(flavours[0]!) }, () => {
  const [file] = compileVersions(flavours[0]!, 1);
  const changed = (at: number, value: number) => {
    const bytes = file!.slice();
    bytes[at] = value;
    return bytes;
  };
  const refused = [new Uint8Array(100), file!.subarray(0, 64), changed(16, 2), changed(4, 1), changed(5, 2)];
  refused.push(changed(44, 0xff), changed(58, 40), changed(61, 0xff), changed(40, 1).fill(0, 41, 48));
  for (const bytes of refused)
    assert.throws(
      () => levelObject(bytes),
      (error) => isTenonError(error, "invalid"),
    );
});

/** An object file whose symbols have names that overlap: altogether far longer than the file. */
function overlapping(symbols: number, nameBytes: number): Uint8Array {
  const names = 64 + 24 * symbols;
  const shoff = names + nameBytes;
  const file = new Uint8Array(shoff + 3 * 64);
  const view = viewOf(file);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file[16] = 1;
  view.setUint32(40, shoff, true);
  view.setUint16(58, 64, true);
  view.setUint16(60, 3, true);
  for (let i = 1; i < symbols; i++) {
    view.setUint32(64 + 24 * i, i % nameBytes, true);
    file[64 + 24 * i + 4] = 2;
  }
  file.fill(0x61, names, names + nameBytes);
  for (const [i, [type, offset, size, link]] of [
    [2, 64, 24 * symbols, 2],
    [3, names, nameBytes, 0],
  ].entries()) {
    const at = shoff + 64 * (i + 1);
    view.setUint32(at + 4, type!, true);
    view.setUint32(at + 24, offset!, true);
    view.setUint32(at + 32, size!, true);
    view.setUint32(at + 40, link!, true);
  }
  return file;
}

test("names that overlap take time and memory in proportion to the file", () => {
  const file = overlapping(100_000, 100_000);
  const symbols = objectSymbols(file);
  let bytes = 0;
  for (let symbol = 1; symbol < symbols.count; symbol++) bytes += symbols.name(symbol).length;
  assert.ok(symbols.count === 100_000 && bytes > file.length && bytes < 5 * file.length, `${bytes}`);
  const streams = encodeObject(file, file);
  assert.ok(equalBytes(decodeObject(file, streams, file.length), file));
});
