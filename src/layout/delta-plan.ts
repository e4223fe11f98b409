/**
 * What each piece of a chain of deltas holds: the first version whole, of every later one what no earlier piece has.
 *
 * Bodies are compared by name and identity. A function that becomes again what it was in an older piece is not
 * stored again: the piece gets a trampoline to the older body. Data can't be redirected, so it is stored again.
 */
import { SHF_TLS, STT_GNU_IFUNC } from "../elf/index.ts";
import type { Bundle } from "../library/index.ts";
import { isMergeable, type ResolvedVersion } from "./resolve.ts";

/** A bundle as it is stored in a piece. */
export interface Body {
  /** Index of the piece, which is that of its version. */
  readonly piece: number;
  readonly bundle: Bundle;
}

export interface DeltaPiece {
  /** What is stored in it, in the order of its version. */
  readonly bundles: readonly Bundle[];
  /** Functions whose body is in an older piece than the one that would otherwise count. */
  readonly reverts: readonly { readonly bundle: Bundle; readonly to: Body }[];
  /** Names of bundles that an older piece has with another body. */
  readonly changed: ReadonlySet<string>;
}

export interface DeltaPlan {
  readonly versions: readonly ResolvedVersion[];
  readonly pieces: readonly DeltaPiece[];
  /** By bundle name: the piece that defines it in the newest version. */
  readonly current: ReadonlyMap<string, number>;
  /** Bodies (`piece name`) that trampolines of later pieces lead to. */
  readonly aliased: ReadonlySet<string>;
}

/** Plans the chain; the first version is the base. */
export function planDelta(versions: readonly ResolvedVersion[]): DeltaPlan {
  const bodies = new Map<string, Body[]>();
  /** What the newest piece so far makes of each name: where its symbols are defined, and with what identity. */
  const current = new Map<string, { readonly piece: number; readonly identity: string }>();
  const aliased = new Set<string>();
  const pieces = versions.map((resolved, piece): DeltaPiece => {
    const { version } = resolved;
    const isNewest = piece === versions.length - 1;
    const stored = new Set<number>();
    const reverts: { bundle: Bundle; to: Body }[] = [];
    const changed = new Set<string>();
    const names = new Set<string>();
    for (const bundle of version.bundles) {
      const { name, identity, index } = bundle;
      if (isAnonymous(resolved, bundle)) {
        if (piece === 0) stored.add(index);
        continue;
      }
      // Lists of initialisers add up over objects, so only the newest version's may be linked.
      if (isList(resolved, bundle)) {
        if (isNewest) stored.add(index);
        continue;
      }
      names.add(name);
      const before = current.get(name);
      if (before?.identity === identity) continue;
      if (before !== undefined) changed.add(name);
      current.set(name, { piece, identity });
      const older = bodies.get(name)?.find((body) => body.bundle.identity === identity);
      if (older !== undefined && canRedirect(resolved, bundle)) {
        reverts.push({ bundle, to: older });
        aliased.add(`${older.piece} ${name}`);
        continue;
      }
      stored.add(index);
      const body = { piece, bundle };
      const known = bodies.get(name);
      if (known === undefined) bodies.set(name, [body]);
      else known.push(body);
    }
    // What a version no longer has must not be found again as unchanged when it comes back.
    for (const name of [...current.keys()]) if (!names.has(name)) current.delete(name);
    if (piece > 0) {
      for (const bundle of completeGroups(resolved, stored))
        if (!isAnonymous(resolved, bundle)) current.set(bundle.name, { piece, identity: bundle.identity });
      addAnonymous(resolved, stored);
    }
    return { bundles: version.bundles.filter(({ index }) => stored.has(index)), reverts, changed };
  });
  return {
    versions,
    pieces,
    current: new Map([...current].map(([name, { piece }]) => [name, piece])),
    aliased,
  };
}

/** Content without a name: each piece that refers to it has its own copy. */
export function isAnonymous({ version }: ResolvedVersion, bundle: Bundle): boolean {
  return isMergeable(version, bundle) || bundle.units.every((index) => version.units[index]!.anonymous);
}

/** Sections that linkers string together and whose entries no name refers to. */
export function isList({ version, places }: ResolvedVersion, bundle: Bundle): boolean {
  return bundle.units.every((index) => {
    const { flags, group } = version.units[index]!;
    return places[index] === "through" && (flags & SHF_TLS) === 0 && group === undefined;
  });
}

/** True when a branch at the name can lead to the body: for plain functions at the beginning of their sections. */
export function canRedirect({ version, places }: ResolvedVersion, bundle: Bundle): boolean {
  const [first, ...others] = bundle.units.map((index) => version.units[index]!);
  if (places[first!.index] !== "code" || first!.group !== undefined) return false;
  const isPlain = first!.symbols.every(
    ({ type, offset, name }) => type !== STT_GNU_IFUNC && (offset === 0 || isLabel(name)),
  );
  // Other parts may not be known by name elsewhere.
  return isPlain && others.every(({ symbols }) => symbols.every(({ binding }) => binding === "local"));
}

/** What the compiler or assembler marks inside of functions. */
function isLabel(name: string): boolean {
  return name.startsWith(".") || name.startsWith("$");
}

/** Adds what belongs to the COMDAT groups of stored bundles: linkers keep the first group as a whole. */
function completeGroups({ version }: ResolvedVersion, stored: Set<number>): Bundle[] {
  const groupsOf = ({ units }: Bundle) => units.flatMap((index) => version.units[index]!.group ?? []);
  const groups = new Set([...stored].flatMap((index) => groupsOf(version.bundles[index]!)));
  const added = version.bundles.filter(
    (bundle) => !stored.has(bundle.index) && groupsOf(bundle).some((group) => groups.has(group)),
  );
  for (const { index } of added) stored.add(index);
  return added;
}

/** Adds the anonymous content that stored bundles refer to, and what that refers to. */
function addAnonymous(resolved: ResolvedVersion, stored: Set<number>): void {
  const { version } = resolved;
  const open = [...stored];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    const bundle = version.bundles[index]!;
    const relocations = [
      ...bundle.units.flatMap((unit) => version.units[unit]!.relocations),
      ...resolved
        .unwindOf(bundle)
        .flatMap(({ fdeRelocations, cieRelocations }) => [...fdeRelocations, ...cieRelocations]),
    ];
    for (const { target } of relocations) {
      if (target.kind !== "unit") continue;
      const other = version.units[target.unit]!.bundle;
      if (stored.has(other) || !isAnonymous(resolved, version.bundles[other]!)) continue;
      stored.add(other);
      open.push(other);
    }
  }
}
