import assert from "node:assert/strict";
import { after, test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { FaultyBackend } from "../backend/testing/faulty.ts";
import { noise } from "../bytes/testing/random.ts";
import { defaultChunkerParameters } from "../chunking/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import { acquireMaintenance, createConfig, newRepositoryId, WriterLease } from "../repository/index.ts";
import { check } from "./check.ts";
import { openBase, openContext } from "./context.ts";
import { log } from "./list.ts";
import { repair } from "./repair.ts";
import {
  addFiles,
  copyOf,
  newRepository,
  restoreScratch,
  SMALL_SPECS,
  smallRepository,
} from "./testing/small-repository.ts";
import type { RefState } from "./types.ts";

const scratch = await restoreScratch();
after(() => scratch.remove());
const small = await smallRepository();
const right = await scratch.all(small.backend);
assert.equal(right.size, 7);

async function assertGreen(backend: MemoryBackend, what: string): Promise<void> {
  const { ok, damages } = await check(await openBase(backend), { readData: true });
  assert.ok(ok, `${what}: ${JSON.stringify(damages)}`);
}

/** What could be had before the repair can be had after it, and nothing else is given. */
async function assertSalvaged(damaged: MemoryBackend, what: string): Promise<void> {
  const before = await scratch.all(damaged);
  await repair(damaged);
  await assertGreen(damaged, what);
  if (what.startsWith("index/")) assert.deepEqual(await scratch.all(damaged), right, what);
  for (const spec of SMALL_SPECS) assertNothingWrongSince(before, await scratch.restore(damaged, spec), what);
}

function assertNothingWrongSince(
  before: ReadonlyMap<string, string>,
  got: Awaited<ReturnType<typeof scratch.restore>>,
  what: string,
): void {
  for (const [path, content] of got.files) {
    // Where nothing is left of a state, the one before it stands.
    const earlier = right.get(path.replace("app:1/", "app:1@1/"));
    assert.ok(content === right.get(path) || content === earlier, `${what}: ${path}`);
  }
  for (const path of before.keys()) {
    if (path === got.spec || path.startsWith(`${got.spec}/`))
      assert.ok(got.files.has(path), `${what}: ${path} was there`);
  }
}

test("repair: a whole repository is left as it is", async () => {
  const backend = await copyOf(small.backend);
  const files = (await backend.list("")).map(({ name }) => name);
  const result = await repair(backend);
  assert.deepEqual(result, {
    rebuiltIndex: false,
    packsRewritten: 0,
    packsDropped: 0,
    refsChanged: [],
    lostBlobs: [],
  });
  const left = (await backend.list("")).map(({ name }) => name).filter((name) => !name.startsWith("leases/"));
  assert.deepEqual(left, files);
});

test("repair: after a flipped byte anywhere the repository is whole, and nothing is lost that could be had", async () => {
  let number = 0;
  for (const { name, size } of await small.backend.list("")) {
    for (let offset = 0; offset < size; offset++) {
      // A sample; the step is a prime, so that it does not beat with the widths of the formats.
      if (number++ % 31 !== 0) continue;
      const damaged = await copyOf(small.backend);
      const bytes = await damaged.read(name);
      bytes[offset]! ^= 1 << (offset % 8);
      await damaged.replace(name, bytes);
      await assertSalvaged(damaged, `${name}, byte ${offset}`);
    }
  }
});

test("repair: whatever file is gone or cut off", async () => {
  for (const { name, size } of await small.backend.list("")) {
    for (const length of [undefined, 0, 1, size >> 1, size - 1]) {
      const damaged = await copyOf(small.backend);
      const bytes = await damaged.read(name);
      if (length === undefined) await damaged.remove(name);
      else await damaged.replace(name, bytes.subarray(0, length));
      // A newest state that is gone leaves no trace: the one before it is the newest then.
      if (length === undefined && name.startsWith("refs/")) {
        await repair(damaged);
        await assertGreen(damaged, name);
      } else await assertSalvaged(damaged, `${name}, ${length} bytes`);
    }
  }
});

test("repair: config and its copy are made from one another, and say so", async () => {
  const whole = await small.backend.read("config");
  assert.deepEqual(await small.backend.read("config.copy"), whole);
  for (const name of ["config", "config.copy"] as const) {
    for (const bytes of [undefined, new Uint8Array(), whole.subarray(1), new Uint8Array(1 << 20)]) {
      const damaged = await copyOf(small.backend);
      if (bytes === undefined) await damaged.remove(name);
      else await damaged.replace(name, bytes);
      if (name === "config") await assert.rejects(openBase(damaged), /'tenon repair' makes it again/);
      assert.equal((await repair(damaged)).restored, name);
      assert.deepEqual(await damaged.read("config"), whole);
      assert.deepEqual(await damaged.read("config.copy"), whole);
      assert.deepEqual(await scratch.all(damaged), right);
    }
  }
  const other = await copyOf(small.backend);
  await other.replace("config.copy", await (await otherRepository()).read("config"));
  const { damages } = await check(await openBase(other));
  assert.deepEqual(damages[0]!.file, "config.copy");
  assert.equal((await repair(other)).restored, "config.copy");
  assert.deepEqual(await other.read("config.copy"), whole);
});

test("repair: neither config nor copy, as of a release that made none: what to do is said, and nothing done", async () => {
  for (const copy of [undefined, new Uint8Array(3)]) {
    const damaged = await copyOf(small.backend);
    await damaged.replace("config", new Uint8Array(30));
    if (copy === undefined) await damaged.remove("config.copy");
    else await damaged.replace("config.copy", copy);
    const files = await damaged.listNames("");
    for (const open of [() => openBase(damaged), () => repair(damaged)])
      await assert.rejects(
        open,
        (error) => isTenonError(error, "damaged") && /make an empty repository elsewhere/.test(error.message),
      );
    assert.deepEqual(await damaged.listNames(""), files);
    // What the message says to do.
    await damaged.replace("config", await (await otherRepository()).read("config"));
    await repair(damaged);
    await assertGreen(damaged, "with another's config");
    assert.deepEqual(await scratch.all(damaged), right);
  }
});

async function otherRepository(): Promise<MemoryBackend> {
  const backend = new MemoryBackend();
  await createConfig(backend, {
    ...{ format: 1, id: newRepositoryId(), created: "2026-02-03T04:05:06.789Z" },
    ...{ chunker: { ...defaultChunkerParameters }, compression: "fast" },
  });
  return backend;
}

test("repair: two damages at once, the index and a directory that it stood in for", async () => {
  for (const { name, size } of await small.backend.list("packs")) {
    const damaged = await copyOf(small.backend);
    const bytes = await damaged.read(name);
    bytes[size - 20]! ^= 1;
    await damaged.replace(name, bytes);
    for (const index of await damaged.list("index")) await damaged.remove(index.name);
    const result = await repair(damaged);
    assert.deepEqual([result.packsRewritten, result.packsDropped, result.lostBlobs], [1, 0, []]);
    await assertGreen(damaged, name);
    assert.deepEqual(await scratch.all(damaged), right);
  }
});

test("repair: states keep their numbers, authors and what is whole", async () => {
  const damaged = await copyOf(small.backend);
  await damaged.replace("refs/app@1/0000000002", new Uint8Array(3));
  const { refsChanged } = await repair(damaged);
  assert.deepEqual(refsChanged, [{ ref: "app:1", lost: ["app:1: the state"] }]);
  const states = await statesOf(damaged, "app:1");
  assert.deepEqual(
    states.map(({ sequence, who }) => [sequence, who]),
    [
      [2, "tenon repair"],
      [1, "tester"],
    ],
  );
  assert.equal(states[0]!.root!.digest, states[1]!.root!.digest);
  assert.match(states[0]!.what, /state 2 could not be read/);
});

test("repair: a state in the middle of a history", async () => {
  const backend = new MemoryBackend();
  const context = await newRepository(backend);
  for (let i = 1; i <= 5; i++) await addFiles(context, "app", { a: noise(200, i), b: noise(200, 50) });
  for (const length of [undefined, 40]) {
    const damaged = await copyOf(backend);
    if (length === undefined) await damaged.remove("refs/app@latest/0000000003");
    else await damaged.replace("refs/app@latest/0000000003", new Uint8Array(length));
    await repair(damaged);
    await assertGreen(damaged, `state 3, ${length}`);
    const states = await statesOf(damaged, "app");
    assert.deepEqual(
      states.map(({ sequence }) => sequence),
      [5, 4, 3, 2, 1],
    );
    assert.equal(states[2]!.root!.digest, states[3]!.root!.digest);
    assert.match(states[2]!.what, /state 3 could not be read/);
    assert.equal(new Set(states.map(({ root }) => root!.digest)).size, 4);
  }
});

test("repair: a tree of many nodes loses what is lost and nothing else", async () => {
  const backend = new MemoryBackend();
  const context = await newRepository(backend);
  const files: Record<string, Uint8Array> = {};
  for (let i = 0; i < 900; i++) files[`file-${String(i).padStart(4, "0")}`] = noise(20 + (i % 300), i);
  await addFiles(context, "big", files);
  const [pack] = await backend.list("packs");
  const bytes = await backend.read(pack!.name);
  for (const at of [0.1, 0.5, 0.9]) {
    const damaged = await copyOf(backend);
    const flipped = Uint8Array.from(bytes);
    flipped[Math.floor(bytes.length * at)]! ^= 4;
    await damaged.replace(pack!.name, flipped);
    const { refsChanged } = await repair(damaged);
    await assertGreen(damaged, `at ${at}`);
    const got = (await scratch.restore(damaged, "big")).files;
    for (const [path, content] of got) {
      assert.equal(content, Buffer.from(files[path.slice("big/".length)]!).toString("base64"));
    }
    const lost = refsChanged[0]?.lost.length ?? 0;
    assert.ok(
      got.size === 900 - lost || refsChanged[0]!.lost.some((path) => path.includes("unreadable part")),
    );
  }
});

test("repair: nothing is done beside a writer, nor when files can't be read just now", async () => {
  const damaged = await copyOf(small.backend);
  const [pack] = await damaged.list("packs");
  await damaged.replace(pack!.name, new Uint8Array(10));
  const lease = await WriterLease.acquire(damaged);
  await assert.rejects(repair(damaged), (error) => isTenonError(error, "busy"));
  await lease.release();
  const maintenance = await acquireMaintenance(damaged);
  await assert.rejects(repair(damaged), (error) => isTenonError(error, "busy"));
  await maintenance.release();

  const failing = await copyOf(small.backend);
  const read = failing.read.bind(failing);
  failing.read = async (name, range) => {
    if (name === pack!.name) throw new TenonError("io", "the disk does not answer", { path: name });
    return read(name, range);
  };
  const before = (await failing.list("packs")).length;
  await assert.rejects(repair(failing), (error) => isTenonError(error, "io"));
  assert.equal((await failing.list("packs")).length, before);
});

test("repair: unreadable leases and condemnations are cleared", async () => {
  const damaged = await copyOf(small.backend);
  await damaged.replace(`leases/${"a".repeat(32)}`, new Uint8Array(5));
  await damaged.replace("condemned/0000000007", new Uint8Array(5));
  assert.equal((await check(await openBase(damaged))).ok, false);
  await repair(damaged);
  await assertGreen(damaged, "leases");
});

test("repair: stopped at any change, the next one finishes, and nothing is lost by it", async () => {
  const start = await copyOf(small.backend);
  const [pack] = (await start.list("packs")).sort((a, b) => b.size - a.size);
  const bytes = await start.read(pack!.name);
  bytes[40]! ^= 1;
  await start.replace(pack!.name, bytes);
  await start.replace("refs/app@1/0000000001", new Uint8Array(7));
  const before = await scratch.all(start);
  const counting = new FaultyBackend(await copyOf(start));
  await repair(counting);
  assert.ok(counting.changes > 5);
  for (const mode of ["crash-before", "crash-after"] as const) {
    for (let atChange = 1; atChange <= counting.changes; atChange++) {
      const damaged = await copyOf(start);
      const faulty = new FaultyBackend(damaged, { atChange, mode });
      await assert.rejects(repair(faulty));
      // The lease of the run that "died" is that of this process, which lives.
      for (const { name } of await damaged.list("leases")) await damaged.remove(name);
      await repair(damaged);
      const what = `${mode} ${atChange}`;
      await assertGreen(damaged, what);
      for (const spec of SMALL_SPECS)
        assertNothingWrongSince(before, await scratch.restore(damaged, spec), what);
    }
  }
});

async function statesOf(backend: MemoryBackend, ref: string): Promise<RefState[]> {
  const states: RefState[] = [];
  for await (const state of log(await openContext(await openBase(backend)), ref)) states.push(state);
  return states;
}
