/**
 * What differs between two versions, bundle by bundle.
 *
 * Bundles with names are compared by name. Anonymous ones (strings, constants) have nothing but content: they are in
 * both versions, or new, or gone. What is gone under one name and new under another is a rename if it is the same,
 * or if all that refer to the one now refer to the other.
 */
import type { Bundle, LibraryVersion, Unit } from "./model.ts";
import { inferRenames } from "./renames.ts";

export type BundleKind = "function" | "data" | "string";
/** What can differ in a bundle of the same name. */
export type Aspect = "bytes" | "relocations" | "alignment" | "flags" | "binding" | "size" | "unwind";

export interface BundleChange {
  readonly change: "new" | "changed" | "gone" | "renamed";
  readonly kind: BundleKind;
  /** In the later version; in the earlier one if it is gone. */
  readonly name: string;
  /** The earlier name of what was renamed. */
  readonly oldName?: string;
  /** The text of a string, and what it was. */
  readonly text?: string;
  readonly oldText?: string;
  /** Of what changed, or was renamed and differs beside its name: in what. Empty if it is the same. */
  readonly aspects: readonly Aspect[];
  /** True when all that differs are the names of things that were renamed. */
  readonly onlyRenames: boolean;
  /** Bytes of its units; absent where there is none. */
  readonly oldSizeBytes?: number;
  readonly sizeBytes?: number;
}

export interface DiffTotals {
  readonly unchanged: number;
  readonly new: number;
  readonly changed: number;
  readonly gone: number;
  readonly renamed: number;
  /** Of what changed: differs by nothing but renames. */
  readonly changedByRenames: number;
  /** Bytes of what is unchanged or only renamed, and of all in the later version. */
  readonly keptBytes: number;
  readonly totalBytes: number;
}

export interface LibraryDiff {
  /** Functions, then data, then strings; each by name. */
  readonly changes: readonly BundleChange[];
  readonly totals: Readonly<Record<BundleKind, DiffTotals>>;
}

/** What a bundle is, by its first unit. */
export function bundleKind(version: LibraryVersion, bundle: Bundle): BundleKind {
  const { kind } = version.units[bundle.units[0]!]!;
  return kind === "code" ? "function" : kind === "string" ? "string" : "data";
}

/** Bytes of all units. */
export function bundleSize(version: LibraryVersion, bundle: Bundle): number {
  return bundle.units.reduce((sum, unit) => sum + version.units[unit]!.sizeBytes, 0);
}

/** Compares two versions. Linear in what they hold. */
export function diffVersions(a: LibraryVersion, b: LibraryVersion): LibraryDiff {
  const { pairs, gone, added } = pairBundles(a, b);
  const renames = inferRenames(a, b, { pairs, gone, added });
  const renamedTo = new Map(renames.map((rename) => [rename.from, rename.to]));
  const changes: BundleChange[] = [];
  const counts = { function: emptyTotals(), data: emptyTotals(), string: emptyTotals() };
  const report = (change: BundleChange) => {
    changes.push(change);
    counts[change.kind][change.change]++;
    if (change.change === "changed" && change.onlyRenames) counts[change.kind].changedByRenames++;
  };
  for (const bundle of b.bundles) counts[bundleKind(b, bundle)].totalBytes += bundleSize(b, bundle);
  for (const [before, after] of pairs) {
    const total = counts[bundleKind(b, after)];
    if (before.identity === after.identity) {
      total.unchanged++;
      total.keptBytes += bundleSize(b, after);
      continue;
    }
    report({
      ...described(a, b, before, after),
      change: "changed",
      ...difference(a, b, before, after, renamedTo),
    });
  }
  for (const { from, to } of renames) {
    const [before, after] = [a.bundles[from]!, b.bundles[to]!];
    const isSame = before.identity === after.identity;
    if (isSame) counts[bundleKind(b, after)].keptBytes += bundleSize(b, after);
    const what = isSame ? { aspects: [], onlyRenames: false } : difference(a, b, before, after, renamedTo);
    report({ ...described(a, b, before, after), change: "renamed", oldName: before.name, ...what });
  }
  const isRenamed = new Set(renames.map(({ to }) => to));
  for (const bundle of gone)
    if (!renamedTo.has(bundle.index)) report({ ...described(a, b, bundle, undefined), change: "gone" });
  for (const bundle of added)
    if (!isRenamed.has(bundle.index)) report({ ...described(a, b, undefined, bundle), change: "new" });
  const order = { function: 0, data: 1, string: 2 };
  const key = ({ text, name }: BundleChange) => text ?? name;
  changes.sort((x, y) => order[x.kind] - order[y.kind] || (key(x) < key(y) ? -1 : key(x) > key(y) ? 1 : 0));
  return { changes, totals: counts };
}

type MutableTotals = { -readonly [K in keyof DiffTotals]: DiffTotals[K] };

function emptyTotals(): MutableTotals {
  return {
    unchanged: 0,
    new: 0,
    changed: 0,
    gone: 0,
    renamed: 0,
    changedByRenames: 0,
    keptBytes: 0,
    totalBytes: 0,
  };
}

export interface Pairing {
  readonly pairs: readonly (readonly [before: Bundle, after: Bundle])[];
  /** Of the earlier version, without a partner. */
  readonly gone: readonly Bundle[];
  /** Of the later version, without a partner. */
  readonly added: readonly Bundle[];
}

/** Pairs by name; anonymous bundles by content, and then, unless they are strings, by name as well. */
export function pairBundles(a: LibraryVersion, b: LibraryVersion): Pairing {
  const pairs: (readonly [Bundle, Bundle])[] = [];
  const left = new Set(a.bundles);
  const right = new Set(b.bundles);
  const pairBy = (keyOf: (version: LibraryVersion, bundle: Bundle) => string | undefined) => {
    const byKey = new Map<string, Bundle[]>();
    for (const bundle of left) {
      const key = keyOf(a, bundle);
      if (key === undefined) continue;
      const known = byKey.get(key);
      if (known === undefined) byKey.set(key, [bundle]);
      else known.push(bundle);
    }
    // From the end, so that taking one is cheap; in order, for equal ones.
    for (const list of byKey.values()) list.reverse();
    for (const bundle of right) {
      const key = keyOf(b, bundle);
      const before = key === undefined ? undefined : byKey.get(key)?.pop();
      if (before === undefined) continue;
      left.delete(before);
      right.delete(bundle);
      pairs.push([before, bundle]);
    }
  };
  const first = (version: LibraryVersion, bundle: Bundle) => version.units[bundle.units[0]!]!;
  pairBy((version, bundle) => (first(version, bundle).anonymous ? undefined : bundle.name));
  pairBy((version, bundle) => (first(version, bundle).anonymous ? bundle.identity : undefined));
  pairBy((version, bundle) => {
    const { anonymous, kind, entrySize } = first(version, bundle);
    return anonymous && kind !== "string" && entrySize === 0 ? bundle.name : undefined;
  });
  return { pairs, gone: [...left], added: [...right] };
}

function described(
  a: LibraryVersion,
  b: LibraryVersion,
  before: Bundle | undefined,
  after: Bundle | undefined,
) {
  const [version, bundle] = after === undefined ? [a, before!] : [b, after];
  const kind = bundleKind(version, bundle);
  return {
    kind,
    name: bundle.name,
    ...(kind === "string" && { text: stringText(version.units[bundle.units[0]!]!) }),
    ...(kind === "string" &&
      before !== undefined &&
      after !== undefined && { oldText: stringText(a.units[before.units[0]!]!) }),
    aspects: [],
    onlyRenames: false,
    ...(before !== undefined && { oldSizeBytes: bundleSize(a, before) }),
    ...(after !== undefined && { sizeBytes: bundleSize(b, after) }),
  };
}

/** Shown of a string; the rest only says that it is long. */
const MAX_TEXT_BYTES = 120;

function stringText({ bytes, entrySize }: Unit): string {
  const shown = bytes.subarray(0, Math.min(bytes.length - entrySize, MAX_TEXT_BYTES));
  const text =
    entrySize === 1
      ? Buffer.from(shown).toString("utf8")
      : Buffer.from(shown).toString("utf16le").replaceAll("\0", "");
  return shown.length < bytes.length - entrySize ? `${text}...` : text;
}

/** In what two bundles differ. */
function difference(
  a: LibraryVersion,
  b: LibraryVersion,
  before: Bundle,
  after: Bundle,
  renamedTo: ReadonlyMap<number, number>,
): { readonly aspects: readonly Aspect[]; readonly onlyRenames: boolean } {
  const found = new Set<Aspect>();
  for (let i = 0; i < Math.max(before.units.length, after.units.length); i++) {
    const [x, y] = [a.units[before.units[i] ?? -1], b.units[after.units[i] ?? -1]];
    if (x === undefined || y === undefined) {
      // A part came or went, such as a jump table.
      found.add("size").add("bytes");
      continue;
    }
    if (x.sizeBytes !== y.sizeBytes) found.add("size");
    if (x.facets.bytes !== y.facets.bytes) found.add("bytes");
    if (x.facets.relocations !== y.facets.relocations) found.add("relocations");
    if (x.facets.flags !== y.facets.flags) found.add("flags");
    if (x.facets.binding !== y.facets.binding) found.add("binding");
    if (x.alignment !== y.alignment) found.add("alignment");
  }
  const order: Aspect[] = ["size", "bytes", "relocations", "alignment", "flags", "binding"];
  const aspects = order.filter((aspect) => found.has(aspect));
  if (aspects.length === 0) aspects.push("unwind");
  const onlyRenames =
    aspects.length === 1 && aspects[0] === "relocations" && differsByRenames(a, b, before, after, renamedTo);
  return { aspects, onlyRenames };
}

function differsByRenames(
  a: LibraryVersion,
  b: LibraryVersion,
  before: Bundle,
  after: Bundle,
  renamedTo: ReadonlyMap<number, number>,
): boolean {
  return before.units.every((index, i) => {
    const [x, y] = [a.units[index]!, b.units[after.units[i]!]!];
    if (x.facets.relocations === y.facets.relocations) return true;
    if (x.relocations.length !== y.relocations.length) return false;
    return x.relocations.every((one, k) => {
      const other = y.relocations[k]!;
      if (one.offset !== other.offset || one.type !== other.type) return false;
      if (one.target.kind !== "unit" || other.target.kind !== "unit")
        return (
          one.addend === other.addend &&
          JSON.stringify(named(one.target)) === JSON.stringify(named(other.target))
        );
      const [from, to] = [a.units[one.target.unit]!, b.units[other.target.unit]!];
      const at = BigInt(one.target.offset) + one.addend === BigInt(other.target.offset) + other.addend;
      if (from.bundle === before.index || to.bundle === after.index)
        return at && before.units.indexOf(from.index) === after.units.indexOf(to.index);
      const isSame = from.anonymous ? from.identity === to.identity : from.name === to.name;
      return at && (isSame || renamedTo.get(from.bundle) === to.bundle);
    });
  });
}

function named(target: { readonly kind: string; readonly name?: string; readonly value?: bigint }) {
  return [target.kind, target.name, target.value === undefined ? undefined : String(target.value)];
}
