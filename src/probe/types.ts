/** What a probe reports. The object is what `--json` prints; sizes are bytes. */

/** A way to store the same content, measured. */
export interface MethodResult {
  /** Stable name: `exact`, `exact-file`, `bup(13)`, `elf` ... */
  readonly name: string;
  /** What it does, one line. */
  readonly label: string;
  /** What went in. Less than the whole only where `label` says what was left out. */
  readonly totalBytes: number;
  /** Bytes of different pieces: what a store holds before it compresses. */
  readonly uniqueBytes: number;
  readonly pieces: number;
  readonly uniquePieces: number;
  /** Different pieces after zstd -3 in frames of 1 MiB; undefined when recompression was not asked for. */
  readonly packedBytes?: number;
  /** Different pieces after zstd -3 each by itself; partly an estimate from a sample. */
  readonly aloneBytes?: number;
  /** False when the content can't be given back from what was counted. */
  readonly isRestorable: boolean;
}

/** A row that is not there, and why. */
export interface MethodLeftOut {
  readonly name: string;
  readonly reason: string;
}

/** An image, or what was named on the command line. */
export interface GroupResult {
  readonly name: string;
  /** Uncompressed, each layer or file once. */
  readonly totalBytes: number;
  readonly objects: number;
  /** In chunks that no other group has. */
  readonly ownBytes: number;
}

/** A layer or a file. */
export interface ObjectResult {
  readonly name: string;
  readonly kind: "gzip layer" | "zstd layer" | "tar layer" | "file";
  readonly storedBytes: number;
  readonly totalBytes: number;
  /** Numbers of the groups that have it. */
  readonly groups: readonly number[];
  /** In chunks that are in no other object and only once in this one. */
  readonly ownBytes: number;
}

export interface Saving {
  readonly name: string;
  /** In how many layers or files it is. */
  readonly places: number;
  readonly totalBytes: number;
  /** What keeping its chunks once saves, shared evenly between all who have them. */
  readonly savedBytes: number;
  /** Names of the groups it is in, at most four. */
  readonly groups: readonly string[];
}

export interface Obstacle {
  readonly name: string;
  readonly places: number;
  readonly totalBytes: number;
  /** In chunks that are nowhere else. */
  readonly ownBytes: number;
  /** What it is, which is why. */
  readonly what: string;
}

/** Bytes of chunks that two groups (or objects, when there is one group) both have. */
export interface SharingMatrix {
  readonly of: "groups" | "objects";
  readonly names: readonly string[];
  /** Row by row; on the diagonal all that it has. */
  readonly bytes: readonly (readonly number[])[];
  /** How many smaller ones were left out. */
  readonly leftOut: number;
}

/** Runs of an executable: 's' shared, 'n' near (equal but for addresses), 'u' unique. */
export interface ExecutableMap {
  readonly name: string;
  readonly totalBytes: number;
  readonly sharedBytes: number;
  readonly nearBytes: number;
  readonly uniqueBytes: number;
  /** At most 256 cells of equal size in file order: bytes that are shared, near, unique. */
  readonly cells: readonly (readonly [shared: number, near: number, unique: number])[];
}

export interface ProbeProblem {
  readonly path: string;
  readonly code: "damaged" | "invalid" | "unsupported" | "limit" | "io" | "not-found" | "partial";
  readonly reason: string;
  /** Left out entirely; false when it was counted nevertheless. */
  readonly skipped: boolean;
}

export interface Verdict {
  /** Bytes of the compressed blobs now. */
  readonly compressedNowBytes: number;
  /** tenon's chunks, packed. */
  readonly tenonBytes: number;
  /** The same with executables taken apart, if there were any. */
  readonly tenonExecutablesBytes?: number;
  /** The layer probe's chunks, each alone: what a chunk CDN stores. */
  readonly chunkCdnBytes: number;
}

export interface ProbeReport {
  readonly version: 1;
  readonly inputs: readonly string[];
  /** Uncompressed bytes of all layers and files, each different blob once. */
  readonly totalBytes: number;
  /** What they take now: blobs as they are, with configs and manifests. */
  readonly storedBytes: number;
  readonly layers: number;
  readonly files: number;
  readonly methods: readonly MethodResult[];
  readonly leftOut: readonly MethodLeftOut[];
  /** Only when everything was a compressed layer and recompression was asked for. */
  readonly verdict?: Verdict;
  /** The lines that the layer probe printed, when there are gzip layers. */
  readonly layerProbeLines?: readonly string[];
  readonly groups: readonly GroupResult[];
  readonly objects: readonly ObjectResult[];
  readonly matrix?: SharingMatrix;
  readonly savings: readonly Saving[];
  readonly obstacles: readonly Obstacle[];
  readonly executables: readonly ExecutableMap[];
  readonly problems: readonly ProbeProblem[];
  /** Blobs that are no layers (configs, manifests), by count and bytes: counted in `storedBytes` only. */
  readonly otherBlobs: { readonly count: number; readonly bytes: number };
}

export interface ProbeProgress {
  readonly phase: "looking" | "checking" | "measuring" | "compressing";
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly doneItems: number;
  readonly totalItems: number;
}

export interface ProbeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ProbeProgress) => void) | undefined;
  readonly onProblem?: ((problem: ProbeProblem) => void) | undefined;
  /** Default: true. */
  readonly recompress?: boolean | undefined;
}
