/** What `debug` tells: plain data, stable, the same that `--json` prints. */
import type { Digest } from "../digest/index.ts";

export interface DebugMatch {
  readonly digest: Digest;
  readonly size: number;
  /** By what the two know each other. */
  readonly by: "build-id" | "debug-link";
  /** Where it is, as SPEC; empty when it is only within archives. */
  readonly places: readonly string[];
}

export interface DebugReport {
  /** Of this report's shape. */
  readonly version: 1;
  readonly spec: string;
  readonly name: string;
  /** `debug`: its code was taken out, and executables were looked for. */
  readonly role: "code" | "debug";
  readonly digest: Digest;
  readonly size: number;
  readonly buildId?: string;
  /** Name in its .gnu_debuglink. */
  readonly debugLink?: string;
  /** It has debug information of its own. */
  readonly hasDebugInformation: boolean;
  /** Known by build-id first. */
  readonly matches: readonly DebugMatch[];
  /** The file that was written. */
  readonly output?: string;
}
