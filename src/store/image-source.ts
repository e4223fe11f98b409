/** Where images are taken from: OCI layouts, `docker save` archives, flat directories of blobs. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { utf8 } from "../bytes/index.ts";
import { Hasher, sha256 } from "../digest/index.ts";
import { systemCode, TenonError } from "../errors/index.ts";
import { fileError } from "../files/index.ts";
import {
  isLayout,
  MAX_DOCUMENT_BYTES,
  makeIndex,
  makeManifest,
  parseDockerManifest,
  parseDocument,
  REF_NAME,
} from "../oci/index.ts";
import type { RereadableSource } from "../representation/index.ts";
import { BLOCK_BYTES, TarWalk } from "../tar/index.ts";
import { needImageOperand } from "./image-operand.ts";
import { fill, rereadableBytes } from "./sources.ts";

const READ_BYTES = 256 << 10;

/** An image before it is stored. */
export interface ImageSource {
  /** Content of index.json. */
  readonly index: Uint8Array;
  /** For people: where it is. */
  readonly place: string;
  /** Blobs by digest; undefined when there is none. */
  blob(digest: string): RereadableSource | undefined;
}

/** Opens what an operand names. Errors: `not-found`, `invalid`, `unsupported`, `limit`, `io`. */
export async function openImageSource(place: string): Promise<ImageSource> {
  const { transport, path, tag } = needImageOperand(place);
  if (transport === "oci") return ociSource(path, tag, place);
  return transport === "dir" ? flatSource(path, place) : dockerSource(path, place);
}

async function digestOf(source: RereadableSource): Promise<string> {
  const opened = await source.open();
  try {
    const hasher = new Hasher();
    const block = new Uint8Array(READ_BYTES);
    for (;;) {
      const length = await opened.read(block);
      if (length === 0) return hasher.digest();
      hasher.update(block.subarray(0, length));
    }
  } finally {
    await opened.close();
  }
}

/** Part of a file. */
function fileRange(path: string, offset: number, sizeBytes: number): RereadableSource {
  return {
    sizeBytes,
    async open() {
      let fd: number;
      try {
        fd = openSync(path, "r");
      } catch (error) {
        throw fileError(error, { doing: "opening", path });
      }
      let at = 0;
      return {
        sizeBytes,
        read(into) {
          const length = readSync(fd, into, 0, Math.min(into.length, sizeBytes - at), offset + at);
          at += length;
          return length;
        },
        close: async () => closeSync(fd),
      };
    },
  };
}

function wholeFile(path: string): RereadableSource | undefined {
  try {
    const stat = statSync(path);
    return stat.isFile() ? fileRange(path, 0, stat.size) : undefined;
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw fileError(error, { doing: "reading", path });
  }
}

async function document(path: string): Promise<Uint8Array> {
  const source = wholeFile(path);
  if (source === undefined) throw new TenonError("not-found", `${path} is not there`, { path });
  if (source.sizeBytes > MAX_DOCUMENT_BYTES) {
    throw new TenonError("limit", `${path} has ${source.sizeBytes} bytes, more than ${MAX_DOCUMENT_BYTES}`, {
      path,
    });
  }
  return readFile(path);
}

/** `oci:DIR[:TAG]`: with a tag, only what has it. */
async function ociSource(directory: string, tag: string | undefined, place: string): Promise<ImageSource> {
  const layout = join(directory, "oci-layout");
  if (!isLayout(await document(layout))) {
    throw new TenonError("unsupported", `${layout} says that this is no layout of version 1`, {
      path: layout,
    });
  }
  const path = join(directory, "index.json");
  let index = await document(path);
  if (tag !== undefined) {
    const parsed = parseDocument(index, path);
    const all = parsed.kind === "index" ? parsed.manifests : [];
    const wanted = all.filter((descriptor) => descriptor.annotations[REF_NAME] === tag);
    if (wanted.length === 0) {
      const tags = all.flatMap((descriptor) => descriptor.annotations[REF_NAME] ?? []);
      throw new TenonError(
        "not-found",
        `${directory} has no tag ${tag}; it has ${tags.join(", ") || "none"}`,
        { path },
      );
    }
    index = utf8(makeIndex(wanted.map(({ json }) => json)));
  }
  return { index, place, blob: (digest) => wholeFile(join(directory, "blobs/sha256", digest)) };
}

/** `dir:DIR`: manifest.json, and beside it files named by their digests, as skopeo's `dir:` has them. */
async function flatSource(directory: string, place: string): Promise<ImageSource> {
  const path = join(directory, "manifest.json");
  const manifest = await document(path);
  const parsed = parseDocument(manifest, path);
  const { mediaType } = JSON.parse(Buffer.from(manifest).toString("utf8")) as { mediaType?: unknown };
  const usual = parsed.kind === "index" ? "application/vnd.oci.image.index.v1+json" : parsed.mediaType;
  const top = sha256(manifest);
  const descriptor = {
    mediaType: typeof mediaType === "string" ? mediaType : usual,
    digest: `sha256:${top}`,
    size: manifest.length,
  };
  return {
    index: utf8(makeIndex([descriptor])),
    place,
    blob: (digest) =>
      digest === top
        ? rereadableBytes(manifest)
        : (wholeFile(join(directory, digest)) ?? wholeFile(join(directory, `${digest}.manifest.json`))),
  };
}

interface ArchiveMember {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Members of a tar archive by path, links resolved; only headers are read. */
function archiveMembers(path: string): Map<string, ArchiveMember> {
  const members = new Map<string, ArchiveMember>();
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const walk = new TarWalk();
    const block = new Uint8Array(BLOCK_BYTES);
    for (let at = 0; readSync(fd, block, 0, BLOCK_BYTES, at) === BLOCK_BYTES; ) {
      at += BLOCK_BYTES;
      const step = walk.step(block);
      if (step.kind === "unknown") break;
      if (step.kind !== "member") continue;
      const { typeflag, dataBytes } = step.member;
      const name = Buffer.from(step.member.path).toString("utf8").replace(/^\.\//, "");
      const target = Buffer.from(step.member.target).toString("utf8");
      if (at + dataBytes > size) throw new TenonError("invalid", `${path} ends within ${name}`, { path });
      if (typeflag === "0") members.set(name, { offset: at, sizeBytes: dataBytes });
      else if (typeflag === "1" || typeflag === "2") {
        // Older `docker save` links equal layers to the first.
        const linked = members.get(typeflag === "1" ? target : join(name, "..", target));
        if (linked !== undefined) members.set(name, linked);
      }
      at += Math.ceil(dataBytes / BLOCK_BYTES) * BLOCK_BYTES;
    }
    return members;
  } finally {
    closeSync(fd);
  }
}

/** `docker-archive:FILE`: configs and layers keep their digests; the archive has no manifests, so they are made. */
async function dockerSource(path: string, place: string): Promise<ImageSource> {
  let members: Map<string, ArchiveMember>;
  try {
    members = archiveMembers(path);
  } catch (error) {
    throw fileError(error, { doing: "reading", path });
  }
  const need = (name: string): RereadableSource => {
    const member = members.get(name);
    if (member === undefined) throw new TenonError("not-found", `${path} has no ${name}`, { path });
    return fileRange(path, member.offset, member.sizeBytes);
  };
  const blobs = new Map<string, RereadableSource>();
  const content = async (name: string) => {
    const source = need(name);
    const digest = await digestOf(source);
    blobs.set(digest, source);
    return { digest, size: source.sizeBytes };
  };
  const list = need("manifest.json");
  if (list.sizeBytes > MAX_DOCUMENT_BYTES)
    throw new TenonError("limit", `${path}: manifest.json is too large`, { path });
  const opened = await list.open();
  const bytes = await fill(opened, new Uint8Array(list.sizeBytes)).finally(() => opened.close());
  const manifests = [];
  for (const { config, layers, tags } of parseDockerManifest(bytes)) {
    const described = [];
    for (const layer of layers) described.push(await content(layer));
    const { mediaType, text } = makeManifest(await content(config), described);
    const manifest = utf8(text);
    const digest = sha256(manifest);
    blobs.set(digest, rereadableBytes(manifest));
    const base = { mediaType, digest: `sha256:${digest}`, size: manifest.length };
    if (tags.length === 0) manifests.push(base);
    for (const tag of tags) {
      const name = tag.slice(tag.lastIndexOf(":") + 1);
      manifests.push({ ...base, annotations: { "io.containerd.image.name": tag, [REF_NAME]: name } });
    }
  }
  return { index: utf8(makeIndex(manifests)), place, blob: (digest) => blobs.get(digest) };
}
