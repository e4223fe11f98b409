/** Stored executables: their streams, decoded by the dissections of their bases, on worker threads where there are. */
import type { Digest } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import type { AtomReader, BlobRecord } from "../repository/index.ts";
import { type HashedExecutable, Movable, Workers } from "../workers/index.ts";
import { type Base, DecodedCache, memoryOf } from "./executable-cache.ts";
import { decodeBody, loadStreams, type ReadBody } from "./executable-streams.ts";

/** In the recipe; see `representations`. */
export const EXECUTABLE = 2;

/** What belongs to a reader of atoms. */
interface Loader {
  workers: Workers;
  readonly cache: DecodedCache;
  /** Bases that are being decoded. */
  readonly loading: Map<Digest, Promise<Base>>;
  /** Executables that somebody will ask for. */
  readonly ahead: Map<Digest, Promise<Uint8Array>>;
  /** Bases of such executables, and of how many. */
  readonly expected: Map<Digest, number>;
  /** How many are being decoded. */
  underWay: number;
}

const loaders = new WeakMap<AtomReader, Loader>();
/** For readers that nobody gave workers. */
const alone = new Workers({ jobs: 1 });

function loaderOf(atoms: AtomReader): Loader {
  let loader = loaders.get(atoms);
  if (loader === undefined) {
    const cache = new DecodedCache();
    const [loading, ahead, expected] = [new Map(), new Map(), new Map()];
    loader = { workers: alone, cache, loading, ahead, expected, underWay: 0 };
    loaders.set(atoms, loader);
  }
  return loader;
}

/** From here on these workers take executables apart, and decode those that are read through `atoms`. */
export function computeWith(atoms: AtomReader, workers: Workers): void {
  loaderOf(atoms).workers = workers;
}

export function workersOf(atoms: AtomReader): Workers {
  return loaderOf(atoms).workers;
}

/** Gives up what is kept for later, where memory is needed now. */
export function forgetBases(atoms: AtomReader): void {
  loaderOf(atoms).cache.clear();
}

/** What a file that is decoded needs. */
interface Loading {
  readonly atoms: AtomReader;
  readonly loader: Loader;
  readonly signal: AbortSignal | undefined;
}

async function loading<T>(
  atoms: AtomReader,
  signal: AbortSignal | undefined,
  work: (loading: Loading) => Promise<T>,
): Promise<T> {
  const loader = loaderOf(atoms);
  loader.underWay++;
  try {
    return await work({ atoms, loader, signal });
  } finally {
    if (--loader.underWay === 0) loader.cache.rest();
  }
}

/** Errors: `damaged`, `invalid`, `unsupported` for recipes that are not what a writer made; `interrupted`. */
export function loadBase(record: BlobRecord, atoms: AtomReader, signal?: AbortSignal): Promise<Base> {
  return loading(
    atoms,
    signal,
    async (own) => own.loader.cache.get(record.digest) ?? decodeBase(record, own, TOP),
  );
}

/** The bytes of a stored executable, not yet compared with its digest. Errors as `loadBase`. */
export function loadExecutable(
  record: BlobRecord,
  atoms: AtomReader,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { ahead } = loaderOf(atoms);
  const begun = ahead.get(record.digest);
  ahead.delete(record.digest);
  return begun ?? loading(atoms, signal, (own) => restore(record, own));
}

/**
 * Begins to decode an executable that will soon be asked for. Whoever looks ahead sees to it that it isn't too far,
 * and calls what is returned when nobody asks for it any more.
 */
export function readExecutableAhead(record: BlobRecord, atoms: AtomReader, signal?: AbortSignal): () => void {
  const { ahead } = loaderOf(atoms);
  const { digest } = record;
  if (ahead.has(digest)) return () => {};
  const begun = loading(atoms, signal, (own) => restore(record, own));
  begun.catch(() => {}); // thrown where it is asked for
  ahead.set(digest, begun);
  return () => {
    if (ahead.get(digest) === begun) ahead.delete(digest);
  };
}

/** Executables that are read and are such a base are kept. Ends when what is returned is called. */
export function expectBases({ children }: BlobRecord, atoms: AtomReader): () => void {
  const { expected } = loaderOf(atoms);
  const count = (change: number) => {
    for (const digest of children) {
      const left = (expected.get(digest) ?? 0) + change;
      if (left === 0) expected.delete(digest);
      else expected.set(digest, left);
    }
  };
  count(1);
  return () => count(-1);
}

async function restore(record: BlobRecord, own: Loading): Promise<Uint8Array> {
  const { workers, cache, expected } = own.loader;
  const options = { bytes: record.size, signal: own.signal };
  // A base of others is left as it is.
  const known =
    cache.get(record.digest) ??
    (expected.has(record.digest) ? await decodeBase(record, own, TOP) : undefined);
  if (known !== undefined)
    return sane(record, () => workers.run("joinExecutable", undefined, [known], options));
  const { coded, bases } = await partsOf(record, own, Number.POSITIVE_INFINITY);
  const bytes = await sane(record, () => workers.run("restoreExecutable", coded, bases, options));
  if (bytes.length !== record.size) throw otherSize(record, bytes.length);
  return bytes;
}

/** Who asks for a base: `below`, of which depth it may not be; `siblings`, the bases that are needed together. */
interface Asked {
  readonly below: number;
  readonly siblings: number;
}

const TOP: Asked = { below: Number.POSITIVE_INFINITY, siblings: 1 };

/** A base of others. */
async function decodeBase(record: BlobRecord, own: Loading, { below, siblings }: Asked): Promise<Base> {
  const { loader, signal } = own;
  const { digest } = record;
  // Depths go down along the way: nobody waits for himself.
  await checkedBody(record, below);
  const sought = await loader.loading.get(digest)?.catch(() => undefined);
  if (sought !== undefined && !sought.isLost) return sought;
  const decoded = (async () => {
    const { coded, bases } = await partsOf(record, own, below);
    const options = { bytes: record.size, signal };
    const dissection = await sane(record, () =>
      loader.workers.run("decodeExecutable", coded, bases, options),
    );
    if (dissection.fileBytes !== record.size) throw otherSize(record, dissection.fileBytes);
    return new Movable<HashedExecutable>({ dissection }, memoryOf(dissection));
  })();
  loader.loading.set(digest, decoded);
  try {
    const base = await decoded;
    loader.cache.add(digest, base, siblings);
    return base;
  } finally {
    if (loader.loading.get(digest) === decoded) loader.loading.delete(digest);
  }
}

/** The bases of an executable, and its own streams. */
async function partsOf(record: BlobRecord, own: Loading, below: number) {
  const { atoms, loader } = own;
  const body = await checkedBody(record, below);
  const bases: Base[] = [];
  for (const child of record.children) {
    const asked = { below: body.depth, siblings: record.children.length };
    bases.push(loader.cache.get(child) ?? (await decodeBase(await atoms.needRecord(child), own, asked)));
  }
  const streams = await loadStreams(record, body, atoms);
  // Its own frames, for the most part, which nobody asks for again before it is decoded.
  if (record.size > LARGE_EXECUTABLE_BYTES) atoms.trim(FRAMES_BESIDE_LARGE_BYTES);
  return { coded: { head: body.head, streams, version: body.version }, bases };
}

async function checkedBody(record: BlobRecord, below: number): Promise<ReadBody> {
  const { digest, children } = record;
  if (record.representation !== EXECUTABLE) throw damaged(digest, "a base that is no dissected executable");
  const body = await sane(record, () => decodeBody(record.body));
  // Depths go down, so that damaged recipes can't lead in a circle.
  if (body.depth >= below) throw damaged(digest, `a base of depth ${body.depth} for one of ${below}`);
  if ((children.length === 0) !== (body.depth === 0) || children.length > MAX_CHILDREN) {
    throw damaged(digest, `${children.length} bases at depth ${body.depth}`);
  }
  return body;
}

/** Of a file whose decoding takes as much memory as frames that are kept. */
export const LARGE_EXECUTABLE_BYTES = 32 << 20;
const FRAMES_BESIDE_LARGE_BYTES = 16 << 20;

/** Bases of one recipe: bounds a reader's memory. */
const MAX_CHILDREN = 4;

/** A recipe of ours that doesn't decode is damaged, whatever the decoder says of it. */
async function sane<T>({ digest }: BlobRecord, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
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

function damaged(digest: string, why: string): TenonError {
  return new TenonError("damaged", `the recipe of ${digest}: ${why}`, {
    digest,
    format: "executable recipe",
  });
}

function otherSize({ digest, size }: BlobRecord, bytes: number): TenonError {
  return damaged(digest, `${bytes} bytes instead of ${size}`);
}
