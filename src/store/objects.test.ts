import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { ByteWriter, concatBytes, equalBytes, utf8 } from "../bytes/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { Kind, RunListBuilder } from "../repository/index.ts";
import { compileVersions, flavours, missing } from "../representation/testing/compiled-objects.ts";
import { add } from "./add.ts";
import { readBlob } from "./blobs.ts";
import { check } from "./check.ts";
import { compact } from "./compact.ts";
import { openBase, openContext, type StoreContext } from "./context.ts";
import { gc } from "./gc.ts";
import { cat } from "./get.ts";
import { remove } from "./refs.ts";
import { stats } from "./stats.ts";
import { addFiles, copyOf, newRepository } from "./testing/small-repository.ts";
import { writing } from "./writing.ts";

const flavour = flavours[0]!;
const skip = missing(flavour);
const VERSIONS = 12;
const files = skip === false ? compileVersions(flavour, VERSIONS) : [];

async function content(context: StoreContext, spec: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of cat(context, spec)) parts.push(part);
  return concatBytes(parts);
}

const names = async (context: StoreContext) =>
  Object.fromEntries((await stats(context)).representations.map(({ name, blobs }) => [name, blobs]));

async function assertGreen(context: StoreContext): Promise<void> {
  const { ok, damages } = await check(await openBase(context.backend), { readData: true });
  assert.ok(ok, JSON.stringify(damages));
}

/** Adds files one by one, as `o:0` and so on; what each cost. */
async function addAll(context: StoreContext, all: readonly Uint8Array[]): Promise<number[]> {
  const costs: number[] = [];
  for (const [i, file] of all.entries())
    costs.push((await addFiles(context, `o:${i}`, { "unit.o": file })).storedBytes);
  return costs;
}

const depthOf = async (context: StoreContext, file: Uint8Array) =>
  (await context.atoms.needRecord(sha256(file))).body[1]!;

test("versions in any order: later ones cost little, all come back, depth is bounded", { skip }, async () => {
  for (const order of [files, files.toReversed(), [5, 0, 11, 3, 7, 1].map((i) => files[i]!)]) {
    const context = await newRepository(new MemoryBackend());
    const costs = await addAll(context, order);
    for (const cost of costs.slice(1)) assert.ok(cost < costs[0]! / 2, `${costs}`);
    assert.equal((await names(context)).object, order.length);
    for (const file of order) assert.ok((await depthOf(context, file)) <= 8);
    for (const step of [async () => {}, async () => void (await compact(context))]) {
      await step();
      for (const [i, file] of order.entries())
        assert.ok(equalBytes(await content(context, `o:${i}`), file), `o:${i}`);
      await assertGreen(context);
    }
  }
});

test("a part from the middle is the same, of a first version as of a later one", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  await addAll(context, files.slice(0, 2));
  for (const i of [0, 1]) {
    const parts: Uint8Array[] = [];
    for await (const part of cat(context, `o:${i}`, { offset: 5000, length: 3000 })) parts.push(part);
    assert.ok(equalBytes(concatBytes(parts), files[i]!.subarray(5000, 8000)));
  }
});

/** An archive with one member. */
function archive(member: Uint8Array): Uint8Array {
  const header = `${"unit.o/".padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"644".padEnd(8)}${`${member.length}`.padEnd(10)}\`\n`;
  return concatBytes([utf8("!<arch>\n"), utf8(header), member, utf8("\n".repeat(member.length % 2))]);
}

test("members of libraries find their earlier versions, also within one add", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  const first = await addFiles(context, "lib:0", { "lib.a": archive(files[0]!) });
  const second = await addFiles(context, "lib:1", { "lib.a": archive(files[1]!) });
  assert.ok(second.storedBytes < first.storedBytes / 2);
  assert.equal((await names(context)).object, 2);
  const single = await newRepository(new MemoryBackend());
  const both = { "one.a": archive(files[0]!), "two.a": archive(files[1]!), "unit.o": files[2]! };
  const all = await addFiles(single, "all", both);
  assert.ok(all.storedBytes < 2 * first.storedBytes, `${all.storedBytes}`);
  for (const [name, bytes] of Object.entries(both))
    assert.ok(equalBytes(await content(single, `all:/${name}`), bytes), name);
  await assertGreen(single);
});

test("a base lives as long as something is made of it, and no longer", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  await addAll(context, files.slice(0, 3));
  for (const ref of ["o:0", "o:1"]) await remove(context, ref);
  await gc(context, { graceMs: 0 });
  await compact(context);
  assert.equal((await names(context)).object, 3);
  assert.ok(equalBytes(await content(context, "o:2"), files[2]!));
  await assertGreen(context);
  await remove(context, "o:2");
  await gc(context, { graceMs: 0 });
  assert.equal((await names(context)).object, undefined);
  // What was taken away is no relative any more.
  await addFiles(context, "new", { "unit.o": files[3]! });
  assert.equal(await depthOf(context, files[3]!), 0);
  await assertGreen(context);
});

test("what is like no object file is kept as chunks, with the reason", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  const cut = files[0]!.subarray(0, 9000);
  const junk = concatBytes([files[0]!.subarray(0, 64), noise(20_000, 9)]);
  for (const [name, bytes] of Object.entries({ cut, junk })) {
    const reasons: string[] = [];
    const stream = (async function* () {
      yield bytes;
    })();
    await add(context, [{ name, stream }], {
      ref: name,
      onEvent: (event) => {
        if (event.type === "item" && "declined" in event)
          for (const { representation, reason } of event.declined ?? [])
            reasons.push(`${representation}: ${reason}`);
      },
    });
    assert.ok(equalBytes(await content(context, name), bytes), name);
    assert.match(reasons.join(), /^object: .*section headers/, name);
  }
  assert.deepEqual(await names(context), { chunks: 2 });
});

test("recipes that no writer made give typed errors", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  await addAll(context, files.slice(0, 2));
  const own = sha256(files[1]!);
  const base = sha256(files[0]!);
  const body = (...numbers: number[]) => {
    const out = new ByteWriter(16);
    for (const number of numbers) out.varint(number);
    return out.finish();
  };
  const hostile: [body: Uint8Array, children: string[], size: number][] = [
    [body(2, 0), [], 100],
    [body(1, 9, 0, 0, 0, 0, 0), [base], 100],
    [body(1, 1), [base], 100],
    [body(1, 1, 0, 0, 0, 0, 0, 0), [base], 100],
    [body(1, 1, 0, 0, 0, 0, 0), [], 100],
    [body(1, 1, 0, 0, 0, 0, 0), [base, base], 100],
    [body(1, 1, 0, 0, 0, 0, 0), [base], 100],
    [body(1, 1, 1000, 0, 0, 0, 0), [base], 100],
    [body(1, 1, 2 ** 25, 2 ** 25, 0, 0, 0), [base], 100],
    [body(1, 1, 0, 0, 0, 0, 0), [own], 100],
    [body(1, 0), [base], 100],
    [body(1, 0), [], 2 ** 40],
    [body(1, 0), [], 5000],
  ];
  for (const [i, [bytes, children, size]] of hostile.entries()) {
    const digest = sha256(noise(10, i));
    await writing(context, "fast", async ({ session, settle }) => {
      const runs = new RunListBuilder();
      runs.add(session.append(Kind.objectLiterals, noise(64, i)));
      session.blob({ digest, size, representation: 3, runs, children, body: bytes });
      await settle();
    });
    const reader = await openContext(await openBase(context.backend));
    await assert.rejects(
      async () => {
        for await (const _ of readBlob(reader.atoms, digest));
      },
      (error) => isTenonError(error, "damaged") || isTenonError(error, "unsupported"),
      `${i}`,
    );
  }
});

test("damaged packs give an error, never other bytes", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  await addAll(context, files.slice(0, 2));
  const whole = context.backend as MemoryBackend;
  const packs = (await whole.list("packs")).map(({ name }) => name);
  for (let run = 0; run < 40; run++) {
    const damaged = await copyOf(whole);
    const name = packs[run % packs.length]!;
    const bytes = Uint8Array.from(await damaged.read(name));
    bytes[Math.floor((((run * 7919) % 997) / 997) * bytes.length)]! ^= 1 << (run % 8);
    await damaged.replace(name, bytes);
    try {
      const opened = await openContext(await openBase(damaged));
      assert.ok(equalBytes(await content(opened, "o:1"), files[1]!));
    } catch (error) {
      assert.ok(isTenonError(error), String((error as Error).stack));
    }
  }
});
