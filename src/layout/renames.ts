/**
 * Constants that say which version it is.
 *
 * A string such as a source identifier, inlined into a hundred functions, would make all of them new in every
 * version, since strings are compared by content. So where functions of one name differ in nothing but such
 * strings, always the same one in the place of the same other one, the string gets a home: one address in all
 * versions, and the functions stay the same.
 */
import { ByteWriter, utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import type { Bundle, Target, Unit } from "../library/index.ts";
import { isMergeable, type ResolvedVersion } from "./resolve.ts";

/** By version: from the identity of a constant to the name of its home. */
export type Renames = readonly ReadonlyMap<string, string>[];

/** The version before the first, which is laid out already. */
export interface PreviousVersion {
  readonly resolved: ResolvedVersion;
  /** The home of a constant of that version, made when it is asked for; undefined when it can't have one. */
  readonly homeOf: (identity: string) => string | undefined;
}

/** Looks for constants that replace each other between a version and the next. */
export function inferRenames(versions: readonly ResolvedVersion[], previous?: PreviousVersion): Renames {
  const renames = versions.map(() => new Map<string, string>());
  if (previous !== undefined) {
    for (const [from, to] of replacements(previous.resolved, versions[0]!)) {
      const key = previous.homeOf(from);
      if (key !== undefined) renames[0]!.set(to, key);
    }
  }
  for (let v = 1; v < versions.length; v++) {
    for (const [from, to] of replacements(versions[v - 1]!, versions[v]!)) {
      const key = renames[v - 1]!.get(from) ?? `constant ${from}`;
      renames[v - 1]!.set(from, key);
      renames[v]!.set(to, key);
    }
  }
  return renames;
}

/** Pairs of identities, one to one, each in its version only. */
function replacements(before: ResolvedVersion, after: ResolvedVersion): [string, string][] {
  const old = new Map(before.version.bundles.map((bundle) => [bundle.name, bundle]));
  const forward = new Map<string, Set<string>>();
  const backward = new Map<string, Set<string>>();
  for (const bundle of after.version.bundles) {
    const other = old.get(bundle.name);
    if (other === undefined || other.identity === bundle.identity) continue;
    for (const [from, to] of differingConstants(before, other, after, bundle) ?? []) {
      forward.set(from, (forward.get(from) ?? new Set()).add(to));
      backward.set(to, (backward.get(to) ?? new Set()).add(from));
    }
  }
  const identities = ({ version: { units } }: ResolvedVersion) =>
    new Set(units.map(({ identity }) => identity));
  const [inBefore, inAfter] = [identities(before), identities(after)];
  return [...forward].flatMap(([from, targets]): [string, string][] => {
    const [to] = targets;
    const isOneToOne = targets.size === 1 && backward.get(to!)!.size === 1;
    return isOneToOne && !inAfter.has(from) && !inBefore.has(to!) ? [[from, to!]] : [];
  });
}

/** The constants in which two bundles differ; undefined when they differ in something else as well. */
function differingConstants(
  before: ResolvedVersion,
  a: Bundle,
  after: ResolvedVersion,
  b: Bundle,
): [string, string][] | undefined {
  if (a.units.length !== b.units.length) return undefined;
  const found: [string, string][] = [];
  for (const [i, index] of a.units.entries()) {
    const x = before.version.units[index]!;
    const y = after.version.units[b.units[i]!]!;
    if (shape(x) !== shape(y) || x.relocations.length !== y.relocations.length) return undefined;
    for (const [j, relocation] of x.relocations.entries()) {
      const other = y.relocations[j]!;
      if (
        relocation.offset !== other.offset ||
        relocation.type !== other.type ||
        relocation.addend !== other.addend
      )
        return undefined;
      const [from, to] = [constantAt(before, relocation.target), constantAt(after, other.target)];
      if (from !== undefined && to !== undefined && from.offset === to.offset) {
        if (from.unit.identity !== to.unit.identity) found.push([from.unit.identity, to.unit.identity]);
      } else if (targetText(before, a, relocation.target) !== targetText(after, b, other.target))
        return undefined;
    }
  }
  return found;
}

/** All of a unit but its references. */
function shape({ facets, alignment, sizeBytes }: Unit): string {
  return `${facets.bytes} ${facets.flags} ${facets.binding} ${alignment} ${sizeBytes}`;
}

/** An entry of a mergeable section that is referred to. */
function constantAt(
  { version }: ResolvedVersion,
  target: Target,
): { unit: Unit; offset: number } | undefined {
  if (target.kind !== "unit") return undefined;
  const unit = version.units[target.unit]!;
  return isMergeable(version, version.bundles[unit.bundle]!) ? { unit, offset: target.offset } : undefined;
}

/** What a reference points to, as the library room compares it: by position, content or name. */
function targetText({ version }: ResolvedVersion, from: Bundle, target: Target): string {
  if (target.kind === "absolute") return `a${target.value}`;
  if (target.kind === "external") return `n${target.name}`;
  const unit = version.units[target.unit]!;
  if (unit.bundle === from.index) return `i${from.units.indexOf(target.unit)}+${target.offset}`;
  const { name, identity } = version.bundles[unit.bundle]!;
  return unit.anonymous ? `c${identity}+${target.offset}` : `n${name} ${unit.name}+${target.offset}`;
}

/** The identity of a bundle in which constants with a home count by their home's name. */
export function identityWith(
  resolved: ResolvedVersion,
  bundle: Bundle,
  renames: ReadonlyMap<string, string>,
): string {
  if (renames.size === 0) return bundle.identity;
  const { version } = resolved;
  const units = bundle.units.map((index) => version.units[index]!);
  const homeOf = (target: Target) =>
    target.kind === "unit" ? renames.get(version.units[target.unit]!.identity) : undefined;
  if (!units.some(({ relocations }) => relocations.some(({ target }) => homeOf(target) !== undefined)))
    return bundle.identity;
  const text = new ByteWriter();
  for (const unit of units) {
    text.raw(utf8(`${shape(unit)}\n`));
    for (const { offset, type, addend, target } of unit.relocations) {
      const home = homeOf(target);
      const what =
        home === undefined
          ? targetText(resolved, bundle, target)
          : `h${home}+${(target as { offset: number }).offset}`;
      text.raw(utf8(`${offset} ${type} ${addend} ${what}\n`));
    }
  }
  for (const { unit, fde, cie, fdeRelocations } of resolved.unwindOf(bundle)) {
    // Without lengths and distances, which padding and neighbours change.
    text.raw(utf8(`unwind ${bundle.units.indexOf(unit)} ${fdeRelocations.length}\n`));
    text.raw(cie.subarray(8)).raw(fde.subarray(8));
  }
  return sha256(text.view());
}
