import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { concatBytes } from "../bytes/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { sha256 } from "../digest/index.ts";
import { AtomReader } from "./atom-reader.ts";
import { IndexSet } from "./index-set.ts";
import { Kind } from "./kinds.ts";
import { MAX_RUNS_PER_NODE, SEGMENT_TARGET_BYTES } from "./limits.ts";
import { packPath, readPackDirectory } from "./pack.ts";
import { RunListBuilder } from "./pending.ts";
import { rebuildIndex } from "./rebuild.ts";
import { WriteSession } from "./session.ts";
import { segmentOf } from "./testing/packs.ts";

interface Fixture {
  readonly backend: MemoryBackend;
  readonly index: IndexSet;
  session(condemned?: ReadonlySet<string>, level?: "none" | "default"): WriteSession;
}

async function fixture(backend = new MemoryBackend()): Promise<Fixture> {
  const index = await IndexSet.open(backend);
  return {
    backend,
    index,
    session: (condemned = new Set(), level = "default") =>
      new WriteSession(backend, index, { level, condemned, epoch: 0 }),
  };
}

/** Stores a blob of these chunks; returns its digest. */
function put(session: WriteSession, chunks: readonly Uint8Array[]): string {
  const runs = new RunListBuilder();
  for (const chunk of chunks) runs.add(session.chunk(Kind.chunk, chunk, sha256(chunk)).ref);
  const bytes = concatBytes(chunks);
  const digest = sha256(bytes);
  session.blob({ digest, size: bytes.length, representation: 1, runs });
  return digest;
}

async function get({ backend, index }: Fixture, digest: string, from = 0): Promise<Uint8Array> {
  const atoms = new AtomReader(backend, index, { verify: true });
  const parts: Uint8Array[] = [];
  for await (const { offset, bytes } of atoms.read(await atoms.needRecord(digest), from)) {
    parts.push(offset < from ? bytes.subarray(from - offset) : bytes);
  }
  return concatBytes(parts);
}

test("session: nothing is there before a flush, everything after it", async () => {
  const one = await fixture();
  const session = one.session();
  const chunks = [noise(5000, 1), noise(3000, 2)];
  const digest = put(session, chunks);
  session.inline(Kind.recipe, sha256(noise(50, 3)), noise(50, 3));
  assert.deepEqual(await one.backend.list(""), []);
  assert.equal(await session.knows(digest), true);
  await session.flush();
  assert.deepEqual(await get(one, digest), concatBytes(chunks));
  assert.deepEqual(await get(one, digest, 6000), concatBytes(chunks).subarray(6000));
  const reader = new AtomReader(one.backend, one.index);
  assert.deepEqual((await reader.needRecord(sha256(noise(50, 3)))).inline, noise(50, 3));
  assert.equal(session.packs.length, 1);
});

test("session: known chunks are not stored again, in this session or a later one", async () => {
  const one = await fixture();
  const [a, b, c] = [noise(5000, 1), noise(5000, 2), noise(5000, 3)];
  const first = one.session();
  const [ab, ba] = [put(first, [a, b, a]), put(first, [b, a])];
  await first.flush();
  const size = await one.backend.totalBytes();
  assert.ok(size < 12_000, `${size} bytes`);
  const second = one.session();
  assert.equal(await second.knows(ab), true);
  const abc = put(second, [a, b, c]);
  await second.flush();
  assert.ok((await one.backend.totalBytes()) - size < 7000);
  assert.deepEqual(await get(one, ab), concatBytes([a, b, a]));
  assert.deepEqual(await get(one, ba), concatBytes([b, a]));
  assert.deepEqual(await get(one, abc), concatBytes([a, b, c]));
});

test("session: what stands in condemned packs is as good as gone", async () => {
  const one = await fixture();
  const first = one.session();
  const digest = put(first, [noise(500, 1)]);
  await first.flush();
  const second = one.session(new Set(first.packs));
  assert.equal(await second.knows(digest), false);
  assert.equal(second.knowsChunk(sha256(noise(500, 1))), false);
  put(second, [noise(500, 1), noise(10, 2)]);
  put(second, [noise(500, 1)]);
  await second.flush();
  await one.backend.remove(packPath(first.packs[0]!));
  await one.index.mergeAll(new Set(first.packs));
  assert.deepEqual(await get(one, digest), noise(500, 1));
});

test("session: atoms of a kind share segments of about a MiB", async () => {
  const one = await fixture();
  const session = one.session(undefined, "none");
  const chunks = Array.from({ length: 60 }, (_, i) => noise(SEGMENT_TARGET_BYTES / 16, i));
  const digest = put(session, chunks);
  await session.flush();
  const { frames } = await readPackDirectory(one.backend, session.packs[0]!);
  assert.deepEqual(frames.filter(({ kind }) => kind === Kind.chunk).length, 4);
  assert.deepEqual(await get(one, digest), concatBytes(chunks));
  const middle = 31 * (SEGMENT_TARGET_BYTES / 16) + 77;
  assert.deepEqual(await get(one, digest, middle), concatBytes(chunks).subarray(middle));
});

test("session: a blob of very many runs has a tree of them, also after the index is made anew", async () => {
  const one = await fixture();
  const first = one.session();
  const pool = Array.from({ length: 40 }, (_, i) => noise(30 + i, i));
  put(first, pool);
  await first.flush();
  const session = one.session();
  // Every other chunk: no two of them are neighbours in their segment.
  const chunks = Array.from({ length: 3 * MAX_RUNS_PER_NODE }, (_, i) => pool[(i * 2) % 40]!);
  const digest = put(session, chunks);
  await session.flush();
  const record = await new AtomReader(one.backend, one.index).needRecord(digest);
  assert.equal(record.runs.level, 1);
  const whole = concatBytes(chunks);
  assert.deepEqual(await get(one, digest), whole);
  for (const from of [1, whole.length >> 1, whole.length - 1]) {
    assert.deepEqual(await get(one, digest, from), whole.subarray(from));
  }

  const names = (await one.backend.list("index")).map(({ name }) => name);
  const { packs } = await rebuildIndex(one.backend);
  assert.equal(packs, 2);
  assert.ok((await one.backend.list("index")).every(({ name }) => !names.includes(name)));
  const again = await fixture(one.backend);
  assert.deepEqual(await get(again, digest), whole);

  // Without the pack of the chunks the tree leads nowhere: a new index does not name the blob.
  await one.backend.remove(packPath(first.packs[0]!));
  await rebuildIndex(one.backend);
  const without = await fixture(one.backend);
  assert.equal(without.index.findBlob(digest), undefined);
});

test("session: a segment is adopted as it is", async () => {
  const one = await fixture();
  const first = one.session();
  const digest = put(first, [noise(500, 1), noise(600, 2)]);
  await first.flush();
  const old = first.packs[0]!;
  const second = new WriteSession(one.backend, one.index, {
    level: "default",
    condemned: new Set([old]),
    epoch: 5,
  });
  const atoms = new AtomReader(one.backend, one.index);
  for (const [id, { kind, atoms: count }] of one.index.files[0]!.allSegments()) {
    second.adopt(kind, { id, atoms: count, body: await atoms.segmentBody(id) });
  }
  await second.flush();
  await one.index.mergeAll(new Set([old]));
  await one.backend.remove(packPath(old));
  assert.deepEqual(await get(one, digest), concatBytes([noise(500, 1), noise(600, 2)]));
  assert.deepEqual(one.index.packs(), new Set(second.packs));
});

test("session: an abort leaves nothing, a failed flush no index", async () => {
  const one = await fixture();
  const session = one.session();
  put(session, [noise(SEGMENT_TARGET_BYTES + 1, 1)]);
  await session.settle();
  await session.abort();
  assert.equal(await one.backend.totalBytes(), 0);
});

test("reader: a pack that was rewritten meanwhile is found by the newer index", async () => {
  const one = await fixture();
  const session = one.session();
  const digest = put(session, [noise(500, 1)]);
  await session.flush();
  const reading = await fixture(one.backend);
  const [old] = session.packs;
  const second = new WriteSession(one.backend, one.index, {
    level: "none",
    condemned: new Set([old!]),
    epoch: 5,
  });
  put(second, [noise(500, 1)]);
  await second.flush();
  await one.index.mergeAll(new Set([old!]));
  await one.backend.remove(packPath(old!));
  assert.deepEqual(await get(reading, digest), noise(500, 1));
});

test("reader: a segment that was changed is refused when it is verified, and what is nowhere is damage", async () => {
  const one = await fixture();
  const session = one.session(undefined, "none");
  const digest = put(session, [noise(500, 1)]);
  await session.flush();
  const path = packPath(session.packs[0]!);
  const bytes = await one.backend.read(path);
  bytes[100]! ^= 1;
  await one.backend.replace(path, bytes);
  await assert.rejects(get(one, digest), { code: "damaged" });
  const atoms = new AtomReader(one.backend, one.index);
  await assert.rejects(atoms.needRecord(sha256(noise(1, 1))), { code: "damaged" });
  await assert.rejects(atoms.segment(segmentOf(1, [noise(9, 9)]).id), { code: "damaged" });
  await one.backend.remove(path);
  await assert.rejects(get(one, digest), { code: "damaged" });
});

test("reader: digests by their beginning", async () => {
  const one = await fixture();
  const session = one.session();
  const digests = Array.from({ length: 40 }, (_, i) => put(session, [noise(200 + i, i)])).sort();
  await session.flush();
  const atoms = new AtomReader(one.backend, one.index);
  assert.deepEqual(await atoms.resolvePrefix(digests[7]!, 10), [digests[7]]);
  assert.deepEqual(await atoms.resolvePrefix(digests[7]!.slice(0, 12), 10), [digests[7]]);
  const first = digests[0]!.slice(0, 1);
  const expected = digests.filter((digest) => digest.startsWith(first));
  assert.deepEqual(await atoms.resolvePrefix(first, 100), expected);
  assert.equal((await atoms.resolvePrefix("", 3)).length, 3);
});
