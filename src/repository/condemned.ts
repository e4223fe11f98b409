/**
 * Condemned packs: what garbage collection will delete once no writer relies on it (docs/concurrency.md). A writer
 * that has read the list treats these packs as if they were gone.
 */
import type { Backend } from "../backend/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import type { MaintenanceLease } from "./leases.ts";
import { SEQUENCE_DIGITS } from "./refnames.ts";
import { Fields, isTime, readBounded, seal, unseal } from "./sealed.ts";

export const CONDEMNED_FOLDER = "condemned";
const FORMAT = "condemned packs";
/** 70 bytes a pack: three million packs of 128 MiB, 400 TB of garbage at a time. */
const MAX_CONDEMNED_BYTES = 2 ** 28;
const PACK_NAME = /^[0-9a-f]{64}$/;
/** Errors of a file that will never be read; a newer format may be. */
const UNREADABLE: ReadonlySet<string> = new Set(["damaged", "invalid", "limit"]);
const PLACE = /^condemned\/([0-9]{10})$/;

export interface Condemnation {
  /** Number of the maintenance that condemned them. */
  readonly epoch: number;
  readonly when: string;
  /** Names of packs, sorted. */
  readonly packs: readonly string[];
}

/** All that is condemned at the moment. */
export interface CondemnedPacks {
  /** Of the newest condemnation; 0 when there is none. What a writer acknowledges. */
  readonly epoch: number;
  readonly packs: ReadonlySet<string>;
  /** Ascending by epoch; there is more than one only after a crash between writing one and clearing another. */
  readonly condemnations: readonly Condemnation[];
}

export function serializeCondemnation({ epoch, when, packs }: Condemnation): Uint8Array {
  const sorted = [...new Set(packs)].sort();
  const bad = sorted.find((pack) => !PACK_NAME.test(pack));
  if (bad !== undefined || !isTime(when))
    throw new TenonError("usage", `cannot condemn ${bad ?? `at ${when}`}`);
  return seal({ format: 1, epoch, when, packs: sorted });
}

export function parseCondemnation(bytes: Uint8Array, epoch: number): Condemnation {
  const path = condemnedName(epoch);
  const fields = new Fields(unseal(bytes, { format: FORMAT, path }), FORMAT);
  fields.version(path);
  if (fields.any("epoch") !== epoch) throw fields.error("epoch", `not ${epoch}, as the file's name says`);
  const packs = fields.any("packs");
  if (!Array.isArray(packs)) throw fields.error("packs", "not a list");
  let last = "";
  for (const pack of packs as readonly unknown[]) {
    if (typeof pack !== "string" || !PACK_NAME.test(pack)) throw fields.error("packs", "not a pack's name");
    if (pack <= last) throw fields.error("packs", "not in order");
    last = pack;
  }
  const condemnation = { epoch, when: fields.time("when"), packs: packs as readonly string[] };
  fields.end();
  return condemnation;
}

/**
 * What is condemned. `damaged` when a file is: a writer cannot know then what to leave alone, and the next
 * maintenance clears it (`clearDamagedCondemned`).
 */
export async function readCondemned(backend: Backend): Promise<CondemnedPacks> {
  const packs = new Set<string>();
  const condemnations: Condemnation[] = [];
  for (const { name: path } of await backend.list(CONDEMNED_FOLDER)) {
    try {
      const condemnation = await readCondemnation(backend, path);
      if (condemnation === undefined) {
        throw new TenonError("damaged", `${path} is no condemnation; remove the file when it is not yours`, {
          path,
        });
      }
      condemnations.push(condemnation);
      for (const pack of condemnation.packs) packs.add(pack);
    } catch (error) {
      // Cleared while this was reading: its packs are gone from every index that is read from now on.
      if (isTenonError(error, "not-found")) continue;
      if (!isTenonError(error) || !UNREADABLE.has(error.code) || parseCondemnedName(path) === undefined)
        throw error;
      throw new TenonError(
        "damaged",
        `${path} cannot be read, so nobody knows what not to rely on; run gc, which clears it (${error.message})`,
        { ...error.data, path },
        { cause: error },
      );
    }
  }
  return { epoch: condemnations.at(-1)?.epoch ?? 0, packs, condemnations };
}

/** One file; undefined for a name that is no condemnation's. */
export async function readCondemnation(backend: Backend, path: string): Promise<Condemnation | undefined> {
  const epoch = parseCondemnedName(path);
  if (epoch === undefined) return undefined;
  const bytes = await readBounded(backend, { format: FORMAT, path, maxBytes: MAX_CONDEMNED_BYTES });
  return parseCondemnation(bytes, epoch);
}

/** Condemns packs in the name of a maintenance lease, once per lease; `conflict` when the lease is not held any more. */
export async function writeCondemned(
  backend: Backend,
  lease: MaintenanceLease,
  { when, packs }: { readonly when: string; readonly packs: Iterable<string> },
): Promise<Condemnation> {
  await lease.assertHeld();
  const { epoch } = lease;
  const bytes = serializeCondemnation({ epoch, when, packs: [...packs] });
  const condemnation = parseCondemnation(bytes, epoch);
  if (await backend.createIfAbsent(condemnedName(epoch), bytes)) return condemnation;
  throw new TenonError("conflict", `epoch ${epoch} was condemned before`, { path: condemnedName(epoch) });
}

/** Forgets a condemnation, after its sweep. Every index must be without its packs by now. */
export function clearCondemned(backend: Backend, epoch: number): Promise<void> {
  return backend.remove(condemnedName(epoch));
}

/**
 * Clears the condemnations that cannot be read: what they named is in no danger while the lease is held, and is
 * condemned anew if nobody needs it. Returns their epochs; `unsupported` for one of a newer format, `conflict` when
 * the lease is not held any more.
 */
export async function clearDamagedCondemned(backend: Backend, lease: MaintenanceLease): Promise<number[]> {
  await lease.assertHeld();
  const cleared: number[] = [];
  for (const { name: path } of await backend.list(CONDEMNED_FOLDER)) {
    const epoch = parseCondemnedName(path);
    if (epoch === undefined) continue;
    try {
      await readCondemnation(backend, path);
    } catch (error) {
      if (!isTenonError(error) || !UNREADABLE.has(error.code)) throw error;
      await clearCondemned(backend, epoch);
      cleared.push(epoch);
    }
  }
  return cleared;
}

/** The epoch of a file's name, undefined for a name that is no condemnation's. */
export function parseCondemnedName(path: string): number | undefined {
  const digits = PLACE.exec(path)?.[1];
  return digits === undefined || Number(digits) === 0 ? undefined : Number(digits);
}

function condemnedName(epoch: number): string {
  return `${CONDEMNED_FOLDER}/${String(epoch).padStart(SEQUENCE_DIGITS, "0")}`;
}
