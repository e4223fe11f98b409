/** Names of CPU features, what they imply, how they are seen, and the sets that have names of their own. */

import type { Machine } from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";
import { AARCH64_CPUS, AARCH64_FEATURES, AARCH64_LEVELS, AARCH64_UNDETECTABLE } from "./aarch64.ts";
import { X86_CPUS, X86_FEATURES, X86_LEVELS, X86_UNDETECTABLE } from "./x86-64.ts";

/** How a launcher sees a feature: all bits of `mask` in a word, and state that the kernel must have enabled. */
export interface DetectionRule {
  /** x86-64: leaf of CPUID. AArch64: type of the auxiliary vector's entry. */
  readonly source: number;
  readonly subleaf: number;
  /** x86-64: 0 EAX, 1 EBX, 2 ECX, 3 EDX. AArch64: 0. */
  readonly part: number;
  /** x86-64: 0 none, 1 XSAVE, 2 AVX, 3 AVX-512, 4 AMX. AArch64: 0. */
  readonly state: number;
  readonly mask: bigint;
}

export interface Feature {
  /** As rustc's `target_feature` spells it. */
  readonly name: string;
  /** As GCC, Clang and /proc/cpuinfo spell it, where that differs. */
  readonly aliases: readonly string[];
  /** Features that every compiler turns on with it. */
  readonly implies: readonly string[];
  readonly rule: DetectionRule;
}

/** A set of features with a name: a level of the psABI or the architecture, or a compiler's CPU. */
export interface NamedSet {
  readonly name: string;
  /** Name of the set that it extends. */
  readonly base?: string;
  readonly features: readonly string[];
}

export interface Vocabulary {
  readonly machine: Machine;
  /** From the least to the most valuable: the place in this list is the feature's rank. */
  readonly features: readonly Feature[];
  readonly levels: readonly NamedSet[];
  readonly cpus: readonly NamedSet[];
  /** In every CPU of this machine, so nothing to need. */
  readonly baseline: ReadonlySet<string>;
  /** Known names that no program can ask the CPU or the kernel about, with the reason. */
  readonly undetectable: ReadonlyMap<string, string>;
  /** Place of a feature in `features` by canonical name or alias. */
  readonly places: ReadonlyMap<string, number>;
}

function vocabulary(
  machine: Machine,
  features: readonly Feature[],
  levels: readonly NamedSet[],
  cpus: readonly NamedSet[],
  others: { readonly baseline: readonly string[]; readonly undetectable: Readonly<Record<string, string>> },
): Vocabulary {
  const places = new Map<string, number>();
  for (const [place, { name, aliases }] of features.entries()) {
    for (const known of [name, ...aliases]) places.set(known, place);
  }
  return {
    machine,
    features,
    levels,
    cpus,
    baseline: new Set(others.baseline),
    undetectable: new Map(Object.entries(others.undetectable)),
    places,
  };
}

const VOCABULARIES: Readonly<Record<Machine, Vocabulary>> = {
  "x86-64": vocabulary("x86-64", X86_FEATURES, X86_LEVELS, X86_CPUS, {
    baseline: [
      ...["sse", "sse2", "fxsr", "mmx", "cmov", "cx8", "cmpxchg8b", "fpu", "x87", "64bit"],
      ...["x86-64", "x86-64-v1", "baseline"],
    ],
    undetectable: X86_UNDETECTABLE,
  }),
  aarch64: vocabulary("aarch64", AARCH64_FEATURES, AARCH64_LEVELS, AARCH64_CPUS, {
    baseline: ["neon", "asimd", "fp", "fp-armv8", "simd", "armv8-a", "generic", "baseline"],
    undetectable: AARCH64_UNDETECTABLE,
  }),
};

export function vocabularyOf(machine: Machine): Vocabulary {
  return VOCABULARIES[machine];
}

/** Adds a feature and all that it implies. */
function addClosure(words: Vocabulary, name: string, into: Set<number>): void {
  const place = words.places.get(name);
  if (place === undefined) throw new TypeError(`the vocabulary lacks its own feature ${name}`);
  if (into.has(place)) return;
  into.add(place);
  for (const implied of words.features[place]!.implies) addClosure(words, implied, into);
}

/** The features of a level or CPU, with what it extends. */
function addNamedSet(words: Vocabulary, set: NamedSet, into: Set<number>): void {
  const base = namedSet(words, set.base);
  if (base) addNamedSet(words, base, into);
  for (const feature of set.features) addClosure(words, feature, into);
}

function namedSet({ levels, cpus }: Vocabulary, name: string | undefined): NamedSet | undefined {
  return levels.find((set) => set.name === name) ?? cpus.find((set) => set.name === name);
}

/** The closed set of a level or CPU; undefined when there is none of that name. */
export function featuresOfSet(machine: Machine, name: string): FeatureSet | undefined {
  const words = vocabularyOf(machine);
  const key = name.toLowerCase();
  if (key === "baseline") return new FeatureSet(machine, []);
  const set = namedSet(words, key);
  if (set === undefined) return words.baseline.has(key) ? new FeatureSet(machine, []) : undefined;
  const places = new Set<number>();
  addNamedSet(words, set, places);
  return new FeatureSet(machine, places);
}

/** Features of one machine, closed under implication; baseline features are not in it. */
export class FeatureSet {
  readonly machine: Machine;
  /** Bit n: the feature of rank n. */
  readonly bits: bigint;

  constructor(machine: Machine, places: Iterable<number>) {
    this.machine = machine;
    let bits = 0n;
    for (const place of places) bits |= 1n << BigInt(place);
    this.bits = bits;
  }

  /** Names from the most to the least valuable. */
  get names(): string[] {
    const { features } = vocabularyOf(this.machine);
    return features
      .map(({ name }) => name)
      .filter((_, place) => this.hasPlace(place))
      .reverse();
  }

  hasPlace(place: number): boolean {
    return ((this.bits >> BigInt(place)) & 1n) === 1n;
  }

  isWithin(other: FeatureSet): boolean {
    return (this.bits & ~other.bits) === 0n;
  }

  /** Names of what is here and not in the other. */
  without(other: FeatureSet): string[] {
    const { features } = vocabularyOf(this.machine);
    return features
      .filter((_, place) => this.hasPlace(place) && !other.hasPlace(place))
      .map(({ name }) => name)
      .reverse();
  }
}

/**
 * The needs that a list names: features, levels and CPUs, separated by `,` or `+`. Errors: `usage` for a name that is unknown, or that can't be detected at run time.
 */
export function parseFeatures(machine: Machine, list: string | readonly string[]): FeatureSet {
  const words = vocabularyOf(machine);
  const places = new Set<number>();
  const given = typeof list === "string" ? list : list.join(",");
  for (const item of given.split(/[,+]/)) {
    const name = item.trim().toLowerCase();
    if (name === "") continue;
    const set = namedSet(words, name);
    if (set) addNamedSet(words, set, places);
    else if (words.places.has(name)) addClosure(words, name, places);
    else if (!words.baseline.has(name)) throw unknownName(words, name);
  }
  return new FeatureSet(machine, places);
}

/** What a CPU has, from names of which some may be unknown (they are left out): /proc/cpuinfo. */
export function featuresFromKernel(machine: Machine, flags: readonly string[]): FeatureSet {
  const words = vocabularyOf(machine);
  const given = new Set(flags.map((flag) => flag.toLowerCase()));
  const present = words.features.map(({ name, aliases }) => {
    const parts = KERNEL_PARTS[machine][name];
    return parts
      ? parts.every((part) => given.has(part))
      : [name, ...aliases].some((word) => given.has(word));
  });
  return new FeatureSet(
    machine,
    present.flatMap((isPresent, place) => (isPresent ? [place] : [])),
  );
}

/** Features that /proc/cpuinfo tells in several words. */
const KERNEL_PARTS: Readonly<Record<Machine, Readonly<Record<string, readonly string[]>>>> = {
  "x86-64": {},
  aarch64: {
    aes: ["aes", "pmull"],
    sha2: ["sha1", "sha2"],
    sha3: ["sha3", "sha512"],
    sm4: ["sm3", "sm4"],
    fp16: ["fphp", "asimdhp"],
    "sve2-aes": ["sveaes", "svepmull"],
  },
};

function unknownName(words: Vocabulary, name: string): TenonError {
  const why = words.undetectable.get(name);
  if (why !== undefined) {
    return new TenonError("usage", `feature ${name} can't be detected at run time: ${why}`, {
      feature: name,
    });
  }
  const other: Machine = words.machine === "x86-64" ? "aarch64" : "x86-64";
  const elsewhere = VOCABULARIES[other];
  if (elsewhere.places.has(name) || namedSet(elsewhere, name)) {
    return new TenonError("usage", `${name} is a name of ${other}, and the program is for ${words.machine}`, {
      feature: name,
    });
  }
  return new TenonError(
    "usage",
    `unknown feature, level or CPU ${JSON.stringify(name)} for ${words.machine}; names are those of compilers, such as ${words.features.at(-1)!.name} or ${words.levels.at(-1)!.name}`,
    { feature: name },
  );
}
