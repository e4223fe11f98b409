import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { sha256 } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import { link, nextRelease, sampleProgram } from "../executable/testing/small-program.ts";
import { type CodedExecutable, type HashedExecutable, Movable, Workers } from "./index.ts";
import { packed, packedCopy } from "./packing.ts";
import { READY, receivedError, sentError } from "./protocol.ts";

const first = sampleProgram(1, 300);
const files = [first, nextRelease(first, 2, 8), nextRelease(first, 3, 8)].map(link);

/** A program for threads other than ours. */
const programOf = (text: string) => new URL(`data:text/javascript,${encodeURIComponent(text)}`);

/** What all tasks give for two releases, the second coded by the first. */
async function throughAll(workers: Workers, forcedBytes?: number) {
  const movable = <T>(value: T) => new Movable(value, forcedBytes ?? 1000);
  const given: unknown[] = [];
  const bases: Movable<HashedExecutable>[] = [];
  for (const file of files.slice(0, 2)) {
    const options = { bytes: file.length };
    const source = movable(new Uint8Array(file));
    const { executable, ...found } = await workers.run("takeApart", undefined, [source], options);
    assert.deepEqual(source.value, new Uint8Array(file));
    const own = movable<HashedExecutable>(executable);
    let coded: CodedExecutable = await workers.run("encodeExecutable", undefined, [own, ...bases], options);
    const digest = sha256(file);
    for (const claimed of [digest, sha256(files[2]!)]) {
      const lent = movable<CodedExecutable>(coded);
      const isSame = await workers.run("proveExecutable", claimed, [lent, ...bases], options);
      assert.equal(isSame, claimed === digest);
      coded = lent.value;
    }
    const decoded = await workers.run("decodeExecutable", structuredClone(coded), bases, options);
    const restored = await workers.run("restoreExecutable", structuredClone(coded), bases, options);
    const kept = movable<HashedExecutable>({ dissection: decoded });
    const again = await workers.run("joinExecutable", undefined, [kept], options);
    assert.deepEqual([sha256(restored), sha256(again)], [digest, digest]);
    bases.unshift(own);
    given.push(found, { head: coded.head.slice(), streams: [...coded.streams] });
    assert.deepEqual(kept.value.dissection.pieces, own.value.dissection.pieces);
  }
  return given;
}

test("tasks give the same in a thread, moved or copied, as in the main thread", async () => {
  const here = new Workers({ jobs: 1 });
  const expected = await throughAll(here);
  assert.equal(here.threads, 0);
  for (const forcedBytes of [undefined, 2 ** 26]) {
    const workers = new Workers({ jobs: 2, startBytes: 0 });
    assert.deepEqual(await throughAll(workers, forcedBytes), expected);
    assert.deepEqual([workers.threads, workers.obstacle], [1, undefined]);
    await workers.close();
  }
});

test("threads are started when there is enough to do, and run beside each other", async () => {
  const workers = new Workers({ jobs: 2, startBytes: 3 * files[0]!.length });
  const run = () =>
    workers.run("takeApart", undefined, [new Movable(new Uint8Array(files[0]!), files[0]!.length)], {
      bytes: files[0]!.length,
    });
  const counts: number[] = [];
  for (let i = 0; i < 2; i++) {
    await run();
    counts.push(workers.threads);
  }
  await Promise.all([run(), run(), run()]);
  counts.push(workers.threads);
  assert.deepEqual(counts, [0, 0, 2]);
  await workers.close();
});

test("what is larger than all may take together runs alone, and everything is done in the end", async () => {
  const workers = new Workers({ jobs: 2, startBytes: 0 });
  const sizes = [1000, 2 ** 29, 2 ** 29, 1000];
  const found = await Promise.all(
    sizes.map((bytes) =>
      workers.run("takeApart", undefined, [new Movable(new Uint8Array(files[0]!), 1000)], { bytes }),
    ),
  );
  assert.deepEqual(
    found.map(({ keys }) => keys),
    sizes.map(() => found[0]!.keys),
  );
  await workers.close();
});

test("who wants the same large value waits for its return", async () => {
  const workers = new Workers({ jobs: 2, startBytes: 0 });
  const file = new Movable(new Uint8Array(files[0]!), 2 ** 26);
  const both = [1, 2].map(() => workers.run("takeApart", undefined, [file], { bytes: 1000 }));
  const [one, other] = await Promise.all(both);
  assert.deepEqual(one!.keys, other!.keys);
  assert.ok(file.isHere);
  await workers.close();
});

test("errors are those of the task", async () => {
  for (const jobs of [1, 2]) {
    const workers = new Workers({ jobs, startBytes: 0 });
    const noise = new Movable(new Uint8Array(8192).fill(7), 2 ** 26);
    await assert.rejects(
      workers.run("takeApart", undefined, [noise], { bytes: 1 }),
      (error) => isTenonError(error) && error.data.format === "elf" && error.data.offset === 0,
    );
    assert.equal(noise.value.length, 8192);
    const coded = { head: new Uint8Array([1]), streams: new Map([[99, new Uint8Array(1)]]) };
    await assert.rejects(workers.run("decodeExecutable", coded, [], { bytes: 1 }), TenonError);
    const wrong = [new Movable(undefined as unknown as Uint8Array, 1)];
    await assert.rejects(workers.run("takeApart", undefined, wrong, { bytes: 1 }), TypeError);
    await workers.close();
  }
});

test("a TenonError arrives with all that it carries", () => {
  const cause = new TenonError("io", "the disk", { path: "/a" }, { cause: new RangeError("deep") });
  const error = new TenonError("damaged", "what", { offset: 3, digest: "ab" }, { cause });
  const again = receivedError(structuredClone(sentError(error))) as TenonError;
  assert.ok(again instanceof TenonError);
  const { code, message, data, stack } = again;
  assert.deepEqual([code, message, data, stack], ["damaged", "what", error.data, error.stack]);
  assert.ok(isTenonError(again.cause, "io") && again.cause.cause instanceof RangeError);
  assert.equal((receivedError(sentError("a string")) as Error).message, "a string");
});

test("a signal ends a task at once, and only that one", async () => {
  const workers = new Workers({ jobs: 2, startBytes: 0 });
  const controller = new AbortController();
  const taken = new Movable(new Uint8Array(files[0]!), 2 ** 26);
  const kept = new Movable(new Uint8Array(files[1]!), 2 ** 26);
  const other = workers.run("takeApart", undefined, [kept], { bytes: 1 });
  const { signal } = controller;
  const stopped = workers.run("takeApart", undefined, [taken], { bytes: 1, signal });
  const waiting = workers.run("takeApart", undefined, [taken], { bytes: 1 });
  const expected = Promise.all([
    assert.rejects(stopped, (error) => isTenonError(error, "interrupted")),
    // What it needs is gone with the thread.
    assert.rejects(waiting, (error) => isTenonError(error, "interrupted")),
  ]);
  while (taken.isHere) await setImmediate();
  controller.abort();
  await expected;
  assert.ok(taken.isLost);
  assert.equal((await other).keys.length, 24);
  await assert.rejects(workers.run("takeApart", undefined, [kept], { bytes: 1, signal }), TenonError);
  assert.equal((await workers.run("takeApart", undefined, [kept], { bytes: 1 })).keys.length, 24);
  await workers.close();
  await assert.rejects(workers.run("takeApart", undefined, [kept], { bytes: 1 }), TenonError);
});

test("a thread that dies is an error, and others take its place", async () => {
  const program = programOf(
    `import { parentPort } from "node:worker_threads";
    parentPort.on("message", () => process.exit(3));
    parentPort.postMessage(${JSON.stringify(READY)});`,
  );
  const workers = new Workers({ jobs: 2, startBytes: 0, program });
  for (let i = 0; i < 2; i++) {
    const file = new Movable(new Uint8Array(files[0]!), 2 ** 26);
    await assert.rejects(
      workers.run("takeApart", undefined, [file], { bytes: 1 }),
      (error) => isTenonError(error, "io") && /worker thread/.test(error.message),
    );
    assert.ok(file.isLost);
    assert.throws(() => file.value, TenonError);
  }
  assert.deepEqual([workers.threads, workers.obstacle], [0, undefined]);
  await workers.close();
});

test("where no thread can be started, everything is done in this one", async () => {
  const program = programOf("throw new Error('no such thing')");
  const workers = new Workers({ jobs: 2, startBytes: 0, program });
  const file = () => [new Movable(new Uint8Array(files[0]!), 1)];
  const both = [1, 2].map(() => workers.run("takeApart", undefined, file(), { bytes: 1 }));
  for (const { keys } of await Promise.all(both)) assert.equal(keys.length, 24);
  assert.equal(workers.jobs, 1);
  assert.ok(workers.obstacle instanceof Error);
  await workers.close();
});

test("packing moves whole buffers, copies parts of them, keeps what is one one, and refuses the rest", () => {
  const whole = new Float64Array([1, 2, 3]);
  const large = new Uint8Array(100).fill(5);
  const part = large.subarray(10, 20);
  const value = { whole, again: [whole], part, map: new Map([[1, part]]), text: "x", none: undefined };
  const { value: copy, transfer } = packed(value);
  assert.deepEqual(copy, value);
  assert.equal(copy.whole, whole);
  assert.equal(copy.again[0], whole);
  assert.equal(copy.part, copy.map.get(1));
  assert.deepEqual([transfer.length, transfer[0], transfer[1]?.byteLength], [2, whole.buffer, 10]);
  const { value: second, transfer: own } = packedCopy({ whole, part: Buffer.from(part) });
  assert.notEqual(second.whole.buffer, whole.buffer);
  assert.deepEqual([...second.part], [...part]);
  assert.equal(own.length, 2);
  for (const refused of [new DataView(new ArrayBuffer(1)), { a: new Date(0) }, [new WeakMap()]]) {
    assert.throws(() => packed(refused), TypeError);
  }
});
