/** Which stored executables a new one is coded by: those that share most of its handprint. */
import type { Digest } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import {
  type AtomPlace,
  type AtomReader,
  type BlobRecord,
  decodeHandprint,
  type Handprint,
  type WriteSession,
} from "../repository/index.ts";
import type { Base } from "./executable-cache.ts";
import { loadBase } from "./executable-loading.ts";
import { decodeBody, MAX_DEPTH, machineOf } from "./executable-streams.ts";

/** A second base gains a few percent, a third next to nothing. */
const MAX_BASES = 2;
/** Of a large one, of which releases share nearly everything, it gained nothing, and took 200 MiB. */
const LARGE_BASE_BYTES = 128 << 20;
/** A base that shares less than this share of the best one's keys is not worth its memory and time. */
const MIN_SECOND_SHARE = 0.5;

export interface Relative {
  readonly digest: Digest;
  readonly depth: number;
  /** What it is coded by. */
  readonly bases: readonly Digest[];
  readonly machine: number;
  readonly base: Base;
}

/** Dissections of this session that the next file may be a relative of. */
export class RecentDissections {
  readonly #recent = new Map<Digest, Relative>();
  #bytes = 0;

  get(digest: Digest): Relative | undefined {
    const found = this.#recent.get(digest);
    if (found === undefined) return undefined;
    this.#recent.delete(digest);
    if (found.base.isLost) {
      this.#bytes -= found.base.bytes;
      return undefined;
    }
    this.#recent.set(digest, found);
    return found;
  }

  /** Keeps the last used ones, as far as they don't take more memory than one large executable does. */
  add(relative: Relative): void {
    if (this.#recent.has(relative.digest)) return;
    this.#recent.set(relative.digest, relative);
    this.#bytes += relative.base.bytes;
    this.#trim(RECENT_BYTES, 1);
  }

  /** Makes room for one that is large: its own relatives are with whoever asked for them. */
  makeRoom(): void {
    this.#trim(RECENT_BESIDE_LARGE_BYTES, 0);
  }

  #trim(bytes: number, least: number): void {
    for (const [digest, old] of this.#recent) {
      if (this.#bytes <= bytes || this.#recent.size <= least) break;
      this.#recent.delete(digest);
      this.#bytes -= old.base.bytes;
    }
  }
}

const RECENT_BYTES = 256 << 20;
const RECENT_BESIDE_LARGE_BYTES = 64 << 20;

/** Digests of executables that share keys, those with most first. */
async function candidates(
  keys: readonly string[],
  session: WriteSession,
  atoms: AtomReader,
): Promise<Digest[]> {
  const places = new Map<string, { readonly place: AtomPlace | Handprint; votes: number }>();
  for (const key of keys) {
    const place = session.findHandprint(key);
    if (place === undefined) continue;
    const id = "keys" in place ? place.digest : `${place.segment}:${place.atom}`;
    const known = places.get(id);
    if (known !== undefined) known.votes++;
    else places.set(id, { place, votes: 1 });
  }
  const found: { digest: Digest; shared: number }[] = [];
  const own = new Set(keys);
  for (const { place } of [...places.values()].sort((a, b) => b.votes - a.votes).slice(0, MAX_BASES + 2)) {
    const handprint = "keys" in place ? place : decodeHandprint(await atoms.atom(place.segment, place.atom));
    found.push({ digest: handprint.digest, shared: handprint.keys.filter((key) => own.has(key)).length });
  }
  found.sort((a, b) => b.shared - a.shared || (a.digest < b.digest ? -1 : 1));
  const most = found[0]?.shared ?? 0;
  return found.filter(({ shared }) => shared >= most * MIN_SECOND_SHARE).map(({ digest }) => digest);
}

/** Where relatives are looked for. */
export interface RelativeSearch {
  readonly session: WriteSession;
  readonly atoms: AtomReader;
  readonly recent: RecentDissections;
  readonly signal?: AbortSignal | undefined;
}

type Stored = Pick<Relative, "digest" | "depth" | "bases"> & { readonly record: BlobRecord };

/** One of this session, or what the repository says of it. */
async function look(digest: Digest, { session, atoms, recent }: RelativeSearch): Promise<Relative | Stored> {
  const near = recent.get(digest);
  if (near !== undefined) return near;
  // Its pack is still open. To close one for each file that has a relative would make many small packs.
  if (session.isOpen(digest)) await session.flush();
  const record = await atoms.needRecord(digest);
  return { digest, depth: decodeBody(record.body).depth, bases: record.children, record };
}

async function load(
  { digest, depth, bases, record }: Stored,
  { atoms, recent, signal }: RelativeSearch,
): Promise<Relative> {
  const base = await loadBase(record, atoms, signal);
  const relative = { digest, depth, bases, machine: machineOf(decodeBody(record.body)), base };
  recent.add(relative);
  return relative;
}

/**
 * The relatives to code by, the likeliest first. One that can't be read is left out. Errors: `interrupted`.
 */
export async function findRelatives(
  keys: readonly string[],
  machine: number,
  search: RelativeSearch,
): Promise<Relative[]> {
  const { session, atoms } = search;
  const relatives: Relative[] = [];
  for (let digest of await candidates(keys, session, atoms)) {
    const [first] = relatives;
    const isEnough = first !== undefined && first.base.bytes > LARGE_BASE_BYTES;
    if (isEnough || relatives.length === MAX_BASES) break;
    try {
      let found = await look(digest, search);
      // One that leans on too many others lends its own base.
      while (found.depth >= MAX_DEPTH) {
        digest = found.bases[0]!;
        found = await look(digest, search);
      }
      if (relatives.some((other) => other.digest === digest)) continue;
      // Not one that garbage collection is about to take away.
      if (!(await session.knows(digest))) continue;
      const relative = "base" in found ? found : await load(found, search);
      if (relative.machine === machine) relatives.push(relative);
    } catch (error) {
      if (!isTenonError(error) || error.code === "interrupted") throw error;
    }
  }
  return relatives;
}
