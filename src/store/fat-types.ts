/** Options and results of the operations on fat files: plain data, the same that `--json` prints. */
import type { Digest } from "../digest/index.ts";
import type { OperationOptions } from "./events.ts";

/** One flavour to pack: a file on disk, or something in the repository. */
export interface FlavourSource {
  readonly from: { readonly file: string } | { readonly spec: string };
  /** Features, levels and CPUs separated by `,` or `+`; nothing for what runs everywhere. */
  readonly features: string;
  readonly rank?: number;
}

export interface FatFlavourInfo {
  /** Place in the order of preference, the best first. */
  readonly number: number;
  readonly name: string;
  readonly features: readonly string[];
  readonly rank: number;
  readonly digest: Digest;
  readonly size: number;
  /** An image stands in the file as it is; a recipe makes it. */
  readonly stored: "image" | "recipe";
  readonly storedBytes: number;
  readonly interpreter?: string;
}

export interface FatInfo {
  readonly machine: string;
  /** Whether all flavours are mapped in place, or some are restored at their first start. */
  readonly mode: "mapped" | "compact";
  readonly size: number;
  readonly flavours: readonly FatFlavourInfo[];
}

export interface FatPackResult extends FatInfo {
  readonly output: string;
  /** Flavours that were left out, since another has the same bytes and needs no more. */
  readonly merged: readonly { readonly source: string; readonly same: string }[];
}

export interface FatWriteOptions extends OperationOptions {
  readonly overwrite?: boolean;
}

/** The form of a fat file. */
export interface FatForm {
  /** `mapped` if not given. */
  readonly mode?: "mapped" | "compact";
  /** Of compact files: whether the default flavour is mapped in place (if not given) or restored as the others are. */
  readonly defaultFlavour?: "mapped" | "compressed";
}

/** Which CPU is meant: this one, or one with these features, levels and CPU names. */
export type CpuChoice = "host" | { readonly features: string };

export interface FatExplanation {
  readonly machine: string;
  /** Features of the CPU, from the most to the least valuable. */
  readonly cpu: readonly string[];
  readonly verdicts: readonly {
    readonly number: number;
    readonly name: string;
    readonly isChosen: boolean;
    readonly lacks: readonly string[];
    readonly why: string;
  }[];
}

export interface FatUnpackResult {
  readonly directory: string;
  readonly files: readonly { readonly path: string; readonly name: string; readonly digest: Digest }[];
}
