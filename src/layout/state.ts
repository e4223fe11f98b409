/**
 * The state of a layout as a file: JSON, with a version. docs/formats/layout.md has the fields.
 *
 * What is read is checked as if a stranger had written it: an address outside its region, or a reference that makes
 * no sense, is an error here and not a wrong program later.
 */
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

const FORMAT = "tenon-layout";
const VERSION = 1;

/** One text for one state; ends with a line feed. */
export function encodeState(state: LayoutState): string {
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
  return `${JSON.stringify(head).slice(0, -1)},\n${parts.join(",\n")}}\n`;
}

function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Errors: `invalid`, with the field; `unsupported` for a version that this release doesn't know. */
export function decodeState(text: string): LayoutState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw invalid("layout", "file", 0, `not JSON: ${(error as Error).message}`);
  }
  const file = new Fields(value, "file");
  if (file.of("format") !== FORMAT) throw file.error("format", `not ${FORMAT}`);
  if (file.of("version") !== VERSION) {
    throw new TenonError(
      "unsupported",
      `layout: version ${String(file.of("version"))}; this release reads ${VERSION}`,
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
  return {
    ...{ library: file.textOf("library"), machine: file.choice("machine", ["x86-64", "aarch64"]) },
    policy: file.choice("slots", ["all", "varying", "none"]),
    ...{ regions, homes, variants, labels: file.field("labels").texts() },
    slots: new Map(slots.map((slot) => [slot.key, slot])),
    exports: new Map(file.list("exports").map((row) => [row.text(0), row.text(1)])),
    renames: new Map(file.list("renames").map((row) => [row.text(0), row.text(1)])),
  };
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

/** A value of the file with the path to it, for errors. */
class Fields {
  readonly #value: unknown;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    this.#value = value;
    this.#path = path;
  }

  error(key: string, why: string): TenonError {
    return invalid("layout", `${this.#path}.${key}`, 0, why);
  }

  get isNull(): boolean {
    return this.#value === null;
  }

  of(key: string): unknown {
    if (typeof this.#value !== "object" || this.#value === null) throw this.error(key, "not an object");
    return Object.hasOwn(this.#value, key) ? (this.#value as Record<string, unknown>)[key] : undefined;
  }

  field(key: string): Fields {
    return new Fields(this.of(key), `${this.#path}.${key}`);
  }

  at(index: number): Fields {
    return this.field(String(index));
  }

  rows<T>(read: (row: Fields) => T): T[] {
    if (!Array.isArray(this.#value)) throw this.error("", "not a list");
    return this.#value.map((row, i) => read(new Fields(row, `${this.#path}.${i}`)));
  }

  list(key: string): Fields[] {
    return this.field(key).rows((row) => row);
  }

  texts(pattern = /(?:)/): string[] {
    return this.rows((row) => row).map((row, i) => {
      const value = row.#value;
      if (typeof value !== "string" || !pattern.test(value))
        throw this.error(String(i), "not what it should be");
      return value;
    });
  }

  text(index: number): string {
    return this.textOf(String(index));
  }

  textOf(key: string): string {
    const value = this.of(key);
    if (typeof value !== "string") throw this.error(key, "not a text");
    return value;
  }

  integer(index: number): number {
    return this.number(String(index));
  }

  number(key: string): number {
    const value = this.of(key);
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      throw this.error(key, "not a whole number from 0");
    return value as number;
  }

  flag(index: number): boolean {
    const value = this.of(String(index));
    if (typeof value !== "boolean") throw this.error(String(index), "neither true nor false");
    return value;
  }

  choice<const T extends string>(key: string, choices: readonly T[]): T {
    const value = this.of(key);
    if (!choices.includes(value as T)) throw this.error(key, `not one of ${choices.join(", ")}`);
    return value as T;
  }

  within({ base, usedBytes }: Region, address: number, sizeBytes: number): void {
    if (address < base || address + sizeBytes > base + usedBytes)
      throw this.error("1", "address outside its region");
  }
}
