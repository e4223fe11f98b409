/** ls and log: what there is, what there was. */
import { displayPath } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import type { MergedEntry } from "../oci/index.ts";
import { formatRef, parseRefName, type RefName, type RefState as StoredState } from "../repository/index.ts";
import { list as listTree, openTree, type TreeEntry, type TreePath, walk } from "../tree/index.ts";
import { nodeReader } from "./blobs.ts";
import type { StoreContext } from "./context.ts";
import type { OperationOptions } from "./events.ts";
import type { ImageFile } from "./image.ts";
import { type ImageView, publicState, type ResolvedInImages, resolveInImages } from "./resolve.ts";
import type { ListEntry, RefState } from "./types.ts";

export type PathEntry = Exclude<ListEntry, { type: "ref" }>;

export function pathEntry(path: TreePath, entry: TreeEntry): PathEntry {
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

export function fileEntry({ target, name }: ResolvedInImages): PathEntry {
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
