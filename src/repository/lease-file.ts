/**
 * The file of one lease (docs/formats/lease.md), and the judgement whether its holder still works. The reading is
 * pure but for the process table that is passed in.
 */
import type { Backend, ListedFile } from "../backend/index.ts";
import { isTenonError, type TenonError } from "../errors/index.ts";
import { type Liveness, livenessOf, type ProcessIdentity, type ProcessTable } from "./processes.ts";
import { Fields, readBounded, seal, unseal } from "./sealed.ts";

export const LEASES_FOLDER = "leases";
export const LEASE_FORMAT = "lease";
/** Name of a maintenance lease without its number. */
export const MAINTENANCE_PREFIX = `${LEASES_FOLDER}/maintenance-`;
/** How long a lease on another machine counts without being renewed. An hour of silence is more than any pause that a
 * scheduler, a full disk or a network makes, and a run of gc can wait for an hour. */
export const DEFAULT_GRACE_MS = 60 * 60 * 1000;
/** A lease is renewed no more often: 60 times within the default grace period. */
export const RENEW_EVERY_MS = 60 * 1000;
/** Leases have some 500 bytes. */
const MAX_LEASE_BYTES = 64 * 1024;
/** A process that is not seen, on what may be another machine of the same name, is given up after so many renewals. */
const MISSED_RENEWALS = 5;
const HOST_TEXT = { maxLength: 256 };

export type LeaseKind = "writer" | "maintenance";

export interface LeaseContent {
  /** 32 hexadecimal digits, random. */
  readonly id: string;
  readonly kind: LeaseKind;
  readonly holder: ProcessIdentity;
  readonly created: string;
  readonly renewed: string;
  /** Newest condemnation that the holder has seen: 0 for none, -1 before it has looked. */
  readonly acknowledged: number;
  /** True for a maintenance lease that was given back: it stays since its number counts. */
  readonly released: boolean;
}

/** One lease as somebody else sees it. */
export interface LeaseReport {
  /** File in the backend. */
  readonly name: string;
  readonly kind: LeaseKind;
  /** Whether its holder must be reckoned with. */
  readonly live: boolean;
  /** Holder and reason, for people: "host box, process 123, renewed 2026-...". */
  readonly description: string;
  /** -1 as well for a lease that cannot be read. */
  readonly acknowledged: number;
  readonly lease?: LeaseContent;
  /** Why the file cannot be read. */
  readonly problem?: TenonError;
}

export interface LeaseJudge {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly graceMs: number;
  readonly processes: ProcessTable;
}

export function serializeLease(lease: LeaseContent): Uint8Array {
  const { id, kind, holder, created, renewed, acknowledged, released } = lease;
  return seal({ format: 1, id, kind, holder: { ...holder }, created, renewed, acknowledged, released });
}

export function parseLease(bytes: Uint8Array, path: string): LeaseContent {
  const fields = new Fields(unseal(bytes, { format: LEASE_FORMAT, path }), LEASE_FORMAT);
  fields.version(path);
  const holder = new Fields(fields.any("holder"), LEASE_FORMAT);
  const lease: LeaseContent = {
    id: fields.text("id", { maxLength: 32, pattern: /^[0-9a-f]{32}$/ }),
    kind: fields.text("kind", { maxLength: 16, pattern: /^(?:writer|maintenance)$/ }) as LeaseKind,
    holder: {
      host: holder.text("host", HOST_TEXT),
      boot: holder.text("boot", HOST_TEXT),
      pidNamespace: holder.text("pidNamespace", HOST_TEXT),
      pid: holder.integer("pid", { min: 0 }),
      started: holder.text("started", HOST_TEXT),
    },
    created: fields.time("created"),
    renewed: fields.time("renewed"),
    acknowledged: fields.integer("acknowledged", { min: -1 }),
    released: fields.flag("released"),
  };
  holder.end();
  fields.end();
  return lease;
}

/** All leases that there are, each judged. */
export async function reportLeases(backend: Backend, judge: LeaseJudge): Promise<LeaseReport[]> {
  // A file system may leave out a file of its listing that is renamed over just then, which is how leases are
  // renewed. Nobody renews twice within two listings, so together they have every lease.
  const files = new Map<string, ListedFile>();
  for (let listing = 0; listing < 2; listing++) {
    for (const file of await backend.list(LEASES_FOLDER)) files.set(file.name, file);
  }
  const reports = await Promise.all([...files.values()].map((file) => report(backend, file, judge)));
  return reports.filter((one) => one !== undefined);
}

async function report(
  backend: Backend,
  file: ListedFile,
  judge: LeaseJudge,
): Promise<LeaseReport | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readBounded(backend, { format: LEASE_FORMAT, path: file.name, maxBytes: MAX_LEASE_BYTES });
  } catch (error) {
    // Given back while this was listing.
    if (isTenonError(error, "not-found")) return undefined;
    if (!isTenonError(error, "limit")) throw error;
    return unreadable(file, error, judge);
  }
  try {
    return judgeLease(file, parseLease(bytes, file.name), judge);
  } catch (error) {
    if (isTenonError(error)) return unreadable(file, error, judge);
    throw error;
  }
}

/** Whether a lease must be reckoned with, by what its file says and when it was written. */
export function judgeLease(file: ListedFile, lease: LeaseContent, judge: LeaseJudge): LeaseReport {
  const { name } = file;
  const { kind, acknowledged, holder, renewed } = lease;
  const liveness = livenessOf(holder, judge.processes);
  // The file's own time counts too: machines may disagree about the time by more than the grace period.
  const ageMs = Math.min(ageOf(Date.parse(renewed), judge), ageOf(file.mtimeMs, judge));
  const live = !lease.released && isLive(liveness, ageMs, judge.graceMs);
  const description = `host ${holder.host}, process ${holder.pid} (${liveness}), renewed ${renewed}`;
  return { name, kind, live, description, acknowledged, lease };
}

function isLive(liveness: Liveness, ageMs: number, graceMs: number): boolean {
  if (liveness === "running") return true;
  if (liveness === "ended") return false;
  return ageMs < (liveness === "elsewhere" ? graceMs : Math.min(graceMs, MISSED_RENEWALS * RENEW_EVERY_MS));
}

/** A lease that cannot be read is somebody's: it counts until the grace period is over. */
function unreadable(file: ListedFile, problem: TenonError, judge: LeaseJudge): LeaseReport {
  const { name } = file;
  return {
    name,
    kind: name.startsWith(MAINTENANCE_PREFIX) ? "maintenance" : "writer",
    live: ageOf(file.mtimeMs, judge) < judge.graceMs,
    description: `${problem.message}; written ${new Date(file.mtimeMs).toISOString()}`,
    acknowledged: -1,
    problem,
  };
}

/** Milliseconds since then. A time in the future is of a clock that is ahead: as if it were now. */
function ageOf(timeMs: number, judge: LeaseJudge): number {
  return Math.max(0, judge.now() - timeMs);
}
