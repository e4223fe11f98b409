/** Options and results of `lib layout`, `lib delta` and `spacer-delta`: plain data, the same that `--json` prints. */
import type { RegionName, SlotPolicy } from "../layout/index.ts";
import type { LibraryVersion } from "../library/index.ts";
import type { OperationOptions } from "./events.ts";

export type { RegionName, SlotPolicy } from "../layout/index.ts";

/** Where versions come from: a repository, or files that were named. */
export interface VersionSource {
  /** The oldest first. */
  readonly labels: readonly string[];
  readonly read: (label: string) => Promise<LibraryVersion>;
}

export interface LibLayoutOptions extends OperationOptions {
  /** Which versions; all that there are, when it is not said. */
  readonly versions?: readonly string[];
  /** Pack anew: addresses of an earlier layout in the directory mean nothing. */
  readonly rebase?: boolean;
  readonly slots?: SlotPolicy;
  /** Address of the first region. Only for a new layout, as the sizes. */
  readonly base?: number;
  readonly regionSizes?: Partial<Readonly<Record<RegionName, number>>>;
}

export interface LaidOutVersion {
  readonly label: string;
  /** File names in the directory. */
  readonly object: string;
  readonly script: string;
  readonly sectionsToPatch: string;
  readonly sectionsToGlobalize: string;
  readonly slots: number;
  /** Output sections that the script places. */
  readonly sections: number;
  /** Pages of 4 KiB that they have bytes for. */
  readonly pages: number;
}

export interface LibLayoutResult {
  readonly version: 1;
  readonly library: string;
  readonly machine: string;
  readonly directory: string;
  readonly slotPolicy: SlotPolicy;
  /** All versions of the layout, also those that it had before. */
  readonly labels: readonly string[];
  readonly written: readonly LaidOutVersion[];
  readonly variants: number;
  /** Variants whose bytes depend on what only the linker knows. */
  readonly volatileVariants: number;
  readonly homes: number;
  readonly slots: number;
  readonly regions: readonly {
    readonly name: RegionName;
    readonly address: number;
    readonly sizeBytes: number;
    readonly usedBytes: number;
  }[];
}
