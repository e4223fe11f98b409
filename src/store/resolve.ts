/** From what people write (`name:tag@3:/path`, a digest's beginning) to what it names. */
import type { Digest } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import {
  formatRef,
  Kind,
  parseSpec,
  type RefName,
  type RefReading,
  type RefState as StoredState,
} from "../repository/index.ts";
import { lookup, openTree, parsePath, summary, type TreePath } from "../tree/index.ts";
import { nodeReader } from "./blobs.ts";
import type { StoreContext } from "./context.ts";
import { type ImageFile, isImage, openImage, type StoredImage } from "./image.ts";
import type { RefState, Root } from "./types.ts";

export interface Resolved {
  /** What the whole spec names: with a path, what stands there. */
  readonly target:
    | { readonly type: "file"; readonly digest: Digest; readonly size: number; readonly mode?: number }
    | { readonly type: "tree"; readonly tree: Root; readonly path: TreePath }
    | { readonly type: "symlink"; readonly target: Uint8Array };
  /** The root that the spec's ref or digest names, before the path. */
  readonly root: Root;
  readonly ref?: RefName;
  /** Last component of the path, else the ref's name, else the digest: a file name for the result. */
  readonly name: string;
}

/** The same when images were looked into: the file system of one, and a directory or file in it. */
export interface ResolvedInImages extends Omit<Resolved, "target"> {
  readonly target:
    | Resolved["target"]
    | { readonly type: "image"; readonly image: StoredImage; readonly path: TreePath }
    | { readonly type: "image-file"; readonly file: ImageFile; readonly mode: number };
}

export function publicState({ ref, sequence, root, when, who, what }: StoredState): RefState {
  return { ref, sequence, ...(root !== null && { root }), when, who, what };
}

/** How an image's own files are looked at, instead of the layout that it is stored as. */
export interface ImageView {
  /** `os/architecture[/variant]`. */
  readonly platform?: string | undefined;
}

/** Resolves a spec and, with a view, looks into an image. Errors: as `resolve`. */
export async function resolveInImages(
  context: StoreContext,
  text: string,
  { platform }: ImageView = {},
): Promise<ResolvedInImages> {
  const spec = parseSpec(text);
  const path = spec.ref?.path ?? spec.digest?.path;
  const trimmed = path?.replace(/^\/+|\/+$/g, "") ?? "";
  const whole = trimmed === "" ? text : text.slice(0, text.length - path!.length).replace(/:\/*$/, "");
  const found = await resolve(context, whole);
  if (found.target.type === "tree" && found.target.path.length === 0) {
    const tree = await openTree(nodeReader(context.atoms), found.root.digest);
    if (await isImage(context.atoms, tree)) {
      const image = await openImage(context.atoms, tree, platform);
      const at = parsePath(trimmed);
      const entry = image.lookup(at);
      const name = trimmed === "" ? found.name : trimmed.slice(trimmed.lastIndexOf("/") + 1);
      if (entry?.type === "directory") return { ...found, name, target: { type: "image", image, path: at } };
      if (entry?.type === "symlink") return { ...found, name, target: entry };
      if (entry?.type === "file") {
        return { ...found, name, target: { type: "image-file", file: entry.content, mode: entry.mode } };
      }
      if (entry !== undefined)
        throw new TenonError("unsupported", `${text} is a device or pipe`, { path: trimmed });
    } else if (platform !== undefined)
      throw new TenonError("usage", `${whole} is no image, so it has no platforms`);
  }
  return whole === text ? found : resolve(context, text);
}

/** Resolves a spec. Errors: `usage`, `not-found`, `ambiguous`, `damaged`. */
export async function resolve(context: StoreContext, text: string): Promise<Resolved> {
  const spec = parseSpec(text);
  if (spec.ref !== undefined) {
    const state = await readRef(context, spec.ref);
    if (state !== undefined) {
      if (state.root === null) {
        throw new TenonError(
          "not-found",
          `${state.ref} was removed; tenon log ${state.ref} shows earlier states`,
          {
            ref: state.ref,
          },
        );
      }
      const { ref, path } = spec.ref;
      return at(context, state.root, path, { ref, name: ref.name.slice(ref.name.lastIndexOf("/") + 1) });
    }
  }
  if (spec.digest !== undefined) {
    const digest = await resolveDigest(context, spec.digest.digestPrefix);
    if (digest !== undefined) {
      return at(context, await rootOf(context, digest), spec.digest.path, { name: digest });
    }
  }
  throw new TenonError("not-found", `nothing is named ${JSON.stringify(text)}; tenon ls shows the refs`, {
    ref: text,
  });
}

/** The state that a reading names; undefined when there is no such ref. */
async function readRef({ refs }: StoreContext, reading: RefReading): Promise<StoredState | undefined> {
  const { ref, sequence, back } = reading;
  const newest = await refs.read(ref).catch((error: unknown) => {
    // An earlier state can be asked for although the newest is damaged.
    if (sequence !== undefined && isTenonError(error, "damaged")) return null;
    throw error;
  });
  if (newest === undefined) return undefined;
  if (sequence !== undefined) return refs.readState(ref, sequence);
  if (back === undefined || back === 0) return newest!;
  const wanted = newest!.sequence - back;
  if (wanted < 1) {
    throw new TenonError(
      "not-found",
      `${formatRef(ref)} has no state ${back} before its newest, which is ${newest!.sequence}`,
    );
  }
  return refs.readState(ref, wanted);
}

async function resolveDigest({ atoms }: StoreContext, prefix: string): Promise<Digest | undefined> {
  const found = await atoms.resolvePrefix(prefix, 17);
  if (found.length > 1) {
    const shown = found.slice(0, 16).join(", ");
    throw new TenonError(
      "ambiguous",
      `${found.length > 16 ? "more than 16" : found.length} blobs begin with ${prefix}: ${shown}`,
      {
        digest: prefix,
      },
    );
  }
  return found[0];
}

/** What a blob is as a root: a tree when it is stored as a tree's node, else a file. */
export async function rootOf({ atoms }: StoreContext, digest: Digest): Promise<Root> {
  const { record, place } = await atoms.locate(digest);
  const { kind } = await atoms.place(place.segment);
  if (kind !== Kind.node) return { type: "file", digest, size: record.size, files: 1 };
  const { files, bytes } = summary(await openTree(nodeReader(atoms), digest));
  return { type: "tree", digest, size: bytes, files };
}

async function at(
  context: StoreContext,
  root: Root,
  pathText: string | undefined,
  { ref, name }: { readonly ref?: RefName; readonly name: string },
): Promise<Resolved> {
  const base = { root, ...(ref && { ref }) };
  const trimmed = pathText?.replace(/^\/+|\/+$/g, "") ?? "";
  if (root.type === "file") {
    if (trimmed !== "") {
      throw new TenonError("not-found", `${name} is a file and has no ${JSON.stringify(pathText)}`, {
        path: trimmed,
      });
    }
    const { digest, size, mode } = root;
    return { ...base, name, target: { type: "file", digest, size, ...(mode !== undefined && { mode }) } };
  }
  const path = parsePath(trimmed);
  if (path.length === 0) return { ...base, name, target: { type: "tree", tree: root, path } };
  const nodes = nodeReader(context.atoms);
  const entry = await lookup(nodes, await openTree(nodes, root.digest), path);
  if (entry === undefined) {
    throw new TenonError("not-found", `${name} has no ${JSON.stringify(pathText)}`, { path: trimmed });
  }
  const leaf = trimmed.slice(trimmed.lastIndexOf("/") + 1);
  if (entry.type === "directory") return { ...base, name: leaf, target: { type: "tree", tree: root, path } };
  return { ...base, name: leaf, target: entry };
}
