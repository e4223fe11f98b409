import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { isTenonError } from "../errors/index.ts";
import { InflateInput } from "./inflate.ts";
import type { BlobSource } from "./types.ts";

/** Bytes that come in pieces of any size; `sizeBytes` may be unknown. */
function sourceOf(bytes: Uint8Array, sizeBytes: number | undefined): BlobSource {
  let at = 0;
  return {
    sizeBytes,
    async read(into) {
      const part = bytes.subarray(at, at + Math.min(into.length, 5000));
      into.set(part);
      at += part.length;
      return part.length;
    },
  };
}

/** Content that deflate makes about half as long, other for each seed. */
function content(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 16) & 15;
  });
}

async function inflated(input: InflateInput): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of input.inflate()) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

/** Short streams are inflated at once after the first; then a long one comes, and one that becomes very long. */
const lengths = [10, 20, 0, 300, 5, 400_000, 7, 200, 60_000, 30, 1, 100_000, 2];
const contents = [...lengths.map((length, i) => content(length, i + 1)), new Uint8Array(5 << 20)];

test("short and long streams by turns, each followed by what belongs to nobody", async () => {
  const streams = contents.map((bytes) => deflateRawSync(bytes));
  const all = Buffer.concat(streams.flatMap((stream, i) => [stream, Buffer.of(0xff, i)]));
  assert.ok(all.length > 300_000, "more than is inflated as a whole");
  for (const sizeBytes of [all.length, undefined]) {
    const input = new InflateInput(sourceOf(all, sizeBytes));
    for (const [i, bytes] of contents.entries()) {
      assert.ok(Buffer.from(await inflated(input)).equals(bytes), `stream ${i}`);
      assert.deepEqual([...(await input.peek(2))], [0xff, i]);
      input.skip(2);
    }
    assert.equal((await input.peek(1)).length, 0);
  }
});

test("a stream that is cut or damaged is refused behind short ones too", async () => {
  const short = deflateRawSync(content(50, 1));
  const long = deflateRawSync(content(1 << 20, 2));
  const damaged = Buffer.from(short);
  damaged[0] = 0xff;
  for (const last of [long.subarray(0, -20), long.subarray(0, 40), short.subarray(0, -1), damaged]) {
    for (const before of [3, 4000]) {
      const input = new InflateInput(
        sourceOf(Buffer.concat([...Array<Buffer>(before).fill(short), last]), undefined),
      );
      for (let i = 0; i < before; i++) assert.equal((await inflated(input)).length, 50);
      await assert.rejects(inflated(input), (error) => isTenonError(error, "invalid"));
    }
  }
});
