/** Options and results of the operations: plain data, stable, the same that `--json` prints. */
import type { Digest } from "../digest/index.ts";
import type { FunctionDifferences } from "../executable/index.ts";
import type { OperationOptions } from "./events.ts";

export type { FunctionChange, FunctionDifferences } from "../executable/index.ts";

export type CompressionLevel = "none" | "fast" | "default" | "max";

export interface InitOptions extends OperationOptions {
  readonly compression?: CompressionLevel;
  /** Mean chunk size in bytes; the bounds follow from it. */
  readonly chunkMeanBytes?: number;
}

export interface OpenOptions extends OperationOptions {
  /**
   * Executables that are taken apart or decoded at once, each in a thread of its own; with 1 there are no threads. By
   * default the CPUs that the process may use, at most 4. What is stored is the same for any number.
   */
  readonly jobs?: number | undefined;
}

/** What a ref or digest points to. */
export interface Root {
  readonly type: "file" | "tree";
  readonly digest: Digest;
  /** Bytes of the file, or the sum over all files of the tree. */
  readonly size: number;
  readonly files: number;
  /** File mode bits (0o7777) when the root is one file. */
  readonly mode?: number;
}

export interface RefState {
  /** `name:tag` */
  readonly ref: string;
  /** 1, 2, 3 ... within the ref. */
  readonly sequence: number;
  /** Absent when this state removed the ref. */
  readonly root?: Root;
  readonly when: string;
  readonly who: string;
  readonly what: string;
}

export interface AddOptions extends OperationOptions {
  /** `name` or `name:tag`; without it each path gets its own ref `<basename>:latest`. */
  readonly ref?: string;
  /** Store without any ref; garbage collection will take it. */
  readonly noRef?: boolean;
  /** Who and what, kept in the ref's history. */
  readonly who?: string;
  readonly message?: string;
  readonly exclude?: readonly string[];
  readonly compression?: CompressionLevel;
}

/** An input of `add`: a path, a stream of bytes with a name, or an image. */
export type AddInput =
  | string
  | { readonly name: string; readonly stream: AsyncIterable<Uint8Array>; readonly mode?: number }
  /** A file under another name than its own. */
  | { readonly name: string; readonly file: string; readonly mode?: number }
  /** An image: `oci:DIR[:TAG]`, `docker-archive:FILE` or `dir:DIR`. */
  | { readonly image: string };

export interface AddedRoot {
  readonly path: string;
  readonly ref?: string;
  readonly sequence?: number;
  readonly root: Root;
}

export interface AddResult {
  readonly roots: readonly AddedRoot[];
  readonly files: number;
  readonly bytes: number;
  readonly newFiles: number;
  /** Bytes by which the repository grew: packs, indexes, refs. */
  readonly storedBytes: number;
  readonly problems: number;
}

export interface GetOptions extends OperationOptions {
  /** Where to; default: the ref's name without tag, or the digest, in the current directory. */
  readonly output?: string;
  /** `REF:path`: only this file or subtree. */
  readonly overwrite?: boolean;
  readonly sparse?: boolean;
  readonly keepSetid?: boolean;
  /** Write an image as an OCI layout, which `output` will be. */
  readonly layout?: boolean;
  /** `os/architecture[/variant]`, for a path within an image. */
  readonly platform?: string | undefined;
}

export interface GetResult {
  readonly output: string;
  /** What the ref or digest of the spec names, before any path. */
  readonly root: Root;
  /** Of the file, where the spec names one. */
  readonly digest?: Digest;
  readonly files: number;
  readonly bytes: number;
  readonly problems: number;
}

export interface CatOptions extends OperationOptions {
  /** `os/architecture[/variant]`: which of an image's file systems; default: that of this machine, else the first. */
  readonly platform?: string | undefined;
  readonly offset?: number;
  readonly length?: number;
}

/** One line of `ls`. */
export type ListEntry =
  | { readonly type: "ref"; readonly ref: string; readonly state: RefState }
  | {
      readonly type: "file" | "directory" | "symlink";
      /** Displayable path, escaped where it is not UTF-8. */
      readonly path: string;
      readonly mode: number;
      readonly size?: number;
      readonly digest?: Digest;
      readonly target?: string;
    };

/** What became of the functions of an executable, or why that can't be said. */
export type FunctionReport = FunctionDifferences | { readonly problem: string };

export type DiffEntry = {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  readonly before?: Exclude<ListEntry, { type: "ref" }>;
  readonly after?: Exclude<ListEntry, { type: "ref" }>;
  /** Of a changed executable, when functions were asked for. */
  readonly functions?: FunctionReport;
};

export interface StreamStats {
  /** Name of the kind: chunk, node, recipe ... */
  readonly kind: string;
  readonly segments: number;
  readonly atoms: number;
  readonly rawBytes: number;
  readonly storedBytes: number;
}

export interface Stats {
  /** Sum of the sizes of everything that the present states of refs reach, each occurrence counted. */
  readonly logicalBytes: number;
  /** Every byte of the repository directory. */
  readonly storedBytes: number;
  /** storedBytes / logicalBytes; null when nothing is referenced. */
  readonly ratio: number | null;
  readonly refs: number;
  readonly files: number;
  readonly blobs: number;
  readonly atoms: number;
  readonly segments: number;
  readonly packs: number;
  readonly streams: readonly StreamStats[];
  /** storedBytes by part of the repository. */
  readonly storedByPart: {
    readonly packs: number;
    readonly packDirectories: number;
    readonly index: number;
    readonly refs: number;
    readonly other: number;
  };
  readonly representations: readonly {
    readonly name: string;
    readonly blobs: number;
    readonly bytes: number;
  }[];
}

export interface CheckOptions extends OperationOptions {
  readonly readData?: boolean;
  readonly rebuildIndex?: boolean;
}

export interface Damage {
  /** File in the repository, when the damage is in one. */
  readonly file?: string;
  readonly what: string;
  /** Refs whose content it touches. */
  readonly refs: readonly string[];
  readonly blobs: readonly Digest[];
}

export interface CheckResult {
  readonly ok: boolean;
  readonly packs: number;
  readonly blobs: number;
  readonly bytesRead: number;
  readonly damages: readonly Damage[];
  /** Not wrong, but worth knowing: unreferenced packs, stale leases. */
  readonly notes: readonly string[];
}

export interface RepairResult {
  /** The one of `config` and its copy that was made again from the other. */
  readonly restored?: "config" | "config.copy";
  readonly rebuiltIndex: boolean;
  readonly packsRewritten: number;
  readonly packsDropped: number;
  readonly refsChanged: readonly { readonly ref: string; readonly lost: readonly string[] }[];
  readonly lostBlobs: readonly Digest[];
}

export interface GcOptions extends OperationOptions {
  /** How long the lease of a process on another machine counts without being renewed. */
  readonly graceMs?: number;
  readonly dryRun?: boolean;
}

export interface GcResult {
  /** Of a dry run: what would be freed, but for what packs that are compressed anew become smaller by. */
  readonly freedBytes: number;
  /** Condemned now, freed by a later run, since somebody is writing. */
  readonly pendingBytes: number;
  readonly waitingFor: readonly string[];
  readonly livePacks: number;
  readonly removedPacks: number;
  readonly rewrittenPacks: number;
}

export interface CompactOptions extends GcOptions {
  readonly compression?: CompressionLevel;
}

export interface CompactResult extends GcResult {
  readonly beforeBytes: number;
  readonly afterBytes: number;
}
