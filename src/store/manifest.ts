/** Refs to directories of ours, which a manifest describes: flavours of a program, versions of a library. */
import { concatBytes } from "../bytes/index.ts";
import { type Digest, sha256 } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import type { StoreContext } from "./context.ts";
import { cat } from "./get.ts";
import { resolve } from "./resolve.ts";
import type { AddInput } from "./types.ts";

/** What a directory of one sort has in it. */
export interface ManifestKind<T> {
  /** Of the file. */
  readonly name: string;
  readonly maxBytes: number;
  /** What directories without it don't hold, for messages: "flavours". */
  readonly holds: string;
  /** The command that stores such directories. */
  readonly storedBy: string;
  /** Whether parsed JSON is such a manifest, of a version that this release knows. */
  readonly is: (value: unknown) => value is T;
}

/** All bytes of a file in the repository. */
export async function readSpec(context: StoreContext, spec: string): Promise<Uint8Array> {
  return concatBytes(await Array.fromAsync(cat(context, spec)));
}

/** Where a file stands below what a spec names. */
export function below(spec: string, file: string): string {
  return spec.includes(":/") ? `${spec.replace(/\/+$/, "")}/${file}` : `${spec}:/${file}`;
}

/** Bytes in memory as something to add. */
export function fileToAdd(name: string, mode: number, bytes: Uint8Array): AddInput {
  return {
    name,
    mode,
    stream: (async function* () {
      yield bytes;
    })(),
  };
}

/** Errors: as `resolve`; `unsupported` for what isn't such a directory. */
export async function readManifest<T>(
  context: StoreContext,
  spec: string,
  { name, maxBytes, holds, storedBy, is }: ManifestKind<T>,
): Promise<T> {
  const refuse = (why: string) =>
    new TenonError("unsupported", `${spec} holds no ${holds}: ${why}; '${storedBy}' stores some`, {
      ref: spec,
    });
  const { target } = await resolve(context, spec);
  if (target.type !== "tree") throw refuse("it is no directory");
  const path = below(spec, name);
  const file = await resolve(context, path).catch((error: unknown) => {
    throw isTenonError(error, "not-found") ? refuse(`it has no ${name}`) : error;
  });
  if (file.target.type !== "file" || file.target.size > maxBytes) throw refuse(`its ${name} is no manifest`);
  const value = parseJson(Buffer.from(await readSpec(context, path)).toString("utf8"));
  if (!is(value)) throw refuse(`its ${name} is no manifest of this release`);
  return value;
}

/** A file beside the manifest that names it. Errors: `damaged` when it is another. */
export async function readListed(
  context: StoreContext,
  spec: string,
  { file, digest }: { readonly file: string; readonly digest: Digest },
  { name }: { readonly name: string },
): Promise<Uint8Array> {
  const path = below(spec, file);
  const bytes = await readSpec(context, path);
  if (sha256(bytes) === digest) return bytes;
  throw new TenonError("damaged", `${path} is not the file that ${name} names`, { ref: spec });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
