/** Several flavours of one program become one file: what is packed, in which order, and what is refused. */
import { sha256 } from "../digest/index.ts";
import type { Machine } from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";
import { compareCandidates } from "./choice.ts";
import { labelOf } from "./labels.ts";
import { compactLauncherOf, launcherOf, restorerOf } from "./launcher/index.ts";
import { type Flavour, type LayoutInput, layOut, type StoredRecipe, translate } from "./layout.ts";
import { type Group, MAX_FLAVOURS, type Manifest, type NamedRule } from "./manifest.ts";
import { planProgram } from "./plan.ts";
import { FeatureSet, featuresOfSet, parseFeatures, vocabularyOf } from "./vocabulary.ts";

export interface FlavourInput {
  /** For messages: a path or a ref. */
  readonly source: string;
  /** The program's file, whole. It must not change before the pieces are written. */
  readonly bytes: Uint8Array;
  /** Features, levels and CPUs separated by `,` or `+`; nothing for a flavour that runs everywhere. */
  readonly features: string;
  /** Outweighs the rank of features; higher is better. 0 if not given. */
  readonly rank?: number;
}

export interface FatFile {
  readonly manifest: Manifest;
  readonly sizeBytes: number;
  /** Flavours that were left out because another one has the same bytes and needs no more. */
  readonly merged: readonly { readonly source: string; readonly same: string }[];
  /** The file from the beginning to the end. */
  pieces(): Generator<Uint8Array>;
}

/**
 * Packs flavours to be mapped in place. Errors: `usage` for features that are unknown or can't be detected, machines
 * that differ, two different flavours with the same needs; `invalid` and `unsupported` for what isn't a program that
 * can be packed.
 */
export function packFat(inputs: readonly FlavourInput[]): FatFile {
  const prepared = prepare(inputs);
  return layOut({ ...prepared, launcher: launcherOf(prepared.machine) });
}

/** Packs flavours with recipes for some of them, by digest; the others are mapped in place. Errors: as `packFat`. */
export function packWithRecipes(
  inputs: readonly FlavourInput[],
  recipes: ReadonlyMap<string, StoredRecipe>,
): FatFile {
  const prepared = prepare(inputs);
  const { machine } = prepared;
  const compact = { recipes, restorer: restorerOf(machine) };
  return layOut({ ...prepared, launcher: compactLauncherOf(machine), compact });
}

/** Everything but the places in the file: which flavours stay, in the order of preference, and what they ask for. */
export function prepare(inputs: readonly FlavourInput[]): Omit<LayoutInput, "launcher" | "compact"> {
  if (inputs.length === 0) throw new TenonError("usage", "a fat file needs at least one flavour");
  if (inputs.length > MAX_FLAVOURS)
    throw new TenonError(
      "limit",
      `${inputs.length} flavours were given, at most ${MAX_FLAVOURS} are possible`,
    );
  const flavours = readFlavours(inputs);
  const { kept, merged } = mergeEqual(flavours);
  kept.sort(compareCandidates);
  for (const [i, flavour] of kept.entries()) {
    const next = kept[i + 1];
    if (next && next.needs.bits === flavour.needs.bits && next.rank === flavour.rank)
      throw new TenonError(
        "usage",
        `${flavour.source} and ${next.source} need the same (${labelOf(flavour.needs)}) and differ: give one of them features or a rank`,
      );
  }
  const { machine } = kept[0]!.plan;
  const stackIsExecutable = kept[0]!.plan.needsExecutableStack;
  const other = kept.find(({ plan }) => plan.needsExecutableStack !== stackIsExecutable);
  if (other) {
    throw new TenonError(
      "unsupported",
      `${other.source} and ${kept[0]!.source} differ in whether the stack is executable, and a file has one stack`,
    );
  }
  const { rules, groups } = rulesFor(machine, kept);
  return { machine, rules, groups, stackIsExecutable, flavours: kept, merged };
}

function readFlavours(inputs: readonly FlavourInput[]): Flavour[] {
  const flavours: Flavour[] = [];
  for (const { source, bytes, features, rank = 0 } of inputs) {
    if (!Number.isInteger(rank) || Math.abs(rank) >= 2 ** 31)
      throw new TenonError("usage", `the rank of ${source} must be a whole number of 32 bits`);
    try {
      const plan = planProgram(bytes);
      const first = flavours[0];
      if (first && first.plan.machine !== plan.machine)
        throw new TenonError(
          "usage",
          `it is for ${plan.machine}, and ${first.source} is for ${first.plan.machine}`,
        );
      flavours.push({
        source,
        bytes,
        plan,
        rank,
        needs: parseFeatures(plan.machine, features),
        digest: sha256(bytes),
      });
    } catch (error) {
      if (!(error instanceof TenonError)) throw error;
      throw new TenonError(
        error.code,
        `${source}: ${error.message}`,
        { ...error.data, path: source },
        { cause: error },
      );
    }
  }
  return flavours;
}

/** Of flavours with the same bytes, only those that need least stay. */
function mergeEqual(flavours: readonly Flavour[]): {
  kept: Flavour[];
  merged: { source: string; same: string }[];
} {
  const kept: Flavour[] = [];
  const merged: { source: string; same: string }[] = [];
  for (const flavour of flavours) {
    const same = flavours.find(
      (other) =>
        other !== flavour &&
        other.digest === flavour.digest &&
        other.needs.isWithin(flavour.needs) &&
        (other.needs.bits !== flavour.needs.bits || flavours.indexOf(other) < flavours.indexOf(flavour)),
    );
    if (same) merged.push({ source: flavour.source, same: same.source });
    else kept.push(flavour);
  }
  return { kept, merged };
}

/** The features that the flavours need, in the order in which a launcher asks, and the levels in terms of these. */
function rulesFor(machine: Machine, flavours: readonly Flavour[]): { rules: NamedRule[]; groups: Group[] } {
  const { features, levels } = vocabularyOf(machine);
  let needed = 0n;
  for (const { needs } of flavours) needed |= needs.bits;
  const used = features
    .map((feature, place) => ({ ...feature, place }))
    .filter(({ place }) => ((needed >> BigInt(place)) & 1n) === 1n)
    .sort((a, b) => a.rule.source - b.rule.source || a.rule.subleaf - b.rule.subleaf || a.place - b.place);
  const bitsOf = (set: FeatureSet) => translate(set, used);
  let below = new FeatureSet(machine, []);
  const groups = levels.map(({ name }) => {
    const all = featuresOfSet(machine, name)!;
    const own = new FeatureSet(
      machine,
      features.flatMap((_, place) => (all.hasPlace(place) && !below.hasPlace(place) ? [place] : [])),
    );
    below = all;
    return { name, all: bitsOf(all), own: bitsOf(own) };
  });
  return { rules: used.map(({ name, rule }) => ({ name, ...rule })), groups };
}
