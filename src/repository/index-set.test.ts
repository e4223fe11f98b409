import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MemoryBackend } from "../backend/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError, type TenonError } from "../errors/index.ts";
import { IndexFile } from "./index-file.ts";
import { indexOfPath, indexPath } from "./index-format.ts";
import { IndexSet } from "./index-set.ts";
import { type IndexEntries, writeIndexOf } from "./index-writer.ts";
import { indexedChunks, keyOf } from "./testing/packs.ts";

const seed = 20260102;

function openFile(name: string, bytes: Uint8Array): IndexFile {
  return new IndexFile(name, {
    size: bytes.length,
    readSync(into, offset) {
      const part = bytes.subarray(offset, offset + into.length);
      into.set(part);
      return part.length;
    },
  });
}

test("index: what was put in is found with its place, nothing else is", async () => {
  const backend = new MemoryBackend();
  const chunks = [noise(100, 1), noise(200, 2), noise(300, 3)];
  const { packs, segments } = await indexedChunks(backend, chunks);
  const set = await IndexSet.open(backend);
  assert.deepEqual(set.packs(), new Set(packs));
  const [[id, place]] = [...segments] as [[string, NonNullable<ReturnType<IndexSet["findSegment"]>>]];
  assert.deepEqual(set.findSegment(id), place);
  chunks.forEach((chunk, atom) => {
    assert.deepEqual(set.findChunk(sha256(chunk)), { segment: id, atom, pack: packs[0] });
    assert.equal(set.findBlob(sha256(chunk)), undefined);
  });
  assert.equal(set.findChunk(sha256(noise(5, 9))), undefined);
  assert.equal(
    set.findSegment(id, () => false),
    undefined,
  );
  set.close();
});

test("index: is named by its SHA-256", async () => {
  const backend = new MemoryBackend();
  await indexedChunks(backend, [noise(100, 1)]);
  const { name } = (await backend.list("index"))[0]!;
  const digest = sha256(await backend.read(name));
  assert.equal(indexOfPath(name), digest);
  assert.equal(indexPath(digest), name);
  assert.equal(indexOfPath("index/readme"), undefined);
});

test("index: every flipped byte and every length is noticed when all of the file is read", async () => {
  const backend = new MemoryBackend();
  await indexedChunks(backend, [noise(100, 1), noise(100, 2)]);
  const { name: path } = (await backend.list("index"))[0]!;
  const name = indexOfPath(path)!;
  const bytes = await backend.read(path);
  openFile(name, bytes).verify();
  for (let i = 0; i < bytes.length; i++) {
    const flipped = Uint8Array.from(bytes);
    flipped[i]! ^= 1 << (i % 8);
    for (const [what, damaged] of [
      [`byte ${i} flipped`, flipped],
      [`cut to ${i} bytes`, bytes.subarray(0, i)],
    ] as const) {
      assert.throws(
        () => openFile(name, damaged).verify(),
        (error) =>
          isTenonError(error) && ["damaged", "unsupported"].includes(error.code) && error.data.path === path,
        what,
      );
    }
  }
});

test("index: any bytes between right magics give a typed error", () => {
  const property = fc.property(fc.uint8Array({ minLength: 40, maxLength: 200 }), (bytes) => {
    const head = Buffer.from("TENONIDX\x01\0\0\0\0\0\0\0", "latin1");
    const file = Buffer.concat([head, bytes, Buffer.from("TENONIXE")]);
    assert.throws(
      () => openFile("0".repeat(64), file),
      (error) => isTenonError(error, "damaged"),
    );
  });
  fc.assert(property, { seed, numRuns: 300 });
});

/** Chunks of several packs with overlaps; merging and dropping, compared with plain maps. */
test("index: merged files say the same as before, without what was dropped", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.uniqueArray(fc.nat(30), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 12 }),
    fc.array(fc.nat(11), { maxLength: 4 }),
    async (packs, dropped) => {
      const backend = new MemoryBackend();
      const written: IndexEntries[] = [];
      for (const numbers of packs)
        written.push(
          await indexedChunks(
            backend,
            numbers.map((n) => noise(20 + n, n)),
          ),
        );
      const names = written.map((entries) => entries.packs[0]!);
      const drop = new Set(dropped.flatMap((i) => names[i] ?? []));
      const set = await IndexSet.open(backend);
      await set.mergeAll(drop);
      assert.equal((await backend.list("index")).length, 1);
      set.files[0]!.verify();
      assert.deepEqual(set.packs(), new Set(names.filter((name) => !drop.has(name))));
      for (let n = 0; n <= 30; n++) {
        const chunk = noise(20 + n, n);
        const homes = written.filter(({ chunks }) => chunks.has(keyOf(chunk)));
        const place = set.findChunk(sha256(chunk));
        const left = homes.filter(({ packs: [pack] }) => !drop.has(pack!));
        assert.equal(place !== undefined, left.length > 0, `chunk ${n}`);
        if (place === undefined) continue;
        assert.ok(left.some(({ chunks }) => chunks.get(keyOf(chunk))?.segment === place.segment));
        assert.ok(!drop.has(set.findSegment(place.segment)!.pack));
      }
      set.close();
    },
  );
  await fc.assert(property, { seed, numRuns: 40 });
});

test("index: many small files are merged when asked, and an open set sees it", async () => {
  const backend = new MemoryBackend();
  for (let i = 0; i < 20; i++) await indexedChunks(backend, [noise(50, i)]);
  const [set, other] = [await IndexSet.open(backend), await IndexSet.open(backend)];
  assert.ok(set.needsMerge);
  assert.equal(await set.mergeSmall(), true);
  assert.equal(set.needsMerge, false);
  await other.reload();
  for (const one of [set, other]) {
    for (let i = 0; i < 20; i++) assert.ok(one.findChunk(sha256(noise(50, i))), `chunk ${i}`);
    assert.equal(one.packs().size, 20);
  }
  assert.equal(await set.mergeSmall(), false);
});

test("index: a damaged file is an error, or is reported and left out", async () => {
  const backend = new MemoryBackend();
  await indexedChunks(backend, [noise(50, 1)]);
  await indexedChunks(backend, [noise(50, 2)]);
  const damaged = (await backend.list("index"))[0]!.name;
  const bytes = await backend.read(damaged);
  bytes[bytes.length - 1]! ^= 1;
  await backend.replace(damaged, bytes);
  await assert.rejects(IndexSet.open(backend), { code: "damaged" });
  const reported: TenonError[] = [];
  const set = await IndexSet.open(backend, (error) => reported.push(error));
  assert.deepEqual([reported.length, reported[0]!.data.path, set.files.length], [1, damaged, 1]);

  // A page is read only when it is needed.
  bytes[bytes.length - 1]! ^= 1;
  bytes[20]! ^= 1;
  await backend.replace(damaged, bytes);
  const strict = await IndexSet.open(backend);
  const tolerant = await IndexSet.open(backend, (error) => reported.push(error));
  const ask = (one: IndexSet) => [1, 2].map((n) => one.findChunk(sha256(noise(50, n))) !== undefined);
  assert.throws(() => ask(strict), { code: "damaged" });
  assert.equal(ask(tolerant).filter(Boolean).length, 1);
  assert.ok(reported.length > 1);
});

test("index: keys of blobs by their beginning", async () => {
  const backend = new MemoryBackend();
  const { packs, segments, chunks } = await indexedChunks(backend, [
    noise(50, 1),
    noise(50, 2),
    noise(50, 3),
  ]);
  const [first, second, third] = [...chunks.values()];
  const blobs = new Map([
    [`aa00${"0".repeat(28)}`, first!],
    [`aa01${"0".repeat(28)}`, second!],
    [`ab00${"0".repeat(28)}`, third!],
  ]);
  await writeIndexOf(backend, { packs, segments, blobs, chunks });
  const set = await IndexSet.open(backend);
  assert.deepEqual(set.blobKeys("aa", 10), [...blobs.keys()].slice(0, 2));
  assert.deepEqual(set.blobKeys("aa", 1).length, 1);
  assert.deepEqual(set.blobKeys("", 10), [...blobs.keys()]);
  assert.deepEqual(set.blobKeys("ac", 10), []);
});
