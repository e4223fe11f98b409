/** From versions to a layout: which variants, which slots, which addresses. */
import { TenonError } from "../errors/index.ts";
import type { Bundle } from "../library/index.ts";
import { Homes } from "./homes.ts";
import type { LayoutState, Reference, Region, RegionName, Slot, SlotPolicy, VersionInput } from "./model.ts";
import { allocate, placeAll } from "./placement.ts";
import { branchReachBytes, SLOT_BYTES } from "./reference-kinds.ts";
import { References } from "./references.ts";
import { identityWith, inferRenames, type Renames } from "./renames.ts";
import { isPublic, type ResolvedVersion, resolveVersion } from "./resolve.ts";
import { chosenText, settle } from "./settle.ts";
import { Variants } from "./variants.ts";

/** Where the regions are, unless it is said otherwise: behind any program of up to 60 MiB, within AArch64's branches. */
export const DEFAULT_BASE = 0x400_0000;
export const DEFAULT_SIZES: Readonly<Record<RegionName, number>> = {
  slots: 0x10_0000,
  code: 0x1f0_0000,
  rodata: 0x200_0000,
  data: 0x100_0000,
  bss: 0x1000_0000,
};

export interface LayoutOptions {
  readonly library: string;
  readonly policy?: SlotPolicy;
  readonly base?: number;
  readonly sizes?: Partial<Readonly<Record<RegionName, number>>>;
}

/** A layout with the versions that were given: what is needed to write their objects. */
export interface Layout {
  readonly state: LayoutState;
  readonly references: References;
  /** By the identity of variants: where their bytes are. */
  readonly contents: ReadonlyMap<string, Content>;
}

/** A bundle of a version that is at hand. */
export interface Content {
  readonly resolved: ResolvedVersion;
  readonly bundle: Bundle;
}

/**
 * Lays versions out. With an earlier state the given versions are added to it, and nothing that has an address moves;
 * `older` are then the versions that it has, as far as they are at hand: with them more pages can stay the same.
 *
 * Errors: `usage` for a label that is there already or versions of two machines, `limit` for a region that is full
 * or out of reach of branches, `unsupported` and `invalid` for what can't be laid out.
 */
export function layOut(
  inputs: readonly VersionInput[],
  options: LayoutOptions,
  earlier?: LayoutState,
  older: readonly VersionInput[] = [],
): Layout {
  const [first] = inputs;
  if (first === undefined) throw new TenonError("usage", "no version to lay out");
  const { machine } = first.version;
  const labels = [...(earlier?.labels ?? [])];
  for (const { label, version } of inputs) {
    if (labels.includes(label)) throw new TenonError("usage", `version ${label} is laid out already`);
    if (version.machine !== (earlier?.machine ?? machine))
      throw new TenonError(
        "usage",
        `${label} is for ${version.machine}, the layout for ${earlier?.machine ?? machine}`,
      );
    labels.push(label);
  }
  const policy = options.policy ?? earlier?.policy ?? "varying";
  const regions = earlier === undefined ? newRegions(options) : copyRegions(earlier.regions);

  const versions = inputs.map(({ label, version }) => resolveVersion(label, version));
  const variants = new Variants(versions, earlier?.variants ?? []);
  const homes = new Homes(versions.length, earlier?.homes ?? []);
  const before = older.map(({ label, version }) => resolveVersion(label, version));
  const newest = before.find(({ label }) => label === earlier?.labels.at(-1));
  const known = new Map(earlier?.renames);
  const homeOf = (identity: string) =>
    known.get(identity) ?? standIn(identity, newest!, homes, earlier, known);
  const renames = inferRenames(versions, newest && { resolved: newest, homeOf });
  const placedAs = placedIdentities(before, known, earlier);
  for (const [v, resolved] of versions.entries()) {
    const { version, places } = resolved;
    for (const unit of version.units) {
      const place = places[unit.index]!;
      const constant = place === "rodata" ? renames[v]!.get(unit.identity) : undefined;
      if (place === "data" || place === "bss") homes.claim(v, unit, place);
      else if (constant !== undefined) homes.claim(v, unit, "rodata", constant);
      // What got a home in an earlier layout is referred to there.
      else if (place === "rodata" && !unit.anonymous && homes.has(unit.name)) homes.claim(v, unit, "rodata");
    }
    const fixed = version.bundles.filter(({ units }) =>
      units.some((unit) => (places[unit] === "code" || places[unit] === "rodata") && !homes.of[v]!.has(unit)),
    );
    variants.match(v, resolved, fixed, (bundle) => {
      const identity = identityWith(resolved, bundle, renames[v]!);
      return placedAs.get(identity) ?? identity;
    });
  }
  const oldSlots = earlier?.slots ?? new Map<string, Slot>();
  const addressed = [...oldSlots.values()].filter(({ isAddress }) => isAddress).map(({ key }) => key);
  const references = new References(versions, variants, homes, addressed);
  settle(references, policy, earlier?.exports ?? new Map());

  chooseReferences(references, policy);
  const slots = placeSlots(references, oldSlots, regions);
  placeAll(regions, references);
  checkReach(machine, regions);
  const exports = new Map(earlier?.exports);
  for (const [v, { definitions }] of versions.entries())
    for (const [name, definition] of definitions)
      if (isPublic(definition)) exports.set(name, references.exportText(v, definition));
  const state: LayoutState = {
    ...{ library: options.library, machine, policy, regions, labels, slots, exports },
    renames: new Map([known, ...renames].flatMap((map) => [...map])),
    homes: homes.all.filter(({ placement }) => placement !== undefined),
    variants: variants.all.filter(({ placements }) => placements !== undefined),
  };
  return { state, references, contents: contentsOf(before, known, versions, renames) };
}

/**
 * A home at the address of a constant that the earlier layout has as a variant: versions that have another constant in
 * its place get that at the same address, as far as it fits.
 */
function standIn(
  identity: string,
  { version }: ResolvedVersion,
  homes: Homes,
  earlier: LayoutState | undefined,
  known: Map<string, string>,
): string | undefined {
  const unit = version.units.find((candidate) => candidate.identity === identity)!;
  const placedIdentity = version.bundles[unit.bundle]!.identity;
  const variant = earlier?.variants.find((candidate) => candidate.identity === placedIdentity);
  if (variant === undefined) return undefined;
  const [placement, ...others] = variant.placements!;
  if (placement?.region !== "rodata" || others.length > 0) return undefined;
  const key = `constant ${identity}`;
  known.set(identity, key);
  homes.add({
    ...{ key, generation: 0, alignment: lowestBit(placement.address), placement, region: "rodata" },
    ...{ sizeBytes: placement.sizeBytes, standsFor: variant.id },
  });
  return key;
}

function lowestBit(address: number): number {
  let bit = 1;
  while (address % (bit * 2) === 0 && bit < 4096) bit *= 2;
  return bit;
}

/** From the identity that a bundle has now that a constant got a home, to the one under which it was placed. */
function placedIdentities(
  before: readonly ResolvedVersion[],
  known: ReadonlyMap<string, string>,
  earlier: LayoutState | undefined,
): ReadonlyMap<string, string> {
  const placed = new Set(earlier?.variants.map(({ identity }) => identity));
  const found = new Map<string, string>();
  for (const resolved of before) {
    for (const bundle of resolved.version.bundles) {
      const identity = identityWith(resolved, bundle, known);
      if (identity !== bundle.identity && placed.has(bundle.identity) && !placed.has(identity))
        found.set(identity, bundle.identity);
    }
  }
  return found;
}

/** Bundles by the identity of their variants, of all versions that are at hand. */
function contentsOf(
  before: readonly ResolvedVersion[],
  known: ReadonlyMap<string, string>,
  versions: readonly ResolvedVersion[],
  renames: Renames,
): ReadonlyMap<string, Content> {
  const contents = new Map<string, Content>();
  const add = (resolved: ResolvedVersion, own: ReadonlyMap<string, string>) => {
    for (const bundle of resolved.version.bundles)
      for (const identity of [bundle.identity, identityWith(resolved, bundle, own)])
        contents.set(identity, { resolved, bundle });
  };
  for (const resolved of before) add(resolved, known);
  for (const [v, resolved] of versions.entries()) add(resolved, renames[v]!);
  return contents;
}

function newRegions({ base = DEFAULT_BASE, sizes = {} }: LayoutOptions): Record<RegionName, Region> {
  let at = base;
  const region = (name: RegionName): Region => {
    const sizeBytes = sizes[name] ?? DEFAULT_SIZES[name];
    const made = { base: at, sizeBytes, usedBytes: 0 };
    // 64 KiB: the largest pages of AArch64, so that no page needs two kinds of protection.
    at = Math.ceil((at + sizeBytes) / 0x1_0000) * 0x1_0000;
    return made;
  };
  return {
    slots: region("slots"),
    code: region("code"),
    rodata: region("rodata"),
    data: region("data"),
    bss: region("bss"),
  };
}

function copyRegions(regions: LayoutState["regions"]): Record<RegionName, Region> {
  const { slots, code, rodata, data, bss } = regions;
  return {
    slots: { ...slots },
    code: { ...code },
    rodata: { ...rodata },
    data: { ...data },
    bss: { ...bss },
  };
}

/** Decides for each new variant what its references come to, once and for ever. */
function chooseReferences(references: References, policy: SlotPolicy): void {
  for (const variant of references.variants.all) {
    if (variant.references !== undefined || variant.occurrences.size === 0) continue;
    const lists = [...variant.occurrences].map(([v, [bundle]]) => ({
      v,
      bound: references.ofBundle(v, references.versions[v]!.version.bundles[bundle!]!),
    }));
    const chosen: Reference[] = [];
    for (const [i, bound] of lists[0]!.bound.entries()) {
      const texts = lists.map((list) => references.text(list.v, list.bound[i]!));
      const text = chosenText(policy, texts, bound);
      chosen.push(text);
      if (references.isVolatile(bound, text)) variant.isVolatile = true;
    }
    variant.references = chosen;
  }
}

/** Gives new slots their addresses, by name; those of other names than the library's own come first. */
function placeSlots(
  references: References,
  old: ReadonlyMap<string, Slot>,
  regions: Readonly<Record<RegionName, Region>>,
): ReadonlyMap<string, Slot> {
  const needed = new Set(references.addressSlots);
  for (const { references: texts, occurrences } of references.variants.all)
    if (occurrences.size > 0) for (const text of texts!) if (text.startsWith("s")) needed.add(text.slice(1));
  const slots = new Map<string, Slot>();
  for (const [key, slot] of old) slots.set(key, { ...slot, isAddress: references.addressSlots.has(key) });
  const isForeign = (key: string) => !references.versions.some(({ definitions }) => definitions.has(key));
  const fresh = [...needed].filter((key) => !slots.has(key));
  fresh.sort((a, b) => Number(isForeign(b)) - Number(isForeign(a)) || (a < b ? -1 : 1));
  for (const key of fresh) {
    const { address } = allocate(regions, "slots", SLOT_BYTES, SLOT_BYTES);
    slots.set(key, { key, address, isAddress: references.addressSlots.has(key) });
  }
  return slots;
}

/** Branches go from code to slots and code, and from the program below to both. */
function checkReach(machine: LayoutState["machine"], regions: LayoutState["regions"]): void {
  const { slots, code } = regions;
  const farthest = code.base + code.usedBytes - Math.min(slots.base, code.base);
  const reach = branchReachBytes(machine);
  if (farthest > reach)
    throw new TenonError(
      "limit",
      `the code region ends ${farthest} bytes behind the slots, branches of ${machine} reach ${reach}; split the library, or make the regions smaller`,
      { field: "code", neededBytes: farthest, sizeBytes: reach },
    );
}
