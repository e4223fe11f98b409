import assert from "node:assert/strict";
import { test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { Codec, compressionLevels, decodeFrame, encodeFrame } from "./codec.ts";

const text = Buffer.from("the same words again and again, ".repeat(500));
const noise = Uint8Array.from({ length: 5000 }, (_, i) => (i * i * 2654435761) >>> 13);

test("codec: every level gives the bytes back, and none makes them longer", async () => {
  for (const level of compressionLevels) {
    for (const raw of [text, noise, new Uint8Array(0), new Uint8Array(70)]) {
      const { codec, bytes } = await encodeFrame(raw, level);
      assert.ok(bytes.length <= raw.length);
      if (level === "none") assert.equal(codec, Codec.none);
      const again = await decodeFrame(codec, bytes, raw.length);
      assert.deepEqual(Buffer.from(again), Buffer.from(raw), level);
    }
  }
  const shrunk = await encodeFrame(text, "default");
  assert.equal(shrunk.codec, Codec.zstd);
  assert.ok(shrunk.bytes.length * 10 < text.length);
});

test("codec: a frame of another length than was promised is refused, and not unpacked beyond it", async () => {
  const { codec, bytes } = await encodeFrame(text, "default");
  for (const length of [0, 1, text.length - 1, text.length + 1]) {
    await assert.rejects(decodeFrame(codec, bytes, length), { code: "damaged" });
  }
  await assert.rejects(decodeFrame(Codec.none, text, text.length + 1), { code: "damaged" });
  await assert.rejects(decodeFrame(200, text, text.length), { code: "unsupported" });
});

test("codec: flipped or cut off, a frame gives a typed error or bytes of the promised length", async () => {
  const { codec, bytes } = await encodeFrame(text, "default");
  const attempt = async (damaged: Uint8Array) => {
    try {
      assert.equal((await decodeFrame(codec, damaged, text.length)).length, text.length);
    } catch (error) {
      assert.ok(isTenonError(error, "damaged"), String(error));
    }
  };
  for (let i = 0; i < bytes.length; i++) {
    const flipped = Uint8Array.from(bytes);
    flipped[i]! ^= 0xff;
    await attempt(flipped);
    await attempt(bytes.subarray(0, i));
  }
});
