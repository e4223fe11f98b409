import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { DirectoryBackend, type MemoryBackend } from "../backend/index.ts";
import { FaultyBackend } from "../backend/testing/faulty.ts";
import { noise } from "../bytes/testing/random.ts";
import { acquireMaintenance, WriterLease } from "../repository/index.ts";
import { compact } from "./compact.ts";
import { openBase, openContext } from "./context.ts";
import { gc } from "./gc.ts";
import { remove } from "./refs.ts";
import { Repository } from "./repository.ts";
import { scratchRepository, writeFiles } from "./testing/repository.ts";
import { smallRepository } from "./testing/small-repository.ts";

const NOW = { graceMs: 0 };

test("gc after rm gives the space back", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, { a: noise(3 << 20, 1), b: noise(3 << 20, 2) });
  await repository.add([join(directory, "a"), join(directory, "b")]);
  const both = (await repository.stats()).storedBytes;
  await repository.remove("a");
  const result = await repository.gc(NOW);
  const { storedBytes } = await repository.stats();
  assert.ok(storedBytes < both - 2.9 * 2 ** 20, `${both} bytes became ${storedBytes}`);
  assert.ok(result.freedBytes >= 2.9 * 2 ** 20);
  await repository.get("b", { output: join(directory, "b2") });
  assert.deepEqual(await readFile(join(directory, "b2")), await readFile(join(directory, "b")));
  await assert.rejects(repository.get("a", { output: join(directory, "a2") }), { code: "not-found" });
});

test("atoms that others need survive, those around them go, and recipes follow", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const shared = noise(200_000, 7);
  // One pack holds everything; what stays is a small part of each segment.
  const large = Buffer.concat([noise(2 << 20, 1), shared, noise(2 << 20, 2)]);
  await writeFiles(directory, { in: large });
  await repository.add([join(directory, "in")], { ref: "large:1" });
  await writeFiles(directory, { in: Buffer.concat([shared, noise(5000, 3)]) });
  await repository.add([join(directory, "in")], { ref: "small:1" });
  await repository.remove("large:1");
  await repository.gc(NOW);
  const { storedBytes } = await repository.stats();
  assert.ok(storedBytes < 300_000, `${storedBytes} bytes for 205,000`);
  await repository.get("small:1", { output: join(directory, "out") });
  assert.deepEqual(await readFile(join(directory, "out")), await readFile(join(directory, "in")));
});

test("content that is added again after its collection gets new packs", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, { in: noise(1 << 20, 1), other: noise(1 << 20, 2) });
  await repository.add([join(directory, "other")]);
  for (let round = 0; round < 3; round++) {
    await repository.add([join(directory, "in")], { ref: "x" });
    await repository.get("x", { output: join(directory, `out${round}`) });
    await repository.remove("x");
    await repository.gc(NOW);
  }
  await repository.get("other", { output: join(directory, "other2") });
  assert.deepEqual(await readFile(join(directory, "other2")), await readFile(join(directory, "other")));
});

test("a writer that began before keeps what it may rely on", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, { in: noise(1 << 20, 1) });
  await repository.add([join(directory, "in")], { ref: "x" });
  const backend = new DirectoryBackend(repository.location);
  const writer = await WriterLease.acquire(backend);
  await repository.remove("x");
  const waiting = await repository.gc(NOW);
  assert.equal(waiting.waitingFor.length, 1);
  assert.ok(waiting.pendingBytes > 2 ** 20);
  assert.equal(waiting.removedPacks, 0);
  await writer.release();
  const done = await repository.gc(NOW);
  assert.equal(done.removedPacks, 1);
  assert.ok((await repository.stats()).storedBytes < 10_000);
});

test("what a slow writer points to is rescued from its condemnation", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, { in: noise(1 << 20, 1) });
  const { roots } = await repository.add([join(directory, "in")], { ref: "x" });
  const backend = new DirectoryBackend(repository.location);
  const slow = await WriterLease.acquire(backend);
  await repository.remove("x");
  await repository.gc(NOW);
  // The writer saw the blob before it was condemned, and moves its ref only now.
  const { RefStore, parseRefName } = await import("../repository/index.ts");
  const { root } = roots[0]!;
  const when = new Date().toISOString();
  await new RefStore(backend).move(parseRefName("y"), { root, who: "w", what: "", when });
  await slow.release();
  await repository.gc(NOW);
  const reader = await Repository.open(repository.location);
  await reader.get("y", { output: join(directory, "out") });
  assert.deepEqual(await readFile(join(directory, "out")), await readFile(join(directory, "in")));
  await reader.close();
});

test("compact joins packs, and everything is still there", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const text = Buffer.from("the quick brown fox jumps over the lazy dog\n".repeat(400));
  for (let i = 0; i < 12; i++) {
    await writeFiles(directory, { [`f${i}`]: Buffer.concat([text, noise(30_000, i)]) });
    await repository.add([join(directory, `f${i}`)], { ref: `f:${i}` });
  }
  const result = await repository.compact(NOW);
  assert.ok(result.afterBytes < result.beforeBytes);
  assert.equal((await repository.stats()).packs, 1);
  for (let i = 0; i < 12; i++) {
    await repository.get(`f:${i}`, { output: join(directory, "out"), overwrite: true });
    assert.deepEqual(await readFile(join(directory, "out")), await readFile(join(directory, `f${i}`)));
  }
  const again = await repository.compact(NOW);
  assert.equal(again.rewrittenPacks, 0, "a compacted repository is left alone");
});

test("a reader that knows only the old recipes goes on with the new ones", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const keep = noise(3 << 20, 5);
  await writeFiles(directory, { in: Buffer.concat([keep, noise(3 << 20, 6)]), keep });
  await repository.add([join(directory, "in")], { ref: "x" });
  await repository.add([join(directory, "keep")], { ref: "keep" });
  const reader = await Repository.open(repository.location);
  const pieces: Uint8Array[] = [];
  let collected = false;
  for await (const piece of reader.cat("keep")) {
    pieces.push(Uint8Array.from(piece));
    if (!collected) {
      collected = true;
      await repository.remove("x");
      await repository.compact(NOW);
    }
  }
  assert.ok(Buffer.concat(pieces).equals(keep));
  await reader.close();
});

test("nothing is taken from a repository whose refs can't be read", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, { in: noise(100_000, 1) });
  await repository.add([join(directory, "in")], { ref: "x" });
  await rm(join(repository.location, "refs/x@latest/0000000001"));
  await writeFiles(repository.location, { "refs/x@latest/0000000001": "nonsense" });
  await assert.rejects(repository.gc(NOW), { code: "damaged" });
});

test("a dry run changes nothing, and needs no leave to: of gc and of compact", async () => {
  const { backend } = await smallRepository();
  const context = await openContext(await openBase(backend));
  await remove(context, "single");
  // What a run would mend or remove: a copy that is missing, marks of processes that are gone, old temporaries.
  await backend.remove("config.copy");
  const before = await contents(backend);
  const looked = new FaultyBackend(backend);
  for (const operation of [gc, compact]) {
    const result = await operation(await openContext(await openBase(looked)), { graceMs: 0, dryRun: true });
    assert.ok(result.removedPacks + result.rewrittenPacks > 0);
  }
  assert.equal(looked.changes, 0);
  assert.deepEqual(await contents(backend), before);
  const lease = await acquireMaintenance(backend);
  await assert.rejects(gc(context, { dryRun: true }), { code: "busy" });
  await lease.release();

  const writer = await WriterLease.acquire(backend);
  const waiting = await gc(context, { dryRun: true });
  assert.deepEqual([waiting.freedBytes, waiting.waitingFor.length], [0, 1]);
  await writer.release();
  const foretold = await gc(context, { dryRun: true });
  assert.deepEqual([foretold.freedBytes, foretold.pendingBytes], [waiting.pendingBytes, 0]);
  const packBytes = async () => (await backend.list("packs")).reduce((sum, { size }) => sum + size, 0);
  const all = await packBytes();
  const done = await gc(context, { graceMs: 0 });
  assert.deepEqual([foretold.removedPacks, foretold.rewrittenPacks], [1, 0]);
  assert.equal(done.removedPacks, 1);
  assert.equal(all - (await packBytes()), foretold.freedBytes);
  assert.deepEqual(await backend.read("config.copy"), await backend.read("config"));
});

async function contents(backend: MemoryBackend): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const name of await backend.listNames("")) files.set(name, await backend.read(name));
  return files;
}

test("a dry run removes no condemnation that can't be read, the next run does", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, { in: noise(100_000, 1) });
  await repository.add([join(directory, "in")], { ref: "x" });
  const condemned = join(repository.location, "condemned/0000000001");
  await writeFiles(repository.location, { "condemned/0000000001": "nonsense" });
  await assert.rejects(repository.gc({ ...NOW, dryRun: true }), { code: "damaged" });
  assert.equal(await readFile(condemned, "utf8"), "nonsense");
  await repository.gc(NOW);
  await assert.rejects(readFile(condemned), { code: "ENOENT" });
});
