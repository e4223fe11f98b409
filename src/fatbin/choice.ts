/** Which flavour is better, which one a CPU gets, and why. */
import type { Digest } from "../digest/index.ts";
import type { FeatureSet } from "./vocabulary.ts";

/** What the choice looks at. */
export interface Candidate {
  readonly needs: FeatureSet;
  /** Given by whoever packs; higher is better and outweighs all else. 0 if not given. */
  readonly rank: number;
  readonly digest: Digest;
}

/**
 * The better one comes first: by explicit rank, then by needs, then by digest.
 *
 * Needs compare as numbers whose highest bit is the most valuable feature. So the flavour with the most valuable
 * feature that the other lacks wins, and a strict superset always does; how many features there are never counts.
 */
export function compareCandidates(a: Candidate, b: Candidate): number {
  if (a.rank !== b.rank) return b.rank - a.rank;
  if (a.needs.bits !== b.needs.bits) return a.needs.bits > b.needs.bits ? -1 : 1;
  return a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0;
}

/** One flavour's part in a choice. */
export interface Verdict<C> {
  readonly candidate: C;
  readonly isChosen: boolean;
  /** Features that it needs and the CPU lacks; empty when it could run. */
  readonly lacks: readonly string[];
  readonly why: string;
}

/** All candidates from best to worst with the reason for each; the first that fits is chosen. */
export function explainChoice<C extends Candidate>(
  candidates: readonly C[],
  have: FeatureSet,
): readonly Verdict<C>[] {
  const ordered = [...candidates].sort(compareCandidates);
  const chosen = ordered.find(({ needs }) => needs.isWithin(have));
  return ordered.map((candidate) => {
    const lacks = candidate.needs.without(have);
    const isChosen = candidate === chosen;
    return { candidate, isChosen, lacks, why: reason(candidate, chosen, lacks) };
  });
}

/** A level has some ten features; the most valuable ones say enough. */
const MOST_NAMED = 4;

function reason(candidate: Candidate, chosen: Candidate | undefined, lacks: readonly string[]): string {
  if (lacks.length > 0) return `the CPU lacks ${lacks.join(", ")}`;
  if (chosen === undefined || candidate === chosen) {
    const { names } = candidate.needs;
    return names.length === 0
      ? "it runs on every CPU"
      : "the CPU has all that it needs, and none better fits";
  }
  if (candidate.rank !== chosen.rank) return `its rank ${candidate.rank} is below ${chosen.rank}`;
  const more = chosen.needs.without(candidate.needs);
  if (more.length === 0) return "the other's digest comes first";
  const others = more.length > MOST_NAMED ? ` and ${more.length - MOST_NAMED} more` : "";
  return `the chosen one also uses ${more.slice(0, MOST_NAMED).join(", ")}${others}`;
}

/** The best candidate that the CPU can run; undefined when none fits. */
export function choose<C extends Candidate>(candidates: readonly C[], have: FeatureSet): C | undefined {
  return [...candidates].sort(compareCandidates).find(({ needs }) => needs.isWithin(have));
}
