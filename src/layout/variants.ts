/** Which variants exist: bundles of equal identity in several versions are matched to one. */
import type { Bundle } from "../library/index.ts";
import type { Variant } from "./model.ts";
import { isMergeable, type ResolvedVersion } from "./resolve.ts";

/** Which variant each bundle of each version is; undefined for what has a home or is left to the linker. */
export class Variants {
  readonly all: Variant[];
  /** By version, then by bundle. */
  readonly of: (Variant | undefined)[][];
  readonly #byIdentity = new Map<string, Variant[]>();
  /** By identity and name: a library can have thousands of equal functions. */
  readonly #byName = new Map<string, Set<Variant>>();
  #nextId: number;

  constructor(versions: readonly ResolvedVersion[], frozen: readonly Variant[]) {
    // What it is used by is told anew for each layout, and the given state stays as it is.
    this.all = frozen.map((variant) => ({
      ...variant,
      ...{ names: new Set(variant.names), occurrences: new Map<number, number[]>() },
    }));
    // Not all numbers are in use: a variant can lose its last version to others before it is placed.
    this.#nextId = frozen.reduce((next, { id }) => Math.max(next, id + 1), 0);
    this.of = versions.map(({ version }) => new Array(version.bundles.length).fill(undefined));
    for (const variant of this.all) {
      this.#list(variant.identity).push(variant);
      for (const name of variant.names) this.#addName(variant, name);
    }
  }

  #addName(variant: Variant, name: string): void {
    variant.names.add(name);
    const key = `${variant.identity} ${name}`;
    const known = this.#byName.get(key);
    if (known === undefined) this.#byName.set(key, new Set([variant]));
    else known.add(variant);
  }

  #list(identity: string): Variant[] {
    let list = this.#byIdentity.get(identity);
    if (list === undefined) {
      list = [];
      this.#byIdentity.set(identity, list);
    }
    return list;
  }

  create(identity: string): Variant {
    const variant: Variant = {
      ...{ id: this.#nextId++, identity, names: new Set(), occurrences: new Map() },
      ...{ placements: undefined, references: undefined, isVolatile: false },
    };
    this.all.push(variant);
    this.#list(identity).push(variant);
    return variant;
  }

  assign(v: number, bundle: Bundle, variant: Variant): void {
    this.of[v]![bundle.index] = variant;
    this.#addName(variant, bundle.name);
    const known = variant.occurrences.get(v);
    if (known === undefined) variant.occurrences.set(v, [bundle.index]);
    else known.push(bundle.index);
  }

  /** Takes the variant from a bundle. */
  release(v: number, bundle: Bundle): void {
    const variant = this.of[v]![bundle.index];
    if (variant === undefined) return;
    this.of[v]![bundle.index] = undefined;
    const left = variant.occurrences.get(v)!.filter((index) => index !== bundle.index);
    if (left.length === 0) variant.occurrences.delete(v);
    else variant.occurrences.set(v, left);
  }

  /**
   * Matches the bundles of a version: first by identity and name, then, in order, what has the same identity under
   * another name; the rest are new. Mergeable content is one variant however often it occurs.
   */
  match(
    v: number,
    resolved: ResolvedVersion,
    bundles: readonly Bundle[],
    identityOf: (bundle: Bundle) => string,
  ): void {
    const rest = new Map<string, Bundle[]>();
    for (const bundle of bundles) {
      const identity = identityOf(bundle);
      if (isMergeable(resolved.version, bundle)) {
        this.assign(v, bundle, this.#list(identity)[0] ?? this.create(identity));
        continue;
      }
      const named = this.#byName.get(`${identity} ${bundle.name}`) ?? [];
      const [same] = [...named].filter((variant) => !variant.occurrences.has(v)).sort((a, b) => a.id - b.id);
      if (same !== undefined) this.assign(v, bundle, same);
      else {
        const others = rest.get(identity);
        if (others === undefined) rest.set(identity, [bundle]);
        else others.push(bundle);
      }
    }
    for (const [identity, others] of rest) {
      const free = this.#list(identity).filter((variant) => !variant.occurrences.has(v));
      for (const [i, bundle] of others.entries()) this.assign(v, bundle, free[i] ?? this.create(identity));
    }
  }
}
