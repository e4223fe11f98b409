/** Index files by themselves: their names, their pages, and that every entry leads somewhere. */
import { isTenonError, type TenonError, throwIfAborted } from "../errors/index.ts";
import { fileDigest, IndexSet, indexOfPath } from "../repository/index.ts";
import type { Findings } from "./check-findings.ts";
import type { RepositoryBase } from "./context.ts";

export interface CheckedIndex {
  /** The files that can be used. */
  readonly index: IndexSet;
  readonly bytesRead: number;
  /** Some file is damaged. */
  readonly damaged: boolean;
}

export async function checkIndex(
  { backend }: RepositoryBase,
  findings: Findings,
  signal?: AbortSignal,
): Promise<CheckedIndex> {
  let bytesRead = 0;
  const bad = new Set<string>();
  const damage = (path: string, problem: string | TenonError) => {
    findings.file(path, problem);
    bad.add(path);
  };
  for (const { name: path, size } of await backend.list("index")) {
    throwIfAborted(signal);
    const name = indexOfPath(path);
    if (name === undefined) {
      findings.note(`${path}: not a file of the repository`);
      continue;
    }
    try {
      if ((await fileDigest(backend, path)) !== name) damage(path, "its SHA-256 is not its name");
      bytesRead += size;
    } catch (error) {
      // Merged into another one meanwhile.
      if (!isTenonError(error)) throw error;
      if (error.code !== "not-found") damage(path, error);
    }
  }
  const index = await IndexSet.open(backend, (error) => damage(String(error.data.path), error));
  for (const file of index.files) {
    throwIfAborted(signal);
    const path = `index/${file.name}.idx`;
    try {
      file.verify();
    } catch (error) {
      if (!isTenonError(error)) throw error;
      damage(path, error);
    }
  }
  return { index, bytesRead, damaged: bad.size > 0 };
}
