/** Indexes, manifests and layout files (docs/formats/image.md); media types of OCI and Docker. */
import { invalid, TenonError } from "../errors/index.ts";

/** Registries must take manifests of 4 MiB, and few take more. */
export const MAX_DOCUMENT_BYTES = 4 << 20;
const MAX_DESCRIPTORS = 100_000;

export const OCI_LAYOUT = '{"imageLayoutVersion":"1.0.0"}';
/** The annotation that holds an image's tag within a layout. */
export const REF_NAME = "org.opencontainers.image.ref.name";

const OCI = "application/vnd.oci.image.";
const DOCKER = "application/vnd.docker.";

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
}

export interface Descriptor {
  readonly mediaType: string;
  /** 64 hexadecimal digits. */
  readonly digest: string;
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly platform?: Platform | undefined;
  /** As it stood. */
  readonly json: JsonObject;
}

export type JsonObject = { readonly [key: string]: unknown };

/** What refers to what: an index to manifests, a manifest to its config and layers. */
export type Document =
  | { readonly kind: "index"; readonly manifests: readonly Descriptor[] }
  | {
      readonly kind: "manifest";
      readonly mediaType: string;
      readonly config: Descriptor | undefined;
      /** Layers, or the blobs of an artifact. */
      readonly layers: readonly Descriptor[];
    };

export type MediaKind = "index" | "manifest" | "foreign" | "layer" | "other";

export function mediaKind(mediaType: string): MediaKind {
  if (mediaType === `${OCI}index.v1+json` || mediaType === `${DOCKER}distribution.manifest.list.v2+json`)
    return "index";
  if (mediaType === `${OCI}manifest.v1+json` || mediaType === `${DOCKER}distribution.manifest.v2+json`)
    return "manifest";
  if (
    mediaType.startsWith(`${OCI}layer.nondistributable.`) ||
    mediaType.startsWith(`${DOCKER}image.rootfs.foreign.`)
  ) {
    return "foreign";
  }
  if (mediaType.startsWith(`${OCI}layer.v1.tar`) || mediaType.startsWith(`${DOCKER}image.rootfs.diff.tar`))
    return "layer";
  return "other";
}

/** How a layer is compressed; undefined for a suffix that is not known. */
export function compressionOf(mediaType: string): "none" | "gzip" | "zstd" | undefined {
  const suffix = /\.tar(?:[.+](\w+))?$/.exec(mediaType);
  if (suffix === null) return undefined;
  const name = suffix[1] ?? "none";
  return name === "none" || name === "gzip" || name === "zstd" ? name : undefined;
}

class Fields {
  readonly #what: string;
  constructor(what: string) {
    this.#what = what;
  }

  error(field: string, why: string): TenonError {
    return invalid(this.#what, field, 0, why);
  }

  object(value: unknown, field: string): JsonObject {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw this.error(field, "not an object");
    return value as JsonObject;
  }

  array(value: unknown, field: string): readonly unknown[] {
    if (!Array.isArray(value)) throw this.error(field, "not a list");
    if (value.length > MAX_DESCRIPTORS) throw this.error(field, `more than ${MAX_DESCRIPTORS} entries`);
    return value;
  }

  descriptor(value: unknown, field: string): Descriptor {
    const json = this.object(value, field);
    const { mediaType, digest, size, annotations, platform } = json;
    if (typeof mediaType !== "string" || mediaType === "")
      throw this.error(`${field}.mediaType`, "not a text");
    if (typeof digest !== "string") throw this.error(`${field}.digest`, "not a text");
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
    if (hex === undefined) {
      if (/^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/.test(digest)) {
        throw new TenonError(
          "unsupported",
          `${this.#what}: ${field}.digest: only sha256 is known, not ${digest.slice(0, 80)}`,
        );
      }
      throw this.error(`${field}.digest`, "not a digest");
    }
    if (!Number.isSafeInteger(size) || (size as number) < 0) throw this.error(`${field}.size`, "not a size");
    const notes: Record<string, string> = {};
    if (annotations !== undefined && annotations !== null) {
      for (const [key, text] of Object.entries(this.object(annotations, `${field}.annotations`))) {
        if (typeof text === "string") notes[key] = text;
      }
    }
    return {
      mediaType,
      digest: hex,
      size: size as number,
      annotations: notes,
      platform: platformOf(platform),
      json,
    };
  }
}

function platformOf(value: unknown): Platform | undefined {
  const { os, architecture, variant } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (typeof os !== "string" || typeof architecture !== "string") return undefined;
  return { os, architecture, ...(typeof variant === "string" && { variant }) };
}

function parseJson(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > MAX_DOCUMENT_BYTES) {
    throw new TenonError("limit", `${what} has ${bytes.length} bytes, more than ${MAX_DOCUMENT_BYTES}`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new TenonError("invalid", `${what}: not JSON`, { format: what }, { cause });
  }
}

/** An index or a manifest; `what` names it in errors. Errors: `invalid`, `unsupported`, `limit`. */
export function parseDocument(bytes: Uint8Array, what: string): Document {
  const fields = new Fields(what);
  const json = fields.object(parseJson(bytes, what), "document");
  if (json.schemaVersion !== 2) {
    throw new TenonError(
      "unsupported",
      `${what}: schemaVersion ${JSON.stringify(json.schemaVersion) ?? "missing"}; only 2 is known`,
    );
  }
  if (json.manifests !== undefined && json.layers === undefined) {
    const manifests = fields.array(json.manifests, "manifests");
    return {
      kind: "index",
      manifests: manifests.map((entry, i) => fields.descriptor(entry, `manifests[${i}]`)),
    };
  }
  const config = json.config === undefined ? undefined : fields.descriptor(json.config, "config");
  const layers = fields.array(json.layers ?? json.blobs ?? [], "layers");
  return {
    kind: "manifest",
    mediaType: typeof json.mediaType === "string" ? json.mediaType : `${OCI}manifest.v1+json`,
    config,
    layers: layers.map((entry, i) => fields.descriptor(entry, `layers[${i}]`)),
  };
}

/** True for the content of an `oci-layout` file that this release knows. */
export function isLayout(bytes: Uint8Array): boolean {
  try {
    const { imageLayoutVersion } = parseJson(bytes, "oci-layout") as { imageLayoutVersion?: unknown };
    return typeof imageLayoutVersion === "string" && /^1\./.test(imageLayoutVersion);
  } catch {
    return false;
  }
}

/** The text of an index with these descriptors. */
export function makeIndex(manifests: readonly JsonObject[]): string {
  return JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}index.v1+json`, manifests });
}

interface Content {
  readonly digest: string;
  readonly size: number;
}

/** The text of a manifest for an image whose layers are plain tar archives. */
export function makeManifest(
  config: Content,
  layers: readonly Content[],
): { readonly mediaType: string; readonly text: string } {
  const descriptor = (mediaType: string, { digest, size }: Content) => ({
    mediaType,
    digest: `sha256:${digest}`,
    size,
  });
  const mediaType = `${OCI}manifest.v1+json`;
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType,
    config: descriptor(`${OCI}config.v1+json`, config),
    layers: layers.map((layer) => descriptor(`${OCI}layer.v1.tar`, layer)),
  });
  return { mediaType, text };
}
