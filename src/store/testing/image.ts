/** For tests: an image of one layer, as an OCI layout. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { sha256 } from "../../digest/index.ts";

export const noTar = spawnSync("tar", ["--version"]).status !== 0 && "tar is missing";

/** Writes the layout into a new directory; the directory. */
export function writeImage(
  layout: string,
  files: Readonly<Record<string, Uint8Array>>,
  compression: "gzip" | "zstd",
): string {
  const root = `${layout}-root`;
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    writeFileSync(join(root, path), bytes, { mode: 0o755 });
  }
  const { stdout } = spawnSync("tar", ["-c", "-C", root, "."], { maxBuffer: 1 << 26 });
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  const blob = (mediaType: string, bytes: Uint8Array) => {
    const digest = sha256(bytes);
    writeFileSync(join(layout, "blobs/sha256", digest), bytes);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const type = "application/vnd.oci.image";
  const layer = compression === "gzip" ? gzipSync(stdout) : zstdCompressSync(stdout);
  const content = {
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: blob(`${type}.config.v1+json`, json({ os: "linux", architecture: "amd64" })),
    layers: [blob(`${type}.layer.v1.tar+${compression}`, layer)],
  };
  const manifest = blob(`${type}.manifest.v1+json`, json(content));
  writeFileSync(join(layout, "index.json"), json({ schemaVersion: 2, manifests: [manifest] }));
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return layout;
}
