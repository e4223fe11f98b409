/** What every operation works on: an open repository. */
import type { Backend } from "../backend/index.ts";
import { type ChunkerParameters, checkChunkerParameters } from "../chunking/index.ts";
import { TenonError } from "../errors/index.ts";
import {
  AtomReader,
  type CompressionLevel,
  compressionLevels,
  IndexSet,
  RefStore,
  readConfig,
} from "../repository/index.ts";
import { computeWith } from "../representation/index.ts";
import { Workers } from "../workers/index.ts";

/** A repository whose config was read, and nothing else yet. */
export interface RepositoryBase {
  readonly backend: Backend;
  readonly chunker: ChunkerParameters;
  readonly compression: CompressionLevel;
  readonly refs: RefStore;
  /** Tasks that run at once; with 1 all in the main thread, by default as many as there are CPUs. */
  readonly jobs?: number | undefined;
}

export interface StoreContext extends RepositoryBase {
  readonly index: IndexSet;
  readonly atoms: AtomReader;
  /** Threads that take executables apart and decode them. */
  readonly workers: Workers;
}

export function levelOf(name: string): CompressionLevel {
  const level = compressionLevels.find((known) => known === name);
  if (level !== undefined) return level;
  throw new TenonError(
    "unsupported",
    `compression ${name} is not known; there are ${compressionLevels.join(", ")}`,
  );
}

/** Errors: `no-repository`, `damaged`, `unsupported`. */
export async function openBase(backend: Backend, jobs?: number): Promise<RepositoryBase> {
  const config = await readConfig(backend, checkChunkerParameters);
  return {
    backend,
    chunker: config.chunker,
    compression: levelOf(config.compression),
    refs: new RefStore(backend),
    jobs,
  };
}

/** Whoever opens it closes it with `closeContext`. */
export async function openContext(base: RepositoryBase): Promise<StoreContext> {
  return contextOf(base, await IndexSet.open(base.backend));
}

/** What works on an index that is open. */
export function contextOf(base: RepositoryBase, index: IndexSet): StoreContext {
  const { backend, jobs } = base;
  const atoms = new AtomReader(backend, index);
  const workers = new Workers({ ...(jobs !== undefined && { jobs }) });
  computeWith(atoms, workers);
  return { ...base, index, atoms, workers };
}

/** Ends threads and closes files. */
export async function closeContext({ atoms, index, workers }: StoreContext): Promise<void> {
  await workers.close();
  atoms.close();
  index.close();
}
