/**
 * The file `config`: what a repository is, written once at its beginning (docs/formats/config.md).
 *
 * Parameters that decide where content is cut live here and nowhere else, so that all writers of one repository
 * cut alike.
 */
import { randomBytes } from "node:crypto";
import type { Backend } from "../backend/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import { Fields, isTime, type JsonObject, type JsonValue, readBounded, seal, unseal } from "./sealed.ts";

export const CONFIG_NAME = "config";
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

/** Writes `config`; `exists` when there is one, of whatever content. */
export async function createConfig(backend: Backend, config: RepositoryConfig<JsonObject>): Promise<void> {
  const bytes = serializeConfig(config);
  parseConfig(bytes, (value) => value);
  if (await backend.createIfAbsent(CONFIG_NAME, bytes)) return;
  throw new TenonError("exists", `there is a repository already: ${backend.location}`, {
    path: backend.location,
  });
}

/** Reads `config`; `no-repository` when there is none. */
export async function readConfig<C>(
  backend: Backend,
  parseChunker: ChunkerParser<C>,
): Promise<RepositoryConfig<C>> {
  let bytes: Uint8Array;
  try {
    bytes = await readBounded(backend, { format: FORMAT, path: CONFIG_NAME, maxBytes: MAX_CONFIG_BYTES });
  } catch (error) {
    if (!isTenonError(error, "not-found")) throw error;
    throw new TenonError(
      "no-repository",
      `no repository at ${backend.location} (it has no file \`${CONFIG_NAME}\`)`,
      { path: backend.location },
      { cause: error },
    );
  }
  return parseConfig(bytes, parseChunker);
}
