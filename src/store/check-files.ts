/** The small files of a repository, and files that are none of its own. */
import { checkChunkerParameters } from "../chunking/index.ts";
import { isTenonError, type TenonError } from "../errors/index.ts";
import { allLeases, checkConfigCopy, readCondemnation, readConfig } from "../repository/index.ts";
import type { Findings } from "./check-findings.ts";
import { levelOf, type RepositoryBase } from "./context.ts";

/** Top-level names of a repository. */
const KNOWN = /^(?:config$|config\.copy$|packs\/|index\/|refs\/|leases\/|condemned\/)/;
const LEASE = /^leases\/(?:[0-9a-f]{32}|maintenance-[0-9]{10})$/;

/**
 * Config, leases, condemnations; foreign files outside of packs, index and refs. Returns the leases and condemnations
 * that can't be read.
 */
export async function checkFiles(
  { backend }: RepositoryBase,
  findings: Findings,
): Promise<readonly string[]> {
  const unreadable: string[] = [];
  const damaged = (path: string, error: TenonError) => {
    findings.file(path, error);
    unreadable.push(path);
  };
  try {
    levelOf((await readConfig(backend, checkChunkerParameters)).compression);
  } catch (error) {
    if (!isTenonError(error)) throw error;
    findings.file("config", error);
  }
  try {
    await checkConfigCopy(backend);
  } catch (error) {
    if (!isTenonError(error)) throw error;
    // Older releases wrote none.
    if (error.code === "not-found") findings.note("config.copy: missing; gc and repair make it");
    else findings.file("config.copy", error);
  }
  for (const lease of await allLeases(backend)) {
    if (!LEASE.test(lease.name)) findings.note(`${lease.name}: not a file of the repository`);
    else if (lease.problem !== undefined) damaged(lease.name, lease.problem);
    else if (!lease.live && lease.lease?.released === false) {
      findings.note(
        `${lease.name}: left behind by a process that has ended (${lease.description}); gc removes it`,
      );
    }
  }
  for (const { name } of await backend.list("condemned")) {
    try {
      if ((await readCondemnation(backend, name)) === undefined)
        findings.note(`${name}: not a file of the repository`);
    } catch (error) {
      if (!isTenonError(error)) throw error;
      if (error.code !== "not-found") damaged(name, error);
    }
  }
  let listed = 0;
  for (const { name, size } of await backend.list("")) {
    listed += size;
    if (!KNOWN.test(name)) findings.note(`${name}: not a file of the repository`);
  }
  const unlisted = (await backend.totalBytes()) - listed;
  if (unlisted > 0) {
    findings.note(
      `${unlisted} bytes in unfinished files (of writers at work, or stopped: gc removes old ones) or foreign ones`,
    );
  }
  return unreadable;
}
