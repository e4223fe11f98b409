/** Options and results of the operations on versions of libraries: plain data, the same that `--json` prints. */
import type { BundleChange, DiffTotals } from "../library/index.ts";

/** What a stored version holds. */
export interface LibVersionInfo {
  /** `NAME:VERSION` */
  readonly ref: string;
  readonly name: string;
  readonly version: string;
  readonly machine: string;
  /** As they were given: archives and object files. */
  readonly files: readonly { readonly file: string; readonly size: number; readonly digest: string }[];
  readonly objects: number;
  readonly functions: number;
  readonly units: number;
  /** Bytes of all units; of bss too, which takes none in the files. */
  readonly unitBytes: number;
  /** Bytes of the files. */
  readonly size: number;
  /** When this state of the ref was made. */
  readonly when: string;
}

export interface LibAddResult extends Omit<LibVersionInfo, "when"> {
  readonly sequence?: number;
  /** Stored versions of the same name that units were compared with. */
  readonly comparedWith: readonly string[];
  /** Units that none of those has. */
  readonly newUnits: number;
  readonly newUnitBytes: number;
  /** Bytes by which the repository grew. */
  readonly storedBytes: number;
}

export interface LibDiffResult {
  readonly version: 1;
  /** What was compared: `NAME:VERSION`, or the files. */
  readonly from: string;
  readonly to: string;
  readonly totals: Readonly<Record<"function" | "data" | "string", DiffTotals>>;
  readonly changes: readonly BundleChange[];
}
