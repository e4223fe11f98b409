/**
 * The state of a layout as a file: JSON, with a version. docs/formats/layout.md has the fields.
 *
 * What is read is checked as if a stranger had written it: an address outside its region, or a reference that makes
 * no sense, is an error here and not a wrong program later. A digest finds changes that still make sense.
 */
import { sha256 } from "../digest/index.ts";
import { invalid, TenonError } from "../errors/index.ts";
import {
  type Home,
  type LayoutState,
  type Placement,
  REGIONS,
  type Region,
  type RegionName,
  type Slot,
  type Variant,
} from "./model.ts";
import { SLOT_BYTES } from "./reference-kinds.ts";
import { Fields } from "./state-fields.ts";

const FORMAT = "tenon-layout";
/** What is written, and the first that is read: it has no digest. */
const VERSION = 2;
const FIRST_VERSION = 1;

/** One text for one state; ends with a line feed. */
export function encodeState(state: LayoutState): string {
  const content = encodeContent(state);
  return `${content},\n"sha256": "${digestOf(content)}"}\n`;
}

/**
 * Of the content as it is written, not of the file's bytes: another tool may have moved line breaks in it, and nothing is
 * damaged then.
 */
function digestOf(content: string): string {
  return sha256(Buffer.from(`${content}}\n`));
}

/** The text up to where the digest follows. */
function encodeContent(state: LayoutState): string {
  const placed = ({ region, address, sizeBytes }: Placement) => [region, address, sizeBytes];
  const head = {
    ...{
      format: FORMAT,
      version: VERSION,
      library: state.library,
      machine: state.machine,
      slots: state.policy,
    },
    ...{ labels: state.labels, regions: state.regions },
  };
  // A line for each thing: such files are compared and kept in version control.
  const lists = {
    slotTable: [...state.slots.values()].map(({ key, address, isAddress }) => [key, address, isAddress]),
    homes: state.homes.map(({ key, generation, alignment, placement, standsFor = null }) => [
      ...[key, generation, alignment],
      ...[placed(placement!), standsFor],
    ]),
    variants: state.variants.map(({ id, identity, names, isVolatile, placements, references }) => [
      ...[id, identity, isVolatile, [...names].sort()],
      ...[placements!.map((placement) => (placement === undefined ? null : placed(placement))), references],
    ]),
    exports: [...state.exports].sort(byKey),
    renames: [...state.renames].sort(byKey),
  };
  const parts = Object.entries(lists).map(
    ([name, rows]) => `${JSON.stringify(name)}: [\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]`,
  );
  return `${JSON.stringify(head).slice(0, -1)},\n${parts.join(",\n")}`;
}

function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Errors: `invalid`, with the field; `damaged` for content with another digest; `unsupported` for a version that this
 * release doesn't know.
 */
export function decodeState(text: string): LayoutState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid("layout", "file", 0, `not JSON: ${(error as Error).message}`);
  }
  const file = new Fields(value, "file");
  if (file.of("format") !== FORMAT) throw file.error("format", `not ${FORMAT}`);
  const version = file.of("version");
  if (version !== VERSION && version !== FIRST_VERSION) {
    throw new TenonError(
      "unsupported",
      `layout: version ${String(version)}; this release reads ${FIRST_VERSION} to ${VERSION}`,
      {
        format: "layout",
        field: "version",
      },
    );
  }
  const regions = readRegions(file);
  const slots = file.list("slotTable").map((row): Slot => {
    const address = row.integer(1);
    row.within(regions.slots, address, SLOT_BYTES);
    return { key: row.text(0), address, isAddress: row.flag(2) };
  });
  const homes = file.list("homes").map((row): Home => {
    const placement = readPlacement(row.at(3), regions);
    const { region, sizeBytes } = placement;
    const alignment = row.integer(2);
    if (alignment === 0 || placement.address % alignment !== 0)
      throw row.error("2", "alignment and address disagree");
    const standsFor = row.at(4).isNull ? undefined : row.integer(4);
    return {
      key: row.text(0),
      generation: row.integer(1),
      alignment,
      placement,
      region,
      sizeBytes,
      standsFor,
    };
  });
  const seen = new Set<number>();
  const variants = file.list("variants").map((row): Variant => {
    const id = row.integer(0);
    if (seen.has(id)) throw row.error("0", `variant ${id} is there twice`);
    seen.add(id);
    return {
      ...{ id, identity: row.text(1), isVolatile: row.flag(2), occurrences: new Map() },
      names: new Set(row.at(3).texts()),
      placements: row.at(4).rows((place) => (place.isNull ? undefined : readPlacement(place, regions))),
      references: row.at(5).texts(REFERENCE),
    };
  });
  checkApart(file, slots, homes, variants);
  const keys = new Set(slots.map(({ key }) => key));
  for (const { id, references } of variants)
    for (const text of references!)
      if (text.startsWith("s") && !keys.has(text.slice(1)))
        throw file.error("variants", `variant ${id} refers to the slot ${text.slice(1)}, which isn't there`);
  const state: LayoutState = {
    ...{ library: file.textOf("library"), machine: file.choice("machine", ["x86-64", "aarch64"]) },
    policy: file.choice("slots", ["all", "varying", "none"]),
    ...{ regions, homes, variants, labels: file.field("labels").texts() },
    slots: new Map(slots.map((slot) => [slot.key, slot])),
    exports: new Map(file.list("exports").map((row) => [row.text(0), row.text(1)])),
    renames: new Map(file.list("renames").map((row) => [row.text(0), row.text(1)])),
  };
  if (version !== FIRST_VERSION && file.textOf("sha256") !== digestOf(encodeContent(state)))
    throw new TenonError("damaged", "layout: the content is not what was written: its SHA-256 is another", {
      ...{ format: "layout", field: "file.sha256" },
    });
  return state;
}

/** Two things in one place would be two contents for the same bytes. Only a home that stands for a variant has its place. */
function checkApart(
  file: Fields,
  slots: readonly Slot[],
  homes: readonly Home[],
  variants: readonly Variant[],
): void {
  const byId = new Map(variants.map((variant) => [variant.id, variant]));
  const spans = slots.map(({ key, address }) => ({ what: `slot ${key}`, address, sizeBytes: SLOT_BYTES }));
  for (const { key, placement, standsFor } of homes) {
    const { address, sizeBytes } = placement!;
    if (standsFor === undefined) spans.push({ what: `home ${key}`, address, sizeBytes });
    else {
      const own = byId.get(standsFor)?.placements?.[0];
      if (own?.address !== address || own.sizeBytes !== sizeBytes)
        throw file.error("homes", `${key} is not where variant ${standsFor} is`);
    }
  }
  for (const { id, placements } of variants)
    for (const placement of placements!)
      if (placement !== undefined) spans.push({ what: `variant ${id}`, ...placement });
  const sorted = spans.filter(({ sizeBytes }) => sizeBytes > 0).sort((a, b) => a.address - b.address);
  for (const [i, { what, address }] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before !== undefined && before.address + before.sizeBytes > address)
      throw file.error("variants", `${what} and ${before.what} overlap at ${address}`);
  }
}

const REFERENCE = /^([vhp].*\+\d+|[sn].*|a\d+)$/s;

function readRegions(file: Fields): Record<RegionName, Region> {
  const all = file.field("regions");
  const read = (name: RegionName): Region => {
    const region = all.field(name);
    const [base, sizeBytes, usedBytes] = (["base", "sizeBytes", "usedBytes"] as const).map((key) =>
      region.number(key),
    );
    if (usedBytes! > sizeBytes!) throw region.error("usedBytes", "larger than the region");
    return { base: base!, sizeBytes: sizeBytes!, usedBytes: usedBytes! };
  };
  const list = REGIONS.map(read);
  const sorted = list.toSorted((a, b) => a.base - b.base);
  for (const [i, { base }] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before !== undefined && before.base + before.sizeBytes > base)
      throw all.error("base", `two regions overlap at ${base}`);
  }
  const [slots, code, rodata, data, bss] = list;
  return { slots: slots!, code: code!, rodata: rodata!, data: data!, bss: bss! };
}

function readPlacement(row: Fields, regions: Readonly<Record<RegionName, Region>>): Placement {
  const region = row.text(0) as RegionName;
  if (!REGIONS.includes(region)) throw row.error("0", "not a region");
  const [address, sizeBytes] = [row.integer(1), row.integer(2)];
  row.within(regions[region], address, sizeBytes);
  return { region, address, sizeBytes };
}
