/** Reading blobs and tree nodes, each checked against its digest. */
import { type Digest, Hasher, sha256 } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import type { NodeStore } from "../prolly/index.ts";
import { type AtomReader, MAX_RECIPE_DEPTH } from "../repository/index.ts";
import { decodeBlob } from "../representation/index.ts";

export interface ReadRange {
  /** First byte; 0 when absent. */
  readonly offset?: number | undefined;
  /** Bytes; up to the end when absent. */
  readonly length?: number | undefined;
}

/** Names the blob in an error that came from below. */
function naming(digest: Digest, error: unknown): unknown {
  if (!isTenonError(error) || error.data.digest !== undefined || error.code === "interrupted") return error;
  const code = error.code === "invalid" ? "damaged" : error.code;
  return new TenonError(
    code,
    `blob ${digest}: ${error.message}`,
    { ...error.data, digest },
    { cause: error },
  );
}

/** Recipes may be rewritten this often while one blob is read. */
const MAX_RECIPES = 4;

/**
 * The blob's bytes from `from` on. When garbage collection takes away a segment that the recipe names, there is a
 * newer recipe, and reading goes on with that.
 */
async function* decodeFrom(
  atoms: AtomReader,
  digest: Digest,
  from: number,
  signal: AbortSignal | undefined,
  depth = 0,
): AsyncGenerator<Uint8Array> {
  if (depth > MAX_RECIPE_DEPTH) {
    throw new TenonError("damaged", "recipes refer to recipes too deeply", { digest });
  }
  const readPart = (part: Digest, offset: number) => decodeFrom(atoms, part, offset, signal, depth + 1);
  let { record, place } = await atoms.locate(digest);
  let at = from;
  for (let recipes = 1; at < record.size; recipes++) {
    try {
      for await (const bytes of decodeBlob(record, atoms, at, readPart, signal)) {
        at += bytes.length;
        if (at > record.size) throw new TenonError("damaged", "its recipe gives too many bytes", { digest });
        yield bytes;
      }
      if (at < record.size) throw new TenonError("damaged", "its recipe gives too few bytes", { digest });
    } catch (error) {
      if (!isTenonError(error, "damaged") || error.data.segment === undefined || recipes === MAX_RECIPES)
        throw error;
      const newer = await atoms.locate(digest);
      if (newer.place.segment === place.segment && newer.place.atom === place.atom) throw error;
      ({ record, place } = newer);
    }
  }
}

/**
 * All bytes of a blob. The generator ends only if the digest of everything matches: whoever renames at the end
 * never has wrong bytes, whoever uses pieces at once takes `readVerified`. The signal ends what is computed for it.
 */
export async function* readBlob(
  atoms: AtomReader,
  digest: Digest,
  signal?: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    const hasher = new Hasher();
    for await (const bytes of decodeFrom(atoms, digest, 0, signal)) {
      hasher.update(bytes);
      yield bytes;
    }
    if (hasher.digest() !== digest) {
      throw new TenonError(
        "damaged",
        "what its recipe gives has another digest; run tenon check --read-data",
        {
          digest,
        },
      );
    }
  } catch (error) {
    throw naming(digest, error);
  }
}

/** A part of a blob: every segment that it touches is checked against its name before any byte is given. */
export async function* readVerified(
  atoms: AtomReader,
  digest: Digest,
  { offset = 0, length = Number.POSITIVE_INFINITY }: ReadRange = {},
): AsyncGenerator<Uint8Array> {
  try {
    const verifying = atoms.verifying();
    const { size } = await verifying.needRecord(digest);
    let left = Math.max(0, Math.min(length, size - offset));
    if (left === 0) return;
    for await (const bytes of decodeFrom(verifying, digest, offset, undefined)) {
      const part = bytes.length > left ? bytes.subarray(0, left) : bytes;
      left -= part.length;
      yield part;
      if (left === 0) return;
    }
  } catch (error) {
    throw naming(digest, error);
  }
}

/** Tree nodes of a repository; `put` is refused. */
export function nodeReader(atoms: AtomReader): NodeStore {
  return {
    get: (digest) => readNode(atoms, digest),
    put: () => {
      throw new TenonError("usage", "this repository is open for reading");
    },
  };
}

export async function readNode(atoms: AtomReader, digest: Digest): Promise<Uint8Array> {
  try {
    const record = await atoms.needRecord(digest);
    if (record.inline === undefined) throw new TenonError("damaged", "not stored as a tree node", { digest });
    if (sha256(record.inline) !== digest)
      throw new TenonError("damaged", "the node's bytes were changed", { digest });
    return record.inline;
  } catch (error) {
    throw naming(digest, error);
  }
}
