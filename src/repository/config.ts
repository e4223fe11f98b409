/**
 * The file `config`: what a repository is, written once at its beginning (docs/formats/config.md).
 *
 * Parameters that decide where content is cut live here and nowhere else, so that all writers of one repository
 * cut alike. Nothing else says what is in it, so `config.copy` has the same bytes.
 */
import { randomBytes } from "node:crypto";
import type { Backend } from "../backend/index.ts";
import { equalBytes } from "../bytes/index.ts";
import { type ErrorCode, isTenonError, TenonError } from "../errors/index.ts";
import { Fields, isTime, type JsonObject, type JsonValue, readBounded, seal, unseal } from "./sealed.ts";

export const CONFIG_NAME = "config";
/** Written behind `config`, which alone decides who has made the repository. */
export const CONFIG_COPY_NAME = "config.copy";
const FORMAT = "config";
/** A config has some 400 bytes; the bound is there for a foreign file of this name. */
const MAX_CONFIG_BYTES = 64 * 1024;
const LEVEL_NAME = /^[a-z][a-z0-9-]*$/;

/** What a repository is. `C`: the chunker's parameters, as the caller's own function reads them. */
export interface RepositoryConfig<C> {
  readonly format: 1;
  /** 32 hexadecimal digits, random. */
  readonly id: string;
  /** When it was made, as `Date.toISOString` writes it. */
  readonly created: string;
  readonly chunker: C;
  /** Name of the level at which packs are compressed when nothing else is asked for. */
  readonly compression: string;
}

/** Reads the chunker's parameters; throws when they are none. */
export type ChunkerParser<C> = (value: JsonValue) => C;

export function newRepositoryId(): string {
  return randomBytes(16).toString("hex");
}

/** The bytes of `config`. */
export function serializeConfig(config: RepositoryConfig<JsonObject>): Uint8Array {
  const { id, created, chunker, compression } = config;
  if (!isTime(created) || !LEVEL_NAME.test(compression)) {
    throw new TenonError("usage", `no config can hold time ${created}, compression ${compression}`);
  }
  return seal({ format: 1, id, created, chunker, compression });
}

/** What the bytes of `config` say; `damaged`, `invalid` or `unsupported` otherwise. */
export function parseConfig<C>(bytes: Uint8Array, parseChunker: ChunkerParser<C>): RepositoryConfig<C> {
  const fields = new Fields(unseal(bytes, { format: FORMAT, path: CONFIG_NAME }), FORMAT);
  fields.version(CONFIG_NAME);
  const config = {
    format: 1,
    id: fields.text("id", { maxLength: 32, pattern: /^[0-9a-f]{32}$/ }),
    created: fields.time("created"),
    chunker: parseChunker(fields.any("chunker")),
    compression: fields.text("compression", { maxLength: 32, pattern: LEVEL_NAME }),
  } as const;
  fields.end();
  return config;
}

/** Writes `config` and its copy; `exists` when there is one of them, of whatever content. */
export async function createConfig(backend: Backend, config: RepositoryConfig<JsonObject>): Promise<void> {
  const bytes = serializeConfig(config);
  parseConfig(bytes, (value) => value);
  // A copy alone is what is left of a repository that lost its config.
  if ((await backend.stat(CONFIG_COPY_NAME)) === undefined) {
    if (await backend.createIfAbsent(CONFIG_NAME, bytes)) {
      await backend.createIfAbsent(CONFIG_COPY_NAME, bytes);
      return;
    }
  }
  throw new TenonError("exists", `there is a repository already: ${backend.location}`, {
    path: backend.location,
  });
}

/**
 * Reads `config`; `no-repository` when there is none and no copy either. Where it can't be read, the error says whether
 * the copy can help.
 */
export async function readConfig<C>(
  backend: Backend,
  parseChunker: ChunkerParser<C>,
): Promise<RepositoryConfig<C>> {
  const { bytes, problem } = await readSealed(backend, CONFIG_NAME);
  if (problem === undefined) return parseConfig(bytes, parseChunker);
  const copy = await readSealed(backend, CONFIG_COPY_NAME);
  if (isTenonError(problem, "not-found") && isTenonError(copy.problem, "not-found")) {
    throw new TenonError(
      "no-repository",
      `no repository at ${backend.location} (it has no file \`${CONFIG_NAME}\`)`,
      { path: backend.location },
      { cause: problem },
    );
  }
  const text =
    copy.problem === undefined
      ? `${problem.message}; 'tenon repair' makes it again from ${CONFIG_COPY_NAME}`
      : beyondRepair(problem, copy.problem);
  throw new TenonError("damaged", text, { ...problem.data, format: FORMAT }, { cause: problem });
}

function beyondRepair(problem: TenonError, copyProblem: TenonError): string {
  return `${problem.message}; nor can ${CONFIG_COPY_NAME} be read: ${copyProblem.message}; content is not touched by this: make an empty repository elsewhere, with the same --chunk-mean if one was given, and copy its ${CONFIG_NAME} here`;
}

/** Which of the two files `repairConfig` has written. */
export type ConfigRepair = typeof CONFIG_NAME | typeof CONFIG_COPY_NAME | undefined;

/**
 * Writes `config` from its copy when it can't be read, and the copy from `config` when it can't be read or is another.
 * Errors: `no-repository`, `damaged` when neither can be read, `unsupported` for a newer format of either.
 */
export async function repairConfig(backend: Backend): Promise<ConfigRepair> {
  const config = await readSealed(backend, CONFIG_NAME);
  const copy = await readSealed(backend, CONFIG_COPY_NAME);
  if (config.problem === undefined) {
    if (copy.problem === undefined && equalBytes(config.bytes, copy.bytes)) return undefined;
    await backend.replace(CONFIG_COPY_NAME, config.bytes);
    return CONFIG_COPY_NAME;
  }
  if (copy.problem !== undefined) {
    await readConfig(backend, (value) => value);
    return undefined;
  }
  await backend.replace(CONFIG_NAME, copy.bytes);
  return CONFIG_NAME;
}

/** Errors: `damaged`, `invalid`, `limit` for a copy that can't be read or is another; `not-found`. */
export async function checkConfigCopy(backend: Backend): Promise<void> {
  const copy = await readSealed(backend, CONFIG_COPY_NAME);
  if (copy.problem !== undefined) throw copy.problem;
  const config = await readSealed(backend, CONFIG_NAME);
  // One that can't be read is told of by whoever reads it.
  if (config.problem !== undefined || equalBytes(config.bytes, copy.bytes)) return;
  const path = CONFIG_COPY_NAME;
  throw new TenonError("damaged", `${path} says something else than ${CONFIG_NAME}`, {
    path,
    format: FORMAT,
  });
}

/** Errors of a file that will never be read; a newer format may be, and a disk that fails now may not fail tomorrow. */
const UNREADABLE: readonly ErrorCode[] = ["not-found", "damaged", "invalid", "limit"];

type Sealed =
  | { readonly bytes: Uint8Array; readonly problem?: undefined }
  | { readonly bytes?: undefined; readonly problem: TenonError };

/** The bytes of a config that is whole, or why there is none. Other errors are thrown. */
async function readSealed(backend: Backend, path: string): Promise<Sealed> {
  try {
    const bytes = await readBounded(backend, { format: FORMAT, path, maxBytes: MAX_CONFIG_BYTES });
    parseConfig(bytes, (value) => value);
    return { bytes };
  } catch (error) {
    if (!isTenonError(error) || !UNREADABLE.includes(error.code)) throw error;
    return { problem: error };
  }
}
