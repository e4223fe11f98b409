/** What fat operations read and write in the file system. */
import { open, readFile } from "node:fs/promises";
import { setImmediate } from "node:timers/promises";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import {
  type FatFile,
  type FatFlavour,
  type FeatureSet,
  type FlavourInput,
  featuresOfCpuinfo,
  packCompact,
  packFat,
  parseFeatures,
} from "../fatbin/index.ts";
import { fileError, restoreFile } from "../files/index.ts";
import type { CpuChoice, FatFlavourInfo, FatForm, FatWriteOptions } from "./fat-types.ts";

type Machine = FeatureSet["machine"];

/** What one call of the system reads or writes at most: Linux stops at 2 GiB, and a signal is heeded in between. */
const CALL_BYTES = 1 << 28;

/** A whole file of any size, or its first bytes. Errors: `not-found`, `io`, `unsupported` for what isn't a file. */
export async function readProgram(
  path: string,
  atMostBytes = Number.POSITIVE_INFINITY,
): Promise<{ readonly bytes: Uint8Array; readonly sizeBytes: number }> {
  await using file = await open(path, "r").catch((error: unknown) => {
    throw fileError(error, { doing: "reading", path });
  });
  const stat = await file.stat();
  if (!stat.isFile()) throw new TenonError("unsupported", `${path} is not a regular file`, { path });
  const bytes = new Uint8Array(Math.min(stat.size, atMostBytes));
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, Math.min(CALL_BYTES, bytes.length - length), length);
    if (bytesRead === 0) throw new TenonError("io", `${path} became shorter while it was read`, { path });
    length += bytesRead;
  }
  return { bytes, sizeBytes: stat.size };
}

/** An executable file on its way: under another name, which is removed unless it gets its own. */
export interface ProgramWriter extends AsyncDisposable {
  /** Writes all of it and gives it its name. */
  write(pieces: Iterable<Uint8Array>): Promise<void>;
}

/** Opened before the work for it begins: what is in the way is better known then. Errors: `exists`, `not-found`, `io`. */
export async function openProgram(
  output: string,
  { overwrite = false, signal }: FatWriteOptions,
): Promise<ProgramWriter> {
  const writer = (await restoreFile(output, { existing: overwrite ? "overwrite" : "error", mode: 0o755 }))!;
  return {
    async write(pieces) {
      for (const piece of pieces) {
        for (let at = 0; at < piece.length; at += CALL_BYTES) {
          throwIfAborted(signal);
          await writer.write(piece.subarray(at, at + CALL_BYTES));
        }
      }
      await writer.commit();
    },
    [Symbol.asyncDispose]: () => writer.abort(),
  };
}

/** Packs flavours in the form that is wanted, and tells how far that is. Errors: those of packing, `usage`. */
export async function packInForm(
  inputs: readonly FlavourInput[],
  { mode = "mapped", defaultFlavour, signal, onEvent }: FatForm & FatWriteOptions,
): Promise<FatFile> {
  if (mode === "mapped") {
    if (defaultFlavour === "compressed")
      throw new TenonError("usage", "only in compact files the default flavour can be compressed");
    return packFat(inputs);
  }
  const work = packCompact(inputs, { defaultFlavour: defaultFlavour ?? "mapped" });
  for (let step = work.next(); ; step = work.next()) {
    if (step.done) return step.value;
    const { doneBytes, totalBytes } = step.value;
    onEvent?.({
      type: "progress",
      operation: "fat pack",
      phase: "comparing",
      doneBytes,
      totalBytes,
      doneItems: 0,
    });
    // Timers and signals have their turn between two parts of the work.
    await setImmediate();
    throwIfAborted(signal);
  }
}

/** The features that a choice of CPU means. Errors: `usage`, `unsupported` on a host of another machine. */
export async function featuresOf(machine: Machine, cpu: CpuChoice): Promise<FeatureSet> {
  if (cpu !== "host") return parseFeatures(machine, cpu.features);
  const host: Machine | undefined =
    process.arch === "x64" ? "x86-64" : process.arch === "arm64" ? "aarch64" : undefined;
  if (host !== machine || process.platform !== "linux") {
    throw new TenonError(
      "unsupported",
      `the flavours are for ${machine} and Linux, and this is ${process.arch} and ${process.platform}: name a CPU`,
    );
  }
  return featuresOfCpuinfo(machine, await readFile("/proc/cpuinfo", "utf8"));
}

export function flavourInfo({
  number,
  name,
  needs,
  rank,
  digest,
  sizeBytes,
  stored,
  storedBytes,
  interpreter,
}: FatFlavour): FatFlavourInfo {
  const info = { number, name, features: needs.names, rank, digest, size: sizeBytes, stored, storedBytes };
  return interpreter === undefined ? info : { ...info, interpreter };
}
