/**
 * The file system that layers add up to (OCI image specification, "layer.md"): each layer over those before it,
 * `.wh.NAME` hiding NAME, `.wh..wh..opq` all that lower layers have in a directory.
 */
import { compareBytes } from "../bytes/index.ts";

/** One member of a layer. `Content` says where a file's bytes are. */
export interface LayerEntry<Content> {
  readonly path: Uint8Array;
  readonly target: Uint8Array;
  readonly mode: number;
  /** As tar has it. */
  readonly typeflag: string;
  readonly content: Content | undefined;
}

export type MergedEntry<Content> =
  | { readonly type: "file"; readonly mode: number; readonly content: Content }
  | { readonly type: "directory"; readonly mode: number }
  | { readonly type: "symlink"; readonly target: Uint8Array }
  /** Devices and pipes: they have a name and nothing to read. */
  | { readonly type: "special"; readonly mode: number };

interface Node<Content> {
  entry: MergedEntry<Content>;
  /** Of a directory; names are latin1, one character for each byte. */
  readonly children: Map<string, Node<Content>>;
}

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
const DIRECTORY_MODE = 0o755;
const MAX_COMPONENTS = 4096;
/** As many links as Linux follows in one path. */
const MAX_LINKS = 40;

/** Components of a member's path; undefined when it would lead out of the image. */
function componentsOf(path: Uint8Array): string[] | undefined {
  const parts = Buffer.from(path)
    .toString("latin1")
    .split("/")
    .filter((part) => part !== "" && part !== ".");
  return parts.length > MAX_COMPONENTS || parts.some((part) => part === ".." || part.includes("\0"))
    ? undefined
    : parts;
}

export class MergedImage<Content> {
  readonly #root: Node<Content> = directory();
  /** Members that were left out: paths with `..`, links to nothing. */
  leftOut = 0;

  /** Puts a layer over those before it. */
  add(entries: readonly LayerEntry<Content>[]): void {
    // What a layer hides is what lower layers have, wherever in the layer the whiteout stands.
    for (const { path } of entries) {
      const parts = componentsOf(path);
      const name = parts?.at(-1);
      if (parts === undefined || !name?.startsWith(WHITEOUT)) continue;
      const parent = this.#find(parts.slice(0, -1));
      if (parent === undefined) continue;
      if (name === OPAQUE) parent.children.clear();
      else parent.children.delete(name.slice(WHITEOUT.length));
    }
    for (const entry of entries) this.#put(entry);
  }

  #put({ path, target, mode, typeflag, content }: LayerEntry<Content>): void {
    const parts = componentsOf(path);
    if (parts === undefined) {
      this.leftOut++;
      return;
    }
    const name = parts.at(-1);
    if (name === undefined) {
      if (typeflag === "5") this.#root.entry = { type: "directory", mode };
      return;
    }
    if (name.startsWith(WHITEOUT)) return;
    let merged: MergedEntry<Content>;
    if (typeflag === "5") merged = { type: "directory", mode };
    else if (typeflag === "2") merged = { type: "symlink", target };
    else if (typeflag === "1") {
      const linked = this.#find(componentsOf(target) ?? [".."])?.entry;
      if (linked === undefined || linked.type === "directory") {
        this.leftOut++;
        return;
      }
      merged = linked;
    } else if (content !== undefined) merged = { type: "file", mode, content };
    else merged = { type: "special", mode };
    const parent = this.#parentOf(parts);
    if (parent === undefined) {
      this.leftOut++;
      return;
    }
    const present = parent.children.get(name);
    if (present !== undefined && merged.type === "directory" && present.entry.type === "directory")
      present.entry = merged;
    else parent.children.set(name, { entry: merged, children: new Map() });
  }

  /** The directory in which the last component stands, made where it is missing, links on the way followed. */
  #parentOf(parts: readonly string[]): Node<Content> | undefined {
    let node = this.#root;
    for (const [i, part] of parts.slice(0, -1).entries()) {
      const next: Node<Content> | undefined = node.children.get(part);
      if (next?.entry.type === "directory") node = next;
      else {
        const through = next?.entry.type === "symlink" ? this.#find(parts.slice(0, i + 1), true) : undefined;
        if (through?.entry.type === "directory") node = through;
        else {
          const made = directory<Content>();
          node.children.set(part, made);
          node = made;
        }
      }
    }
    return node;
  }

  /** Links within the path are followed inside of the image; the last one only when it is asked for. */
  #find(parts: readonly string[], followLast = false): Node<Content> | undefined {
    let open = [...parts];
    let trail: Node<Content>[] = [this.#root];
    for (let links = 0; open.length > 0; ) {
      const part = open.shift()!;
      if (part === "" || part === ".") continue;
      if (part === "..") {
        if (trail.length > 1) trail.pop();
        continue;
      }
      const next = trail.at(-1)!.children.get(part);
      if (next === undefined) return undefined;
      if (next.entry.type === "symlink" && (open.length > 0 || followLast)) {
        if (++links > MAX_LINKS) return undefined;
        const target = Buffer.from(next.entry.target).toString("latin1");
        if (target.startsWith("/")) trail = [this.#root];
        open = [...target.split("/"), ...open];
        if (open.length > MAX_COMPONENTS) return undefined;
      } else trail.push(next);
    }
    return trail.at(-1);
  }

  /** What stands at a path, `..` nowhere; the empty path is the root directory. */
  lookup(path: Uint8Array): MergedEntry<Content> | undefined {
    const parts = componentsOf(path);
    return parts && this.#find(parts)?.entry;
  }

  /** Entries below a directory in the order of trees: names by their bytes, a directory before what it holds. */
  *walk(
    path: Uint8Array,
    { recursive }: { readonly recursive: boolean },
  ): Generator<{ readonly path: Uint8Array; readonly entry: MergedEntry<Content> }> {
    const parts = componentsOf(path);
    const start = parts && this.#find(parts, true);
    if (start === undefined) return;
    yield* below(start, parts!.join("/"), recursive);
  }
}

function directory<Content>(): Node<Content> {
  return { entry: { type: "directory", mode: DIRECTORY_MODE }, children: new Map() };
}

function* below<Content>(
  node: Node<Content>,
  prefix: string,
  recursive: boolean,
): Generator<{ readonly path: Uint8Array; readonly entry: MergedEntry<Content> }> {
  const names = [...node.children.keys()].map((name) => Buffer.from(name, "latin1")).sort(compareBytes);
  for (const bytes of names) {
    const name = bytes.toString("latin1");
    const child = node.children.get(name)!;
    const path = prefix === "" ? name : `${prefix}/${name}`;
    yield { path: Buffer.from(path, "latin1"), entry: child.entry };
    if (recursive) yield* below(child, path, recursive);
  }
}
