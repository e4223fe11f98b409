/** Adding an image: everything that its index leads to, each blob compared with the digest that names it. */
import { utf8 } from "../bytes/index.ts";
import { type Digest, sha256 } from "../digest/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import { type Descriptor, MAX_DOCUMENT_BYTES, mediaKind, OCI_LAYOUT, parseDocument } from "../oci/index.ts";
import type { RereadableSource } from "../representation/index.ts";
import { ROOT_PATH, TreeBuilder } from "../tree/index.ts";
import type { AddedBlob } from "./add-blob.ts";
import type { ImageSource } from "./image-source.ts";
import { readWhole, rereadableBytes } from "./sources.ts";
import type { Writing } from "./writing.ts";

/** Indexes within indexes. */
const MAX_INDEX_DEPTH = 8;
const DIRECTORY_MODE = 0o755;
const FILE_MODE = 0o644;

interface Found {
  readonly digest: Digest;
  readonly source: RereadableSource;
}

/** Stores an image as the tree of its OCI layout. Errors: `invalid`, `not-found`, `unsupported`, `limit`. */
export async function addImage(
  work: Writing,
  image: ImageSource,
  store: (shown: string, source: RereadableSource) => Promise<AddedBlob>,
  signal: AbortSignal | undefined,
): Promise<TreeBuilder> {
  // All that can be wrong without reading layers is found before anything is stored.
  const blobs = await reachable(image);
  const sizes = new Map<Digest, number>();
  for (const { digest, source } of blobs) {
    throwIfAborted(signal);
    const shown = `${image.place}/blobs/sha256/${digest}`;
    const stored = await store(shown, source);
    if (stored.digest !== digest) {
      throw new TenonError("invalid", `${shown}: the content has digest ${stored.digest}`, { digest });
    }
    sizes.set(digest, stored.size);
  }
  const builder = new TreeBuilder(work.nodes);
  const directory = (path: string) => builder.add(utf8(path), { type: "directory", mode: DIRECTORY_MODE });
  const file = (path: string, digest: Digest, size: number) =>
    builder.add(utf8(path), { type: "file", mode: FILE_MODE, size, digest });
  await builder.add(ROOT_PATH, { type: "directory", mode: DIRECTORY_MODE });
  await directory("blobs");
  await directory("blobs/sha256");
  for (const digest of [...sizes.keys()].sort())
    await file(`blobs/sha256/${digest}`, digest, sizes.get(digest)!);
  for (const [name, bytes] of [
    ["index.json", image.index],
    ["oci-layout", utf8(OCI_LAYOUT)],
  ] as const) {
    const stored = await store(`${image.place}/${name}`, rereadableBytes(bytes));
    await file(name, stored.digest, stored.size);
  }
  return builder;
}

/** Every blob that the index leads to: documents first, then configs and layers in the order of the manifests. */
async function reachable(image: ImageSource): Promise<Found[]> {
  const documents: Found[] = [];
  const contents: Found[] = [];
  const seen = new Map<Digest, number>();
  const find = ({ digest, size, mediaType, json }: Descriptor, from: string): Found | undefined => {
    const before = seen.get(digest);
    if (before !== undefined && before !== size) {
      throw new TenonError(
        "invalid",
        `${from}: sha256:${digest} has ${size} bytes here and ${before} elsewhere`,
        { digest },
      );
    }
    if (before !== undefined) return undefined;
    seen.set(digest, size);
    if (mediaKind(mediaType) === "foreign") {
      const urls = Array.isArray(json.urls) ? ` (${json.urls.slice(0, 3).join(", ")})` : "";
      const what = `${from}: layer sha256:${digest} is foreign: it is kept elsewhere${urls} and can't be stored with the image`;
      throw new TenonError("unsupported", what, { digest });
    }
    const source = image.blob(digest);
    if (source === undefined) {
      throw new TenonError("not-found", `${from} names sha256:${digest} (${mediaType}), which is missing`, {
        digest,
      });
    }
    if (source.sizeBytes !== size) {
      const what = `${from}: sha256:${digest} should have ${size} bytes, and has ${source.sizeBytes}`;
      throw new TenonError("invalid", what, { digest });
    }
    return { digest, source };
  };
  const visit = async (descriptor: Descriptor, from: string, depth: number): Promise<void> => {
    const found = find(descriptor, from);
    if (found === undefined) return;
    const kind = mediaKind(descriptor.mediaType);
    if (kind !== "index" && kind !== "manifest") {
      contents.push(found);
      return;
    }
    const name = `${image.place}: sha256:${descriptor.digest}`;
    if (depth > MAX_INDEX_DEPTH)
      throw new TenonError("limit", `${name}: indexes refer to indexes too deeply`);
    if (found.source.sizeBytes > MAX_DOCUMENT_BYTES) {
      throw new TenonError(
        "limit",
        `${name} has ${found.source.sizeBytes} bytes, more than ${MAX_DOCUMENT_BYTES}`,
      );
    }
    const bytes = await readWhole(found.source);
    const digest = sha256(bytes);
    if (digest !== descriptor.digest) {
      throw new TenonError("invalid", `${name}: the content has digest ${digest}`, {
        digest: descriptor.digest,
      });
    }
    documents.push({ digest, source: rereadableBytes(bytes) });
    const document = parseDocument(bytes, name);
    if (document.kind === "index") {
      for (const manifest of document.manifests) await visit(manifest, name, depth + 1);
      return;
    }
    for (const content of [...(document.config ? [document.config] : []), ...document.layers]) {
      const one = find(content, name);
      if (one !== undefined) contents.push(one);
    }
  };
  const top = `${image.place}: index.json`;
  const index = parseDocument(image.index, top);
  if (index.kind !== "index")
    throw new TenonError("invalid", `${top}: not an index`, { format: "index.json" });
  for (const descriptor of index.manifests) await visit(descriptor, top, 0);
  return [...documents, ...contents];
}
