/** get and cat: from the repository to the file system, or to a stream. */
import { displayPath, utf8 } from "../bytes/index.ts";
import { type Digest, Hasher } from "../digest/index.ts";
import { isTenonError, TenonError, throwIfAborted } from "../errors/index.ts";
import { type FileWriter, openRestorer, type RestoreOptions, restoreFile } from "../files/index.ts";
import { type BlobSize, readingAhead } from "../representation/index.ts";
import { openTree, type TreeItem, walk } from "../tree/index.ts";
import { nodeReader, readBlob, readVerified } from "./blobs.ts";
import type { StoreContext } from "./context.ts";
import { type ImageFile, isImage, readImageFile } from "./image.ts";
import { type ImageView, type Resolved, type ResolvedInImages, resolve, resolveInImages } from "./resolve.ts";
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
  await fillWith(readBlob(atoms, digest, signal), writer, progress, signal);
}

/** A file of an image, compared with its digest at the end; that of one with holes is its data's, not the file's. */
async function* readWholeImageFile(
  { atoms }: StoreContext,
  file: ImageFile,
  hasher: Hasher,
): AsyncGenerator<Uint8Array> {
  for await (const bytes of readImageFile(atoms, file)) {
    hasher.update(bytes);
    yield bytes;
  }
  if (file.holes !== undefined) return;
  const { digest } = file;
  if (hasher.digest() !== digest)
    throw new TenonError("damaged", "a file of the image has another digest", { digest });
}

/** The layout of an image, whose blobs must be named by their digests. */
async function resolveLayout(context: StoreContext, spec: string): Promise<Resolved> {
  const found = await resolve(context, spec);
  const nodes = nodeReader(context.atoms);
  const tree =
    found.target.type === "tree" && found.target.path.length === 0
      ? await openTree(nodes, found.root.digest)
      : undefined;
  if (tree === undefined || !(await isImage(context.atoms, tree))) {
    throw new TenonError("usage", `${spec} is no image: get it without oci:`);
  }
  for await (const { path, entry } of walk(nodes, tree, utf8("blobs/sha256"))) {
    const name = displayPath(path).slice("blobs/sha256/".length);
    if (entry.type === "file" && entry.digest !== name) {
      throw new TenonError("damaged", `${spec}: blob ${name} has digest ${entry.digest}`, {
        digest: entry.digest,
      });
    }
  }
  return found;
}

/** A whole image is got as it is stored; a path leads into its file system. */
async function resolveForGet(
  context: StoreContext,
  spec: string,
  view: ImageView,
): Promise<ResolvedInImages> {
  const found = await resolveInImages(context, spec, view);
  return found.target.type === "image" && found.target.path.length === 0 ? resolve(context, spec) : found;
}

async function fillWith(
  content: AsyncIterable<Uint8Array>,
  writer: FileWriter,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    for await (const bytes of content) {
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

/** The blob of an entry of a tree, if it has one. */
function blobOf({ entry }: TreeItem): BlobSize | undefined {
  return entry.type === "file" ? entry : undefined;
}

export async function get(context: StoreContext, spec: string, options: GetOptions = {}): Promise<GetResult> {
  const { target, root, name } =
    options.layout === true
      ? await resolveLayout(context, spec)
      : await resolveForGet(context, spec, { platform: options.platform });
  const output = options.output ?? name;
  const { signal, sparse, keepSetid } = options;
  const restore: RestoreOptions = {
    existing: options.overwrite === true ? "overwrite" : "error",
    sparse,
    keepSetid,
  };
  if (target.type === "symlink") {
    const text = `${spec} is a symbolic link to ${displayPath(target.target)}; get that, or the directory that it is in`;
    throw new TenonError("unsupported", text, {
      path: spec,
    });
  }
  if (target.type === "image") {
    throw new TenonError(
      "unsupported",
      `${spec} is a directory of an image; get the whole image, or single files`,
      {
        path: spec,
      },
    );
  }
  if (target.type === "image-file") {
    const { file, mode } = target;
    const progress = new Progress(options, { totalBytes: file.size, totalItems: 1 });
    const writer = await restoreFile(output, { ...restore, mode });
    const hasher = new Hasher();
    if (writer !== undefined)
      await fillWith(readWholeImageFile(context, file, hasher), writer, progress, signal);
    const digest = writer === undefined || file.holes === undefined ? file.digest : hasher.digest();
    return { output, root, digest, files: progress.files, bytes: progress.bytes, problems: 0 };
  }
  if (target.type === "file") {
    const progress = new Progress(options, { totalBytes: target.size, totalItems: 1 });
    const writer = await restoreFile(output, { ...restore, mode: target.mode ?? 0o644 });
    if (writer !== undefined) await fill(context, writer, target.digest, progress, signal);
    return { output, root, digest: target.digest, files: progress.files, bytes: progress.bytes, problems: 0 };
  }
  const whole = target.path.length === 0;
  const totals = whole ? { totalBytes: target.tree.size, totalItems: target.tree.files } : {};
  const progress = new Progress(options, totals);
  const nodes = nodeReader(context.atoms);
  const tree = await openTree(nodes, target.tree.digest);
  const restorer = await openRestorer(output, restore);
  try {
    const entries = walk(nodes, tree, target.path);
    for await (const { path, entry } of readingAhead(entries, blobOf, context.atoms, signal)) {
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
  const { target } = await resolveInImages(context, spec, { platform: options.platform });
  if (target.type !== "file" && target.type !== "image-file") {
    const what = target.type === "symlink" ? `symbolic link to ${displayPath(target.target)}` : "directory";
    throw new TenonError("usage", `${spec} is a ${what}, not a file`, { path: spec });
  }
  const { offset, length } = options;
  for (const [name, value] of Object.entries({ offset, length })) {
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0)) {
      throw new TenonError("usage", `${name} must be an integer from 0 on, not ${value}`);
    }
  }
  const content =
    target.type === "file"
      ? readVerified(context.atoms, target.digest, { offset, length })
      : readImageFile(context.atoms, target.file, { offset, length });
  for await (const bytes of content) {
    throwIfAborted(options.signal);
    yield bytes;
  }
}
