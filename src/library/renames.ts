/**
 * Renames between two versions.
 *
 * The same thing under another name: equal identities. Or another thing in the same place: where code is otherwise
 * equal, its references tell which name took the place of which; a release's date that is inlined into every caller
 * is the common case. A rename is only inferred if all references agree, both ways. Or a function that compilers
 * specialise in one version and not in the other: `f.isra`.
 */
import type { Pairing } from "./diff.ts";
import type { Bundle, LibraryVersion, Unit } from "./model.ts";

/** Bundle indexes in the earlier and in the later version. */
export interface Rename {
  readonly from: number;
  readonly to: number;
  readonly because: "identity" | "clone" | "references";
}

/** One caller that calls another function than before is no rename, but another call. */
const MIN_CALLERS = 2;

/** Renames among what is gone and what was added. */
export function inferRenames(a: LibraryVersion, b: LibraryVersion, pairing: Pairing): Rename[] {
  const renames = byIdentity(a, b, pairing);
  renames.push(...byClone(a, b, pairing, renames));
  const taken = { from: new Set(renames.map(({ from }) => from)), to: new Set(renames.map(({ to }) => to)) };
  const gone = new Set(pairing.gone.map(({ index }) => index).filter((index) => !taken.from.has(index)));
  const added = new Set(pairing.added.map(({ index }) => index).filter((index) => !taken.to.has(index)));
  const forward = new Map<number, number>();
  const backward = new Map<number, number>();
  const voters = new Map<number, Set<number>>();
  const disputed = { from: new Set<number>(), to: new Set<number>() };
  const vote = (from: number, to: number, voter: number) => {
    const known = voters.get(from) ?? new Set();
    voters.set(from, known.add(voter));
    if ((forward.get(from) ?? to) !== to) disputed.from.add(from);
    if ((backward.get(to) ?? from) !== from) disputed.to.add(to);
    forward.set(from, to);
    backward.set(to, from);
  };
  for (const [before, after] of pairing.pairs) {
    if (before.identity === after.identity || before.units.length !== after.units.length) continue;
    for (const [i, index] of before.units.entries()) {
      const [x, y] = [a.units[index]!, b.units[after.units[i]!]!];
      if (x.facets.bytes !== y.facets.bytes || x.relocations.length !== y.relocations.length) continue;
      for (const [k, one] of x.relocations.entries()) {
        const other = y.relocations[k]!;
        if (one.offset !== other.offset || one.type !== other.type) break;
        if (one.target.kind !== "unit" || other.target.kind !== "unit") continue;
        const [from, to] = [a.units[one.target.unit]!.bundle, b.units[other.target.unit]!.bundle];
        if (gone.has(from) && added.has(to) && sameKind(a, b, from, to)) vote(from, to, before.index);
      }
    }
  }
  const votesNeeded = (bundle: number) => (firstUnit(a, bundle).kind === "code" ? MIN_CALLERS : 1);
  for (const [from, to] of forward)
    if (!disputed.from.has(from) && !disputed.to.has(to) && voters.get(from)!.size >= votesNeeded(from))
      renames.push({ from, to, because: "references" });
  return renames;
}

function firstUnit(version: LibraryVersion, bundle: number): Unit {
  return version.units[version.bundles[bundle]!.units[0]!]!;
}

function sameKind(a: LibraryVersion, b: LibraryVersion, from: number, to: number): boolean {
  return firstUnit(a, from).kind === firstUnit(b, to).kind;
}

/** A function that was specialised and isn't any more, or the other way round: `f.isra` and `f`. */
function byClone(a: LibraryVersion, b: LibraryVersion, pairing: Pairing, known: readonly Rename[]): Rename[] {
  const taken = { from: new Set(known.map(({ from }) => from)), to: new Set(known.map(({ to }) => to)) };
  const byBase = (version: LibraryVersion, bundles: readonly Bundle[], done: ReadonlySet<number>) => {
    const found = new Map<string, number[]>();
    for (const { index, name } of bundles) {
      if (done.has(index) || firstUnit(version, index).kind !== "code") continue;
      const base = name.replace(/\.(constprop|isra)(?=\.|$)/g, "");
      found.set(base, [...(found.get(base) ?? []), index]);
    }
    return found;
  };
  const after = byBase(b, pairing.added, taken.to);
  const renames: Rename[] = [];
  for (const [base, from] of byBase(a, pairing.gone, taken.from)) {
    const to = after.get(base);
    if (from.length === 1 && to?.length === 1) renames.push({ from: from[0]!, to: to[0]!, because: "clone" });
  }
  return renames;
}

/** Equal identities, if each has exactly one candidate; empty sections and single zeros are everywhere. */
function byIdentity(a: LibraryVersion, b: LibraryVersion, { gone, added }: Pairing): Rename[] {
  const count = (version: LibraryVersion, bundles: readonly Bundle[]) => {
    const found = new Map<string, Bundle[]>();
    for (const bundle of bundles) {
      const { sizeBytes, anonymous } = version.units[bundle.units[0]!]!;
      if (sizeBytes === 0 || anonymous) continue;
      const known = found.get(bundle.identity);
      if (known === undefined) found.set(bundle.identity, [bundle]);
      else known.push(bundle);
    }
    return found;
  };
  const [before, after] = [count(a, gone), count(b, added)];
  const renames: Rename[] = [];
  for (const [identity, from] of before) {
    const to = after.get(identity);
    if (from.length === 1 && to?.length === 1)
      renames.push({ from: from[0]!.index, to: to[0]!.index, because: "identity" });
  }
  return renames;
}
