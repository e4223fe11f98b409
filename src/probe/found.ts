/** What looking at a path finds, and reading JSON and reasons for all who look. */
import { sha256 } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import { type BlobPlace, RandomFile, readBlob } from "./blob.ts";
import type { ProbeProblem } from "./types.ts";

/** Something to measure. */
export interface Candidate {
  readonly name: string;
  readonly place: BlobPlace;
  readonly isLayer: boolean;
  /** What it must hash to, when it has a name that says so. */
  readonly digest?: string | undefined;
}

export interface Group {
  readonly name: string;
  readonly candidates: readonly Candidate[];
}

/** What was found below one path. */
export interface Found {
  readonly groups: readonly Group[];
  /** Configs, manifests and indexes: their sizes by digest or path. */
  readonly otherBlobs: ReadonlyMap<string, number>;
}

export type Report = (problem: ProbeProblem) => void;

/** Manifests of real images have some ten layers and a few KiB. */
export const MAX_JSON_BYTES = 4 << 20;
export function placeOf(path: Buffer): BlobPlace {
  using file = new RandomFile(path);
  return { path, offset: 0, sizeBytes: file.sizeBytes };
}

/** The fields of a JSON object; none for anything else. */
export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

/** Errors: `limit`, `invalid`, and `damaged` when the bytes don't have the digest. */
export function readJson(place: BlobPlace, what: string, digest?: string): Readonly<Record<string, unknown>> {
  if (place.sizeBytes > MAX_JSON_BYTES) {
    throw new TenonError("limit", `${what} has ${place.sizeBytes} bytes, at most ${MAX_JSON_BYTES} are read`);
  }
  const bytes = Buffer.concat([...readBlob(place, MAX_JSON_BYTES)].map((block) => block.slice()));
  if (digest !== undefined && sha256(bytes) !== digest) {
    throw new TenonError("damaged", `${what} doesn't have the SHA-256 that it is named by`);
  }
  try {
    return objectOf(JSON.parse(bytes.toString("utf8")));
  } catch (cause) {
    throw new TenonError("invalid", `${what} is not JSON`, { format: "OCI" }, { cause });
  }
}

/** Code and reason of a failure that concerns one blob; other failures go on. */
export function reasonOf(error: unknown): [ProbeProblem["code"], string] {
  if (!(error instanceof TenonError) || error.code === "interrupted") throw error;
  const known: readonly string[] = ["damaged", "invalid", "unsupported", "limit", "not-found", "partial"];
  return [(known.includes(error.code) ? error.code : "io") as ProbeProblem["code"], error.message];
}
