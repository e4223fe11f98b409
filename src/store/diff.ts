/** diff: which entries differ, and within executables, which functions. */
import { displayPath } from "../bytes/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import { diffTrees, openTree, type TreeEntry, type TreePath, walk } from "../tree/index.ts";
import { nodeReader, readBlob } from "./blobs.ts";
import type { StoreContext } from "./context.ts";
import { functionReport } from "./diff-functions.ts";
import type { OperationOptions } from "./events.ts";
import { readImageFile } from "./image.ts";
import { fileEntry, pathEntry } from "./list.ts";
import { type ImageView, type ResolvedInImages, resolveInImages } from "./resolve.ts";
import type { DiffEntry } from "./types.ts";

export interface DiffOptions extends ImageView, OperationOptions {
  /** Whether changed executables are compared: function by function, or not at all, which reads no file. */
  readonly functions?: boolean;
}

type Read = (() => AsyncIterable<Uint8Array>) | undefined;

/** A difference, and how the files that differ are read. */
interface Found {
  readonly entry: DiffEntry;
  readonly before?: Read;
  readonly after?: Read;
}

/**
 * What differs between two trees or files. Without `functions` it costs what differs of the trees; with it, changed
 * executables are read and taken apart. Errors: as `resolve`; `usage` for a file and a directory.
 */
export async function* diff(
  context: StoreContext,
  a: string,
  b: string,
  options: DiffOptions = {},
): AsyncGenerator<DiffEntry> {
  for await (const { entry, before, after } of findDifferences(context, a, b, options)) {
    throwIfAborted(options.signal);
    const isReadable = options.functions === true && before !== undefined && after !== undefined;
    const [one, other] = [entry.before, entry.after];
    const isContent = one?.type === "file" && other?.type === "file" && one.digest !== other.digest;
    const functions =
      isReadable && isContent
        ? await functionReport(
            { read: before, size: one.size ?? 0 },
            { read: after, size: other.size ?? 0 },
            options.signal,
          )
        : undefined;
    yield { ...entry, ...(functions && { functions }) };
  }
}

async function* findDifferences(
  context: StoreContext,
  a: string,
  b: string,
  view: ImageView,
): AsyncGenerator<Found> {
  const [before, after] = [await resolveInImages(context, a, view), await resolveInImages(context, b, view)];
  if (
    isDirectory(before) &&
    isDirectory(after) &&
    (before.target.type === "image" || after.target.type === "image")
  ) {
    yield* diffBelow(context, before.target, after.target);
    return;
  }
  if (before.target.type !== "tree" || after.target.type !== "tree") {
    if (isDirectory(before) || isDirectory(after)) {
      throw new TenonError("usage", "a file and a directory can't be compared");
    }
    const [one, other] = [fileEntry(before), fileEntry(after)];
    const same =
      one.type === other.type &&
      one.digest === other.digest &&
      one.target === other.target &&
      one.mode === other.mode;
    if (same) return;
    yield {
      entry: { path: other.path, change: "changed", before: one, after: other },
      before: readResolved(context, before),
      after: readResolved(context, after),
    };
    return;
  }
  const nodes = nodeReader(context.atoms);
  const [left, right] = [before.target, after.target];
  const wholes = left.path.length === 0 && right.path.length === 0;
  if (!wholes) {
    yield* diffBelow(context, left, right);
    return;
  }
  const changes = diffTrees(
    nodes,
    await openTree(nodes, left.tree.digest),
    await openTree(nodes, right.tree.digest),
  );
  for await (const { path, before: one, after: other } of changes) {
    yield {
      entry: diffEntry(path, one, other),
      before: readEntry(context, one),
      after: readEntry(context, other),
    };
  }
}

function readEntry({ atoms }: StoreContext, entry: TreeEntry | undefined): Read {
  return entry?.type === "file" ? () => readBlob(atoms, entry.digest) : undefined;
}

function readResolved({ atoms }: StoreContext, { target }: ResolvedInImages): Read {
  if (target.type === "file") return () => readBlob(atoms, target.digest);
  return target.type === "image-file" ? () => readImageFile(atoms, target.file) : undefined;
}

function diffEntry(path: TreePath, before: TreeEntry | undefined, after: TreeEntry | undefined): DiffEntry {
  return {
    path: displayPath(path),
    change: before === undefined ? "added" : after === undefined ? "removed" : "changed",
    ...(before && { before: pathEntry(path, before) }),
    ...(after && { after: pathEntry(path, after) }),
  };
}

type DirectoryTarget = Extract<ResolvedInImages["target"], { type: "tree" | "image" }>;

function isDirectory(
  found: ResolvedInImages,
): found is ResolvedInImages & { readonly target: DirectoryTarget } {
  return found.target.type === "tree" || found.target.type === "image";
}

interface Listed {
  readonly path: TreePath;
  readonly entry: TreeEntry;
  readonly read: Read;
}

async function* entriesOf(context: StoreContext, target: DirectoryTarget): AsyncGenerator<Listed> {
  if (target.type === "tree") {
    const nodes = nodeReader(context.atoms);
    for await (const { path, entry } of walk(nodes, await openTree(nodes, target.tree.digest), target.path)) {
      yield { path, entry, read: readEntry(context, entry) };
    }
    return;
  }
  for (const { path, entry } of target.image.walk(target.path, { recursive: true })) {
    if (entry.type === "file") {
      const { content, mode } = entry;
      const { digest, size } = content;
      const read = () => readImageFile(context.atoms, content);
      yield { path, entry: { type: "file", mode, size, digest }, read };
    } else if (entry.type !== "special") yield { path, entry, read: undefined };
  }
}

/** Two subdirectories, whose paths may differ: both are listed, which costs their number of entries. */
async function* diffBelow(
  context: StoreContext,
  left: DirectoryTarget,
  right: DirectoryTarget,
): AsyncGenerator<Found> {
  const list = async (target: DirectoryTarget) => {
    const { path: base } = target;
    const entries = new Map<string, Listed>();
    for await (const { path, entry, read } of entriesOf(context, target)) {
      const below = path.subarray(base.length === 0 ? 0 : Math.min(path.length, base.length + 1));
      entries.set(Buffer.from(below).toString("latin1"), { path: below, entry, read });
    }
    return entries;
  };
  const [one, other] = [await list(left), await list(right)];
  for (const key of [...new Set([...one.keys(), ...other.keys()])].sort()) {
    const before = one.get(key);
    const after = other.get(key);
    if (JSON.stringify(shape(before?.entry)) === JSON.stringify(shape(after?.entry))) continue;
    const entry = diffEntry((after ?? before)!.path, before?.entry, after?.entry);
    yield { entry, before: before?.read, after: after?.read };
  }
}

function shape(entry: TreeEntry | undefined): unknown {
  return entry?.type === "symlink" ? { ...entry, target: displayPath(entry.target) } : entry;
}
