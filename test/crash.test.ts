/**
 * A process that dies at any change of the storage: what was there before stays readable, check finds no damage, and
 * the same operation works when it is run again.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Backend, MemoryBackend } from "../src/backend/index.ts";
import { type FaultMode, FaultyBackend } from "../src/backend/testing/faulty.ts";
import { noise } from "../src/bytes/testing/random.ts";
import { isTenonError } from "../src/errors/index.ts";
import { acquireMaintenance } from "../src/repository/index.ts";
import { check } from "../src/store/check.ts";
import { compact } from "../src/store/compact.ts";
import { openBase, openContext, type StoreContext } from "../src/store/context.ts";
import { gc } from "../src/store/gc.ts";
import { remove } from "../src/store/refs.ts";
import { addFiles, copyOf, restoreScratch, smallRepository } from "../src/store/testing/small-repository.ts";

const scratch = await restoreScratch();
after(() => scratch.remove());

async function open(backend: Backend): Promise<StoreContext> {
  return openContext(await openBase(backend));
}

/**
 * The leases of runs that "died" are of this process, which lives: as if it had ended. `byHand`: as if somebody had
 * emptied the folder, so that numbers of maintenance come again.
 */
async function bury(backend: MemoryBackend, byHand: boolean): Promise<void> {
  let number = 0;
  for (const { name } of await backend.list("leases")) {
    number = Math.max(number, Number(/maintenance-([0-9]+)$/.exec(name)?.[1] ?? 0));
    await backend.remove(name);
  }
  if (byHand || number === 0) return;
  for (let epoch = 0; epoch < number; ) {
    const lease = await acquireMaintenance(backend);
    ({ epoch } = lease);
    await lease.release();
  }
}

interface Scenario {
  readonly name: string;
  readonly prepare: (context: StoreContext) => Promise<void>;
  readonly run: (context: StoreContext) => Promise<unknown>;
  /** Specs that must give the same before and after every crash. */
  readonly untouched: readonly string[];
}

const scenarios: readonly Scenario[] = [
  {
    name: "add",
    prepare: async () => {},
    run: (context) =>
      addFiles(context, "app:2", { tool: noise(300, 1), more: noise(500, 6), tiny: noise(9, 7) }),
    untouched: ["app:1", "app:1@1", "single:latest"],
  },
  {
    name: "add to a ref that is there",
    prepare: async () => {},
    run: (context) => addFiles(context, "app:1", { tool: noise(300, 8) }),
    untouched: ["app:1@1", "app:1@2", "single:latest"],
  },
  {
    name: "gc",
    prepare: async (context) => {
      await remove(context, "app:1");
    },
    run: (context) => gc(context),
    untouched: ["single:latest"],
  },
  {
    name: "compact",
    prepare: async () => {},
    run: (context) => compact(context),
    untouched: ["app:1", "app:1@1", "single:latest"],
  },
  {
    name: "check with a new index",
    prepare: async () => {},
    run: (context) => check(context, { rebuildIndex: true }),
    untouched: ["app:1", "app:1@1", "single:latest"],
  },
];

const modes: readonly FaultMode[] = ["error", "crash-before", "crash-after"];

for (const { name, prepare, run, untouched } of scenarios) {
  test(`crash at any change of: ${name}`, async () => {
    const { backend: start } = await smallRepository();
    await prepare(await open(start));
    const right = new Map<string, string>();
    for (const spec of untouched)
      for (const [path, content] of (await scratch.restore(start, spec)).files) right.set(path, content);
    assert.ok(right.size >= untouched.length);

    const counting = new FaultyBackend(await copyOf(start));
    await run(await open(counting));
    assert.ok(counting.changes >= 4, `${counting.changes} changes`);
    for (const mode of modes) {
      for (let atChange = 1; atChange <= counting.changes; atChange++) {
        const what = `${mode} at change ${atChange}`;
        const backend = await copyOf(start);
        const faulty = new FaultyBackend(backend, { atChange, mode });
        const context = await open(faulty);
        // Some faults are survived, such as one while a lease is given back.
        await run(context).catch((error: unknown) => assert.ok(isTenonError(error), `${what}: ${error}`));
        await bury(backend, atChange % 2 === 0);
        await assertWhole(backend, what);
        const again = await open(backend);
        await run(again);
        await assertWhole(backend, `${what}, run again`);
      }
    }

    async function assertWhole(backend: MemoryBackend, what: string): Promise<void> {
      const { ok, damages } = await check(await openBase(backend), { readData: true });
      assert.ok(ok, `${what}: ${JSON.stringify(damages)}`);
      for (const spec of untouched) {
        const { files, complete } = await scratch.restore(backend, spec);
        assert.ok(complete, `${what}: ${spec}`);
        for (const [path, content] of files) assert.equal(content, right.get(path), `${what}: ${path}`);
      }
    }
  });
}
