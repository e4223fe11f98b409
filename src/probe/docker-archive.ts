/** What `docker save` writes: a tar file with manifest.json. */
import { displayPath } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { BLOCK_BYTES, TarWalk } from "../tar/index.ts";
import { type BlobPlace, RandomFile, readBlob } from "./blob.ts";
import { type Candidate, type Found, type Group, MAX_JSON_BYTES, objectOf, type Report } from "./found.ts";

export interface ArchiveMember {
  readonly place: BlobPlace;
  /** Of a link: where it leads, relative to the archive. */
  readonly target?: string;
}

/** An archive of images has some thousand members. */
const MAX_MEMBERS = 100_000;

/** Members of a tar file by path, without reading their data. */
export function membersOf(place: BlobPlace): ReadonlyMap<string, ArchiveMember> {
  const members = new Map<string, ArchiveMember>();
  const tar = new TarWalk();
  const block = new Uint8Array(BLOCK_BYTES);
  using file = new RandomFile(place.path);
  for (let at = 0; at + BLOCK_BYTES <= place.sizeBytes && members.size < MAX_MEMBERS; ) {
    if (file.readAt(block, at) < BLOCK_BYTES) break;
    at += BLOCK_BYTES;
    const step = tar.step(block);
    if (step.kind === "unknown") break;
    if (step.kind === "raw") continue;
    const { path, target, typeflag, dataBytes } = step.member;
    const name = displayPath(path).replace(/^\.\//, "");
    const data = { path: place.path, offset: at, sizeBytes: dataBytes };
    if (typeflag === "2") {
      // Older archives link equal layers: ../<id>/layer.tar
      const directory = name.slice(0, name.lastIndexOf("/") + 1);
      members.set(name, { place: data, target: resolved(directory + displayPath(target)) });
    } else if (at + dataBytes <= place.sizeBytes) members.set(name, { place: data });
    at += Math.ceil(dataBytes / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return members;
}

function resolved(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

/** What `docker save` writes: manifest.json names configs and layers. */
export function lookAtArchive(
  path: string,
  members: ReadonlyMap<string, ArchiveMember>,
  manifest: ArchiveMember,
  report: Report,
): Found {
  const text = Buffer.concat(
    manifest.place.sizeBytes <= MAX_JSON_BYTES
      ? [...readBlob(manifest.place, MAX_JSON_BYTES)].map((block) => block.slice())
      : [],
  ).toString("utf8");
  let images: unknown;
  try {
    images = JSON.parse(text);
  } catch (cause) {
    throw new TenonError(
      "invalid",
      `${path}: manifest.json is not JSON`,
      { path, format: "docker archive" },
      { cause },
    );
  }
  const otherBlobs = new Map([[`${path}: manifest.json`, manifest.place.sizeBytes]]);
  const groups: Group[] = [];
  for (const [i, image] of (Array.isArray(images) ? images : []).map(objectOf).entries()) {
    const tags = Array.isArray(image.RepoTags) ? image.RepoTags : [];
    const name = typeof tags[0] === "string" ? tags[0].slice(0, 200) : `${path}, image ${i + 1}`;
    const candidates: Candidate[] = [];
    for (const layer of Array.isArray(image.Layers) ? image.Layers : []) {
      const shown = String(layer);
      const found = members.get(shown);
      const member = found?.target === undefined ? found : members.get(found.target);
      if (member === undefined || member.target !== undefined) {
        const reason = "manifest.json names it, the archive doesn't have it";
        report({ path: `${path}: ${shown}`, code: "not-found", reason, skipped: true });
        continue;
      }
      const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(shown)?.[1];
      const layerName = hex === undefined ? shown.slice(0, 12) : `sha256:${hex.slice(0, 12)}`;
      candidates.push({ name: layerName, place: member.place, isLayer: true, ...(hex && { digest: hex }) });
    }
    const config = members.get(String(image.Config));
    if (config !== undefined) otherBlobs.set(String(image.Config), config.place.sizeBytes);
    groups.push({ name, candidates });
  }
  return { groups, otherBlobs };
}
