import assert from "node:assert/strict";
import { test } from "node:test";
import { isSparseMap, LeadingMapReader, parseSparseMap } from "./sparse.ts";

test("a map must ascend, end within the file and add up to the data", () => {
  const isMap = (map: number[]) => isSparseMap(map, { realBytes: 100, dataBytes: 30 });
  assert.ok(isMap([0, 10, 20, 20]));
  assert.ok(isMap([10, 30, 100, 0]));
  assert.ok(!isMap([20, 20, 0, 10]), "out of order");
  assert.ok(!isMap([0, 20, 10, 10]), "overlapping");
  assert.ok(!isMap([80, 30]), "beyond the end");
  assert.ok(!isMap([0, 29]), "less than the data");
  assert.ok(!isMap([0, 30, 50]), "odd");
  assert.deepEqual(parseSparseMap(Buffer.from("1,2,30,4")), [1, 2, 30, 4]);
  for (const text of ["", "1,", "-1,2", "99999999999999999,1"])
    assert.equal(parseSparseMap(Buffer.from(text)), undefined, text);
});

test("a map before the data: in pieces of any length, refused where it is none", () => {
  const text = Buffer.from("2\n0\n512\n4096\n7\n");
  for (const length of [1, 3, text.length]) {
    const reader = new LeadingMapReader();
    const found = [];
    for (let at = 0; at < text.length; at += length) found.push(reader.take(text.subarray(at, at + length)));
    assert.deepEqual(found.at(-1), { map: [0, 512, 4096, 7], mapBytes: 512 });
    assert.ok(found.slice(0, -1).every((one) => one === "more"));
  }
  for (const wrong of ["\n", "x\n", "1\n0\n\n", "2000000\n", "12345678901234567\n"])
    assert.equal(new LeadingMapReader().take(Buffer.from(wrong)), undefined, JSON.stringify(wrong));
});
