import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { MemoryBackend } from "../backend/index.ts";
import { concatBytes, equalBytes } from "../bytes/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { link, sampleProgram } from "../executable/testing/small-program.ts";
import type { BlobSource } from "../representation/index.ts";
import { add } from "./add.ts";
import type { StoreContext } from "./context.ts";
import { cat } from "./get.ts";
import { memorySource } from "./sources.ts";
import { spool } from "./spool.ts";
import { newRepository } from "./testing/small-repository.ts";

async function readAll(source: BlobSource, blockBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const block = new Uint8Array(blockBytes);
    const length = await source.read(block);
    if (length === 0) return concatBytes(pieces);
    pieces.push(block.subarray(0, length));
  }
}

test("put aside in memory and in a file, and read as often as wanted", async () => {
  for (const lengthBytes of [0, 1, 1 << 20, (16 << 20) - 1, (16 << 20) + 1, (18 << 20) + 12345]) {
    const bytes = noise(lengthBytes, lengthBytes);
    const spooled = await spool(memorySource(bytes), 1 << 30);
    const { whole, once } = spooled;
    assert.equal(whole!.sizeBytes, lengthBytes);
    for (const blockBytes of [1 << 20, 700_001]) {
      const opened = await whole!.open();
      assert.ok(equalBytes(await readAll(opened, blockBytes), bytes), `${lengthBytes}`);
      await opened.close();
    }
    assert.ok(equalBytes(await readAll(once, 65_536), bytes));
    assert.ok(!(await readdir(tmpdir())).some((name) => name.startsWith("tenon-unnamed-")));
    await spooled.close();
  }
});

test("beyond the limit: once, all of it", async () => {
  const bytes = noise(100_000, 1);
  const spooled = await spool(memorySource(bytes), 30_000);
  assert.equal(spooled.whole, undefined);
  assert.ok(equalBytes(await readAll(spooled.once, 7000), bytes));
  await spooled.close();
});

test("a source that fails leaves nothing", async () => {
  let calls = 0;
  const source: BlobSource = {
    read(into) {
      if (calls++ > 20) throw new Error("broken pipe");
      return into.length;
    },
  };
  await assert.rejects(spool(source, 1 << 30), /broken pipe/);
});

async function addStreamed(context: StoreContext, ref: string, bytes: Uint8Array) {
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += 4001) yield bytes.subarray(at, at + 4001);
  }
  let kept = "";
  await add(context, [{ name: "input", stream: pieces() }], {
    ref,
    onEvent: (event) => {
      if (event.type === "item") kept = event.representation ?? "";
    },
  });
  const found: Uint8Array[] = [];
  for await (const piece of cat(context, ref)) found.push(piece.slice());
  assert.ok(equalBytes(concatBytes(found), bytes), ref);
  return kept;
}

test("what comes through a pipe is kept as a file is", async () => {
  const context = await newRepository(new MemoryBackend());
  const program = link(sampleProgram(4, 400));
  assert.equal(await addStreamed(context, "program", program), "executable");
  assert.equal(await addStreamed(context, "again", program), "known");
  assert.equal(await addStreamed(context, "packed", gzipSync(link(sampleProgram(5, 300)))), "gzip");
  assert.equal(await addStreamed(context, "noise", noise(300_000, 3)), "chunks");
  assert.equal(await addStreamed(context, "cut", program.subarray(0, 60)), "inline");
  // More than is put aside in memory, with an executable's first bytes and nothing else of it.
  const large = noise(17 << 20, 3);
  large.set(program.subarray(0, 64));
  assert.ok(["chunks", "executable"].includes(await addStreamed(context, "large", large)));
});
