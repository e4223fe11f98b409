/** The library's face: an open repository with every operation as a method. */
import { DirectoryBackend } from "../backend/index.ts";
import {
  type ChunkerParameters,
  checkChunkerParameters,
  defaultChunkerParameters,
} from "../chunking/index.ts";
import { createConfig, newRepositoryId } from "../repository/index.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { compact } from "./compact.ts";
import {
  closeContext,
  levelOf,
  openBase,
  openContext,
  type RepositoryBase,
  type StoreContext,
} from "./context.ts";
import { type DebugOptions, debug } from "./debug.ts";
import type { DebugReport } from "./debug-types.ts";
import { type DiffOptions, diff } from "./diff.ts";
import type { OperationOptions } from "./events.ts";
import { addFat, type FlavourResult, getFat, getFlavour } from "./fat-refs.ts";
import type { CpuChoice, FatForm, FatPackResult, FatWriteOptions, FlavourSource } from "./fat-types.ts";
import { gc } from "./gc.ts";
import { cat, get } from "./get.ts";
import { type InspectOptions, inspectFile, inspectStored } from "./inspect.ts";
import type { InspectReport } from "./inspect-types.ts";
import { deltaVersions, type LibDeltaOptions, type LibDeltaResult } from "./lib-delta.ts";
import { diffLibrary } from "./lib-diff.ts";
import { layOutVersions } from "./lib-layout.ts";
import type { LibLayoutOptions, LibLayoutResult } from "./lib-layout-types.ts";
import { storedVersions } from "./lib-output.ts";
import type { LibAddResult, LibDiffResult, LibVersionInfo } from "./lib-types.ts";
import { addLibrary, listLibraries } from "./lib-versions.ts";
import { list, log } from "./list.ts";
import { readSpec } from "./manifest.ts";
import { type MoveOptions, remove, tag } from "./refs.ts";
import { repair } from "./repair.ts";
import { stats } from "./stats.ts";
import type * as T from "./types.ts";

function chunkerOf(meanBytes: number | undefined): ChunkerParameters {
  if (meanBytes === undefined) return defaultChunkerParameters;
  const scale = meanBytes / defaultChunkerParameters.meanBytes;
  const { algorithm, minBytes, maxBytes } = defaultChunkerParameters;
  return checkChunkerParameters({
    algorithm,
    minBytes: Math.round(minBytes * scale),
    meanBytes,
    maxBytes: Math.round(maxBytes * scale),
  });
}

/**
 * A repository on a local directory.
 *
 * @example
 * await using repository = await Repository.open("/srv/builds");
 * await repository.add(["dist/server"], { ref: "server:1.2" });
 * await repository.get("server:1.2", { output: "/tmp/server" });
 */
export class Repository implements AsyncDisposable {
  readonly location: string;
  readonly #base: RepositoryBase;
  #context: Promise<StoreContext> | undefined;

  private constructor(location: string, base: RepositoryBase) {
    this.location = location;
    this.#base = base;
  }

  /** The index is opened when it is first needed: `check` works although it is damaged. */
  #open(): Promise<StoreContext> {
    this.#context ??= openContext(this.#base);
    return this.#context;
  }

  /** Makes a new, empty repository. Errors: `exists`, `io`, `unsupported`. */
  static async init(location: string, options: T.InitOptions = {}): Promise<Repository> {
    const backend = new DirectoryBackend(location);
    const compression = levelOf(options.compression ?? "default");
    await createConfig(backend, {
      format: 1,
      id: newRepositoryId(),
      created: new Date().toISOString(),
      chunker: { ...chunkerOf(options.chunkMeanBytes) },
      compression,
    });
    return Repository.open(location);
  }

  /** Opens a repository. Errors: `no-repository`, `damaged`, `unsupported`. */
  static async open(location: string, options: T.OpenOptions = {}): Promise<Repository> {
    return new Repository(location, await openBase(new DirectoryBackend(location), options.jobs));
  }

  /** Salvages what is whole; works on repositories whose config, index or refs are damaged. */
  static async repair(location: string, options: T.OpenOptions = {}): Promise<T.RepairResult> {
    return repair(new DirectoryBackend(location), options);
  }

  async add(inputs: readonly T.AddInput[], options?: T.AddOptions): Promise<T.AddResult> {
    return add(await this.#open(), inputs, options);
  }

  async get(spec: string, options?: T.GetOptions): Promise<T.GetResult> {
    return get(await this.#open(), spec, options);
  }

  async *cat(spec: string, options?: T.CatOptions): AsyncGenerator<Uint8Array> {
    yield* cat(await this.#open(), spec, options);
  }

  async *list(
    spec?: string,
    options?: { readonly recursive?: boolean; readonly platform?: string | undefined } & OperationOptions,
  ): AsyncGenerator<T.ListEntry> {
    yield* list(await this.#open(), spec, options);
  }

  async *log(ref?: string, options?: OperationOptions): AsyncGenerator<T.RefState> {
    yield* log(await this.#open(), ref, options);
  }

  async *diff(a: string, b: string, options?: DiffOptions): AsyncGenerator<T.DiffEntry> {
    yield* diff(await this.#open(), a, b, options);
  }

  /** How a file on disk would be kept here, beside what is here; nothing is changed. */
  async inspectFile(path: string, options?: InspectOptions): Promise<InspectReport> {
    return inspectFile(path, await this.#open(), options);
  }

  /** How a stored file is kept. */
  async inspect(spec: string, options?: InspectOptions): Promise<InspectReport> {
    return inspectStored(await this.#open(), spec, options);
  }

  /** The debug files of a stored executable, or the executables of a stored debug file. */
  async debug(spec: string, options?: DebugOptions): Promise<DebugReport> {
    return debug(await this.#open(), spec, options);
  }

  async tag(source: string, ref: string, options?: MoveOptions): Promise<T.RefState> {
    return tag(await this.#open(), source, ref, options);
  }

  async remove(ref: string, options?: MoveOptions & { readonly history?: boolean }): Promise<T.RefState> {
    return remove(await this.#open(), ref, options);
  }

  async stats(options?: OperationOptions): Promise<T.Stats> {
    return stats(await this.#open(), options);
  }

  async check(options?: T.CheckOptions): Promise<T.CheckResult> {
    return check(this.#base, options);
  }

  async gc(options?: T.GcOptions): Promise<T.GcResult> {
    return gc(await this.#open(), options);
  }

  async compact(options?: T.CompactOptions): Promise<T.CompactResult> {
    return compact(await this.#open(), options);
  }

  /** All bytes of a file. */
  async read(spec: string): Promise<Uint8Array> {
    return readSpec(await this.#open(), spec);
  }

  /** Stores flavours of one program under one ref. */
  async addFat(
    sources: readonly FlavourSource[],
    options: T.AddOptions & { readonly ref: string },
  ): Promise<T.AddResult> {
    return addFat(await this.#open(), sources, options);
  }

  /** Makes the fat file of stored flavours; `output` is the ref's name if it isn't given. */
  async getFat(spec: string, output?: string, options?: FatForm & FatWriteOptions): Promise<FatPackResult> {
    return getFat(await this.#open(), spec, output, options);
  }

  /** Restores the one of stored flavours that suits a CPU best. */
  async getFlavour(
    spec: string,
    cpu: CpuChoice,
    output?: string,
    options?: FatWriteOptions,
  ): Promise<FlavourResult> {
    return getFlavour(await this.#open(), spec, cpu, output, options);
  }

  /** Stores object files and archives as one version of a library, `NAME:VERSION`. */
  async addLibrary(ref: string, paths: readonly string[], options?: T.AddOptions): Promise<LibAddResult> {
    return addLibrary(await this.#open(), ref, paths, options);
  }

  /** The stored versions of one library, or of all. */
  async listLibraries(name?: string, options?: OperationOptions): Promise<LibVersionInfo[]> {
    return listLibraries(await this.#open(), name, options);
  }

  /** What differs between two stored versions. */
  async diffLibrary(from: string, to: string, options?: OperationOptions): Promise<LibDiffResult> {
    return diffLibrary(await this.#open(), from, to, options);
  }

  /** Adds stored versions of a library to the layout in a directory, or begins one. */
  async layOutLibrary(name: string, directory: string, options?: LibLayoutOptions): Promise<LibLayoutResult> {
    return layOutVersions(name, await storedVersions(await this.#open(), name, options), directory, options);
  }

  /** Writes what is new in a stored version of a library as an object, and the earlier ones to link it to. */
  async deltaLibrary(
    name: string,
    chain: { readonly from: readonly string[]; readonly to: string },
    directory: string,
    options?: LibDeltaOptions,
  ): Promise<LibDeltaResult> {
    return deltaVersions(
      name,
      await storedVersions(await this.#open(), name, options),
      chain,
      directory,
      options,
    );
  }

  async close(): Promise<void> {
    const context = await this.#context?.catch(() => undefined);
    if (context !== undefined) await closeContext(context);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
