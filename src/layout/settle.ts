/**
 * Settles which variants exist, so that the same variant has the same bytes in every version.
 *
 * Begin with bundles of equal identity as one variant. A variant whose references come to different places in its
 * versions is mended: a function is reached through its slot, a constant gets a home; where neither can be, the
 * variant is split. Each step can unsettle others, so it is repeated until nothing changes. Every step makes a slot
 * or a home more, or a variant smaller, so it ends.
 */
import type { Bundle, Unit } from "../library/index.ts";
import type { Reference, SlotPolicy, Variant } from "./model.ts";
import type { BoundReference, References } from "./references.ts";
import { isBoundByName, isPublic } from "./resolve.ts";

/** Makes the variants of `references` consistent; `exports` is what public names came to in an earlier layout. */
export function settle(
  references: References,
  policy: SlotPolicy,
  exports: ReadonlyMap<string, Reference>,
): void {
  const settler = new Settler(references, policy, exports);
  let isSettled = false;
  while (!isSettled) isSettled = settler.round();
}

/** What one reference of a variant comes to for ever; `texts` are those of its versions, when no slot is used. */
export function chosenText(
  policy: SlotPolicy,
  texts: readonly Reference[],
  bound: BoundReference,
): Reference {
  const { slotKey, isBranch, binding } = bound;
  if (slotKey === undefined || policy === "none") return texts[0]!;
  const isConstant = texts.every((text) => text === texts[0]);
  if (isBranch && (policy === "all" || binding.kind === "name" || !isConstant)) return `s${slotKey}`;
  return isConstant ? texts[0]! : `s${slotKey}`;
}

/** A state that somebody changed could say otherwise. */
function isPlacedAs({ placements }: Variant, units: readonly Unit[]): boolean {
  if (placements!.length !== units.length) return false;
  return placements!.every(
    (placement, i) =>
      placement === undefined ||
      (placement.sizeBytes === units[i]!.sizeBytes && placement.address % units[i]!.alignment === 0),
  );
}

class Settler {
  readonly #references: References;
  readonly #policy: SlotPolicy;
  readonly #exports: ReadonlyMap<string, Reference>;
  /** By version: units by name, made when first needed. */
  readonly #unitsByName: Map<string, Unit>[] = [];
  #changed = false;

  constructor(references: References, policy: SlotPolicy, exports: ReadonlyMap<string, Reference>) {
    this.#references = references;
    this.#policy = policy;
    this.#exports = exports;
  }

  /** True when nothing was to be done. */
  round(): boolean {
    this.#changed = false;
    for (const variant of [...this.#references.variants.all]) {
      if (variant.occurrences.size === 0) continue;
      if (variant.references !== undefined) this.#checkFrozen(variant, variant.references);
      else if (variant.occurrences.size > 1) this.#mend(variant);
    }
    if (this.#policy !== "none") {
      this.#mendExports();
      this.#mendHomes();
    }
    return !this.#changed;
  }

  #bundle(v: number, index: number): Bundle {
    return this.#references.versions[v]!.version.bundles[index]!;
  }

  /** A variant of an earlier layout can be used only where its references come to what they were. */
  #checkFrozen(variant: Variant, wanted: readonly Reference[]): void {
    const { variants } = this.#references;
    let other: Variant | undefined;
    for (const [v, bundles] of [...variant.occurrences]) {
      for (const index of bundles) {
        const bundle = this.#bundle(v, index);
        const bound = this.#references.ofBundle(v, bundle);
        const isWhole = bound.length === wanted.length && isPlacedAs(variant, this.#unitsOf(v, bundle));
        const agrees =
          isWhole &&
          bound.every((reference, i) => {
            const text = wanted[i]!;
            return text.startsWith("s") && reference.slotKey === text.slice(1)
              ? reference.isBranch || this.#references.addressSlots.has(reference.slotKey)
              : this.#references.text(v, reference) === text;
          });
        if (agrees) continue;
        other ??= variants.create(variant.identity);
        variants.release(v, bundle);
        variants.assign(v, bundle, other);
        this.#changed = true;
      }
    }
  }

  #unitsOf(v: number, { units }: Bundle): Unit[] {
    const { version } = this.#references.versions[v]!;
    return units.map((index) => version.units[index]!);
  }

  #mend(variant: Variant): void {
    const { variants } = this.#references;
    const rows = [...variant.occurrences].map(([v, bundles]) => ({
      v,
      bundle: this.#bundle(v, bundles[0]!),
    }));
    const lists = rows.map(({ v, bundle }) => this.#references.ofBundle(v, bundle));
    const rigid: number[] = [];
    for (let i = 0; i < lists[0]!.length; i++)
      if (
        !this.#agree(
          rows.map(({ v }) => v),
          lists.map((list) => list[i]!),
        )
      )
        rigid.push(i);
    if (rigid.length === 0) return;
    const groups = Map.groupBy(rows, ({ v, bundle }) => {
      const bound = this.#references.ofBundle(v, bundle);
      return rigid.map((i) => this.#references.text(v, bound[i]!)).join("\n");
    });
    for (const group of [...groups.values()].slice(1)) {
      const other = variants.create(variant.identity);
      for (const { v, bundle } of group) {
        variants.release(v, bundle);
        variants.assign(v, bundle, other);
      }
      this.#changed = true;
    }
  }

  /** True when one reference comes to the same in all versions, or can be made to; false: split. */
  #agree(versions: readonly number[], row: readonly BoundReference[]): boolean {
    const first = this.#references.text(versions[0]!, row[0]!);
    if (row.every((bound, i) => i === 0 || this.#references.text(versions[i]!, bound) === first)) return true;
    if (this.#policy === "none") return false;
    const { slotKey } = row[0]!;
    if (slotKey !== undefined && row.every((bound) => bound.slotKey === slotKey)) {
      if (!row[0]!.isBranch) this.#addAddressSlot(slotKey);
      return true;
    }
    return this.#giveHome(versions, row);
  }

  #addAddressSlot(key: string): void {
    if (this.#references.addressSlots.has(key)) return;
    this.#references.addressSlots.add(key);
    this.#changed = true;
  }

  /** Gives a constant that differs between versions one address, when all references are to one name. */
  #giveHome(versions: readonly number[], row: readonly BoundReference[]): boolean {
    const targets = row.map(({ binding }) => (binding.kind === "unit" ? binding : undefined));
    const [first] = targets;
    if (first === undefined) return false;
    for (const [i, target] of targets.entries()) {
      if (target?.unit.name !== first.unit.name || target.offset !== first.offset) return false;
      const { version, places } = this.#references.versions[versions[i]!]!;
      const { units } = version.bundles[target.unit.bundle]!;
      if (target.unit.anonymous || units.length !== 1 || places[target.unit.index] !== "rodata") return false;
    }
    this.#rehome(first.unit.name);
    return true;
  }

  /** Moves all constants of one name to a home. */
  #rehome(name: string): void {
    const { versions, variants, homes } = this.#references;
    for (const [v, { version }] of versions.entries()) {
      this.#unitsByName[v] ??= new Map(version.units.map((candidate) => [candidate.name, candidate]));
      const unit = this.#unitsByName[v].get(name);
      if (unit === undefined || homes.of[v]!.has(unit.index)) continue;
      variants.release(v, version.bundles[unit.bundle]!);
      homes.claim(v, unit, "rodata");
      this.#changed = true;
    }
  }

  /** The rest of the program should be the same with every version: it sees one address for each public name. */
  #mendExports(): void {
    const { versions } = this.#references;
    interface Row {
      readonly text: Reference;
      readonly key: string | undefined;
      readonly constant: string | undefined;
    }
    const rows = new Map<string, Row[]>();
    for (const [v, { definitions, places }] of versions.entries()) {
      for (const [name, definition] of definitions) {
        const { unit, symbol } = definition;
        if (!isPublic(definition) || isBoundByName(definition, places)) continue;
        const key = this.#references.functionKey(v, unit, symbol.offset, name, false);
        const isConstant = places[unit.index] === "rodata" && symbol.offset === 0 && !unit.anonymous;
        const constant = isConstant ? unit.name : undefined;
        const row = { text: this.#references.exportText(v, definition), key, constant };
        const known = rows.get(name);
        if (known === undefined) rows.set(name, [row]);
        else known.push(row);
      }
    }
    for (const [name, row] of rows) {
      const [{ text, key, constant }] = row as [Row];
      if (this.#policy === "all" && key !== undefined) this.#addAddressSlot(key);
      const wanted = this.#exports.get(name) ?? text;
      if (row.every((other) => other.text === wanted)) continue;
      if (key !== undefined) this.#addAddressSlot(key);
      else if (constant !== undefined && row.every((other) => other.constant === constant))
        this.#rehome(constant);
    }
  }

  /** Pointers in mutable data that is otherwise the same: to slots where the functions vary. */
  #mendHomes(): void {
    const { versions, homes } = this.#references;
    const byName = new Map<string, { v: number; bound: readonly BoundReference[]; identity: string }[]>();
    for (const [v, { version }] of versions.entries()) {
      for (const index of homes.of[v]!.keys()) {
        const unit = version.units[index]!;
        if (unit.relocations.length === 0) continue;
        const row = { v, bound: this.#references.ofUnit(v, unit), identity: unit.identity };
        const known = byName.get(unit.name);
        if (known === undefined) byName.set(unit.name, [row]);
        else known.push(row);
      }
    }
    for (const rows of byName.values()) {
      for (const group of Map.groupBy(rows, ({ identity }) => identity).values()) {
        for (const [i, { slotKey }] of group[0]!.bound.entries()) {
          if (slotKey === undefined) continue;
          const texts = group.map(({ v, bound }) => this.#references.text(v, bound[i]!));
          if (
            texts.some((text) => text !== texts[0]) &&
            group.every(({ bound }) => bound[i]!.slotKey === slotKey)
          )
            this.#addAddressSlot(slotKey);
        }
      }
    }
  }
}
