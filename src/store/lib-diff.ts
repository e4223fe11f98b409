/** `lib diff`: what differs between two versions, stored ones or files. */
import { diffVersions } from "../library/index.ts";
import type { StoreContext } from "./context.ts";
import type { OperationOptions } from "./events.ts";
import type { LibDiffResult } from "./lib-types.ts";
import { readLibraryFiles, readLibraryVersion } from "./lib-versions.ts";

/** Compares two stored versions. */
export async function diffLibrary(
  context: StoreContext,
  from: string,
  to: string,
  options: OperationOptions = {},
): Promise<LibDiffResult> {
  const before = await readLibraryVersion(context, from, options);
  return { version: 1, from, to, ...diffVersions(before, await readLibraryVersion(context, to, options)) };
}

/** Compares two archives or object files; needs no repository. */
export async function diffLibraryFiles(
  from: string,
  to: string,
  options: OperationOptions = {},
): Promise<LibDiffResult> {
  const before = await readLibraryFiles([from], options);
  return { version: 1, from, to, ...diffVersions(before, await readLibraryFiles([to], options)) };
}
