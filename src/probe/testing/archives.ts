/** Small archives and layouts for tests: tar, OCI layouts, what `docker save` writes. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

export interface Entry {
  readonly name: string;
  readonly data?: Uint8Array;
  /** Of a symbolic link. */
  readonly target?: string;
}

const BLOCK = 512;

function header({ name, data, target }: Entry): Uint8Array {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100);
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(`${(data?.length ?? 0).toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write("        ", 148);
  block.write(target === undefined ? "0" : "2", 156);
  block.write(target ?? "", 157, 100);
  block.write("ustar\x0000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** A ustar archive. */
export function tarOf(entries: readonly Entry[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const entry of entries) {
    parts.push(header(entry));
    if (entry.data === undefined) continue;
    parts.push(entry.data, Buffer.alloc((BLOCK - (entry.data.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

export function hexOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An OCI layout that is written blob by blob. */
export class LayoutWriter {
  readonly path: string;
  readonly #manifests: Descriptor[] = [];

  constructor(path: string) {
    this.path = path;
    mkdirSync(join(path, "blobs", "sha256"), { recursive: true });
    writeFileSync(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  }

  blob(mediaType: string, bytes: Uint8Array): Descriptor {
    const hex = hexOf(bytes);
    writeFileSync(join(this.path, "blobs", "sha256", hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  }

  json(mediaType: string, value: unknown): Descriptor {
    return this.blob(mediaType, Buffer.from(JSON.stringify(value)));
  }

  layer(tar: Uint8Array, compress: (bytes: Uint8Array) => Uint8Array = gzipSync): Descriptor {
    return this.blob("application/vnd.oci.image.layer.v1.tar+gzip", compress(tar));
  }

  /** An image with a tag. */
  image(tag: string, layers: readonly Descriptor[]): Descriptor {
    const config = this.json("application/vnd.oci.image.config.v1+json", { tag });
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const manifest = this.json(mediaType, { schemaVersion: 2, config, layers });
    this.add({ ...manifest, annotations: { "org.opencontainers.image.ref.name": tag } });
    return manifest;
  }

  /** Names a manifest or index in index.json. */
  add(descriptor: Descriptor): void {
    this.#manifests.push(descriptor);
    writeFileSync(
      join(this.path, "index.json"),
      JSON.stringify({ schemaVersion: 2, manifests: this.#manifests }),
    );
  }
}
