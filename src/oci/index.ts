/**
 * oci: container images: layouts, indexes, manifests, and the file system that layers add up to.
 *
 * Nouns, as the OCI specifications spell them: a `descriptor` names content by media type, digest and size; an
 * `index` holds descriptors of manifests, a `manifest` those of config and `layers`; a `whiteout` hides what
 * lower layers hold. Invariant: nothing that a document says is believed before it is checked, and no path of a
 * layer leads out of the image.
 */
export { type DockerArchiveImage, parseDockerManifest } from "./docker-archive.ts";
export {
  compressionOf,
  type Descriptor,
  type Document,
  isLayout,
  MAX_DOCUMENT_BYTES,
  type MediaKind,
  makeIndex,
  makeManifest,
  mediaKind,
  OCI_LAYOUT,
  type Platform,
  parseDocument,
  REF_NAME,
} from "./documents.ts";
export { type LayerEntry, type MergedEntry, MergedImage } from "./merge.ts";
