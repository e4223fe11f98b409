import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { decodeHandprint, encodeHandprint, handprintDigest, MAX_HANDPRINT_KEYS } from "./handprint.ts";
import { Kind } from "./kinds.ts";
import { Segment, SegmentBuilder } from "./segment.ts";
import { keysOfSegment } from "./segment-keys.ts";

const digest = sha256(new Uint8Array(3));
const keys = ["0011223344556677", "8899aabbccddeeff"];

test("a handprint comes back", () => {
  assert.deepEqual(decodeHandprint(encodeHandprint({ digest, keys })), { digest, keys });
  assert.deepEqual(decodeHandprint(encodeHandprint({ digest, keys: [] })), { digest, keys: [] });
});

test("cut, ragged and overfull handprints are refused", () => {
  const whole = encodeHandprint({ digest, keys });
  const many = encodeHandprint({ digest, keys: new Array(MAX_HANDPRINT_KEYS + 1).fill(keys[0]) });
  for (const atom of [whole.subarray(0, 31), whole.subarray(0, 41), many]) {
    assert.throws(
      () => decodeHandprint(atom),
      (error) => isTenonError(error, "invalid"),
    );
  }
});

test("a segment of handprints is found under each of their keys", () => {
  const builder = new SegmentBuilder(Kind.handprint);
  builder.append(encodeHandprint({ digest, keys: [keys[0]!] }));
  builder.append(encodeHandprint({ digest, keys }));
  const found = [...keysOfSegment(new Segment(Kind.handprint, builder.take()))];
  const key = (i: number) => handprintDigest(keys[i]!).slice(0, 32);
  assert.deepEqual(found, [
    { table: "chunks", key: key(0), atom: 0 },
    { table: "chunks", key: key(0), atom: 1 },
    { table: "chunks", key: key(1), atom: 1 },
  ]);
});
