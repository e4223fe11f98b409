/** Refs: every state of each, and the roots that they name. */
import { throwIfAborted } from "../errors/index.ts";
import { formatRef, type RefName, type RefRoot } from "../repository/index.ts";
import type { Findings } from "./check-findings.ts";
import type { RepositoryBase } from "./context.ts";

/** A root that some state of a ref names. */
export interface NamedRoot {
  readonly ref: RefName;
  readonly sequence: number;
  /** It is the ref's present root. */
  readonly present: boolean;
  /** `name:tag`, with `@N` when the state is not the present one. */
  readonly label: string;
  readonly root: RefRoot;
}

/** A state that cannot be read, or that its successor does not follow. */
export interface BrokenState {
  readonly ref: RefName;
  readonly sequence: number;
}

export interface CheckedRefs {
  /** Those that must be there: what was before a removal may have been collected since. */
  readonly roots: readonly NamedRoot[];
  readonly broken: readonly BrokenState[];
}

export async function checkRefs(
  { refs }: RepositoryBase,
  findings: Findings | undefined,
  signal?: AbortSignal,
): Promise<CheckedRefs> {
  const roots: NamedRoot[] = [];
  const broken: BrokenState[] = [];
  const { refs: all, foreign } = await refs.list();
  for (const path of foreign) findings?.note(`${path}: not a file of the repository`);
  for (const entry of all) {
    throwIfAborted(signal);
    const { ref } = entry;
    let removed = false;
    let newest = true;
    for await (const found of refs.history(ref)) {
      const label = newest ? formatRef(ref) : `${formatRef(ref)}@${found.sequence}`;
      if ("problem" in found) {
        broken.push({ ref, sequence: found.sequence });
        const { problem } = found;
        findings?.add({ file: problem.data.path, what: findings.read(problem), refs: [label] });
      } else if (found.state.root === null) removed = true;
      else if (!removed) {
        roots.push({ ref, sequence: found.sequence, present: newest, label, root: found.state.root });
      }
      newest = false;
    }
  }
  return { roots, broken };
}
