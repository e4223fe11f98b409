/**
 * Where everything lies: regions are filled from their beginning, and what is placed stays.
 *
 * Variants that are used by the same set of versions form a cluster, which begins on a page of its own, so that a
 * page is either wholly in an image or not at all; only the ends of clusters share pages (see fillers.ts). Within a cluster things lie in the order of the newest version
 * that has them; cold code lies behind the rest. What is bound by name is in clusters of its own: its bytes differ
 * between images, and would spoil the pages of what is the same.
 */
import { TenonError } from "../errors/index.ts";
import type { Unit } from "../library/index.ts";
import {
  type Home,
  PAGE_BYTES,
  type Placement,
  REGIONS,
  type Region,
  type RegionName,
  type Variant,
} from "./model.ts";
import type { References } from "./references.ts";

/** Something that is to get an address. */
interface Item {
  readonly sizeBytes: number;
  readonly alignment: number;
  readonly place: (placement: Placement) => void;
}

/** Errors: `limit` when a region is full, with its name and sizes. */
export function allocate(
  regions: Readonly<Record<RegionName, Region>>,
  name: RegionName,
  alignment: number,
  sizeBytes: number,
): Placement {
  const region = regions[name];
  const start = Math.ceil((region.base + region.usedBytes) / alignment) * alignment;
  const usedBytes = start + sizeBytes - region.base;
  if (usedBytes > region.sizeBytes) {
    throw new TenonError(
      "limit",
      `the ${name} region is full: it has ${region.sizeBytes} bytes at 0x${region.base.toString(16)}, ${usedBytes} are needed; pack anew with more (--rebase --region ${name}=SIZE)`,
      { field: name, sizeBytes: region.sizeBytes, neededBytes: usedBytes },
    );
  }
  region.usedBytes = usedBytes;
  return { region: name, address: start, sizeBytes };
}

/** Gives every variant and home that has none its address. Clusters come in a fixed order: the widest first. */
export function placeAll(regions: Readonly<Record<RegionName, Region>>, references: References): void {
  const clusters = new Map<string, Item[]>();
  const add = (region: RegionName, versions: readonly number[], tail: string, item: Item) => {
    // Counted down, so that more versions sort before fewer.
    const width = String(1e6 - versions.length).padStart(7, "0");
    const key = [REGIONS.indexOf(region), tail, width, versions.join(",")].join("|");
    const known = clusters.get(key);
    if (known === undefined) clusters.set(key, [item]);
    else known.push(item);
  };
  placeVariants(references, add);
  placeHomes(references, add);
  /** Ends of clusters, less than a page each, share pages: those of similar sets follow each other. */
  const ends: { readonly region: RegionName; readonly versions: string; readonly items: readonly Item[] }[] =
    [];
  for (const [key, items] of [...clusters].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [number, tail, , versions] = key.split("|");
    const region = REGIONS[Number(number)]!;
    const [body, end] = tail === "fixed" && isShareable(region) ? splitCluster(items) : [items, []];
    place(regions, region, body);
    if (end.length > 0) ends.push({ region, versions: versions!, items: end });
  }
  for (const region of REGIONS) {
    const own = ends
      .filter((end) => end.region === region)
      .sort((a, b) => (a.versions < b.versions ? -1 : 1));
    place(
      regions,
      region,
      own.flatMap(({ items }) => items),
    );
  }
}

/** Only what can't be written to has the same bytes in images that use other parts of a page. */
function isShareable(region: RegionName): boolean {
  return region === "code" || region === "rodata";
}

/** Places items one behind the other, from the beginning of a page on. */
function place(
  regions: Readonly<Record<RegionName, Region>>,
  region: RegionName,
  items: readonly Item[],
): void {
  for (const [i, { sizeBytes, alignment, place: put }] of items.entries())
    put(allocate(regions, region, i === 0 ? Math.max(PAGE_BYTES, alignment) : alignment, sizeBytes));
}

/** Items that fill whole pages, in order, and the rest. */
function splitCluster(items: readonly Item[]): [readonly Item[], readonly Item[]] {
  const total = items.reduce((end, item) => behind(end, item), 0);
  const wholeBytes = Math.floor(total / PAGE_BYTES) * PAGE_BYTES;
  const body: Item[] = [];
  const rest: Item[] = [];
  let end = 0;
  for (const item of items) {
    const next = behind(end, item);
    if (next > wholeBytes) rest.push(item);
    else {
      body.push(item);
      end = next;
    }
  }
  return [body, rest];
}

function behind(end: number, { alignment, sizeBytes }: Item): number {
  return Math.ceil(end / alignment) * alignment + sizeBytes;
}

type Add = (region: RegionName, versions: readonly number[], tail: string, item: Item) => void;

function placeVariants({ variants, versions, homes }: References, add: Add): void {
  const waiting = variants.all.filter(
    ({ placements, occurrences }) => placements === undefined && occurrences.size > 0,
  );
  const newest = (variant: Variant) => [...variant.occurrences.keys()].at(-1)!;
  const order = (variant: Variant) => variant.occurrences.get(newest(variant))![0]!;
  waiting.sort((a, b) => newest(a) - newest(b) || order(a) - order(b));
  const cold: (() => void)[] = [];
  for (const variant of waiting) {
    const v = newest(variant);
    const { version, places } = versions[v]!;
    const units = version.bundles[order(variant)]!.units.map((index) => version.units[index]!);
    const placements: (Placement | undefined)[] = units.map(() => undefined);
    variant.placements = placements;
    const set = [...variant.occurrences.keys()].sort((a, b) => a - b);
    for (const [i, { index, sizeBytes, alignment, sectionName }] of units.entries()) {
      const place = places[index]!;
      if ((place !== "code" && place !== "rodata") || homes.of[v]!.has(index)) continue;
      const tail = variant.isVolatile ? "volatile" : "fixed";
      const put = () =>
        add(place, set, tail, { sizeBytes, alignment, place: (placement) => (placements[i] = placement) });
      if (isCold(sectionName)) cold.push(put);
      else put();
    }
  }
  for (const put of cold) put();
}

/** Code that the compiler expects not to run. */
function isCold(sectionName: string): boolean {
  return sectionName.startsWith(".text.unlikely") || sectionName.endsWith(".cold");
}

function placeHomes({ homes, versions }: References, add: Add): void {
  const users = new Map<Home, { versions: number[]; units: Unit[] }>();
  for (const [v, units] of homes.of.entries()) {
    for (const [index, home] of units) {
      if (home.placement !== undefined) continue;
      const unit = versions[v]!.version.units[index]!;
      const known = users.get(home);
      if (known === undefined) users.set(home, { versions: [v], units: [unit] });
      else {
        known.versions.push(v);
        known.units.push(unit);
      }
    }
  }
  for (const [home, use] of users) {
    const isSame = use.units.every(({ identity }) => identity === use.units[0]!.identity);
    const { alignment, sizeBytes } = home;
    add(home.region, use.versions, isSame ? "fixed" : "varying", {
      ...{ alignment, sizeBytes },
      place: (placement) => (home.placement = placement),
    });
  }
}
