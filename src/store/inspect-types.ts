/** What `inspect` tells: plain data, stable, the same that `--json` prints. */
import type { Digest } from "../digest/index.ts";
import type { Declined } from "./events.ts";

export interface ElfReport {
  /** `x86-64`, `AArch64`, or the name of a machine whose files are not taken apart. */
  readonly machine: string;
  readonly bits?: 32 | 64;
  readonly byteOrder?: "little" | "big";
  /** Why it can't be taken apart, whatever else is in it. */
  readonly unsupported?: string;
  /** `object`, `static`, `dynamic`, `static-pie`, `pie`, `shared`, `core`, `other`; `debug` without its code. */
  readonly type?: string;
  readonly interpreter?: string;
  readonly needed?: readonly string[];
  readonly soname?: string;
  readonly buildId?: string;
  /** Name in .gnu_debuglink. */
  readonly debugLink?: string;
  /** Guessed from what toolchains leave; the likeliest first. */
  readonly languages?: readonly string[];
  /** `gold`, `lld`, `mold`, `Go`: those that leave their name. GNU ld does not. */
  readonly linker?: string;
  /** Lines of .comment. */
  readonly comments?: readonly string[];
  readonly goVersion?: string;
  readonly segments?: number;
  readonly sections?: number;
  /** Functions that tables in the file know of. */
  readonly functions?: number;
  readonly debugBytes?: number;
  /** Of these, bytes in sections that are compressed already. */
  readonly compressedDebugBytes?: number;
  /** What is wrong with the file. */
  readonly problems?: readonly string[];
}

export interface CountReport {
  readonly kind: string;
  readonly count: number;
  readonly bytes: number;
}

/** How a recipe says the executable. */
export interface ExecutableReport {
  readonly pieces: readonly {
    readonly kind: string;
    readonly count: number;
    readonly bytes: number;
    /** Pieces and bytes that equal, are deltas of, and are not found in the bases or earlier in the file. */
    readonly copied: number;
    readonly copiedBytes: number;
    readonly changed: number;
    readonly changedBytes: number;
    readonly fresh: number;
    readonly freshBytes: number;
  }[];
  readonly references: {
    readonly count: number;
    /** Targets that followed from what the base's counterpart refers to. */
    readonly predicted: number;
    /** Predicted wrongly, and not predictable: both are told. */
    readonly missed: number;
    readonly explicit: number;
    readonly kinds: readonly { readonly kind: string; readonly count: number }[];
    readonly groups: readonly {
      readonly group: string;
      readonly count: number;
      readonly predicted: number;
      readonly told: number;
    }[];
    /** Bytes that list references which the decoder of instructions doesn't find. */
    readonly listBytes: number;
  };
  readonly derived: readonly (CountReport & { readonly exceptionBytes: number })[];
  /** Executables by which this one is coded, and how long the chain of those is. */
  readonly bases: readonly { readonly digest: Digest; readonly refs: readonly string[] }[];
  readonly depth: number;
}

/** Where the stored bytes are, by kind of stream. */
export interface StreamReport {
  readonly stream: string;
  readonly rawBytes: number;
  /** This blob's share of the compressed frames. */
  readonly storedBytes: number;
}

/** A blob within a container that is no container itself. */
export interface MemberReport {
  /** Displayed path, where the container is a tar archive. */
  readonly name?: string;
  readonly digest: Digest;
  readonly size: number;
  readonly representation: string;
}

export interface ContainerReport {
  /** Different blobs in it, and in what is in it, that are no containers themselves. */
  readonly files: number;
  readonly fileBytes: number;
  /** All that is in it, containers included, by representation; each blob once. */
  readonly representations: readonly {
    readonly name: string;
    readonly blobs: number;
    readonly bytes: number;
  }[];
  /** The largest first. */
  readonly largest: readonly MemberReport[];
}

export interface InspectReport {
  /** Of this report's shape. */
  readonly version: 1;
  readonly name: string;
  readonly digest: Digest;
  readonly size: number;
  /** True when it is in the repository; else this is how it would be kept. */
  readonly isStored: boolean;
  /** `inline`, `chunks`, `executable`, `tar`, `gzip` ... */
  readonly representation: string;
  /** Representations that were tried or would fit, and why they are not used. */
  readonly declined: readonly Declined[];
  readonly elf?: ElfReport;
  readonly executable?: ExecutableReport;
  readonly container?: ContainerReport;
  readonly streams: readonly StreamReport[];
  /** Sums over `streams`. */
  readonly rawBytes: number;
  readonly storedBytes: number;
}
