/** Which stored object file a new one is coded by: the one that shares most of its handprint. */
import { type Digest, sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { type AtomPlace, type AtomReader, decodeHandprint, type WriteSession } from "../repository/index.ts";
import { type ObjectContents, objectContents, sharedBytes } from "./object-keys.ts";
import { handprintKeysOf, loadObject, MAX_OBJECT_DEPTH, objectBodyOf } from "./object-loading.ts";

/** Handprints that are read because keys lead to them; a key leads to the newest file that has it. */
const MAX_READ = 4;
/** Older ones, which these lean on: several families of eight. */
const MAX_OLDER = 16;
/** Files that are compared whole, each some milliseconds: a few keys more or less are chance. */
const MAX_COMPARED = 4;
const MIN_COMPARED_SHARE = 0.75;

export interface ObjectRelative {
  readonly digest: Digest;
  readonly depth: number;
  readonly bytes: Uint8Array;
}

interface Recent extends ObjectRelative {
  readonly keys: readonly string[];
  /** Undefined at depth 0. */
  readonly base: Digest | undefined;
}

/** Object files of this session: members of one library would each close the pack to find one another. */
export class RecentObjects {
  readonly #recent = new Map<Digest, Recent>();
  readonly #byKey = new Map<string, Digest>();
  #bytes = 0;

  get(digest: Digest): Recent | undefined {
    return this.#recent.get(digest);
  }

  /** The newest with a key. */
  withKey(key: string): Recent | undefined {
    const digest = this.#byKey.get(key);
    return digest === undefined ? undefined : this.#recent.get(digest);
  }

  add(recent: Recent): void {
    const { digest, keys, bytes } = recent;
    if (this.#recent.has(digest)) return;
    this.#recent.set(digest, recent);
    this.#bytes += bytes.length;
    for (const key of keys) this.#byKey.set(key, digest);
    for (const [old, { bytes: gone, keys: theirs }] of this.#recent) {
      if (this.#bytes <= RECENT_BYTES || this.#recent.size === 1) break;
      this.#recent.delete(old);
      this.#bytes -= gone.length;
      for (const key of theirs) if (this.#byKey.get(key) === old) this.#byKey.delete(key);
    }
  }
}

/** The members of two large libraries. */
const RECENT_BYTES = 64 << 20;

interface Search {
  readonly session: WriteSession;
  readonly atoms: AtomReader;
  readonly recent: RecentObjects;
}

interface Candidate {
  readonly digest: Digest;
  /** Keys that both have. */
  readonly shared: number;
}

/** Object files that share keys, those with most first. */
async function candidates(keys: readonly string[], search: Search): Promise<Candidate[]> {
  const { session, atoms, recent } = search;
  const shared = new Map<Digest, number>();
  const places = new Map<string, { readonly place: AtomPlace; votes: number }>();
  const own = new Set(keys);
  const count = (digest: Digest, theirs: readonly string[]) =>
    shared.set(digest, theirs.filter((key) => own.has(key)).length);
  for (let attempt = 0; ; attempt++) {
    let open = false;
    for (const key of keys) {
      const near = recent.withKey(key);
      if (near !== undefined) {
        count(near.digest, near.keys);
        continue;
      }
      const place = session.findHandprint(key);
      if (place === undefined) continue;
      if ("keys" in place) open = true;
      else {
        const id = `${place.segment}:${place.atom}`;
        const known = places.get(id);
        if (known !== undefined) known.votes++;
        else places.set(id, { place, votes: 1 });
      }
    }
    if (!open || attempt > 0 || shared.size + places.size > 0) break;
    // Nothing but what is not in memory any more: readable when its pack is closed.
    await session.flush();
  }
  for (const { place } of [...places.values()].sort((a, b) => b.votes - a.votes).slice(0, MAX_READ)) {
    const handprint = decodeHandprint(await atoms.atom(place.segment, place.atom));
    count(handprint.digest, handprint.keys);
  }
  // The newest need not be the nearest: what they lean on is of the same family.
  const family = [...shared.keys()];
  for (let i = 0; i < Math.min(family.length, MAX_OLDER + MAX_READ); i++) {
    try {
      const older = await baseOf(family[i]!, search);
      if (older === undefined || shared.has(older.digest)) continue;
      count(older.digest, older.keys);
      family.push(older.digest);
    } catch (error) {
      if (!isTenonError(error)) throw error;
    }
  }
  return [...shared]
    .map(([digest, count]) => ({ digest, shared: count }))
    .sort((a, b) => b.shared - a.shared || (a.digest < b.digest ? -1 : 1));
}

/** What a file leans on, with its keys. */
async function baseOf(
  digest: Digest,
  { atoms, recent }: Search,
): Promise<{ readonly digest: Digest; readonly keys: readonly string[] } | undefined> {
  const near = recent.get(digest);
  const base = near === undefined ? (await atoms.needRecord(digest)).children[0] : near.base;
  if (base === undefined) return undefined;
  return {
    digest: base,
    keys: recent.get(base)?.keys ?? (await handprintKeysOf(await atoms.needRecord(base), atoms)),
  };
}

/**
 * The file to code by, or undefined: of those that share about as many keys, which are a sample, the one that shares most
 * bytes. One that can't be read, or isn't what was stored, is passed over.
 */
export async function findObjectRelative(
  keys: readonly string[],
  own: ObjectContents,
  search: Search,
): Promise<ObjectRelative | undefined> {
  const { session, recent } = search;
  const found = await candidates(keys, search);
  const least = (found[0]?.shared ?? 0) * MIN_COMPARED_SHARE;
  const alike = found.filter(({ shared }) => shared >= least).slice(0, MAX_COMPARED);
  let best: ObjectRelative | undefined;
  let most = -1;
  for (const { digest } of alike) {
    try {
      const relative = await shallow(digest, search);
      if (relative.digest === best?.digest) continue;
      // Not one that garbage collection is about to take away.
      if (!(await session.knows(relative.digest))) continue;
      if (recent.get(relative.digest) === undefined && sha256(relative.bytes) !== relative.digest) continue;
      const shared = alike.length === 1 ? 0 : sharedBytes(own, objectContents(relative.bytes));
      if (shared <= most) continue;
      best = relative;
      most = shared;
    } catch (error) {
      if (!isTenonError(error)) throw error;
    }
  }
  return best;
}

/** The file, or when it leans on too many others its own base. */
async function shallow(digest: Digest, search: Search): Promise<ObjectRelative> {
  const near = search.recent.get(digest);
  if (near !== undefined) {
    return near.depth < MAX_OBJECT_DEPTH ? near : shallow(near.base!, search);
  }
  const record = await search.atoms.needRecord(digest);
  const { depth } = objectBodyOf(record);
  if (depth >= MAX_OBJECT_DEPTH) return shallow(record.children[0]!, search);
  return { digest, depth, bytes: await loadObject(record, search.atoms) };
}
