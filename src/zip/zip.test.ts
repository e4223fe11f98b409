import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import { centralDirectory, findEnd, localHeaderBytes } from "./index.ts";
import { makeZip } from "./testing/make.ts";

function entriesOf(zip: Uint8Array) {
  const end = findEnd(zip, zip.length);
  return centralDirectory(zip.subarray(end.directoryOffset, end.directoryOffset + end.directoryBytes), end);
}

const data = Buffer.from("some bytes");

test("members, in the order in which they stand in the file", () => {
  const zip = makeZip([
    { name: "b", data },
    { name: "a", data: Buffer.alloc(300, 1), extra: Buffer.from([1, 2, 3]) },
  ]);
  const entries = entriesOf(zip);
  assert.deepEqual(
    entries.map(({ offset, compressedBytes, method }) => [offset, compressedBytes, method]),
    [
      [0, 10, 0],
      [41, 300, 0],
    ],
  );
  assert.equal(localHeaderBytes(zip.subarray(41)), 34);
  assert.equal(localHeaderBytes(zip.subarray(40)), undefined);
});

test("comments, preambles and zip64", () => {
  const members = [{ name: "a", data }];
  assert.equal(entriesOf(makeZip(members, { comment: Buffer.from("PK\x05\x06 no end") }))[0]!.offset, 0);
  const preamble = Buffer.from("#!/bin/sh\n");
  assert.equal(entriesOf(Buffer.concat([preamble, makeZip(members)]))[0]!.offset, preamble.length);
  const trailer = Buffer.alloc(5000, "behind it");
  assert.equal(entriesOf(Buffer.concat([preamble, makeZip(members), trailer]))[0]!.offset, preamble.length);
  const large = makeZip(members, { isZip64: true });
  assert.deepEqual(
    entriesOf(large).map(({ offset, compressedBytes, sizeBytes }) => [offset, compressedBytes, sizeBytes]),
    [[0, 10, 10]],
  );
  assert.equal(entriesOf(Buffer.concat([preamble, large]))[0]!.offset, preamble.length);
});

test("what can't be is refused", () => {
  const hostile: Record<string, [Buffer, RegExp]> = {
    "no end": [Buffer.alloc(100), /there is none/],
    overlap: [
      makeZip([
        { name: "a", data },
        { name: "b", data, offset: 5 },
      ]),
      /overlap/,
    ],
    "the same data twice": [
      makeZip([
        { name: "a", data },
        { name: "b", data, offset: 0 },
      ]),
      /overlap/,
    ],
    "a size that reaches into the directory": [
      makeZip([{ name: "a", data, compressedBytes: 1000 }]),
      /into the directory/,
    ],
    "more entries than bytes": [makeZip([{ name: "a", data }], { entries: 60_000 }), /don't fit/],
    "a directory beyond its place": [makeZip([{ name: "a", data }], { directoryOffset: 4000 }), /beyond/],
    "several parts": [makeZip([{ name: "a", data }], { disk: 1 }), /several parts/],
  };
  for (const [name, [zip, why]] of Object.entries(hostile)) {
    assert.throws(
      () => entriesOf(zip),
      (error) => isTenonError(error, "invalid") && why.test(error.message),
      name,
    );
  }
});

test("any bytes give members within bounds or an error, seed 21", () => {
  const whole = makeZip(
    Array.from({ length: 5 }, (_, i) => ({ name: `name-${i}`, data: Buffer.alloc(50 * i, i) })),
    { isZip64: true, comment: Buffer.from("remark") },
  );
  let read = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 3 }), (changes) => {
      const zip = Buffer.from(whole);
      // Most changes beyond the data, where the directory is.
      for (const [at, value] of changes) zip[at] = value;
      try {
        let free = 0;
        for (const { offset, compressedBytes } of entriesOf(zip)) {
          assert.ok(offset >= free && compressedBytes >= 0);
          free = offset + 30 + compressedBytes;
          assert.ok(free <= zip.length);
        }
        read++;
      } catch (error) {
        assert.ok(isTenonError(error, "invalid"), `${error}`);
      }
    }),
    { seed: 21, numRuns: 2000 },
  );
  assert.ok(read > 100 && read < 2000);
});
