/** Files that operations on libraries write into a directory that the user named. */
import { basename, join } from "node:path";
import { makeDirectories } from "../backend/index.ts";
import { TenonError, throwIfAborted } from "../errors/index.ts";
import { restoreFile } from "../files/index.ts";
import { type LibraryVersion, readVersion } from "../library/index.ts";
import type { StoreContext } from "./context.ts";
import type { OperationOptions } from "./events.ts";
import { readProgram } from "./fat-programs.ts";
import type { VersionSource } from "./lib-layout-types.ts";
import { listLibraries, readLibraryVersion } from "./lib-versions.ts";

export interface OutputFile {
  readonly name: string;
  readonly bytes: Uint8Array | string;
}

/** Writes files in order, each whole or not at all, in the place of what had their names. */
export async function writeOutputs(
  directory: string,
  files: readonly OutputFile[],
  { signal }: OperationOptions,
): Promise<void> {
  await makeDirectory(directory);
  for (const { name, bytes } of files) {
    throwIfAborted(signal);
    const writer = (await restoreFile(join(directory, name), { existing: "overwrite", mode: 0o644 }))!;
    try {
      await writer.write(typeof bytes === "string" ? Buffer.from(bytes) : bytes);
      await writer.commit();
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await makeDirectories(directory);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TenonError("io", `can't make ${directory}: ${why}`, { path: directory }, { cause: error });
  }
}

/** A label as part of a file name. Errors: `usage` for what can't be one. */
export function fileLabel(label: string): string {
  if (!/^[A-Za-z0-9_+~@%,.-]+$/.test(label) || label.startsWith("."))
    throw new TenonError(
      "usage",
      `${label} can't be part of a file name; use letters, digits, '.', '-' and '_'`,
    );
  return label;
}

/** The stored versions of a library. */
export async function storedVersions(
  context: StoreContext,
  name: string,
  options: OperationOptions = {},
): Promise<VersionSource> {
  const infos = await listLibraries(context, name, options);
  return {
    labels: infos.map(({ version }) => version),
    read: (label) => readLibraryVersion(context, `${name}:${label}`, options),
  };
}

/** Versions given as `VERSION=FILE`, the oldest first; a version given several times has several files. */
export function fileVersions(given: readonly string[], { signal }: OperationOptions = {}): VersionSource {
  const files = new Map<string, string[]>();
  for (const text of given) {
    const at = text.indexOf("=");
    if (at < 1 || at === text.length - 1) throw new TenonError("usage", `${text} is not VERSION=FILE`);
    const label = text.slice(0, at);
    const paths = files.get(label);
    if (paths === undefined) files.set(label, [text.slice(at + 1)]);
    else paths.push(text.slice(at + 1));
  }
  const read = async (label: string): Promise<LibraryVersion> => {
    const opened = [];
    for (const path of files.get(label)!) {
      throwIfAborted(signal);
      opened.push({ name: basename(path), bytes: (await readProgram(path)).bytes });
    }
    return readVersion(opened);
  };
  return { labels: [...files.keys()], read };
}
