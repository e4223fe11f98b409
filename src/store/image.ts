/** Reading an image that is stored as an OCI layout: which manifest, and the file system of its layers. */
import { pipeline } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { utf8 } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import {
  compressionOf,
  type Descriptor,
  isLayout,
  MAX_DOCUMENT_BYTES,
  MergedImage,
  mediaKind,
  type Platform,
  parseDocument,
} from "../oci/index.ts";
import type { AtomReader } from "../repository/index.ts";
import { isGzipRecipe, type StoredMember, storedMembers, streamedMembers } from "../representation/index.ts";
import type { SparseLayout } from "../tar/index.ts";
import { lookup, type TreeRoot } from "../tree/index.ts";
import { streamSource } from "./add-stream.ts";
import { nodeReader, type ReadRange, readBlob, readVerified } from "./blobs.ts";
import { expanded } from "./image-holes.ts";

/** Where the bytes of a file of an image are. */
export interface ImageFile {
  readonly digest: Digest;
  readonly size: number;
  /** The layer, or the archive in it. */
  readonly blob: Digest;
  readonly offset: number;
  /** When `blob` must be unpacked on the way. */
  readonly compression: "none" | "gzip" | "zstd";
  /** With holes: `size` is with them, `packedBytes` what is at `offset`. */
  readonly holes?: { readonly packedBytes: number; readonly sparse: SparseLayout | undefined };
}

export type StoredImage = MergedImage<ImageFile>;

/** Node's names of machines in OCI's words, where they differ. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

async function small(atoms: AtomReader, digest: Digest, size: number): Promise<Uint8Array> {
  if (size > MAX_DOCUMENT_BYTES)
    throw new TenonError("limit", `sha256:${digest} is too large for a document`, { digest });
  const pieces: Uint8Array[] = [];
  for await (const piece of readBlob(atoms, digest)) pieces.push(piece.slice());
  return Buffer.concat(pieces);
}

/** True when the tree is an image layout. */
export async function isImage(atoms: AtomReader, tree: TreeRoot): Promise<boolean> {
  const nodes = nodeReader(atoms);
  const layout = await lookup(nodes, tree, utf8("oci-layout"));
  if (layout?.type !== "file" || layout.size > MAX_DOCUMENT_BYTES) return false;
  const index = await lookup(nodes, tree, utf8("index.json"));
  return index?.type === "file" && isLayout(await small(atoms, layout.digest, layout.size));
}

interface Choice {
  readonly descriptor: Descriptor;
  readonly platform: Platform | undefined;
  readonly layers: readonly Descriptor[];
}

async function manifests(atoms: AtomReader, tree: TreeRoot): Promise<Choice[]> {
  const index = await lookup(nodeReader(atoms), tree, utf8("index.json"));
  if (index?.type !== "file") throw new TenonError("not-found", "the image has no index.json");
  const found: Choice[] = [];
  const seen = new Set<Digest>();
  const open = async (descriptors: readonly Descriptor[]): Promise<void> => {
    for (const descriptor of descriptors) {
      const { digest, size, mediaType } = descriptor;
      const kind = mediaKind(mediaType);
      if (seen.has(digest) || (kind !== "index" && kind !== "manifest")) continue;
      seen.add(digest);
      const document = parseDocument(await small(atoms, digest, size), `sha256:${digest}`);
      if (document.kind === "index") await open(document.manifests);
      else {
        const layers = document.layers.filter((layer) => mediaKind(layer.mediaType) === "layer");
        if (layers.length === 0) continue;
        const platform =
          descriptor.platform ?? (document.config && (await configured(atoms, document.config)));
        found.push({ descriptor, platform, layers });
      }
    }
  };
  const top = parseDocument(await small(atoms, index.digest, index.size), "index.json");
  if (top.kind === "index") await open(top.manifests);
  return found;
}

async function configured(atoms: AtomReader, { digest, size }: Descriptor): Promise<Platform | undefined> {
  try {
    const { os, architecture } = JSON.parse(Buffer.from(await small(atoms, digest, size)).toString("utf8"));
    return typeof os === "string" && typeof architecture === "string" ? { os, architecture } : undefined;
  } catch (error) {
    // A config that is no JSON says nothing about the platform.
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

const platformText = (platform: Platform | undefined) =>
  platform === undefined
    ? "unknown"
    : [
        platform.os,
        platform.architecture,
        ...(platform.variant === undefined ? [] : [platform.variant]),
      ].join("/");

function choose(all: readonly Choice[], wanted: string | undefined): Choice {
  const fits = (text: string) =>
    all.find(({ platform }) => `${platformText(platform)}/`.startsWith(`${text}/`));
  if (wanted !== undefined) {
    const found = fits(wanted);
    if (found !== undefined) return found;
    const there = all.map(({ platform }) => platformText(platform)).join(", ");
    throw new TenonError("not-found", `the image has nothing for ${wanted}; it has ${there || "no layers"}`);
  }
  const found = fits(`linux/${ARCHITECTURES[process.arch] ?? process.arch}`) ?? all[0];
  if (found === undefined)
    throw new TenonError("not-found", "the image has no file system: none of its manifests has layers");
  return found;
}

/** The file system of an image, for a platform or that of this machine, else the first. */
export async function openImage(atoms: AtomReader, tree: TreeRoot, platform?: string): Promise<StoredImage> {
  const { layers } = choose(await manifests(atoms, tree), platform);
  const image: StoredImage = new MergedImage<ImageFile>();
  for (const layer of layers) image.add(await layerEntries(atoms, layer));
  return image;
}

async function layerEntries(atoms: AtomReader, layer: Descriptor) {
  const compression = compressionOf(layer.mediaType);
  if (compression === undefined) {
    throw new TenonError("unsupported", `layer sha256:${layer.digest}: ${layer.mediaType} is not known`);
  }
  const record = await atoms.needRecord(layer.digest);
  const content = isGzipRecipe(record)
    ? record.children[0]
    : compression === "none"
      ? layer.digest
      : undefined;
  const inner =
    content === undefined ? undefined : content === layer.digest ? record : await atoms.needRecord(content);
  const known = inner && (await storedMembers(inner, atoms));
  const place =
    content === undefined
      ? { blob: layer.digest, compression }
      : { blob: content, compression: "none" as const };
  const members = known ?? (await readMembers(atoms, place));
  return members.map(({ member, offset, digest }) => {
    const { path, target, mode, typeflag, dataBytes, isSparse, sparse } = member;
    const isFile = "07S".includes(typeflag);
    return {
      path,
      target,
      mode,
      typeflag,
      content: isFile
        ? {
            ...place,
            offset,
            size: sparse?.realBytes ?? dataBytes,
            digest,
            ...(isSparse && { holes: { packedBytes: dataBytes, sparse } }),
          }
        : undefined,
    };
  });
}

type Place = Pick<ImageFile, "blob" | "compression">;

async function* unpacked(atoms: AtomReader, { blob, compression }: Place): AsyncGenerator<Uint8Array> {
  const bytes = readBlob(atoms, blob);
  if (compression === "none") {
    yield* bytes;
    return;
  }
  const engine = compression === "gzip" ? createGunzip() : createZstdDecompress();
  // Errors reach whoever reads the engine; one who stops reading needs no error.
  pipeline(bytes, engine, () => {});
  try {
    for await (const piece of engine) yield piece as Uint8Array;
  } catch (cause) {
    if (isTenonError(cause)) throw cause;
    const why = (cause as Error).message;
    throw new TenonError(
      "invalid",
      `layer sha256:${blob}: ${compression}: ${why}`,
      { digest: blob },
      { cause },
    );
  }
}

async function readMembers(atoms: AtomReader, place: Place): Promise<StoredMember[]> {
  const { source, close } = streamSource(unpacked(atoms, place));
  try {
    return await streamedMembers(source);
  } finally {
    await close();
  }
}

/** Bytes of a file of an image, holes as zeros. */
export async function* readImageFile(
  atoms: AtomReader,
  file: ImageFile,
  range: ReadRange = {},
): AsyncGenerator<Uint8Array> {
  const { holes, ...plain } = file;
  if (holes === undefined) {
    yield* readPlain(atoms, file, range);
    return;
  }
  const packed = { ...plain, size: holes.packedBytes };
  yield* expanded(holes, (part) => readPlain(atoms, packed, part), range);
}

async function* readPlain(
  atoms: AtomReader,
  file: ImageFile,
  { offset = 0, length = Number.POSITIVE_INFINITY }: ReadRange,
): AsyncGenerator<Uint8Array> {
  const wanted = Math.max(0, Math.min(length, file.size - offset));
  if (file.compression === "none") {
    yield* readVerified(atoms, file.blob, { offset: file.offset + offset, length: wanted });
    return;
  }
  let skip = file.offset + offset;
  let left = wanted;
  if (left === 0) return;
  for await (const piece of unpacked(atoms, file)) {
    const part = piece.subarray(Math.min(skip, piece.length), Math.min(piece.length, skip + left));
    skip = Math.max(0, skip - piece.length);
    left -= part.length;
    if (part.length > 0) yield part;
    if (left === 0) return;
  }
  throw new TenonError("damaged", `layer sha256:${file.blob} ends too early`, { digest: file.blob });
}
