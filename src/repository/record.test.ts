import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { decodeBlobRecord, encodeBlobRecord, encodeInlineRecord, isBlobRecord } from "./record.ts";

const seed = 20260102;
const digest = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString("hex"));
const segment = digest.map((text) => text.slice(0, 32));
const plain = { noNullPrototype: true } as const;
const entry = fc.record(
  { segment, first: fc.nat(1 << 20), count: fc.nat(1 << 20), bytes: fc.nat(1 << 20) },
  plain,
);

test("record: what was encoded is decoded", () => {
  const property = fc.property(
    fc.record(
      {
        digest,
        size: fc.nat(),
        representation: fc.integer({ min: 1, max: 0xffff }),
        runs: fc.array(entry, { maxLength: 10 }).map((entries) => ({ level: 0 as const, entries })),
        children: fc.array(digest, { maxLength: 5 }),
        body: fc.uint8Array({ maxLength: 50 }),
      },
      plain,
    ),
    (record) => {
      const atom = encodeBlobRecord(record);
      assert.ok(isBlobRecord(atom));
      assert.deepEqual(decodeBlobRecord(atom), record);
    },
  );
  fc.assert(property, { seed, numRuns: 100 });
});

test("record: a small blob is its own recipe", () => {
  for (const text of ["", "some bytes"]) {
    const bytes = utf8(text);
    const record = decodeBlobRecord(encodeInlineRecord(sha256(bytes), bytes));
    assert.deepEqual(record.inline, bytes);
    assert.deepEqual([record.digest, record.size, record.representation], [sha256(bytes), bytes.length, 0]);
  }
});

test("record: cut off anywhere, an inline record is refused", () => {
  const bytes = utf8("twenty bytes of text");
  const atom = encodeInlineRecord(sha256(bytes), bytes);
  for (let length = 0; length < atom.length; length++) {
    assert.throws(() => decodeBlobRecord(atom.subarray(0, length)), { code: "invalid" });
  }
});

test("record: any bytes give a typed error or a record", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
    try {
      decodeBlobRecord(Buffer.concat([Buffer.of(1), bytes]));
    } catch (error) {
      assert.ok(isTenonError(error, "invalid"), String(error));
    }
  });
  fc.assert(property, { seed, numRuns: 500 });
});
