/** `lib diff`: what differs between two versions, stored ones or files. */
import { TenonError } from "../errors/index.ts";
import { diffVersions, type LibraryVersion } from "../library/index.ts";
import type { StoreContext } from "./context.ts";
import type { OperationOptions } from "./events.ts";
import type { LibDiffResult } from "./lib-types.ts";
import { readLibraryFiles, readLibraryVersion } from "./lib-versions.ts";

/** Compares two stored versions. Errors: `usage` for versions of two machines, those of reading them. */
export async function diffLibrary(
  context: StoreContext,
  from: string,
  to: string,
  options: OperationOptions = {},
): Promise<LibDiffResult> {
  const before = await readLibraryVersion(context, from, options);
  const after = await readLibraryVersion(context, to, options);
  checkMachines(from, before, to, after);
  return { version: 1, from, to, ...diffVersions(before, after) };
}

/** Compares two archives or object files; needs no repository. Errors as of stored ones. */
export async function diffLibraryFiles(
  from: string,
  to: string,
  options: OperationOptions = {},
): Promise<LibDiffResult> {
  const before = await readLibraryFiles([from], options);
  const after = await readLibraryFiles([to], options);
  checkMachines(from, before, to, after);
  return { version: 1, from, to, ...diffVersions(before, after) };
}

/** What is compiled for another machine differs in everything, which says nothing. */
function checkMachines(from: string, before: LibraryVersion, to: string, after: LibraryVersion): void {
  if (before.machine !== after.machine)
    throw new TenonError("usage", `${to} is for ${after.machine}, but ${from} is for ${before.machine}`);
}
