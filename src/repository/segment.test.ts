import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { utf8 } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { MAX_ATOM_BYTES, SEGMENT_TARGET_BYTES } from "./limits.ts";
import { Segment, SegmentBuilder, segmentId } from "./segment.ts";

const seed = 20260102;

test("segment: atoms come back by number and as runs", () => {
  const property = fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 40 }), (atoms) => {
    const builder = new SegmentBuilder(7);
    atoms.forEach((atom, i) => {
      assert.equal(builder.append(atom), i);
    });
    const segment = new Segment(7, builder.take());
    assert.equal(builder.atoms, 0);
    assert.equal(segment.atoms, atoms.length);
    atoms.forEach((atom, i) => {
      assert.deepEqual(Buffer.from(segment.atom(i)), Buffer.from(atom));
    });
    assert.deepEqual(Buffer.from(segment.run(0, atoms.length)), Buffer.concat(atoms));
    assert.throws(() => segment.run(0, atoms.length + 1), { code: "damaged" });
  });
  fc.assert(property, { seed, numRuns: 60 });
});

test("segment: the kind is part of the name", () => {
  const builder = new SegmentBuilder(1);
  builder.append(utf8("atom"));
  const body = builder.take();
  assert.equal(segmentId(1, body).length, 32);
  assert.notEqual(segmentId(1, body), segmentId(2, body));
});

test("segment: is full at its target, and an atom has a bound", () => {
  const builder = new SegmentBuilder(1);
  assert.equal(builder.full, false);
  builder.append(new Uint8Array(SEGMENT_TARGET_BYTES));
  assert.equal(builder.full, true);
  assert.throws(() => builder.append(new Uint8Array(MAX_ATOM_BYTES + 1)), { code: "limit" });
});

test("segment: cut off anywhere, and any bytes at all, give a typed error or a segment", () => {
  const builder = new SegmentBuilder(1);
  for (let i = 0; i < 5; i++) builder.append(new Uint8Array(i * 50).fill(i));
  const body = builder.take();
  for (let length = 0; length < body.length; length++) {
    assert.throws(() => new Segment(1, body.subarray(0, length)), { code: "invalid" }, `${length} bytes`);
  }
  assert.throws(() => new Segment(1, Buffer.concat([body, Buffer.of(0)])), { code: "invalid" });
  const property = fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    try {
      const segment = new Segment(1, bytes);
      assert.ok(segment.payload.length <= bytes.length);
    } catch (error) {
      assert.ok(isTenonError(error, "invalid"), String(error));
    }
  });
  fc.assert(property, { seed, numRuns: 500 });
});
