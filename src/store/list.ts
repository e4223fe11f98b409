/** ls, log and diff: what there is, what there was, what differs. */
import { displayPath } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import type { MergedEntry } from "../oci/index.ts";
import { formatRef, parseRefName, type RefName, type RefState as StoredState } from "../repository/index.ts";
import { diffTrees, list as listTree, openTree, type TreeEntry, type TreePath, walk } from "../tree/index.ts";
import { nodeReader } from "./blobs.ts";
import type { StoreContext } from "./context.ts";
import type { OperationOptions } from "./events.ts";
import type { ImageFile } from "./image.ts";
import { type ImageView, publicState, type ResolvedInImages, resolveInImages } from "./resolve.ts";
import type { DiffEntry, ListEntry, RefState } from "./types.ts";

type PathEntry = Exclude<ListEntry, { type: "ref" }>;

function pathEntry(path: TreePath, entry: TreeEntry): PathEntry {
  const shown = displayPath(path);
  switch (entry.type) {
    case "file":
      return { type: "file", path: shown, mode: entry.mode, size: entry.size, digest: entry.digest };
    case "directory":
      return { type: "directory", path: shown, mode: entry.mode };
    case "symlink":
      return { type: "symlink", path: shown, mode: 0o777, target: displayPath(entry.target) };
  }
}

/** An entry of an image; undefined for devices and pipes, which trees don't have. */
function imageEntry(path: TreePath, entry: MergedEntry<ImageFile>): PathEntry | undefined {
  if (entry.type === "special") return undefined;
  if (entry.type !== "file") return pathEntry(path, entry);
  const { digest, size } = entry.content;
  return pathEntry(path, { type: "file", mode: entry.mode, size, digest });
}

function fileEntry({ target, name }: ResolvedInImages): PathEntry {
  if (target.type === "image-file") {
    const { digest, size } = target.file;
    return { type: "file", path: name, mode: target.mode, size, digest };
  }
  if (target.type === "file") {
    const { size, digest, mode = 0o644 } = target;
    return { type: "file", path: name, mode, size, digest };
  }
  if (target.type === "symlink")
    return { type: "symlink", path: name, mode: 0o777, target: displayPath(target.target) };
  throw new TenonError("usage", `${name} is a directory`);
}

/** Without a spec the refs, with one what it names: a directory's entries, everything below when recursive. */
export async function* list(
  context: StoreContext,
  spec: string | undefined,
  options: { readonly recursive?: boolean } & ImageView & OperationOptions = {},
): AsyncGenerator<ListEntry> {
  if (spec === undefined) {
    const { refs } = await context.refs.list();
    for (const entry of refs) {
      const ref = formatRef(entry.ref);
      if ("problem" in entry) {
        const { code, message } = entry.problem;
        options.onEvent?.({ type: "problem", operation: "ls", code, message, ref });
      } else if (entry.state.root !== null) yield { type: "ref", ref, state: publicState(entry.state) };
    }
    return;
  }
  const found = await resolveInImages(context, spec, { platform: options.platform });
  if (found.target.type === "image") {
    const { image, path: base } = found.target;
    for (const { path, entry } of image.walk(base, { recursive: options.recursive === true })) {
      const shown = imageEntry(path, entry);
      if (shown !== undefined) yield shown;
    }
    return;
  }
  if (found.target.type !== "tree") {
    yield fileEntry(found);
    return;
  }
  const { tree, path: base } = found.target;
  const nodes = nodeReader(context.atoms);
  const root = await openTree(nodes, tree.digest);
  const items = options.recursive === true ? walk(nodes, root, base) : listTree(nodes, root, base);
  for await (const { path, entry } of items) {
    if (path.length > base.length) yield pathEntry(path, entry);
  }
}

/** States of one ref, or of all, newest first. Damaged states are reported and passed over. */
export async function* log(
  context: StoreContext,
  spec: string | undefined,
  options: OperationOptions = {},
): AsyncGenerator<RefState> {
  const all: StoredState[] = [];
  const names: RefName[] =
    spec === undefined ? (await context.refs.list()).refs.map((entry) => entry.ref) : [parseRefName(spec)];
  for (const ref of names) {
    let found = false;
    for await (const entry of context.refs.history(ref)) {
      found = true;
      if ("problem" in entry) {
        const { code, message } = entry.problem;
        options.onEvent?.({ type: "problem", operation: "log", code, message, ref: formatRef(ref) });
      } else if (spec !== undefined) yield publicState(entry.state);
      else all.push(entry.state);
    }
    if (spec !== undefined && !found) {
      throw new TenonError("not-found", `there is no ref ${formatRef(ref)}; tenon ls shows the refs`, {
        ref: spec,
      });
    }
  }
  all.sort((a, b) => (a.when === b.when ? b.sequence - a.sequence : a.when < b.when ? 1 : -1));
  for (const state of all) yield publicState(state);
}

/** What differs between two trees or files; costs what differs, not what there is. */
export async function* diff(
  context: StoreContext,
  a: string,
  b: string,
  view: ImageView = {},
): AsyncGenerator<DiffEntry> {
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
    if (!same) yield { path: other.path, change: "changed", before: one, after: other };
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
  for await (const change of changes) yield diffEntry(change.path, change.before, change.after);
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

async function* entriesOf(
  context: StoreContext,
  target: DirectoryTarget,
): AsyncGenerator<{ readonly path: TreePath; readonly entry: TreeEntry }> {
  if (target.type === "tree") {
    const nodes = nodeReader(context.atoms);
    yield* walk(nodes, await openTree(nodes, target.tree.digest), target.path);
    return;
  }
  for (const { path, entry } of target.image.walk(target.path, { recursive: true })) {
    if (entry.type === "file") {
      const { digest, size } = entry.content;
      yield { path, entry: { type: "file", mode: entry.mode, size, digest } };
    } else if (entry.type !== "special") yield { path, entry };
  }
}

/** Two subdirectories, whose paths may differ: both are read, which costs their size. */
async function* diffBelow(
  context: StoreContext,
  left: DirectoryTarget,
  right: DirectoryTarget,
): AsyncGenerator<DiffEntry> {
  const read = async (target: DirectoryTarget) => {
    const { path: base } = target;
    const entries = new Map<string, { readonly path: TreePath; readonly entry: TreeEntry }>();
    for await (const { path, entry } of entriesOf(context, target)) {
      const below = path.subarray(base.length === 0 ? 0 : Math.min(path.length, base.length + 1));
      entries.set(Buffer.from(below).toString("latin1"), { path: below, entry });
    }
    return entries;
  };
  const [one, other] = [await read(left), await read(right)];
  for (const key of [...new Set([...one.keys(), ...other.keys()])].sort()) {
    const before = one.get(key);
    const after = other.get(key);
    if (JSON.stringify(shape(before?.entry)) === JSON.stringify(shape(after?.entry))) continue;
    yield diffEntry((after ?? before)!.path, before?.entry, after?.entry);
  }
}

function shape(entry: TreeEntry | undefined): unknown {
  return entry?.type === "symlink" ? { ...entry, target: displayPath(entry.target) } : entry;
}
