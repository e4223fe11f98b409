/** `manifest.json` of archives that `docker save` writes. */
import { invalid, TenonError } from "../errors/index.ts";
import { MAX_DOCUMENT_BYTES } from "./documents.ts";

export interface DockerArchiveImage {
  /** Paths within the archive. */
  readonly config: string;
  readonly layers: readonly string[];
  readonly tags: readonly string[];
}

const MAX_IMAGES = 1000;
const MAX_LAYERS = 1000;

/** The images of an archive. Errors: `invalid`, `limit`. */
export function parseDockerManifest(bytes: Uint8Array): DockerArchiveImage[] {
  const what = "manifest.json";
  if (bytes.length > MAX_DOCUMENT_BYTES) throw new TenonError("limit", `${what} has ${bytes.length} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch (cause) {
    throw new TenonError("invalid", `${what}: not JSON`, { format: what }, { cause });
  }
  if (!Array.isArray(json) || json.length === 0 || json.length > MAX_IMAGES) {
    throw invalid(what, "document", 0, "not a list of images");
  }
  return json.map((entry, i) => {
    const { Config: config, Layers: layers, RepoTags: tags } = (entry ?? {}) as Record<string, unknown>;
    const texts = (value: unknown): value is string[] =>
      Array.isArray(value) && value.length <= MAX_LAYERS && value.every((text) => typeof text === "string");
    if (typeof config !== "string") throw invalid(what, `[${i}].Config`, 0, "not a path");
    if (!texts(layers)) throw invalid(what, `[${i}].Layers`, 0, "not a list of paths");
    return { config, layers, tags: texts(tags) ? tags : [] };
  });
}
