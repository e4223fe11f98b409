import assert from "node:assert/strict";
import { test } from "node:test";
import { type Backend, MemoryBackend } from "../backend/index.ts";
import { FaultyBackend } from "../backend/testing/faulty.ts";
import { utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import {
  clearCondemned,
  clearDamagedCondemned,
  parseCondemnation,
  parseCondemnedName,
  readCondemned,
  serializeCondemnation,
  writeCondemned,
} from "./condemned.ts";
import { acquireMaintenance, liveLeases, removeStaleLeases, sweepBlockers, WriterLease } from "./leases.ts";
import type { ProcessTable } from "./processes.ts";
import { parseRefName } from "./refnames.ts";
import { RefStore } from "./refs.ts";
import { seal, unseal } from "./sealed.ts";

const when = "2026-01-01T00:00:00.000Z";
const pack = (n: number) => sha256(utf8(`pack ${n}`));

test("condemnation: comes back sorted and once each; each changed byte is noticed", () => {
  const packs = [pack(1), pack(2), pack(3)];
  const bytes = serializeCondemnation({ epoch: 3, when, packs: [...packs, pack(1)].reverse() });
  assert.deepEqual(parseCondemnation(bytes, 3), { epoch: 3, when, packs: packs.sort() });
  for (let at = 0; at < bytes.length; at++) {
    for (const mask of [1, 0x20, 0x80, 0xff]) {
      const copy = bytes.slice();
      copy[at]! ^= mask;
      assert.throws(() => parseCondemnation(copy, 3), { code: "damaged" });
    }
    assert.throws(() => parseCondemnation(bytes.subarray(0, at), 3), { code: "damaged" });
  }
});

test("condemnation: wrong fields", () => {
  const bytes = serializeCondemnation({ epoch: 3, when, packs: [pack(1)] });
  assert.throws(() => parseCondemnation(bytes, 4), { code: "invalid" });
  const value = unseal(bytes, { format: "condemned packs", path: "" });
  assert.throws(() => parseCondemnation(seal({ ...value, format: 9 }), 3), { code: "unsupported" });
  for (const wrong of [
    { packs: ["x"] },
    { packs: [1] },
    { packs: {} },
    { packs: [pack(1), pack(1)] },
    { when: "" },
    { more: 1 },
  ]) {
    assert.throws(() => parseCondemnation(seal({ ...value, ...wrong }), 3), { code: "invalid" });
  }
  assert.throws(() => serializeCondemnation({ epoch: 3, when, packs: ["packs/x"] }), { code: "usage" });
  assert.equal(parseCondemnedName("condemned/0000000000"), undefined);
  assert.equal(parseCondemnedName("condemned/0000000012"), 12);
});

test("condemnation: written once per maintenance, read together, cleared one by one", async () => {
  const backend = new MemoryBackend();
  assert.deepEqual(await readCondemned(backend), { epoch: 0, packs: new Set(), condemnations: [] });
  const first = await acquireMaintenance(backend);
  await writeCondemned(backend, first, { when, packs: [pack(1)] });
  await assert.rejects(writeCondemned(backend, first, { when, packs: [] }), { code: "conflict" });
  await first.release();
  await assert.rejects(writeCondemned(backend, first, { when, packs: [] }), { code: "usage" });
  const second = await acquireMaintenance(backend);
  await writeCondemned(backend, second, { when, packs: new Set([pack(2)]) });
  const { epoch, packs } = await readCondemned(backend);
  assert.equal(epoch, second.epoch);
  assert.deepEqual(packs, new Set([pack(1), pack(2)]));
  await clearCondemned(backend, first.epoch);
  assert.deepEqual([...(await readCondemned(backend)).packs], [pack(2)]);
  await second.release();
});

test("condemnation: damage and foreign files are told", async () => {
  const backend = new MemoryBackend();
  const lease = await acquireMaintenance(backend, { processes });
  const faulty = new FaultyBackend(backend, { atChange: 1, mode: "torn" });
  await assert.rejects(writeCondemned(faulty, lease, { when, packs: [pack(1)] }), { code: "io" });
  await assert.rejects(readCondemned(backend), { code: "damaged" });
  await backend.createIfAbsent("condemned/0000000099", seal({ format: 1 }));
  await assert.rejects(
    readCondemned(backend),
    (error) => isTenonError(error, "damaged") && /gc/.test(error.message),
  );
  const sound = await acquireMaintenance(backend, { processes: { ...processes, isRunning: () => false } });
  await assert.rejects(clearDamagedCondemned(backend, lease), { code: "conflict" });
  await writeCondemned(backend, sound, { when, packs: [pack(2)] });
  assert.deepEqual(await clearDamagedCondemned(backend, sound), [lease.epoch, 99]);
  assert.deepEqual([...(await readCondemned(backend)).packs], [pack(2)]);
  await backend.createIfAbsent("condemned/0000000200", seal({ format: 2 }));
  await assert.rejects(clearDamagedCondemned(backend, sound), { code: "unsupported" });
  await clearCondemned(backend, 200);
  await sound.release();
  await backend.createIfAbsent("condemned/notes", utf8("x"));
  await assert.rejects(readCondemned(backend), { code: "damaged" });
  await lease.release();
});

/** A small generator with a seed (mulberry32), so that a schedule can be run again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Makes some calls wait, for up to 60 calls of others, so that everything interleaves as the seed decides. */
function interleaved(inner: Backend, random: () => number): Backend {
  return new Proxy(inner, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        // A call takes a few turns of the microtask queue.
        if (random() < 0.15) for (let turns = random() * 200; turns > 0; turns--) await undefined;
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

/** All of the model is one process, which runs. */
const processes: ProcessTable = {
  self: { host: "box", boot: "boot", pidNamespace: "pid:[1]", pid: 1, started: "1" },
  isRunning: () => true,
};

/**
 * The protocol in small: a pack holds one piece of content, the list of packs is the index, a ref's root is its
 * pack. What `broken` leaves out is what the protocol forbids to leave out.
 */
class Model {
  readonly backend: Backend;
  readonly refs: RefStore;
  readonly #random: () => number;
  readonly #broken: string;
  #serial = 0;

  constructor(inner: Backend, { random, broken }: { random: () => number; broken: string }) {
    this.#random = random;
    this.#broken = broken;
    this.backend = interleaved(inner, random);
    this.refs = new RefStore(this.backend);
  }

  /** Content by pack; a pack's name has a serial, so that none ever comes back. */
  async #index(): Promise<Map<string, string>> {
    const index = new Map<string, string>();
    for (const { name } of await this.backend.list("packs")) {
      try {
        index.set(
          name.slice("packs/".length),
          Buffer.from(await this.backend.read(name))
            .toString()
            .split(" ")[0]!,
        );
      } catch (error) {
        if (!isTenonError(error, "not-found")) throw error;
      }
    }
    return index;
  }

  async write(ref: string): Promise<void> {
    const content = `content${Math.floor(this.#random() * 3)}`;
    const lease = await WriterLease.acquire(this.backend, { processes });
    const early = this.#broken === "index before condemned" ? await this.#index() : undefined;
    const { epoch, packs: condemned } = await readCondemned(this.backend);
    const index = early ?? (await this.#index());
    await lease.acknowledge(this.#broken === "acknowledges unseen" ? 1e6 : epoch);
    let name = [...index].find(([pack, held]) => held === content && !condemned.has(pack))?.[0];
    if (this.#broken === "uses condemned") name = [...index].find(([, held]) => held === content)?.[0];
    if (name === undefined) {
      const bytes = utf8(this.#broken === "lets names return" ? content : `${content} ${++this.#serial}`);
      name = sha256(bytes);
      await this.backend.createIfAbsent(`packs/${name}`, bytes);
    }
    await lease.assertHeld();
    const root = { type: "file", digest: name, size: 1, files: 1 } as const;
    await this.refs.move(parseRefName(ref), { root, who: "model", what: content, when });
    await lease.release();
  }

  async remove(ref: string): Promise<void> {
    if (await this.refs.read(parseRefName(ref))) {
      await this.refs.move(parseRefName(ref), { root: null, who: "model", what: "remove", when });
    }
  }

  async #mark(): Promise<Set<string>> {
    const { refs } = await this.refs.list();
    return new Set(
      refs.flatMap((entry) => ("state" in entry && entry.state.root ? [entry.state.root.digest] : [])),
    );
  }

  async collect(): Promise<number> {
    const lease = await acquireMaintenance(this.backend, { processes });
    let removed = 0;
    const marked = await this.#mark();
    if ((await readCondemned(this.backend)).condemnations.length === 0) {
      const packs = [...(await this.#index()).keys()].filter((name) => !marked.has(name));
      await writeCondemned(this.backend, lease, { when, packs });
    }
    const { condemnations } = await readCondemned(this.backend);
    for (const { epoch, packs } of condemnations) {
      const blockers = sweepBlockers(await liveLeases(this.backend, { processes }), epoch);
      if (blockers.length > 0 && this.#broken !== "sweeps at once") continue;
      await removeStaleLeases(this.backend, { processes });
      const live = this.#broken === "no second mark" ? marked : await this.#mark();
      for (const name of packs) {
        if (live.has(name)) continue;
        await lease.assertHeld();
        await this.backend.remove(`packs/${name}`);
        removed++;
      }
      await clearCondemned(this.backend, epoch);
    }
    await lease.release();
    return removed;
  }
}

/** Packs that refs name and that are gone, after writers, removals and collections ran in the seed's order. */
async function lostPacks(seed: number, broken = ""): Promise<{ lost: number; removed: number }> {
  const random = seeded(seed);
  const inner = new MemoryBackend();
  const model = new Model(inner, { random, broken });
  let removed = 0;
  const loop = async (times: number, action: () => Promise<unknown>) => {
    for (let i = 0; i < times; i++) await action();
  };
  const ref = () => `ref${Math.floor(random() * 3)}`;
  await Promise.all([
    loop(4, () => model.write(ref())),
    loop(4, () => model.write(ref())),
    loop(4, () => model.remove(ref())),
    loop(8, async () => {
      removed += await model.collect();
    }),
  ]);
  let lost = 0;
  for (const entry of (await new RefStore(inner).list()).refs) {
    assert.ok("state" in entry);
    const { root } = entry.state;
    if (root && (await inner.stat(`packs/${root.digest}`)) === undefined) lost++;
  }
  return { lost, removed };
}

test("protocol: writers beside collection lose nothing, in many orders", async () => {
  let removed = 0;
  for (let seed = 0; seed < 50; seed++) {
    const result = await lostPacks(seed);
    assert.equal(result.lost, 0, `seed ${seed}`);
    removed += result.removed;
  }
  assert.ok(removed > 50, `only ${removed} packs were removed: nothing was put to the test`);
});

// Each with a seed that shows it soon; a change of the code may move it, so later ones are tried too.
for (const [broken, firstSeed] of [
  ["uses condemned", 55],
  ["acknowledges unseen", 22],
  ["sweeps at once", 20],
  ["no second mark", 13],
  ["index before condemned", 163],
  ["lets names return", 13],
] as const) {
  test(`protocol: the model notices a run with this fault: ${broken}`, async () => {
    for (let seed = firstSeed; seed < firstSeed + 400; seed++) {
      if ((await lostPacks(seed, broken)).lost > 0) return;
    }
    assert.fail("400 orders, and nothing was lost");
  });
}
