/** tenon, by its command line as the checkout has it: one file added after the other, then compacted. */
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { run, type Taken } from "../measured.ts";
import { sizeOf } from "./folder.ts";
import { type Input, sha256Of } from "./sources.ts";

export type Level = "none" | "fast" | "default" | "max";

/** What one series of adds took and left. Sizes are of the whole repository: every file, every byte. */
export interface TenonResult {
  /** Names in the order of arrival. */
  readonly order: readonly string[];
  readonly level: Level;
  /** After each add. */
  readonly afterAdd: readonly number[];
  readonly addCpuSeconds: readonly number[];
  readonly addWallSeconds: readonly number[];
  readonly addPeakBytes: readonly number[];
  readonly afterCompact: number;
  readonly compactCpuSeconds: number;
  readonly compactPeakBytes: number;
  /** What adding everything again, to other refs, made it grow by, for each file. */
  readonly againBytesEach: number;
  /** After compaction: where the bytes are, the largest first. */
  readonly parts: readonly {
    readonly kind: string;
    readonly rawBytes: number;
    readonly storedBytes: number;
  }[];
  /** How the files are kept, with how many. */
  readonly representations: readonly { readonly name: string; readonly blobs: number }[];
  /** Of each file, after compaction. */
  readonly getCpuSeconds: readonly number[];
  /** What `get` takes when there is next to nothing to restore: starting a process. */
  readonly startCpuSeconds: number;
}

/** The command line of this checkout. */
export const PROGRAM = join(import.meta.dirname, "..", "..", "src", "cli", "main.ts");

export interface TenonOptions {
  /** The command line's main module. */
  readonly program: string;
  /** An empty folder, where the repository is made and left. */
  readonly work: string;
  readonly level: Level;
  readonly progress: (what: string) => void;
}

/** How `compact` is asked to compress for a repository that `add` filled at `level`. */
function compactArguments(level: Level): string[] {
  return level === "none" ? ["compact", "--compression", "none"] : ["compact"];
}

/** What `tenon stats --json` says, as far as it is read here. */
interface Stats {
  readonly streams: readonly {
    readonly kind: string;
    readonly rawBytes: number;
    readonly storedBytes: number;
  }[];
  readonly storedByPart: Readonly<Record<string, number>>;
  readonly representations: readonly { readonly name: string; readonly blobs: number }[];
}

function partsOf({ streams, storedByPart }: Stats): TenonResult["parts"] {
  const others = Object.entries(storedByPart).filter(([part]) => part !== "packs");
  return [
    ...streams.map(({ kind, rawBytes, storedBytes }) => ({ kind, rawBytes, storedBytes })),
    ...others.map(([kind, bytes]) => ({ kind, rawBytes: bytes, storedBytes: bytes })),
  ].sort((a, b) => b.storedBytes - a.storedBytes);
}

/** Restores everything and compares it with the inputs; throws when a byte differs. */
function restoreAll(inputs: readonly Input[], tenon: (...args: string[]) => Taken, output: string): number[] {
  return inputs.map((input) => {
    const { cpuSeconds } = tenon("get", refOf(input), "-o", output);
    const restored = { bytes: statSync(output).size, sha256: sha256Of(output) };
    rmSync(output);
    if (restored.bytes !== input.bytes || restored.sha256 !== input.sha256) {
      throw new Error(`${input.name} came back as ${restored.bytes} bytes with digest ${restored.sha256}`);
    }
    return cpuSeconds;
  });
}

const refOf = ({ name }: Input, prefix = "bench") => `${prefix}:${name}`;

/** What one `add` of all files left. Sizes as in `TenonResult`. */
export interface TogetherResult {
  readonly afterAdd: number;
  readonly afterCompact: number;
  readonly addCpuSeconds: number;
}

/** All inputs in one call, as a directory of them, restored and compared. */
export function measureTogether(
  inputs: readonly Input[],
  { program, work, level, progress }: TenonOptions,
): TogetherResult {
  const repo = join(work, "repo");
  const output = join(work, "restored");
  const tenon = (...args: string[]) =>
    run([process.execPath, program, "-q", "-r", repo, ...args], {
      env: { XDG_CACHE_HOME: join(work, "cache") },
    });
  tenon("init", "--compression", level);
  progress("add all");
  const { cpuSeconds } = tenon("add", "--ref", "bench:all", ...inputs.map(({ path }) => path));
  const afterAdd = sizeOf(repo);
  progress("compact");
  tenon(...compactArguments(level));
  const afterCompact = sizeOf(repo);
  tenon("get", "bench:all", "-o", output);
  for (const { name, sha256 } of inputs) {
    if (sha256Of(join(output, name)) !== sha256) throw new Error(`${name} came back as other bytes`);
  }
  return { afterAdd, afterCompact, addCpuSeconds: cpuSeconds };
}

/** `inputs`: in the order of arrival. */
export function measureTenon(
  inputs: readonly Input[],
  { program, work, level, progress }: TenonOptions,
): TenonResult {
  const repo = join(work, "repo");
  const output = join(work, "restored");
  const tenon = (...args: string[]) =>
    run([process.execPath, program, "-q", "-r", repo, ...args], {
      env: { XDG_CACHE_HOME: join(work, "cache") },
    });
  tenon("init", "--compression", level);
  const afterAdd: number[] = [];
  const added = inputs.map((input) => {
    progress(`add ${input.name}`);
    const taken = tenon("add", "--ref", refOf(input), input.path);
    afterAdd.push(sizeOf(repo));
    return taken;
  });
  restoreAll(inputs, tenon, output);
  progress("compact");
  const compact = tenon(...compactArguments(level));
  const afterCompact = sizeOf(repo);
  const stats = JSON.parse(tenon("stats", "--json").output) as Stats;
  progress("get");
  const getCpuSeconds = restoreAll(inputs, tenon, output);
  const startCpuSeconds = tenon("ls").cpuSeconds;
  progress("add again");
  for (const input of inputs) tenon("add", "--ref", refOf(input, "again"), input.path);
  return {
    order: inputs.map(({ name }) => name),
    level,
    afterAdd,
    addCpuSeconds: added.map(({ cpuSeconds }) => cpuSeconds),
    addWallSeconds: added.map(({ wallSeconds }) => wallSeconds),
    addPeakBytes: added.map(({ peakBytes }) => peakBytes),
    afterCompact,
    compactCpuSeconds: compact.cpuSeconds,
    compactPeakBytes: compact.peakBytes,
    againBytesEach: (sizeOf(repo) - afterCompact) / inputs.length,
    parts: partsOf(stats),
    representations: stats.representations.map(({ name, blobs }) => ({ name, blobs })),
    getCpuSeconds,
    startCpuSeconds,
  };
}
