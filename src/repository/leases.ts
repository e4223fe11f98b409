/**
 * Leases: the mark of a process that is writing, so that garbage collection runs beside writers and loses nothing.
 * The protocol, and why it is safe, stands in docs/concurrency.md.
 *
 * A writer: `WriterLease.acquire`, then read `condemned/`, then the index, then `acknowledge`; write; `assertHeld`
 * before each move of a ref; `release`. Collection: `acquireMaintenance`, mark, condemn, and sweep what was
 * condemned when `sweepBlockers` has nobody.
 */
import { randomBytes } from "node:crypto";
import type { Backend } from "../backend/index.ts";
import { TenonError } from "../errors/index.ts";
import { CONDEMNED_FOLDER, parseCondemnedName } from "./condemned.ts";
import {
  DEFAULT_GRACE_MS,
  LEASES_FOLDER,
  type LeaseContent,
  type LeaseJudge,
  type LeaseKind,
  type LeaseReport,
  MAINTENANCE_PREFIX,
  RENEW_EVERY_MS,
  reportLeases,
  serializeLease,
} from "./lease-file.ts";
import { type ProcessTable, systemProcesses } from "./processes.ts";
import { MAX_SEQUENCE, SEQUENCE_DIGITS } from "./refnames.ts";

/** Clock, processes and patience; each has its everyday default. */
export interface LeaseOptions {
  /** Milliseconds since 1970; default `Date.now`. */
  readonly now?: () => number;
  readonly processes?: ProcessTable;
  /** How long a lease of another machine counts without being renewed; default one hour. */
  readonly graceMs?: number;
}

/** What both kinds of lease do. */
abstract class Lease {
  readonly name: string;
  protected readonly backend: Backend;
  protected readonly judge: LeaseJudge;
  protected content: LeaseContent;
  #renewedMs: number;
  #lost: string | undefined;
  #ended = false;
  /** Writes of the lease's file, one after the other. */
  #writes: Promise<void> = Promise.resolve();
  readonly #timer: NodeJS.Timeout;

  protected constructor(backend: Backend, name: string, content: LeaseContent, judge: LeaseJudge) {
    this.backend = backend;
    this.name = name;
    this.content = content;
    this.judge = judge;
    this.#renewedMs = Date.parse(content.renewed);
    this.#timer = setInterval(() => {
      // A renewal that fails now is tried again; in the end assertHeld finds the lease too old.
      this.renew().catch(() => {});
    }, RENEW_EVERY_MS);
    this.#timer.unref();
  }

  get id(): string {
    return this.content.id;
  }

  get acknowledged(): number {
    return this.content.acknowledged;
  }

  /** Says that the holder still works. Once lost, a lease stays lost. */
  renew(): Promise<void> {
    return this.#rewrite({});
  }

  /** `conflict` unless the lease has been held without a break until now. Renews it when that is due. */
  async assertHeld(): Promise<void> {
    if (this.judge.now() - this.#renewedMs >= RENEW_EVERY_MS) await this.renew();
    else await this.#writes;
    await this.#check();
  }

  /** Ends the renewals and gives the lease back. A lease that was lost is left to whoever took it. */
  async release(): Promise<void> {
    if (this.#ended) return;
    clearInterval(this.#timer);
    // First no new renewal, then the end of one under way: it would bring the file back.
    this.#ended = true;
    await this.#writes;
    await this.giveBack();
  }

  protected abstract giveBack(): Promise<void>;
  /** Why others may think that the lease is not held any more, judging by the backend. */
  protected abstract takenBy(): Promise<string | undefined>;

  protected async setAcknowledged(epoch: number): Promise<void> {
    await this.#rewrite({ acknowledged: epoch });
    if (this.#lost) throw this.#lostError();
  }

  /** Notices a loss before it writes, so that no late renewal brings a lease back that others have given up. */
  #rewrite(change: Partial<LeaseContent>): Promise<void> {
    const write = this.#writes.then(async () => {
      if (this.#ended || (await this.#isLost())) return;
      const nowMs = this.judge.now();
      const content = { ...this.content, ...change, renewed: new Date(nowMs).toISOString() };
      await this.backend.replace(this.name, serializeLease(content));
      // When the write itself took too long, others may have given the lease up before it arrived.
      if (await this.#isLost()) return;
      this.content = content;
      this.#renewedMs = nowMs;
    });
    this.#writes = write.catch(() => {});
    return write;
  }

  async #check(): Promise<void> {
    if (this.#ended) throw new TenonError("usage", `lease ${this.name} was given back before`);
    if (await this.#isLost()) throw this.#lostError();
  }

  async #isLost(): Promise<boolean> {
    const silentMs = this.judge.now() - this.#renewedMs;
    // Half of the grace period: the other half is for clocks that disagree, and for what follows the check.
    if (silentMs > this.judge.graceMs / 2) this.#lost ??= `not renewed for ${Math.round(silentMs / 1000)} s`;
    this.#lost ??= await this.takenBy();
    return this.#lost !== undefined;
  }

  #lostError(): TenonError {
    return new TenonError("conflict", `lease lost (${this.#lost}); nothing was moved, run again`, {
      path: this.name,
    });
  }
}

/** The lease of a process that adds content or moves refs. */
export class WriterLease extends Lease {
  /** Step 1 of a writer: afterwards it may read `condemned/` and, after that, the index. */
  static async acquire(backend: Backend, options: LeaseOptions = {}): Promise<WriterLease> {
    const judge = judgeOf(options);
    const content = newLease("writer", judge);
    const name = `${LEASES_FOLDER}/${content.id}`;
    if (await backend.createIfAbsent(name, serializeLease(content))) {
      return new WriterLease(backend, name, content, judge);
    }
    throw new TenonError("io", `${name} was there already: 16 random bytes were not random`, { path: name });
  }

  /** Says which condemnation this writer has seen and keeps to (0: there was none). */
  acknowledge(epoch: number): Promise<void> {
    return this.setAcknowledged(epoch);
  }

  protected override giveBack(): Promise<void> {
    return this.backend.remove(this.name);
  }

  protected override async takenBy(): Promise<string | undefined> {
    return (await this.backend.stat(this.name)) === undefined ? "its file was removed" : undefined;
  }
}

/** The lease of the one process that collects garbage or rewrites packs. */
export class MaintenanceLease extends Lease {
  /** Number of this lease, larger than that of every earlier one and of every condemnation: the next epoch. */
  readonly epoch: number;

  constructor(backend: Backend, epoch: number, content: LeaseContent, judge: LeaseJudge) {
    super(backend, maintenanceName(epoch), content, judge);
    this.epoch = epoch;
  }

  /** The file stays, marked: the next lease's number must be larger. */
  protected override async giveBack(): Promise<void> {
    if ((await this.takenBy()) !== undefined) return;
    await this.backend.replace(this.name, serializeLease({ ...this.content, released: true }));
  }

  protected override async takenBy(): Promise<string | undefined> {
    const newest = (await maintenanceEpochs(this.backend)).at(-1);
    if (newest === this.epoch) return undefined;
    return newest === undefined ? "its file was removed" : `maintenance ${newest} took over`;
  }
}

/**
 * The maintenance lease, of which there is one at a time. One whose holder has ended is taken over; `busy` names a
 * holder that still works.
 */
export async function acquireMaintenance(
  backend: Backend,
  options: LeaseOptions = {},
): Promise<MaintenanceLease> {
  const judge = judgeOf(options);
  const newest = (await maintenanceEpochs(backend)).at(-1) ?? 0;
  const reports = await reportLeases(backend, judge);
  const holder = reports.find(({ name }) => name === maintenanceName(newest));
  if (holder?.live) throw busy(holder.description, holder.name);
  // The newest lease vanishes only when a newer one is there.
  if (newest > 0 && holder === undefined) throw busy("another process was faster", maintenanceName(newest));
  const condemned = (await backend.listNames(CONDEMNED_FOLDER)).map((name) => parseCondemnedName(name) ?? 0);
  // Also above every condemnation: somebody may have emptied the folder of leases by hand.
  const epoch = Math.max(newest, ...condemned) + 1;
  if (epoch > MAX_SEQUENCE) throw new TenonError("limit", `no maintenance after number ${MAX_SEQUENCE}`);
  const content = newLease("maintenance", judge);
  if (!(await backend.createIfAbsent(maintenanceName(epoch), serializeLease(content)))) {
    throw busy("another process began at the same moment", maintenanceName(epoch));
  }
  const epochs = await maintenanceEpochs(backend);
  // Whoever slept before the create may have got the number of a lease that is long over and cleared away.
  if (epochs.at(-1) !== epoch) {
    await backend.remove(maintenanceName(epoch));
    throw busy("another process was faster", maintenanceName(epochs.at(-1)!));
  }
  const lease = new MaintenanceLease(backend, epoch, content, judge);
  for (const old of epochs) if (old < epoch) await backend.remove(maintenanceName(old));
  return lease;
}

/** For who only looks at what a maintenance changes: `busy` while one is at work. Takes no lease, changes nothing. */
export async function assertNoMaintenance(backend: Backend, options: LeaseOptions = {}): Promise<void> {
  const reports = await reportLeases(backend, judgeOf(options));
  const holder = reports.find(({ live, kind }) => live && kind === "maintenance");
  if (holder !== undefined) throw busy(holder.description, holder.name);
}

/** Every file of a lease, judged: those that cannot be read, and of maintenance, too. */
export function allLeases(backend: Backend, options: LeaseOptions = {}): Promise<LeaseReport[]> {
  return reportLeases(backend, judgeOf(options));
}

/** Leases whose holders must be reckoned with, without those of maintenance. */
export async function liveLeases(backend: Backend, options: LeaseOptions = {}): Promise<LeaseReport[]> {
  const reports = await reportLeases(backend, judgeOf(options));
  return reports.filter(({ live, kind }) => live && kind === "writer");
}

/** Leases that stand in the way of sweeping what was condemned at this epoch. */
export function sweepBlockers(leases: readonly LeaseReport[], epoch: number): LeaseReport[] {
  return leases.filter((lease) => lease.live && lease.kind === "writer" && lease.acknowledged < epoch);
}

/**
 * Removes the leases of writers that have ended, before a sweep: a writer that was wrongly given up finds its lease
 * gone and moves no ref. Returns the removed ones.
 */
export async function removeStaleLeases(
  backend: Backend,
  options: LeaseOptions = {},
): Promise<LeaseReport[]> {
  const reports = await reportLeases(backend, judgeOf(options));
  const stale = reports.filter(({ live, kind }) => !live && kind === "writer");
  for (const { name } of stale) await backend.remove(name);
  return stale;
}

function judgeOf({
  now = Date.now,
  processes = systemProcesses,
  graceMs = DEFAULT_GRACE_MS,
}: LeaseOptions): LeaseJudge {
  return { now, processes, graceMs };
}

function newLease(kind: LeaseKind, judge: LeaseJudge): LeaseContent {
  const created = new Date(judge.now()).toISOString();
  return {
    id: randomBytes(16).toString("hex"),
    kind,
    holder: judge.processes.self,
    created,
    renewed: created,
    acknowledged: -1,
    released: false,
  };
}

function maintenanceName(epoch: number): string {
  return `${MAINTENANCE_PREFIX}${String(epoch).padStart(SEQUENCE_DIGITS, "0")}`;
}

/** Ascending. */
async function maintenanceEpochs(backend: Backend): Promise<number[]> {
  const names = await backend.listNames(LEASES_FOLDER);
  return names.flatMap((name) => {
    const digits = name.startsWith(MAINTENANCE_PREFIX) ? name.slice(MAINTENANCE_PREFIX.length) : "";
    return /^[0-9]{10}$/.test(digits) ? Number(digits) : [];
  });
}

function busy(who: string, path: string): TenonError {
  return new TenonError("busy", `another maintenance is at work: ${who}; wait for its end and run again`, {
    path,
  });
}
