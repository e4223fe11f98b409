/** The dissection of a stored executable: its streams, decoded by the dissections of its bases. */
import { isTenonError, TenonError } from "../errors/index.ts";
import { type DecodedDissection, decodeDissection, joinConsumed, joinDecoded } from "../executable/index.ts";
import type { AtomReader, BlobRecord } from "../repository/index.ts";
import { DecodedCache } from "./executable-cache.ts";
import { decodeBody, loadStreams } from "./executable-streams.ts";

/** In the recipe; see `representations`. */
export const EXECUTABLE = 2;

const caches = new WeakMap<AtomReader, DecodedCache>();

function cacheOf(atoms: AtomReader): DecodedCache {
  let cache = caches.get(atoms);
  if (cache === undefined) {
    cache = new DecodedCache();
    caches.set(atoms, cache);
  }
  return cache;
}

/** Errors: `damaged`, `invalid`, `unsupported` for recipes that are not what a writer made. */
export async function loadDissection(record: BlobRecord, atoms: AtomReader): Promise<DecodedDissection> {
  const cache = cacheOf(atoms);
  try {
    return cache.get(record.digest) ?? (await load(record, atoms, cache, Number.POSITIVE_INFINITY));
  } finally {
    cache.rest();
  }
}

/** The bytes of a stored executable, not yet compared with its digest. Errors as `loadDissection`. */
export async function loadExecutable(record: BlobRecord, atoms: AtomReader): Promise<Uint8Array> {
  const cache = cacheOf(atoms);
  try {
    // A base of others that was decoded before is left as it is.
    const known = cache.get(record.digest);
    if (known !== undefined) return decoding(record, () => joinDecoded(known));
    const own = await load(record, atoms, cache, Number.POSITIVE_INFINITY);
    return decoding(record, () => joinConsumed(own));
  } finally {
    cache.rest();
  }
}

/** A recipe of ours that doesn't decode is damaged, whatever the decoder says of it. */
function decoding<T>({ digest }: BlobRecord, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isTenonError(error, "invalid") || isTenonError(error, "limit")) {
      throw new TenonError(
        "damaged",
        `the recipe of ${digest}: ${error.message}`,
        { ...error.data, digest },
        { cause: error },
      );
    }
    throw error;
  }
}

async function load(
  record: BlobRecord,
  atoms: AtomReader,
  cache: DecodedCache,
  below: number,
): Promise<DecodedDissection> {
  const { digest, children } = record;
  if (record.representation !== EXECUTABLE) throw damaged(digest, "a base that is no dissected executable");
  const body = decoding(record, () => decodeBody(record.body));
  // Depths go down, so that damaged recipes can't lead in a circle.
  if (body.depth >= below) throw damaged(digest, `a base of depth ${body.depth} for one of ${below}`);
  if ((children.length === 0) !== (body.depth === 0) || children.length > MAX_CHILDREN) {
    throw damaged(digest, `${children.length} bases at depth ${body.depth}`);
  }
  const bases: DecodedDissection[] = [];
  for (const child of children) {
    let base = cache.get(child);
    if (base === undefined) {
      base = await load(await atoms.needRecord(child), atoms, cache, body.depth);
      cache.add(child, base);
    }
    bases.push(base);
  }
  const streams = await loadStreams(record, body, atoms);
  const dissection = decoding(record, () => decodeDissection(body.head, streams, bases, body.version));
  if (dissection.fileBytes !== record.size)
    throw damaged(digest, `${dissection.fileBytes} bytes instead of ${record.size}`);
  return dissection;
}

/** Bases of one recipe: bounds a reader's memory. */
const MAX_CHILDREN = 4;

function damaged(digest: string, why: string): TenonError {
  return new TenonError("damaged", `the recipe of ${digest}: ${why}`, {
    digest,
    format: "executable recipe",
  });
}
