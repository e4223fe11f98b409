/** Short names of feature sets, as lists and traces show them. */
import { type FeatureSet, featuresOfSet, parseFeatures, vocabularyOf } from "./vocabulary.ts";

/**
 * The highest level within a set, then the features beyond it that no other one of the set implies:
 * `x86-64-v3+aes`. `parseFeatures` makes the same set of it. A set without needs is `baseline`.
 */
export function labelOf(set: FeatureSet): string {
  const { levels } = vocabularyOf(set.machine);
  const level = levels.findLast(({ name }) => featuresOfSet(set.machine, name)!.isWithin(set));
  const covered = level ? featuresOfSet(set.machine, level.name)! : parseFeatures(set.machine, "");
  const beyond = set.without(covered);
  const minimal = beyond.filter(
    (name) => !beyond.some((other) => other !== name && implies(set, other, name)),
  );
  const parts = [...(level ? [level.name] : []), ...minimal];
  return parts.length === 0 ? "baseline" : parts.join("+");
}

function implies({ machine }: FeatureSet, feature: string, implied: string): boolean {
  return parseFeatures(machine, implied).isWithin(parseFeatures(machine, feature));
}
