/** get and cat: from the repository to the file system, or to a stream. */
import type { Digest } from "../digest/index.ts";
import { isTenonError, TenonError, throwIfAborted } from "../errors/index.ts";
import { type FileWriter, openRestorer, type RestoreOptions, restoreFile } from "../files/index.ts";
import { displayPath, openTree, walk } from "../tree/index.ts";
import { nodeReader, readBlob, readVerified } from "./blobs.ts";
import type { StoreContext } from "./context.ts";
import { resolve } from "./resolve.ts";
import type { CatOptions, GetOptions, GetResult } from "./types.ts";

class Progress {
  readonly #options: GetOptions;
  readonly #totals: { readonly totalBytes?: number; readonly totalItems?: number };
  bytes = 0;
  files = 0;
  problems = 0;

  constructor(options: GetOptions, totals: { readonly totalBytes?: number; readonly totalItems?: number }) {
    this.#options = options;
    this.#totals = totals;
  }

  tell(): void {
    const { bytes, files } = this;
    const event = { type: "progress", operation: "get", phase: "restoring" } as const;
    this.#options.onEvent?.({ ...event, doneBytes: bytes, doneItems: files, ...this.#totals });
  }

  problem(path: string, error: TenonError): void {
    this.problems++;
    const { code, message } = error;
    this.#options.onEvent?.({ type: "problem", operation: "get", code, message, path });
  }
}

/** Writes a blob and gives it its name only if its digest is right. */
async function fill(
  { atoms }: StoreContext,
  writer: FileWriter,
  digest: Digest,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    for await (const bytes of readBlob(atoms, digest)) {
      throwIfAborted(signal);
      await writer.write(bytes);
      progress.bytes += bytes.length;
      progress.tell();
    }
    await writer.commit();
    progress.files++;
    progress.tell();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

export async function get(context: StoreContext, spec: string, options: GetOptions = {}): Promise<GetResult> {
  const { target, root, name } = await resolve(context, spec);
  const output = options.output ?? name;
  const { signal, sparse, keepSetid } = options;
  const restore: RestoreOptions = {
    existing: options.overwrite === true ? "overwrite" : "error",
    sparse,
    keepSetid,
  };
  if (target.type === "symlink") {
    throw new TenonError("unsupported", `${spec} is a symbolic link; get the directory that it is in`, {
      path: spec,
    });
  }
  if (target.type === "file") {
    const progress = new Progress(options, { totalBytes: target.size, totalItems: 1 });
    const writer = await restoreFile(output, { ...restore, mode: target.mode ?? 0o644 });
    if (writer !== undefined) await fill(context, writer, target.digest, progress, signal);
    return { output, root, files: progress.files, bytes: progress.bytes, problems: 0 };
  }
  const whole = target.path.length === 0;
  const totals = whole ? { totalBytes: target.tree.size, totalItems: target.tree.files } : {};
  const progress = new Progress(options, totals);
  const nodes = nodeReader(context.atoms);
  const tree = await openTree(nodes, target.tree.digest);
  const restorer = await openRestorer(output, restore);
  try {
    for await (const { path, entry } of walk(nodes, tree, target.path)) {
      throwIfAborted(signal);
      const below = path.subarray(
        target.path.length === 0 ? 0 : Math.min(path.length, target.path.length + 1),
      );
      try {
        if (entry.type === "directory") await restorer.directory(below, { mode: entry.mode });
        else if (entry.type === "symlink") await restorer.symlink(below, { target: entry.target });
        else {
          const writer = await restorer.file(below, { mode: entry.mode });
          if (writer !== undefined) await fill(context, writer, entry.digest, progress, signal);
        }
      } catch (error) {
        // One damaged or obstructed entry does not keep back the others.
        if (!isTenonError(error) || !["damaged", "unsafe", "exists", "unsupported"].includes(error.code))
          throw error;
        progress.problem(displayPath(path), error);
      }
    }
    await restorer.finish();
  } catch (error) {
    await restorer.close();
    throw error;
  }
  return { output, root, files: progress.files, bytes: progress.bytes, problems: progress.problems };
}

/** The bytes of a file, or a part of them: each piece is checked before it is given. */
export async function* cat(
  context: StoreContext,
  spec: string,
  options: CatOptions = {},
): AsyncGenerator<Uint8Array> {
  const { target } = await resolve(context, spec);
  if (target.type !== "file") {
    throw new TenonError(
      "usage",
      `${spec} is a ${target.type === "tree" ? "directory" : "symbolic link"}, not a file`,
      {
        path: spec,
      },
    );
  }
  const { offset, length } = options;
  for (const [name, value] of Object.entries({ offset, length })) {
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0)) {
      throw new TenonError("usage", `${name} must be an integer from 0 on, not ${value}`);
    }
  }
  for await (const bytes of readVerified(context.atoms, target.digest, { offset, length })) {
    throwIfAborted(options.signal);
    yield bytes;
  }
}
