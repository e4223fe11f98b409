/** What lies at a path: an OCI layout, a docker archive, a cache of blobs, a directory or a file. */

import { realpathSync, statSync } from "node:fs";
import { displayPath } from "../bytes/index.ts";
import { TenonError } from "../errors/index.ts";
import { fileError, walk } from "../files/index.ts";
import { BLOCK_BYTES, isTarHeader } from "../tar/index.ts";
import { readHead } from "./blob.ts";
import { lookAtArchive, membersOf } from "./docker-archive.ts";
import { type Candidate, type Found, placeOf, type Report } from "./found.ts";
import { compressionOf } from "./inflate.ts";
import { lookAtLayout } from "./oci-layout.ts";

/** Errors: `not-found`, `io`, `unsupported`, `interrupted`; `invalid` for a layout whose index can't be read. */
export async function look(path: string, report: Report, signal: AbortSignal | undefined): Promise<Found> {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(path).isDirectory();
  } catch (error) {
    throw fileError(error, { doing: "reading", path });
  }
  if (!isDirectory) return lookAtFile(path, report);
  if (isFile(`${path}/oci-layout`) && isFile(`${path}/index.json`)) return lookAtLayout(path, report);
  return lookAtDirectory(path, report, signal);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function lookAtDirectory(
  path: string,
  report: Report,
  signal: AbortSignal | undefined,
): Promise<Found> {
  const candidates: Candidate[] = [];
  const seen = new Set<string>();
  let namedByDigest = 0;
  for await (const item of walk(path, { signal })) {
    const shown = displayPath(item.path);
    if (item.kind === "problem") {
      report({ path: `${path}/${shown}`, code: "io", reason: item.reason, skipped: true });
      continue;
    }
    if (item.kind !== "file" || item.sizeBytes === 0) continue;
    if (item.hardlinkKey !== undefined) {
      if (seen.has(item.hardlinkKey)) continue;
      seen.add(item.hardlinkKey);
    }
    // The walk's buffer is shared with its other paths.
    const place = { path: Buffer.from(item.absolute), offset: 0, sizeBytes: item.sizeBytes };
    const hex = /^(?:sha256[:-])?([0-9a-f]{64})$/.exec(shown.slice(shown.lastIndexOf("/") + 1))?.[1];
    if (hex !== undefined) namedByDigest++;
    candidates.push({ name: shown, place, isLayer: false, ...(hex && { digest: hex }) });
  }
  // A cache of blobs: everything in it is named by its digest.
  if (namedByDigest > 0 && namedByDigest === candidates.length) return blobCache(path, candidates, report);
  const plain = candidates.map(({ name, place }) => ({ name, place, isLayer: false }));
  return { groups: [{ name: path, candidates: plain }], otherBlobs: new Map() };
}

function blobCache(path: string, candidates: readonly Candidate[], report: Report): Found {
  const otherBlobs = new Map<string, number>();
  const layers: Candidate[] = [];
  for (const candidate of candidates) {
    const { name, place, digest } = candidate;
    try {
      const head = readHead(place, BLOCK_BYTES);
      if (compressionOf(head) !== "none" || isTarHeader(head)) {
        layers.push({ name: name.slice(0, 19), place, isLayer: true, digest });
      } else if (isJson(head)) otherBlobs.set(digest ?? name, place.sizeBytes);
      else {
        otherBlobs.set(digest ?? name, place.sizeBytes);
        const reason = "neither gzip, zstd nor tar, and no JSON either";
        report({ path: `${path}/${name}`, code: "unsupported", reason, skipped: true });
      }
    } catch (error) {
      if (!(error instanceof TenonError)) throw error;
      report({ path: `${path}/${name}`, code: "io", reason: error.message, skipped: true });
    }
  }
  return { groups: [{ name: path, candidates: layers }], otherBlobs };
}

function isJson(head: Uint8Array): boolean {
  const first = head.find((byte) => byte > 0x20);
  return first === 0x7b || first === 0x5b;
}

function lookAtFile(path: string, report: Report): Found {
  // What was named may be a link; what is found below a directory is never followed.
  const place = placeOf(realpathSync.native(path, { encoding: "buffer" }));
  const head = readHead(place, BLOCK_BYTES);
  const compression = compressionOf(head);
  if (compression === "none" && isTarHeader(head)) {
    const members = membersOf(place);
    const manifest = members.get("manifest.json");
    if (manifest !== undefined) return lookAtArchive(path, members, manifest, report);
  }
  const isLayer = compression !== "none" || isTarHeader(head);
  return { groups: [{ name: path, candidates: [{ name: path, place, isLayer }] }], otherBlobs: new Map() };
}
