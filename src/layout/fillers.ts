/**
 * What a version's pages hold beside what it uses.
 *
 * A page can hold variants of several sets of versions: the ends of clusters, and whatever a later version no longer
 * uses. It is the same page in all images only if all of them have all of it, so an image also gets the variants that it
 * doesn't use of the pages that it does. Nothing refers to them, and their own references come to addresses that
 * the layout fixes, whether or not there is something in this image.
 */
import type { UnitRelocation } from "../library/index.ts";
import type { Content, Layout } from "./layout.ts";
import { PAGE_BYTES, type Placement, type Reference, type RegionName } from "./model.ts";
import { needsGotEntry } from "./reference-kinds.ts";

export interface Filler {
  readonly region: RegionName;
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Offsets from `address`; `value` is the address that is referred to. */
  readonly relocations: readonly {
    readonly relocation: UnitRelocation;
    readonly offset: number;
    readonly value: number;
  }[];
}

/** How many bytes behind a relocation's offset can belong to it: those of R_X86_64_64. */
const FIELD_BYTES = 8;

/** Unused variants on the pages that `used` touches, cut to those pages; nothing is put where something is. */
export function fillersOf(
  { state, contents }: Layout,
  used: readonly Placement[],
  taken: ReadonlySet<number>,
): Filler[] {
  const pages = new Set<number>();
  for (const { address, sizeBytes } of used) {
    for (let page = pageOf(address); page <= pageOf(address + sizeBytes - 1); page++) pages.add(page);
  }
  const resolve = resolver(state);
  const fillers: Filler[] = [];
  for (const { identity, isVolatile, placements, references } of state.variants) {
    if (isVolatile || placements!.every((placement) => placement === undefined || !touches(placement, pages)))
      continue;
    const content = contents.get(identity);
    if (content === undefined || usesGot(content)) continue;
    let first = 0;
    for (const [i, index] of content.bundle.units.entries()) {
      const unit = content.resolved.version.units[index]!;
      const texts = references!.slice(first, first + unit.relocations.length);
      first += unit.relocations.length;
      const placement = placements![i];
      if (placement === undefined || unit.sizeBytes === 0 || taken.has(placement.address)) continue;
      const values = texts.map(resolve);
      if (values.includes(undefined)) continue;
      for (const [start, end] of runsOn(placement, pages)) {
        const relocations = unit.relocations.flatMap((relocation, j) => {
          const { offset } = relocation;
          const isInside = offset >= start && Math.min(offset + FIELD_BYTES, unit.sizeBytes) <= end;
          return isInside ? [{ relocation, offset: offset - start, value: values[j]! }] : [];
        });
        const { region, address } = placement;
        fillers.push({
          region,
          address: address + start,
          bytes: unit.bytes.subarray(start, end),
          relocations,
        });
      }
    }
  }
  return fillers;
}

function pageOf(address: number): number {
  return Math.floor(address / PAGE_BYTES);
}

function touches({ address, sizeBytes }: Placement, pages: ReadonlySet<number>): boolean {
  for (let page = pageOf(address); page <= pageOf(address + sizeBytes - 1); page++)
    if (pages.has(page)) return true;
  return false;
}

/** Parts of a unit, as offsets, that lie on the given pages. */
function runsOn({ address, sizeBytes }: Placement, pages: ReadonlySet<number>): [number, number][] {
  const runs: [number, number][] = [];
  for (let page = pageOf(address); page <= pageOf(address + sizeBytes - 1); page++) {
    if (!pages.has(page)) continue;
    const start = Math.max(0, page * PAGE_BYTES - address);
    const end = Math.min(sizeBytes, (page + 1) * PAGE_BYTES - address);
    const last = runs.at(-1);
    if (last !== undefined && last[1] === start) last[1] = end;
    else runs.push([start, end]);
  }
  return runs;
}

/** Linkers make entries of their offset table for symbols only, not for addresses. */
function usesGot({ resolved: { version }, bundle }: Content): boolean {
  return bundle.units.some((index) =>
    version.units[index]!.relocations.some(({ type }) => needsGotEntry(version.machine, type)),
  );
}

/** From the text of a reference to an address; undefined for what only the linker knows. */
function resolver({ variants, homes, slots }: Layout["state"]): (text: Reference) => number | undefined {
  const byId = new Map(variants.map((variant) => [String(variant.id), variant]));
  const byHome = new Map(homes.map((home) => [`${home.key}@${home.generation}`, home]));
  return (text) => {
    const kind = text[0];
    if (kind === "s") return slots.get(text.slice(1))?.address;
    if (kind === "a") return Number(text.slice(1));
    const plus = text.lastIndexOf("+");
    const [name, offset] = [text.slice(1, plus), Number(text.slice(plus + 1))];
    const dot = name.indexOf(".");
    const placement =
      kind === "h"
        ? byHome.get(name)?.placement
        : kind === "v"
          ? byId.get(name.slice(0, dot))?.placements?.[Number(name.slice(dot + 1))]
          : undefined;
    return placement === undefined ? undefined : placement.address + offset;
  };
}
