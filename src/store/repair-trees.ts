/** What is left of a tree of which some nodes or files are lost, as a new tree. */
import { displayPath, equalBytes } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import type { NodeStore } from "../prolly/index.ts";
import {
  leafItems,
  nodeReferences,
  summary,
  TreeBuilder,
  type TreeItem,
  type TreePath,
} from "../tree/index.ts";
import type { Root } from "./types.ts";

/** A directory whose own entry is lost gets these permissions. */
const FOUND_MODE = 0o755;
const SLASH = 0x2f;

export interface SalvagedTree {
  /** Undefined when nothing is left. */
  readonly root?: Root;
  /** Paths that are lost; of an unreadable node only its place is known. */
  readonly lost: readonly string[];
}

/** `lost` says which blobs can't be given back. Nodes are read from and written to `nodes`. */
export async function salvageTree(
  nodes: NodeStore,
  digest: Digest,
  lost: (blob: Digest) => boolean,
): Promise<SalvagedTree> {
  const gone: string[] = [];
  const target = new TargetTree(nodes);
  for await (const item of readable(nodes, digest)) {
    if (item === "gap") gone.push(`(an unreadable part after ${JSON.stringify(target.last)})`);
    else if (item.entry.type === "file" && lost(item.entry.digest)) gone.push(displayPath(item.path));
    else if (!(await target.add(item))) gone.push(displayPath(item.path));
  }
  if (target.entries === 0) return { lost: gone };
  return { root: await target.finish(), lost: gone };
}

/** All entries of nodes that can be read, in order, and a mark where a node can't. */
async function* readable(nodes: NodeStore, digest: Digest): AsyncGenerator<TreeItem | "gap"> {
  let items: TreeItem[];
  let children: readonly Digest[];
  try {
    const bytes = await nodes.get(digest);
    children = nodeReferences(bytes).nodes;
    items = leafItems(bytes);
  } catch (error) {
    if (!isTenonError(error) || !["damaged", "invalid", "not-found"].includes(error.code)) throw error;
    yield "gap";
    return;
  }
  yield* items;
  for (const child of children) yield* readable(nodes, child);
}

/** A tree in the making; directories that are missing around an entry are made up. */
class TargetTree {
  readonly #builder: TreeBuilder;
  /** Directories around the last entry, from the outside in, without the root. */
  #open: TreePath[] = [];
  entries = 0;
  last = "";

  constructor(nodes: NodeStore) {
    this.#builder = new TreeBuilder(nodes);
  }

  /** False when the entry can't be where it says: then no writer of ours made this tree. */
  async add({ path, entry }: TreeItem): Promise<boolean> {
    try {
      while (this.#open.length > 0 && !isInside(path, this.#open.at(-1)!)) this.#open.pop();
      for (
        let end = path.indexOf(SLASH, (this.#open.at(-1)?.length ?? -1) + 1);
        end > 0;
        end = path.indexOf(SLASH, end + 1)
      ) {
        await this.#put(path.subarray(0, end), { type: "directory", mode: FOUND_MODE });
      }
      await this.#put(path, entry);
      return true;
    } catch (error) {
      if (isTenonError(error, "usage") || isTenonError(error, "invalid")) return false;
      throw error;
    }
  }

  async #put(path: TreePath, entry: TreeItem["entry"]): Promise<void> {
    await this.#builder.add(path, entry);
    if (entry.type === "directory" && path.length > 0) this.#open.push(path);
    this.entries++;
    this.last = displayPath(path);
  }

  async finish(): Promise<Root> {
    const root = await this.#builder.finish();
    const { files, bytes } = summary(root);
    return { type: "tree", digest: root.digest, size: bytes, files };
  }
}

function isInside(path: TreePath, directory: TreePath): boolean {
  return path[directory.length] === SLASH && equalBytes(path.subarray(0, directory.length), directory);
}
