import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { utf8 } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { indexPath, WriterLease, writeIndexOf } from "../repository/index.ts";
import { check } from "./check.ts";
import { openBase } from "./context.ts";
import type { StoreEvent } from "./events.ts";
import { newRepository, smallRepository } from "./testing/small-repository.ts";

async function flip(backend: MemoryBackend, name: string, offset: number): Promise<void> {
  const bytes = await backend.read(name);
  bytes[offset]! ^= 0x10;
  await backend.replace(name, bytes);
}

async function filesIn(backend: MemoryBackend, folder: string): Promise<string[]> {
  return (await backend.list(folder)).map(({ name }) => name);
}

test("check: a new repository and a filled one are whole, and progress is told", async () => {
  const empty = new MemoryBackend();
  await newRepository(empty);
  const nothing = { ok: true, packs: 0, blobs: 0, bytesRead: 0, damages: [], notes: [] };
  assert.deepEqual(await check(await openBase(empty), { readData: true }), nothing);

  const { backend } = await smallRepository();
  const events: StoreEvent[] = [];
  const result = await check(await openBase(backend), {
    readData: true,
    onEvent: (event) => events.push(event),
  });
  assert.deepEqual([result.ok, result.packs, result.damages, result.notes], [true, 3, [], []]);
  // app:1@1 has 3 files and a node, app:1 two new files and a node, single one file.
  assert.equal(result.blobs, 8);
  const phases = new Set(events.map((event) => (event.type === "progress" ? event.phase : event.type)));
  assert.deepEqual(phases, new Set(["reading packs", "reading blobs"]));
});

test("check: damage in content is found with all data, and named with refs and paths", async () => {
  const { backend } = await smallRepository();
  const [, sizes] = [
    0,
    await Promise.all((await filesIn(backend, "packs")).map((name) => backend.stat(name))),
  ];
  const packs = await filesIn(backend, "packs");
  const largest =
    packs[sizes.findIndex((stat) => stat!.size === Math.max(...sizes.map((one) => one!.size)))]!;
  // Offset 40 is inside the first chunk of the first add: the file `tool`, in both states.
  await flip(backend, largest, 40);
  const quick = await check(await openBase(backend));
  assert.equal(quick.ok, true);
  const { ok, damages } = await check(await openBase(backend), { readData: true });
  assert.equal(ok, false);
  assert.equal(damages.length, 1);
  assert.equal(damages[0]!.file, largest);
  assert.deepEqual(damages[0]!.refs, ["app:1", "app:1@1"]);
  assert.match(damages[0]!.what, /^segment [0-9a-f]{32} at offset 16 was changed; it touches .* app:1:tool/);
});

test("check: a missing pack is damage of what it held", async () => {
  const { backend } = await smallRepository();
  for (const name of await filesIn(backend, "packs")) {
    const bytes = await backend.read(name);
    await backend.remove(name);
    const { ok, damages } = await check(await openBase(backend));
    assert.equal(ok, false);
    const missing = damages.find(({ file }) => file === name);
    assert.match(missing!.what, /^the file is missing; [1-9]/);
    assert.ok(missing!.refs.length > 0 && missing!.blobs.length > 0);
    await backend.replace(name, bytes);
  }
});

test("check: without an index everything is missing, and a rebuilt one has it all again", async () => {
  const { backend } = await smallRepository();
  for (const name of await filesIn(backend, "index")) await backend.remove(name);
  const before = await check(await openBase(backend), { readData: true });
  assert.equal(before.ok, false);
  assert.deepEqual(
    before.damages.map(({ refs }) => refs),
    [["app:1", "app:1@1", "single:latest"]],
  );
  assert.equal(before.notes.length, 3);
  const { ok, notes, blobs } = await check(await openBase(backend), { readData: true, rebuildIndex: true });
  assert.deepEqual([ok, notes, blobs], [true, [], 8]);
});

test("check: a rebuilt index takes the place of a damaged one and equals the one that was written", async () => {
  const { backend, context } = await smallRepository();
  await context.index.reload();
  await context.index.mergeAll(new Set());
  const [merged] = await backend.list("index");
  const bytes = await backend.read(merged!.name);
  for (const offset of [40, bytes.length - 1]) {
    await flip(backend, merged!.name, offset);
    assert.equal((await check(await openBase(backend))).ok, false);
    assert.equal((await check(await openBase(backend), { rebuildIndex: true, readData: true })).ok, true);
    assert.deepEqual(await filesIn(backend, "index"), [merged!.name]);
    assert.deepEqual(await backend.read(merged!.name), bytes);
  }
});

test("check: an index that leads to wrong places is noticed although its checksums are right", async () => {
  const { backend, context } = await smallRepository();
  await context.index.reload();
  await context.index.mergeAll(new Set());
  const { index } = context;
  const [file] = index.files;
  const keys = index.blobKeys("", 100);
  const places = keys.map((key) => index.findBlob(key)!);
  const blobs = new Map(keys.map((key, i) => [key, places[(i + 1) % keys.length]!]));
  await writeIndexOf(backend, {
    packs: file!.footer.packs,
    segments: new Map(file!.allSegments()),
    blobs,
    chunks: new Map(),
  });
  await backend.remove(indexPath(file!.name));
  const { ok, damages } = await check(await openBase(backend), { readData: true });
  assert.equal(ok, false);
  assert.match(
    damages.map(({ what }) => what).join("\n"),
    /it leads to wrong places: 0 segments, 8 blobs, 0 chunks/,
  );
  assert.equal((await check(await openBase(backend), { readData: true, rebuildIndex: true })).ok, true);
});

test("check: damaged refs are named with their state", async () => {
  const { backend } = await smallRepository();
  await flip(backend, "refs/app@1/0000000001", 20);
  const older = await check(await openBase(backend));
  assert.deepEqual(
    older.damages.map(({ file, refs }) => ({ file, refs })),
    [{ file: "refs/app@1/0000000001", refs: ["app:1@1"] }],
  );
  await flip(backend, "refs/app@1/0000000002", 20);
  const both = await check(await openBase(backend));
  assert.deepEqual(
    both.damages.map(({ refs }) => refs),
    [["app:1"], ["app:1@1"]],
  );
});

test("check: foreign files, left-behind leases and packs without index are notes, not damage", async () => {
  const { backend } = await smallRepository();
  for (const name of [
    "notes.txt",
    "packs/readme",
    "index/readme",
    "refs/readme",
    "leases/readme",
    "condemned/readme",
  ]) {
    await backend.createIfAbsent(name, utf8("not ours"));
  }
  const processes = {
    self: { host: "elsewhere", boot: "", pidNamespace: "", pid: 1, started: "" },
    isRunning: () => false,
  };
  await WriterLease.acquire(backend, { processes, now: () => 0 });
  const result = await check(await openBase(backend), { readData: true });
  assert.deepEqual([result.ok, result.damages], [true, []]);
  assert.equal(result.notes.filter((note) => note.includes("not a file of the repository")).length, 6);
});

test("check: content that only removed refs name may be gone", async () => {
  const { backend, context } = await smallRepository();
  await context.refs.move(
    { name: "single", tag: "latest" },
    { root: null, who: "", what: "", when: "2026-01-02T03:04:05.678Z" },
  );
  const { blobs, ok } = await check(await openBase(backend));
  assert.deepEqual([blobs, ok], [7, true]);
});

test("check: stops when asked", async () => {
  const { backend } = await smallRepository();
  const controller = new AbortController();
  const onEvent = () => controller.abort();
  const running = check(await openBase(backend), { readData: true, signal: controller.signal, onEvent });
  await assert.rejects(running, (error) => isTenonError(error, "interrupted"));
});
