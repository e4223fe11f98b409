import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Backend, DirectoryBackend, MemoryBackend } from "../backend/index.ts";
import { isTenonError } from "../errors/index.ts";
import { parseLease, reportLeases, serializeLease } from "./lease-file.ts";
import {
  acquireMaintenance,
  type LeaseOptions,
  liveLeases,
  removeStaleLeases,
  sweepBlockers,
  WriterLease,
} from "./leases.ts";
import { livenessOf, type ProcessIdentity, type ProcessTable, systemProcesses } from "./processes.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 1);

/** Some machines with processes, one clock, one backend. */
class World {
  nowMs = START;
  readonly now = () => this.nowMs;
  readonly backend: Backend = new MemoryBackend({ now: this.now });
  readonly #ended = new Set<number>();

  on(pid: number, place: Partial<ProcessIdentity> = {}): Required<LeaseOptions> {
    const self = { host: "box", boot: "boot-1", pidNamespace: "pid:[1]", pid, started: `${pid}00`, ...place };
    const processes: ProcessTable = { self, isRunning: ({ pid }) => !this.#ended.has(pid) };
    return { now: this.now, processes, graceMs: HOUR };
  }

  end(pid: number): void {
    this.#ended.add(pid);
  }

  async live(seenBy: LeaseOptions): Promise<(number | undefined)[]> {
    return (await liveLeases(this.backend, seenBy)).map(({ lease }) => lease?.holder.pid);
  }
}

test("lease: a file comes back, each changed byte is noticed", async () => {
  const world = new World();
  const lease = await WriterLease.acquire(world.backend, world.on(1));
  const bytes = await world.backend.read(lease.name);
  const content = parseLease(bytes, lease.name);
  assert.deepEqual(content, {
    id: lease.id,
    kind: "writer",
    holder: { host: "box", boot: "boot-1", pidNamespace: "pid:[1]", pid: 1, started: "100" },
    created: "2026-01-01T00:00:00.000Z",
    renewed: "2026-01-01T00:00:00.000Z",
    acknowledged: -1,
    released: false,
  });
  assert.deepEqual(serializeLease(content), bytes);
  for (let at = 0; at < bytes.length; at++) {
    const copy = bytes.slice();
    copy[at]! ^= 1 << (at % 8);
    assert.throws(() => parseLease(copy, lease.name), { code: "damaged" });
  }
  await lease.release();
});

test("writer: creates, acknowledges, renews, gives back", async () => {
  const world = new World();
  const lease = await WriterLease.acquire(world.backend, world.on(1));
  const read = async () => parseLease(await world.backend.read(lease.name), lease.name);
  await lease.acknowledge(7);
  assert.equal((await read()).acknowledged, 7);
  world.nowMs += 2 * MINUTE;
  await lease.assertHeld();
  assert.deepEqual(await read(), { ...(await read()), acknowledged: 7, renewed: "2026-01-01T00:02:00.000Z" });
  await lease.release();
  await lease.release();
  assert.deepEqual(await world.backend.list(""), []);
  await assert.rejects(lease.assertHeld(), { code: "usage" });
  await lease.renew();
  assert.deepEqual(await world.backend.list(""), []);
});

test("writer: a renewal under way does not bring back a lease that is given back", async () => {
  const world = new World();
  const lease = await WriterLease.acquire(world.backend, world.on(1));
  const renewals = [lease.renew(), lease.renew()];
  const released = lease.release();
  renewals.push(lease.renew());
  await Promise.all([...renewals, released]);
  assert.deepEqual(await world.backend.list(""), []);
});

test("writer: the timer renews, and does not keep the process alive", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const world = new World();
  const lease = await WriterLease.acquire(world.backend, world.on(1));
  for (let i = 0; i < 100; i++) {
    world.nowMs += MINUTE;
    t.mock.timers.tick(MINUTE);
    await new Promise(setImmediate);
  }
  await lease.assertHeld();
  const { renewed } = parseLease(await world.backend.read(lease.name), lease.name);
  assert.equal(renewed, "2026-01-01T01:40:00.000Z");
  await lease.release();
});

test("writer: a lease whose file was removed is lost for good", async () => {
  const world = new World();
  const lease = await WriterLease.acquire(world.backend, world.on(1));
  const bytes = await world.backend.read(lease.name);
  await world.backend.remove(lease.name);
  await assert.rejects(lease.assertHeld(), { code: "conflict" });
  await lease.renew();
  assert.deepEqual(await world.backend.list(""), []);
  await world.backend.createIfAbsent(lease.name, bytes);
  await assert.rejects(lease.assertHeld(), { code: "conflict" });
  await assert.rejects(lease.acknowledge(1), { code: "conflict" });
  await lease.release();
});

test("writer: a lease that was silent for half of the grace period is lost, and no late renewal hides it", async () => {
  const world = new World();
  const lease = await WriterLease.acquire(world.backend, world.on(1));
  world.nowMs += HOUR / 2;
  await lease.assertHeld();
  world.nowMs += HOUR / 2 + 1;
  const before = await world.backend.read(lease.name);
  await lease.renew();
  assert.deepEqual(await world.backend.read(lease.name), before);
  await assert.rejects(lease.assertHeld(), { code: "conflict" });
  await lease.release();
});

test("writer: a renewal that itself takes too long is a loss", async () => {
  const world = new World();
  const lease = await WriterLease.acquire(world.backend, world.on(1));
  const { backend } = world;
  const replace = backend.replace.bind(backend);
  backend.replace = async (name, bytes) => {
    world.nowMs += HOUR;
    await replace(name, bytes);
  };
  await lease.renew();
  await assert.rejects(lease.assertHeld(), { code: "conflict" });
  await lease.release();
});

test("writer: a renewal that fails is tried again", async () => {
  const world = new World();
  const lease = await WriterLease.acquire(world.backend, world.on(1));
  const { backend } = world;
  const replace = backend.replace;
  backend.replace = async () => {
    throw new Error("disk full");
  };
  world.nowMs += 2 * MINUTE;
  await assert.rejects(lease.assertHeld(), /disk full/);
  backend.replace = replace;
  await lease.assertHeld();
  await lease.release();
});

test("liveness: on the same machine the process decides, however long it was silent", async () => {
  const world = new World();
  const lease = await WriterLease.acquire(world.backend, world.on(1));
  world.nowMs += 1000 * HOUR;
  assert.deepEqual(await world.live(world.on(2)), [1]);
  world.end(1);
  assert.deepEqual(await world.live(world.on(2)), []);
  await lease.release();
});

test("liveness: of other machines, boots and containers nothing is known but the time", async () => {
  for (const place of [
    { host: "other", boot: "boot-2" },
    { boot: "boot-2" },
    { pidNamespace: "pid:[2]" },
    { boot: "" },
  ]) {
    const world = new World();
    const lease = await WriterLease.acquire(world.backend, world.on(1, place));
    world.end(1);
    world.nowMs += HOUR - 1;
    assert.deepEqual(await world.live(world.on(2)), [1]);
    world.nowMs += 1;
    assert.deepEqual(await world.live(world.on(2)), []);
    await lease.release();
  }
});

test("liveness: without boot ids a process that is not seen is given up after five renewals", async () => {
  const world = new World();
  const bare = { boot: "", pidNamespace: "", started: "" };
  const lease = await WriterLease.acquire(world.backend, world.on(1, bare));
  world.nowMs += 6 * MINUTE;
  assert.deepEqual(await world.live(world.on(2, bare)), [1]);
  world.end(1);
  assert.deepEqual(await world.live(world.on(2, bare)), []);
  await lease.release();
  const other = await WriterLease.acquire(world.backend, world.on(3, { ...bare, host: "other" }));
  world.end(3);
  world.nowMs += 6 * MINUTE;
  assert.deepEqual(await world.live(world.on(2, bare)), [3]);
  await other.release();
});

test("liveness: the file's own time counts when the holder's clock is behind", async () => {
  const world = new World();
  const late = { ...world.on(1, { boot: "boot-2" }), now: () => world.nowMs - 5 * HOUR };
  const lease = await WriterLease.acquire(world.backend, late);
  assert.deepEqual(await world.live(world.on(2)), [1]);
  world.nowMs += HOUR;
  assert.deepEqual(await world.live(world.on(2)), []);
  await lease.release();
});

test("liveness: a lease that cannot be read counts until the grace period is over, and blocks every sweep", async () => {
  const world = new World();
  await world.backend.createIfAbsent("leases/garbage", Uint8Array.of(1, 2, 3));
  const [report] = await liveLeases(world.backend, world.on(2));
  assert.ok(isTenonError(report?.problem, "damaged"));
  assert.equal(sweepBlockers([report!], 0).length, 1);
  await world.backend.createIfAbsent("leases/huge", new Uint8Array(70_000));
  assert.equal((await liveLeases(world.backend, world.on(2))).length, 2);
  world.nowMs += HOUR;
  assert.deepEqual(await liveLeases(world.backend, world.on(2)), []);
  assert.equal((await removeStaleLeases(world.backend, world.on(2))).length, 2);
  assert.deepEqual(await world.backend.list(""), []);
});

test("liveness: this process runs, one of the same number and another start does not", () => {
  const { self } = systemProcesses;
  assert.equal(livenessOf(self, systemProcesses), "running");
  assert.equal(livenessOf({ ...self, boot: "another" }, systemProcesses), "elsewhere");
  if (self.started === "") return;
  assert.equal(livenessOf({ ...self, started: "1" }, systemProcesses), "ended");
  // Above the largest pid_max of Linux.
  assert.equal(livenessOf({ ...self, pid: 2 ** 22 + 1 }, systemProcesses), "ended");
});

test("sweep: waits for writers that have not seen the condemnation", async () => {
  const world = new World();
  const [a, b, c] = await Promise.all(
    [1, 2, 3].map((pid) => WriterLease.acquire(world.backend, world.on(pid))),
  );
  await a!.acknowledge(4);
  await b!.acknowledge(5);
  const blockers = async (epoch: number) =>
    sweepBlockers(await liveLeases(world.backend, world.on(9)), epoch)
      .map(({ lease }) => lease?.holder.pid)
      .sort();
  assert.deepEqual(await blockers(5), [1, 3]);
  assert.deepEqual(await blockers(4), [3]);
  await c!.release();
  world.end(1);
  assert.deepEqual(await blockers(5), []);
  assert.deepEqual(
    (await removeStaleLeases(world.backend, world.on(9))).map(({ name }) => name),
    [a!.name],
  );
  await assert.rejects(a!.assertHeld(), { code: "conflict" });
  await b!.assertHeld();
  await Promise.all([a!.release(), b!.release()]);
});

test("maintenance: one at a time; the refused one learns who it is", async () => {
  const world = new World();
  const lease = await acquireMaintenance(world.backend, world.on(1));
  await assert.rejects(
    acquireMaintenance(world.backend, world.on(2)),
    (error) => isTenonError(error, "busy") && /host box, process 1 /.test(error.message),
  );
  assert.deepEqual(await world.live(world.on(2)), [], "maintenance blocks no sweep");
  await lease.release();
  const next = await acquireMaintenance(world.backend, world.on(2));
  assert.ok(next.epoch > lease.epoch);
  await next.assertHeld();
  assert.equal((await world.backend.list("leases")).length, 1);
  await next.release();
});

test("maintenance: of a process that ended it is taken over, and the late one notices", async () => {
  const world = new World();
  const lease = await acquireMaintenance(world.backend, world.on(1));
  world.end(1);
  const next = await acquireMaintenance(world.backend, world.on(2));
  await assert.rejects(lease.assertHeld(), { code: "conflict" });
  await lease.release();
  await next.assertHeld();
  await assert.rejects(acquireMaintenance(world.backend, world.on(3)), { code: "busy" });
  await next.release();
});

test("maintenance: its number is above every condemnation, also when the leases are gone", async () => {
  const world = new World();
  await world.backend.createIfAbsent("condemned/0000000041", Uint8Array.of(1));
  const lease = await acquireMaintenance(world.backend, world.on(1));
  assert.equal(lease.epoch, 42);
  await lease.release();
});

test("maintenance: of sixteen that want it at once, fresh or stale, one gets it", async () => {
  const world = new World();
  for (let round = 1; round <= 10; round++) {
    const pids = Array.from({ length: 16 }, (_, i) => round * 100 + i);
    const tries = await Promise.allSettled(
      pids.map((pid) => acquireMaintenance(world.backend, world.on(pid))),
    );
    const won = tries.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    assert.equal(won.length, 1);
    await won[0]!.assertHeld();
    for (const one of tries) assert.ok(one.status === "fulfilled" || isTenonError(one.reason, "busy"));
    if (round % 2) for (const pid of pids) world.end(pid);
    else await won[0]!.release();
  }
});

test("maintenance: one that sleeps while the lease changes hands twice is refused", async () => {
  const world = new World();
  const first = await acquireMaintenance(world.backend, world.on(1));
  await first.release();
  const { backend } = world;
  const create = backend.createIfAbsent.bind(backend);
  backend.createIfAbsent = async (name, bytes) => {
    backend.createIfAbsent = create;
    await (await acquireMaintenance(backend, world.on(2))).release();
    const holder = await acquireMaintenance(backend, world.on(3));
    const created = await create(name, bytes);
    await holder.assertHeld();
    return created;
  };
  await assert.rejects(acquireMaintenance(backend, world.on(4)), { code: "busy" });
  assert.deepEqual(
    (await reportLeases(backend, world.on(5))).map(({ lease }) => lease?.holder.pid),
    [3],
  );
});

let top = "";
before(async () => {
  top = await mkdtemp(join(tmpdir(), "tenon-leases-"));
});
after(() => rm(top, { recursive: true, force: true }));

const childProgram = `
  import { DirectoryBackend } from ${JSON.stringify(new URL("../backend/index.ts", import.meta.url).href)};
  import { acquireMaintenance, WriterLease } from ${JSON.stringify(new URL("./leases.ts", import.meta.url).href)};
  const [, , at, job] = process.argv;
  const backend = new DirectoryBackend(at, { durable: false });
  if (job === "hold") {
    const lease = await WriterLease.acquire(backend);
    const { epoch } = await acquireMaintenance(backend);
    process.send({ name: lease.name, epoch });
    setInterval(() => {}, 1000);
  } else {
    const epochs = [];
    while (epochs.length < 20) {
      try {
        const lease = await acquireMaintenance(backend);
        // Whoever is inside alone can create this file and remove it again.
        if (!(await backend.createIfAbsent("inside", new Uint8Array(1)))) throw new Error("two are inside");
        await lease.assertHeld();
        await backend.remove("inside");
        await lease.release();
        epochs.push(lease.epoch);
      } catch (error) {
        if (error.code !== "busy") throw error;
      }
    }
    process.send(epochs);
  }
`;

async function start(at: string, job: string): Promise<ChildProcess> {
  const script = join(top, `${job}.mjs`);
  await writeFile(script, childProgram);
  return fork(script, [at, job], { execArgv: [] });
}

test("maintenance: two processes are never inside together", async () => {
  const children = await Promise.all([start(join(top, "race"), "race"), start(join(top, "race"), "race")]);
  const epochs = await Promise.all(
    children.map(async (child) => {
      const [[message], [exitCode]] = await Promise.all([once(child, "message"), once(child, "exit")]);
      assert.equal(exitCode, 0);
      return message as number[];
    }),
  );
  assert.equal(new Set(epochs.flat()).size, 40);
});

test("leases: of a process that was killed they are stale at once", async () => {
  const backend = new DirectoryBackend(join(top, "killed"), { durable: false });
  const child = await start(backend.location, "hold");
  const [held] = (await once(child, "message")) as [{ name: string; epoch: number }];
  const [report] = await liveLeases(backend);
  assert.equal(report?.name, held.name);
  assert.equal(report.lease?.holder.pid, child.pid);
  await assert.rejects(
    acquireMaintenance(backend),
    (error) => isTenonError(error, "busy") && error.message.includes(`process ${child.pid} `),
  );
  child.kill("SIGKILL");
  await once(child, "exit");
  if (systemProcesses.self.boot === "") return;
  assert.deepEqual(await liveLeases(backend), []);
  const lease = await acquireMaintenance(backend);
  assert.equal(lease.epoch, held.epoch + 1);
  assert.equal((await removeStaleLeases(backend)).length, 1);
  await lease.release();
});
