/** Where files are: a walk over everything that the present states of refs show, without reading any file. */
import { displayPath } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import { isTenonError, throwIfAborted } from "../errors/index.ts";
import { formatRef } from "../repository/index.ts";
import { openTree, walk } from "../tree/index.ts";
import { nodeReader, readBlob } from "./blobs.ts";
import type { StoreContext } from "./context.ts";
import type { OperationOptions } from "./events.ts";
import { isImage, openImage, readImageFile } from "./image.ts";

/** A file that a ref shows. */
export interface Place {
  /** Names it: `ref:tag` or `ref:tag:/path`. */
  readonly spec: string;
  /** Of the path, or of the ref. */
  readonly name: string;
  /** Displayed path from the root on; empty for a ref that is the file. */
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
  readonly mode: number;
  /** Its bytes, compared with its digest where it is a blob of its own. */
  read(): AsyncIterable<Uint8Array>;
}

function place(ref: string, path: string, file: Omit<Place, "spec" | "name" | "path">): Place {
  const name = path === "" ? ref.slice(ref.lastIndexOf("/") + 1).replace(/:[^:]*$/, "") : path;
  return {
    ...file,
    spec: path === "" ? ref : `${ref}:/${path}`,
    name: name.slice(name.lastIndexOf("/") + 1),
    path,
  };
}

/** Every file of every ref; of an image those of its file system. What can't be read is reported and passed over. */
export async function* allPlaces(
  context: StoreContext,
  { signal, onEvent }: OperationOptions,
): AsyncGenerator<Place> {
  const { atoms } = context;
  const nodes = nodeReader(atoms);
  for (const entry of (await context.refs.list()).refs) {
    if (!("state" in entry) || entry.state.root === null) continue;
    const ref = formatRef(entry.ref);
    const { root } = entry.state;
    try {
      if (root.type === "file") {
        const { digest, size, mode = 0o644 } = root;
        yield place(ref, "", { digest, size, mode, read: () => readBlob(atoms, digest) });
        continue;
      }
      const tree = await openTree(nodes, root.digest);
      if (await isImage(atoms, tree)) {
        const image = await openImage(atoms, tree);
        for (const { path, entry: file } of image.walk(new Uint8Array(0), { recursive: true })) {
          throwIfAborted(signal);
          if (file.type !== "file") continue;
          const { content, mode } = file;
          const { digest, size } = content;
          yield place(ref, displayPath(path), {
            digest,
            size,
            mode,
            read: () => readImageFile(atoms, content),
          });
        }
        continue;
      }
      for await (const { path, entry: file } of walk(nodes, tree, new Uint8Array(0))) {
        throwIfAborted(signal);
        if (file.type !== "file") continue;
        const { digest, size, mode } = file;
        yield place(ref, displayPath(path), { digest, size, mode, read: () => readBlob(atoms, digest) });
      }
    } catch (error) {
      if (!isTenonError(error) || error.code === "interrupted") throw error;
      onEvent?.({ type: "problem", operation: "debug", code: error.code, message: error.message, ref });
    }
  }
}
