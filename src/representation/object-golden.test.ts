/** Streams of object files that were written once must read for ever: test/golden/ (docs/formats/object.md). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ByteReader, toHex } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { decodeObject, OBJECT_STREAMS } from "./object-delta.ts";

test("golden: streams of version 1 give the files that they were made of", () => {
  const path = new URL("../../test/golden/object-recipe-1.bin", import.meta.url);
  const reader = new ByteReader(new Uint8Array(readFileSync(path)), "golden");
  let files = 0;
  for (let chains = reader.varint("chains"); chains > 0; chains--) {
    let base = reader.view(reader.varint("length"), "file");
    for (let left = reader.varint("files"); left > 0; left--, files++) {
      const digest = toHex(reader.view(32, "digest"));
      const size = reader.varint("size");
      const streams: Uint8Array[] = [];
      for (let i = 0; i < OBJECT_STREAMS; i++) streams.push(reader.view(reader.varint("length"), "stream"));
      base = decodeObject(base, streams, size);
      assert.equal(sha256(base), digest);
    }
  }
  reader.end();
  assert.equal(files, 6);
});
