import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { utf8 } from "../bytes/index.ts";
import { type Backend, MemoryBackend, probeCreateIfAbsent, ScratchBackend } from "./index.ts";
import { backendConformance, failsWith } from "./testing/conformance.ts";
import { type FaultMode, FaultyBackend } from "./testing/faulty.ts";

backendConformance("memory", () => new MemoryBackend());
backendConformance("scratch", () => new ScratchBackend());
backendConformance("scratch on the disk", () => new ScratchBackend({ memoryBytes: 7 }));
backendConformance("faulty without a plan", () => new FaultyBackend(new MemoryBackend()));

test("memory: times come from the given clock", async () => {
  let now = 5;
  const backend = new MemoryBackend({ now: () => now });
  await backend.createIfAbsent("f", utf8("x"));
  now = 7;
  await backend.replace("g", utf8("x"));
  assert.deepEqual(
    (await backend.list("")).map(({ mtimeMs }) => mtimeMs),
    [5, 7],
  );
});

test("scratch: what is on the disk has no name there", async (t) => {
  const { TMPDIR: usual } = process.env;
  const folder = mkdtempSync(join(tmpdir(), "tenon-scratch-"));
  process.env.TMPDIR = folder;
  t.after(() => {
    if (usual === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = usual;
    rmSync(folder, { recursive: true });
  });
  const backend = new ScratchBackend({ memoryBytes: 100 });
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * 7);
  await backend.createIfAbsent("held", bytes.subarray(0, 60));
  await backend.createIfAbsent("one", bytes);
  await backend.createIfAbsent("two", bytes.subarray(500));
  assert.deepEqual(readdirSync(folder), []);
  assert.deepEqual(await backend.read("two"), bytes.subarray(500));
  const file = await backend.openRandom("one");
  const into = new Uint8Array(100);
  assert.equal(file.readSync(into, 950), 50);
  assert.deepEqual(into.subarray(0, 50), bytes.subarray(950));
  assert.deepEqual(await backend.read("held"), bytes.subarray(0, 60));
  backend.close();
  await failsWith("usage", () => backend.read("one"));
  assert.deepEqual(await backend.read("held"), bytes.subarray(0, 60));

  process.env.TMPDIR = join(folder, "none");
  const nowhere = new ScratchBackend({ memoryBytes: 0 });
  await failsWith("io", () => nowhere.createIfAbsent("one", bytes));
  assert.deepEqual(await nowhere.list(""), []);
});

const change = (backend: Backend) => backend.createIfAbsent("second", utf8("12345678"));

async function faulted(mode: FaultMode): Promise<{ inner: MemoryBackend; faulty: FaultyBackend }> {
  const inner = new MemoryBackend();
  const faulty = new FaultyBackend(inner, { atChange: 2, mode });
  await faulty.createIfAbsent("first", utf8("x"));
  await failsWith("io", () => change(faulty));
  return { inner, faulty };
}

test("faulty: an error has no effect, and the next try works", async () => {
  const { inner, faulty } = await faulted("error");
  assert.equal(await inner.stat("second"), undefined);
  assert.equal(await change(faulty), true);
  assert.equal(faulty.changes, 3);
});

test("faulty: after a crash nothing works, and the change was made wholly, partly or not at all", async () => {
  for (const [mode, size] of [
    ["crash-before", undefined],
    ["crash-after", 8],
    ["torn", 4],
  ] as const) {
    const { inner, faulty } = await faulted(mode);
    assert.equal((await inner.stat("second"))?.size, size);
    assert.equal(faulty.crashed, true);
    await failsWith("io", () => faulty.read("first"));
    await failsWith("io", () => faulty.list(""));
    await failsWith("io", () => faulty.remove("first"));
    assert.deepEqual(await inner.read("first"), utf8("x"));
  }
});

test("faulty: a torn commit leaves half of the file under its name", async () => {
  const inner = new MemoryBackend();
  const faulty = new FaultyBackend(inner, { atChange: 3, mode: "torn" });
  const writer = await faulty.createWriter();
  await writer.write(utf8("1234"));
  await writer.write(utf8("5678"));
  await failsWith("io", () => writer.commit("packs/p"));
  await writer.abort();
  assert.deepEqual(await inner.read("packs/p"), utf8("1234"));
});

test("probe: accepts a backend that refuses the second create, and leaves no trace", async () => {
  const backend = new MemoryBackend();
  await probeCreateIfAbsent(backend);
  assert.deepEqual(await backend.list(""), []);
});

test("probe: refuses a backend on which every create wins", async () => {
  const backend = new (class extends MemoryBackend {
    override async createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
      await this.replace(name, bytes);
      return true;
    }
  })();
  await failsWith("unsupported", () => probeCreateIfAbsent(backend));
  assert.deepEqual(await backend.list(""), []);
});

test("probe: refuses a backend that says no and overwrites all the same", async () => {
  const backend = new (class extends MemoryBackend {
    override async createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
      const absent = (await this.stat(name)) === undefined;
      await this.replace(name, bytes);
      return absent;
    }
  })();
  await failsWith("unsupported", () => probeCreateIfAbsent(backend));
});
