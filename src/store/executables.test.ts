import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { concatBytes, equalBytes } from "../bytes/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { isTenonError } from "../errors/index.ts";
import { link, nextRelease, type Program, sampleProgram } from "../executable/testing/small-program.ts";
import { AtomReader } from "../repository/index.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { compact } from "./compact.ts";
import { openBase, openContext, type StoreContext } from "./context.ts";
import { gc } from "./gc.ts";
import { cat } from "./get.ts";
import { remove } from "./refs.ts";
import { stats } from "./stats.ts";
import { copyOf, newRepository } from "./testing/small-repository.ts";

const folder = await mkdtemp(join(tmpdir(), "tenon-executables-"));
after(() => rm(folder, { recursive: true }));

/** Five successive releases of one program. */
const releases: Program[] = [sampleProgram(1, 300)];
for (let i = 1; i < 12; i++) releases.push(nextRelease(releases.at(-1)!, i + 1, 8));
const files = releases.map(link);

async function addFile(context: StoreContext, ref: string, ...contents: Uint8Array[]) {
  const paths = await Promise.all(
    contents.map(async (bytes, i) => {
      const path = join(folder, `${ref.replace(":", "-")}-${i}`);
      await writeFile(path, bytes);
      return path;
    }),
  );
  const kept: { representation: string; reasons: string[] }[] = [];
  const result = await add(context, paths, {
    ref,
    onEvent: (event) => {
      if (event.type !== "item" || !("representation" in event)) return;
      kept.push({
        representation: event.representation,
        reasons: (event.declined ?? []).map(({ reason }) => reason),
      });
    },
  });
  return { result, kept };
}

async function content(context: StoreContext, spec: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of cat(context, spec)) parts.push(part);
  return concatBytes(parts);
}

async function executables(context: StoreContext): Promise<number> {
  return (await stats(context)).representations.find(({ name }) => name === "executable")?.blobs ?? 0;
}

async function assertGreen(context: StoreContext): Promise<void> {
  const { ok, damages } = await check(await openBase(context.backend), { readData: true });
  assert.ok(ok, JSON.stringify(damages));
}

test("releases one by one: each is an executable, later ones cost little, all come back", async () => {
  const context = await newRepository(new MemoryBackend());
  const grown: number[] = [];
  for (const [i, file] of files.entries()) {
    const { result, kept } = await addFile(context, `app:${i}`, file);
    assert.deepEqual(kept, [{ representation: "executable", reasons: [] }]);
    grown.push(result.storedBytes);
  }
  for (const bytes of grown.slice(1)) assert.ok(bytes < grown[0]! / 3, `${grown}`);
  for (const [i, file] of files.entries())
    assert.ok(equalBytes(await content(context, `app:${i}`), file), `app:${i}`);
  assert.equal(await executables(context), files.length);
  await assertGreen(context);
  const { storedBytes } = (await addFile(context, "again", files[3]!)).result;
  assert.ok(storedBytes < 1024, `${storedBytes}`);
  await compact(context);
  for (const [i, file] of files.entries())
    assert.ok(equalBytes(await content(context, `app:${i}`), file), `app:${i}`);
  await assertGreen(context);
});

test("within one add, and the other way round, they find one another", async () => {
  const single = await newRepository(new MemoryBackend());
  const alone = (await addFile(single, "alone", files[0]!)).result.storedBytes;
  for (const order of [files.slice(0, 5), files.slice(0, 5).reverse()]) {
    const context = await newRepository(new MemoryBackend());
    const { result, kept } = await addFile(context, "all", ...order);
    assert.ok(kept.every(({ representation }) => representation === "executable"));
    assert.ok(result.storedBytes < 2.5 * alone, `${result.storedBytes} for five, ${alone} for one`);
    for (const [i, file] of order.entries()) {
      assert.ok(equalBytes(await content(context, `all:/all-${i}`), file));
    }
  }
});

test("those that find one another within one add stand in one pack, also beyond the longest chain", async () => {
  const context = await newRepository(new MemoryBackend());
  const { kept } = await addFile(context, "all", ...files);
  assert.ok(kept.every(({ representation }) => representation === "executable"));
  assert.equal((await context.backend.list("packs")).length, 1);
  for (const [i, file] of files.entries()) {
    assert.ok(equalBytes(await content(context, `all:/all-${i}`), file), `${i}`);
  }
  await assertGreen(context);
});

test("a base lives as long as something is made of it, and no longer", async () => {
  const context = await newRepository(new MemoryBackend());
  for (const i of [0, 1, 2]) await addFile(context, `app:${i}`, files[i]!);
  for (const ref of ["app:0", "app:1"]) await remove(context, ref);
  await gc(context, { graceMs: 0 });
  assert.equal(await executables(context), 3);
  assert.ok(equalBytes(await content(context, "app:2"), files[2]!));
  await assertGreen(context);
  await remove(context, "app:2");
  await gc(context, { graceMs: 0 });
  assert.equal(await executables(context), 0);
  // What was taken away is no relative any more.
  const { kept } = await addFile(context, "app:3", files[3]!);
  assert.deepEqual(kept, [{ representation: "executable", reasons: [] }]);
  assert.ok(equalBytes(await content(context, "app:3"), files[3]!));
  await assertGreen(context);
});

test("handprints survive when segments are taken apart", async () => {
  const context = await newRepository(new MemoryBackend());
  await addFile(context, "both", files[0]!, link(sampleProgram(77, 200)));
  await addFile(context, "app:0", files[0]!);
  await remove(context, "both");
  await compact(context);
  assert.equal(await executables(context), 1);
  const { result } = await addFile(context, "app:1", files[1]!);
  assert.ok(result.storedBytes < 6000, `${result.storedBytes}`);
  assert.ok(equalBytes(await content(context, "app:1"), files[1]!));
});

test("what can't be taken apart is kept as chunks, with the reason", async () => {
  const context = await newRepository(new MemoryBackend());
  const strange = files[0]!.slice();
  strange[18] = 243; // RISC-V
  const cut = files[0]!.subarray(0, 9000);
  const junk = concatBytes([files[0]!.subarray(0, 64), noise(20_000, 9)]);
  for (const [name, file] of Object.entries({ strange, cut, junk })) {
    const { kept } = await addFile(context, name, file);
    assert.ok(equalBytes(await content(context, name), file), name);
    assert.equal(kept.length, 1);
    if (kept[0]!.representation === "chunks") assert.ok(kept[0]!.reasons[0]!.length > 10, name);
  }
});

test("a part from the middle is the same", async () => {
  const context = await newRepository(new MemoryBackend());
  await addFile(context, "app:0", files[0]!);
  const parts: Uint8Array[] = [];
  for await (const part of cat(context, "app:0", { offset: 5000, length: 3000 })) parts.push(part);
  assert.ok(equalBytes(concatBytes(parts), files[0]!.subarray(5000, 8000)));
});

test("damaged packs give an error, never other bytes", async () => {
  const context = await newRepository(new MemoryBackend());
  for (const i of [0, 1]) await addFile(context, `app:${i}`, files[i]!);
  const whole = context.backend as MemoryBackend;
  const packs = (await whole.list("packs")).map(({ name }) => name);
  for (let run = 0; run < 60; run++) {
    const damaged = await copyOf(whole);
    const name = packs[run % packs.length]!;
    const bytes = Uint8Array.from(await damaged.read(name));
    const at = Math.floor((((run * 7919) % 997) / 997) * bytes.length);
    bytes[at]! ^= 1 << (run % 8);
    await damaged.replace(name, bytes);
    try {
      const opened = await openContext(await openBase(damaged));
      assert.ok(equalBytes(await content(opened, "app:1"), files[1]!));
    } catch (error) {
      assert.ok(isTenonError(error), String((error as Error).stack));
    }
  }
});

test("a base to which several ways lead is decoded once", async (t) => {
  const backend = new MemoryBackend();
  const writer = await newRepository(backend);
  for (const [i, file] of files.entries()) await addFile(writer, `app:${i}`, file);
  const reader = await openContext(await openBase(backend));
  const asked = t.mock.method(AtomReader.prototype, "needRecord");
  for (const [i, file] of files.entries()) {
    asked.mock.resetCalls();
    assert.ok(equalBytes(await content(reader, `app:${i}`), file));
    const digests = asked.mock.calls.map(({ arguments: [digest] }) => digest);
    assert.equal(new Set(digests).size, digests.length, `app:${i}: a base was asked for twice`);
  }
});
