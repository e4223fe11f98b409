/** The one event model of long work. Text, JSON lines and the progress bar are renderers of it. */

import type { Digest } from "../digest/index.ts";
import type { ErrorCode } from "../errors/index.ts";

export type Operation =
  | "init"
  | "add"
  | "get"
  | "cat"
  | "ls"
  | "log"
  | "diff"
  | "tag"
  | "rm"
  | "stats"
  | "check"
  | "repair"
  | "gc"
  | "compact"
  | "lib add"
  | "lib share"
  | "fat pack"
  | "probe"
  | "inspect"
  | "debug";

/** A representation that was not used for a blob, and why. */
export interface Declined {
  readonly representation: string;
  readonly reason: string;
}

export type StoreEvent =
  /** How far the work is. Counts only grow; totals may be unknown (undefined) or grow while walking. */
  | {
      readonly type: "progress";
      readonly operation: Operation;
      /** A few words: "reading", "restoring", "marking", "rewriting" ... */
      readonly phase: string;
      readonly doneBytes: number;
      readonly totalBytes?: number;
      readonly doneItems: number;
      readonly totalItems?: number;
      /** Bytes written to packs so far (add, compact). */
      readonly storedBytes?: number;
    }
  /** One file or argument is finished. */
  | {
      readonly type: "item";
      readonly operation: Operation;
      readonly path: string;
      readonly kind: "file" | "directory" | "symlink";
      readonly digest?: Digest;
      readonly size: number;
      /** Bytes that this item added to the packs, compressed: exact for chunks that only it has. */
      readonly storedBytes?: number;
      readonly known?: boolean;
      readonly representation?: string;
      readonly declined?: readonly Declined[];
    }
  /** Something was left out or is wrong; the work goes on. */
  | {
      readonly type: "problem";
      readonly operation: Operation;
      readonly code: ErrorCode;
      readonly message: string;
      readonly path?: string;
      readonly ref?: string;
    };

/** What every operation takes besides its own options. */
export interface OperationOptions {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: StoreEvent) => void;
}
