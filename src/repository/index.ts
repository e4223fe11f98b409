/**
 * repository: packs, index, refs and leases on a backend.
 *
 * Nouns: an `atom` is stored once, in a `segment` of its kind; a `frame` is what is compressed together, a `pack`
 * a file of frames, the `index` says where everything is; a `record` is the recipe of one blob, its `runs` name
 * atoms; a `ref` names a root; a `lease` marks a process that writes. Invariants: everything but refs and leases
 * is immutable and named by its content; a pack is durable before its index, the index before the ref.
 */
export { AtomReader } from "./atom-reader.ts";
export { Codec, type CompressionLevel, compressionLevels } from "./codec.ts";
export {
  type CondemnedPacks,
  clearCondemned,
  clearDamagedCondemned,
  readCondemnation,
  readCondemned,
  writeCondemned,
} from "./condemned.ts";
export {
  type ConfigRepair,
  checkConfigCopy,
  createConfig,
  newRepositoryId,
  type RepositoryConfig,
  readConfig,
  repairConfig,
} from "./config.ts";
export {
  decodeHandprint,
  encodeHandprint,
  type Handprint,
  handprintDigest,
  MAX_HANDPRINT_KEYS,
} from "./handprint.ts";
export { type AtomPlace, digestKey, type IndexFile } from "./index-file.ts";
export { indexOfPath, indexPath } from "./index-format.ts";
export { IndexSet, type PackFilter } from "./index-set.ts";
export { writeIndexOf } from "./index-writer.ts";
export { holdsRecords, Kind, type KindNumber, kindName } from "./kinds.ts";
export type { LeaseReport } from "./lease-file.ts";
export {
  acquireMaintenance,
  allLeases,
  assertNoMaintenance,
  type LeaseOptions,
  liveLeases,
  type MaintenanceLease,
  removeStaleLeases,
  sweepBlockers,
  WriterLease,
} from "./leases.ts";
export { MAX_RECIPE_DEPTH } from "./limits.ts";
export {
  type PackName,
  PackWriter,
  packOfPath,
  packPath,
  placesOfPack,
  readFrame,
  readPackDirectory,
  type SegmentPlace,
  segmentsOfFrame,
} from "./pack.ts";
export {
  PACK_HEADER_BYTES,
  PACK_TRAILER_BYTES,
  type PackDirectory,
  type PackedFrame,
  type PackedSegment,
} from "./pack-format.ts";
export { type Salvage, type SalvageOptions, salvagePack } from "./pack-salvage.ts";
export { fileDigest, type ScannedFrame, type ScannedSegment, scanFrames } from "./pack-scan.ts";
export { type AtomRef, RunListBuilder, SegmentRef, StoredTally } from "./pending.ts";
export { type RebuildOptions, type RebuildResult, rebuildIndex } from "./rebuild.ts";
export { type BlobRecord, decodeBlobRecord, INLINE, isBlobRecord } from "./record.ts";
export {
  DEFAULT_TAG,
  formatRef,
  parseRefName,
  parseSpec,
  type RefName,
  type RefReading,
} from "./refnames.ts";
export { type RefList, type RefListEntry, RefStore } from "./refs.ts";
export type { RefChange, RefRoot, RefState } from "./refstate.ts";
export { decodeRunNodeAtom, isLeaf, type Run, type RunNode, type RunSubtree, runsFrom } from "./run-list.ts";
export { Segment, type SegmentId, segmentId } from "./segment.ts";
export { type AtomKey, keysOfSegment } from "./segment-keys.ts";
export { type PendingBlob, WriteSession } from "./session.ts";
