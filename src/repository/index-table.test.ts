import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader, ByteWriter, compareBytes, concatBytes, fromHex } from "../bytes/index.ts";
import {
  entriesPerPage,
  KEY_BYTES,
  PAGE_BYTES,
  type RandomBytes,
  readTableHead,
  Table,
  TableWriter,
  writeTableHead,
} from "./index-table.ts";

const seed = 20260102;
const VALUE_BYTES = 8;

function inMemory(bytes: Uint8Array): RandomBytes & { reads: number } {
  return {
    size: bytes.length,
    reads: 0,
    readSync(into, offset) {
      this.reads++;
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
  };
}

/** Pages of a table that begins at offset 0. */
function pagesOf(keys: readonly string[]): { readonly bytes: Uint8Array; readonly head: Uint8Array } {
  const pages: Uint8Array[] = [];
  const fences = new ByteWriter();
  const writer = new TableWriter(VALUE_BYTES, fences, (page) => pages.push(page));
  for (const key of keys) writer.add(fromHex(key), fromHex(key).subarray(KEY_BYTES - VALUE_BYTES));
  writer.finish();
  assert.ok(pages.every((page) => page.length <= PAGE_BYTES));
  const head = new ByteWriter();
  writeTableHead(head, { entries: writer.entries, offset: 0, fences: fences.finish() });
  return { bytes: concatBytes(pages), head: head.finish() };
}

function tableOf(keys: readonly string[]): {
  readonly table: Table;
  readonly file: RandomBytes & { reads: number };
} {
  const { bytes, head } = pagesOf(keys);
  const file = inMemory(bytes);
  const reader = new ByteReader(head, "index");
  return { table: new Table(file, "t", VALUE_BYTES, readTableHead(reader, VALUE_BYTES, bytes.length)), file };
}

/** Keys that often agree in their first 8 bytes, which is all that stays in memory. */
const key = fc
  .record({ head: fc.nat(3), middle: fc.nat(2), tail: fc.nat(2 ** 31 - 1) })
  .map(({ head, middle, tail }) =>
    [head, middle * 0x1000, 0, tail].map((word) => word.toString(16).padStart(8, "0")).join(""),
  );

test("table: finds what was put in and nothing else, as a plain map does", () => {
  const property = fc.property(
    fc.uniqueArray(key, { maxLength: 700 }),
    fc.array(key, { maxLength: 50 }),
    (keys, others) => {
      const sorted = [...keys].sort();
      const { table } = tableOf(sorted);
      assert.equal(table.entries, sorted.length);
      const present = new Set(sorted);
      for (const one of [...sorted.slice(0, 100), ...sorted.slice(-100), ...others]) {
        const found = table.find(fromHex(one));
        assert.equal(found !== undefined, present.has(one));
        if (found !== undefined)
          assert.equal(compareBytes(found, fromHex(one).subarray(KEY_BYTES - VALUE_BYTES)), 0);
        let bound = sorted.findIndex((other) => other >= one);
        if (bound < 0) bound = sorted.length;
        assert.equal(table.lowerBound(fromHex(one)), bound);
      }
    },
  );
  fc.assert(property, { seed, numRuns: 40 });
});

test("table: many equal beginnings over several pages", () => {
  const perPage = entriesPerPage(VALUE_BYTES);
  const keys = Array.from(
    { length: perPage * 4 },
    (_, i) => `00000000000000aa${i.toString(16).padStart(16, "0")}`,
  );
  const { table } = tableOf(["0".repeat(32), ...keys, "f".repeat(32)]);
  keys.forEach((one, i) => {
    assert.equal(table.lowerBound(fromHex(one)), i + 1);
  });
  assert.equal(table.find(fromHex(`00000000000000aa${"f".repeat(16)}`)), undefined);
});

test("table: a look-up reads one page, or none when it is the page of the one before", () => {
  const keys = Array.from({ length: 5000 }, (_, i) =>
    (i * 800_000).toString(16).padStart(8, "0").padEnd(32, "0"),
  );
  const { table, file } = tableOf(keys);
  for (const i of [0, 4999, 2500, 7]) {
    const before = file.reads;
    assert.ok(table.find(fromHex(keys[i]!)));
    assert.ok(file.reads - before <= 2, `${file.reads - before} reads`);
  }
  table.find(fromHex(keys[7]!));
  const before = file.reads;
  table.find(fromHex(keys[8]!));
  assert.equal(file.reads, before);
});

test("table: every flipped byte of a page is noticed when the page is read", () => {
  const keys = Array.from({ length: 30 }, (_, i) => String(i).padStart(32, "0"));
  const { bytes, head } = pagesOf(keys);
  for (let i = 0; i < bytes.length; i++) {
    const flipped = Uint8Array.from(bytes);
    flipped[i]! ^= 1 << (i % 8);
    const table = new Table(
      inMemory(flipped),
      "t",
      VALUE_BYTES,
      readTableHead(new ByteReader(head, "index"), VALUE_BYTES, bytes.length),
    );
    assert.throws(() => table.find(fromHex(keys[0]!)), { code: "damaged" }, `byte ${i}`);
  }
});

test("table: a head that promises more than the file has is refused", () => {
  const { bytes, head } = pagesOf(["0".repeat(32)]);
  const read = (size: number) => readTableHead(new ByteReader(head, "index"), VALUE_BYTES, size);
  assert.equal(read(bytes.length).entries, 1);
  assert.throws(() => read(bytes.length - 1), { code: "invalid" });
  assert.throws(
    () => new Table(inMemory(bytes), "t", VALUE_BYTES, { ...read(bytes.length), entries: 2000 }),
    {
      code: "damaged",
    },
  );
});
