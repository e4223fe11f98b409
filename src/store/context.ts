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

/** A repository whose config was read, and nothing else yet. */
export interface RepositoryBase {
  readonly backend: Backend;
  readonly chunker: ChunkerParameters;
  readonly compression: CompressionLevel;
  readonly refs: RefStore;
}

export interface StoreContext extends RepositoryBase {
  readonly index: IndexSet;
  readonly atoms: AtomReader;
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
export async function openBase(backend: Backend): Promise<RepositoryBase> {
  const config = await readConfig(backend, checkChunkerParameters);
  return {
    backend,
    chunker: config.chunker,
    compression: levelOf(config.compression),
    refs: new RefStore(backend),
  };
}

/** With `onDamage`, damaged index files are reported and left out. */
export async function openContext(
  base: RepositoryBase,
  onDamage?: (error: TenonError) => void,
): Promise<StoreContext> {
  const index = await IndexSet.open(base.backend, onDamage);
  return { ...base, index, atoms: new AtomReader(base.backend, index) };
}
