/** An OCI image layout. */
import { TenonError } from "../errors/index.ts";
import type { BlobPlace } from "./blob.ts";
import {
  type Candidate,
  type Found,
  type Group,
  objectOf,
  placeOf,
  type Report,
  readJson,
  reasonOf,
} from "./found.ts";
import type { ProbeProblem } from "./types.ts";

/** Indexes of indexes are rare, and deeper ones are made to hurt. */
const MAX_DEPTH = 8;
const MAX_MANIFESTS = 10_000;
const DIGEST = /^sha256:([0-9a-f]{64})$/;

interface Descriptor {
  readonly mediaType?: unknown;
  readonly digest?: unknown;
  readonly size?: unknown;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

function listOf(value: unknown): readonly Descriptor[] {
  return Array.isArray(value) ? value.map(objectOf) : [];
}

/** An OCI image layout: index.json, then manifests and nested indexes to a bounded depth. */
export function lookAtLayout(path: string, report: Report): Found {
  const groups: Group[] = [];
  const otherBlobs = new Map<string, number>();
  const visited = new Set<string>();
  const skip = (where: string, code: ProbeProblem["code"], reason: string) =>
    report({ path: `${path}: ${where}`, code, reason, skipped: true });
  const blobOf = ({ digest, size }: Descriptor): { place: BlobPlace; hex: string } => {
    const hex = typeof digest === "string" ? DIGEST.exec(digest)?.[1] : undefined;
    if (hex === undefined) throw new TenonError("unsupported", `digest ${String(digest).slice(0, 80)}`);
    const place = placeOf(Buffer.from(`${path}/blobs/sha256/${hex}`));
    if (place.sizeBytes !== size) {
      throw new TenonError("damaged", `has ${place.sizeBytes} bytes, its descriptor says ${String(size)}`);
    }
    return { place, hex };
  };
  const visit = (descriptor: Descriptor, name: string, depth: number): void => {
    const shown = String(descriptor.digest).slice(0, 71);
    try {
      const { place, hex } = blobOf(descriptor);
      if (visited.has(hex)) return;
      visited.add(hex);
      if (depth > MAX_DEPTH || visited.size > MAX_MANIFESTS) {
        throw new TenonError("limit", depth > MAX_DEPTH ? "indexes nested too deeply" : "too many manifests");
      }
      const json = readJson(place, "manifest", hex);
      otherBlobs.set(hex, place.sizeBytes);
      if (Array.isArray(json.manifests)) {
        for (const child of listOf(json.manifests)) visit(child, childName(name, child), depth + 1);
        return;
      }
      const candidates: Candidate[] = [];
      for (const layer of listOf(json.layers)) {
        const layerName = String(layer.digest).slice(0, 19);
        try {
          if (/foreign|nondistributable/.test(String(layer.mediaType))) {
            throw new TenonError("unsupported", "a foreign layer, which is not in the layout");
          }
          const blob = blobOf(layer);
          candidates.push({ name: layerName, place: blob.place, isLayer: true, digest: blob.hex });
        } catch (error) {
          skip(layerName, ...reasonOf(error));
        }
      }
      try {
        const config = blobOf(objectOf(json.config));
        otherBlobs.set(config.hex, config.place.sizeBytes);
      } catch (error) {
        skip(`config of ${name}`, ...reasonOf(error));
      }
      groups.push({ name, candidates });
    } catch (error) {
      skip(shown, ...reasonOf(error));
    }
  };
  const place = placeOf(Buffer.from(`${path}/index.json`));
  otherBlobs.set(`${path}/index.json`, place.sizeBytes);
  for (const child of listOf(readJson(place, `${path}/index.json`).manifests))
    visit(child, childName(path, child), 0);
  return { groups, otherBlobs };
}

function childName(parent: string, child: Descriptor): string {
  const tag = child.annotations?.["org.opencontainers.image.ref.name"];
  if (typeof tag === "string" && tag !== "") return `${parent}:${tag.slice(0, 200)}`;
  const platform = objectOf((child as Readonly<Record<string, unknown>>).platform);
  if (typeof platform.architecture === "string") return `${parent} (${platform.architecture.slice(0, 40)})`;
  return `${parent}@${String(child.digest).slice(7, 19)}`;
}
