/** The object of one version: runs of pages at fixed addresses, and what is left to the linker. */
import {
  type ObjectContent,
  type ObjectGroup,
  type ObjectRelocation,
  type ObjectSection,
  type ObjectTarget,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_TLS,
  SHF_WRITE,
  SHT_NOBITS,
  SHT_PROGBITS,
  STB_LOCAL,
  STT_FUNC,
  STT_NOTYPE,
  STT_OBJECT,
  STT_TLS,
} from "../elf/index.ts";
import type { Unit, UnitRelocation } from "../library/index.ts";
import { SymbolList } from "./emit-symbols.ts";
import { emitUnwind } from "./emit-unwind.ts";
import { type Filler, fillersOf } from "./fillers.ts";
import { type PageRun, type Piece, pageRuns, runAt } from "./images.ts";
import type { Layout } from "./layout.ts";
import { PAGE_BYTES, type Placement, type RegionName, type Slot } from "./model.ts";
import { needsGotEntry, refersToTls, SLOT_BYTES, slotCode } from "./reference-kinds.ts";
import type { BoundReference } from "./references.ts";
import { type Definition, isBoundByName } from "./resolve.ts";

/** An output section that the script must put at its address. */
export interface FixedSection {
  readonly name: string;
  readonly region: RegionName;
  readonly address: number;
  readonly sizeBytes: number;
}

export interface EmittedVersion {
  readonly object: ObjectContent;
  readonly fixed: readonly FixedSection[];
  /** Keys of the slots that this version has. */
  readonly slots: readonly string[];
}

const REGION_FLAGS: Readonly<Record<RegionName, number>> = {
  slots: SHF_ALLOC | SHF_EXECINSTR,
  code: SHF_ALLOC | SHF_EXECINSTR,
  rodata: SHF_ALLOC,
  data: SHF_ALLOC | SHF_WRITE,
  bss: SHF_ALLOC | SHF_WRITE,
};

/** The symbol of a slot, in the place of the function's own. */
const SLOT_SYMBOL = { type: STT_FUNC, sizeBytes: SLOT_BYTES } as const;

/** What a slot leads to in one version. */
type SlotTarget =
  | { readonly unit: Unit; readonly offset: number }
  | { readonly name: string; readonly isWeak: boolean };

/** The object of the version at index `v` of the layout's inputs. */
export function emitObject(layout: Layout, v: number): EmittedVersion {
  return new Emitter(layout, v).emit();
}

class Emitter {
  readonly #layout: Layout;
  readonly #v: number;
  readonly #symbols = new SymbolList();
  readonly #sections: ObjectSection[] = [];
  readonly #relocations: ObjectRelocation[][] = [];
  readonly #groups: ObjectGroup[] = [];
  readonly #through = new Map<number, number>();
  #runs: readonly PageRun[] = [];
  #bundlePositions:
    | { readonly bundle: number; readonly positions: ReadonlyMap<UnitRelocation, number> }
    | undefined;

  constructor(layout: Layout, v: number) {
    this.#layout = layout;
    this.#v = v;
  }

  get #resolved() {
    return this.#layout.references.versions[this.#v]!;
  }

  emit(): EmittedVersion {
    const { version } = this.#resolved;
    const slots = this.#slotTargets();
    const placed = this.#placedUnits();
    const pieces: Piece[] = [...placed].map(([address, { unit, placement }]) => ({
      ...{ region: placement.region, address, sizeBytes: unit.sizeBytes, bytes: unit.bytes },
    }));
    const fixedVariants = [...placed.values()].filter(({ unit }) => this.#isFixedVariant(unit));
    const fillers = fillersOf(
      this.#layout,
      fixedVariants.map(({ placement }) => placement),
      new Set(placed.keys()),
    );
    for (const { region, address, bytes } of fillers)
      pieces.push({ region, address, sizeBytes: bytes.length, bytes });
    const code = slotCode(version.machine);
    for (const { slot } of slots.values())
      pieces.push({
        region: "slots",
        address: slot.address,
        sizeBytes: code.bytes.length,
        bytes: code.bytes,
      });
    this.#runs = pageRuns(pieces);
    const fixed = this.#runs.map((run) => this.#addRun(run));
    this.#addThrough();
    this.#addSymbols(slots);

    for (const { unit } of placed.values()) this.#relocate(unit, this.#addressOf(unit)!);
    for (const [unit, section] of this.#through)
      for (const bound of this.#layout.references.ofUnit(this.#v, version.units[unit]!))
        this.#relocations[section]!.push(this.#emitReference(bound, bound.relocation.offset));
    for (const { slot, target } of slots.values()) this.#relocateSlot(slot, target);
    for (const filler of fillers) this.#relocateFiller(filler);
    this.#addUnwind();

    const sections = this.#sections.map((section, i) => ({ ...section, relocations: this.#sorted(i) }));
    const object = { machine: version.machine, sections, symbols: this.#symbols.list, groups: this.#groups };
    return { object, fixed, slots: [...slots.keys()].sort() };
  }

  #sorted(section: number): ObjectRelocation[] {
    return this.#relocations[section]!.sort((a, b) => a.offset - b.offset);
  }

  /** By address; mergeable content that occurs several times is there once. */
  #placedUnits(): Map<number, { readonly unit: Unit; readonly placement: Placement }> {
    const placed = new Map<number, { unit: Unit; placement: Placement }>();
    for (const unit of this.#resolved.version.units) {
      const placement = this.#placementOf(unit);
      // What has no bytes lies nowhere, and must not hide what does.
      if (placement !== undefined && unit.sizeBytes > 0) placed.set(placement.address, { unit, placement });
    }
    return placed;
  }

  #placementOf(unit: Unit): Placement | undefined {
    const { homes, variants } = this.#layout.references;
    const home = homes.of[this.#v]!.get(unit.index);
    if (home !== undefined) return home.placement;
    return variants.of[this.#v]![unit.bundle]?.placements?.[this.#resolved.positions[unit.index]!];
  }

  #addressOf(unit: Unit): number | undefined {
    return this.#placementOf(unit)?.address;
  }

  #addSection(section: ObjectSection): number {
    this.#sections.push(section);
    this.#relocations.push([]);
    return this.#sections.length - 1;
  }

  #addRun({ region, address, sizeBytes, bytes }: PageRun): FixedSection {
    const library = this.#layout.state.library.replace(/[^A-Za-z0-9_]/g, "_");
    const name = `.tenon.${library}.${region}.${address.toString(16)}`;
    const type = region === "bss" ? SHT_NOBITS : SHT_PROGBITS;
    this.#addSection({ name, type, flags: REGION_FLAGS[region], alignment: PAGE_BYTES, bytes, sizeBytes });
    return { name, region, address, sizeBytes };
  }

  /** What the linker places: initialisers, thread-local data, data that it must unify over the program, notes. */
  #addThrough(): void {
    const { version, places } = this.#resolved;
    const groups = new Map<string, number>();
    const firstSections: number[] = [];
    for (const unit of version.units) {
      if (places[unit.index] !== "through" || unit.sectionName === PROPERTY_NOTE) continue;
      const { sectionName: name, type, flags, alignment, entrySize, bytes, sizeBytes, group } = unit;
      let number = group === undefined ? undefined : groups.get(group);
      if (group !== undefined && number === undefined) {
        number = groups.size;
        groups.set(group, number);
      }
      // Bits of linkage between sections of the old object (SHF_INFO_LINK, SHF_LINK_ORDER, SHF_GROUP) mean nothing here.
      const own = { name, type, flags: flags & ~LINKAGE_FLAGS, alignment, entrySize, bytes, sizeBytes };
      const section = this.#addSection(number === undefined ? own : { ...own, group: number });
      this.#through.set(unit.index, section);
      if (number !== undefined) firstSections[number] ??= section;
    }
    for (const [signature, number] of groups) {
      const symbol = this.#symbols.list.length;
      const rest = { offset: 0, sizeBytes: 0, type: STT_NOTYPE, visibility: "default" } as const;
      this.#symbols.define({ name: signature, binding: "local", ...rest }, firstSections[number]!, 0);
      this.#groups.push({ signature: symbol, isComdat: true });
    }
  }

  #addSymbols(slots: ReadonlyMap<string, { readonly slot: Slot }>): void {
    const { version, definitions, places } = this.#resolved;
    for (const unit of version.units) {
      for (const symbol of unit.symbols) {
        const at = this.#at(unit, symbol.offset);
        if (at === undefined) continue;
        const [section, value] = at;
        const definition: Definition = { unit, symbol };
        const chosen = definitions.get(symbol.name);
        if (symbol.binding === "local" || chosen?.unit !== unit || chosen.symbol.offset !== symbol.offset) {
          if (symbol.type === STT_FUNC || symbol.type === STT_OBJECT)
            this.#symbols.define(symbol, section, value, { binding: STB_LOCAL });
          continue;
        }
        const reference = this.#layout.references.exportText(this.#v, definition);
        const slot = reference.startsWith("s") ? slots.get(reference.slice(1))?.slot : undefined;
        if (slot === undefined || isBoundByName(definition, places)) {
          this.#symbols.define(symbol, section, value);
          continue;
        }
        this.#symbols.define(symbol, section, value, { binding: STB_LOCAL });
        const [slotSection, slotValue] = this.#place(slot.address);
        this.#symbols.define(symbol, slotSection, slotValue, SLOT_SYMBOL);
      }
    }
    for (const { name, sizeBytes, alignment } of version.commons)
      this.#symbols.common(name, sizeBytes, alignment, STT_OBJECT);
  }

  /** Section and offset of a place in a unit. */
  #at(unit: Unit, offset: number): readonly [number, number] | undefined {
    const section = this.#through.get(unit.index);
    if (section !== undefined) return [section, offset];
    const address = this.#addressOf(unit);
    return address === undefined ? undefined : this.#place(address + offset);
  }

  #place(address: number): readonly [number, number] {
    const run = runAt(this.#runs, address);
    return [run, address - this.#runs[run]!.address];
  }

  #relocate(unit: Unit, address: number): void {
    const [section, start] = this.#place(address);
    for (const bound of this.#layout.references.ofUnit(this.#v, unit))
      this.#relocations[section]!.push(this.#emitReference(bound, start + bound.relocation.offset));
  }

  #emitReference(bound: BoundReference, offset: number): ObjectRelocation {
    const { relocation, binding, slotKey } = bound;
    const { type, addend } = relocation;
    if (slotKey !== undefined && this.#goesThroughSlot(bound)) {
      const [section, value] = this.#place(this.#layout.state.slots.get(slotKey)!.address);
      return this.#toPlace(offset, type, addend, section, value, STT_FUNC);
    }
    if (binding.kind === "name") {
      const symbolType = refersToTls(this.#resolved.version.machine, type) ? STT_TLS : STT_NOTYPE;
      const symbol = this.#symbols.named(binding.name, binding.isWeak, symbolType);
      return { offset, type, addend, target: { symbol } };
    }
    if (binding.kind === "absolute") {
      const symbol = this.#symbols.local("absolute", 0, STT_NOTYPE);
      return { offset, type, addend: addend + binding.value, target: { symbol } };
    }
    const [section, value] = this.#at(binding.unit, binding.offset)!;
    const symbolType = (binding.unit.flags & SHF_TLS) !== 0 ? STT_TLS : STT_NOTYPE;
    return this.#toPlace(offset, type, addend, section, value, symbolType);
  }

  #toPlace(
    offset: number,
    type: number,
    addend: bigint,
    section: number,
    value: number,
    symbolType: number,
  ): ObjectRelocation {
    const isNamed = needsGotEntry(this.#resolved.version.machine, type) || symbolType === STT_TLS;
    const target: ObjectTarget = isNamed
      ? { symbol: this.#symbols.local(section, value, symbolType) }
      : { section };
    return { offset, type, target, addend: isNamed ? addend : addend + BigInt(value) };
  }

  /** As was settled for the variant; what has a home takes the address that all others see. */
  #goesThroughSlot({ unit, relocation, isBranch, slotKey }: BoundReference): boolean {
    const { references, state } = this.#layout;
    const variant = references.homes.of[this.#v]!.has(unit.index)
      ? undefined
      : references.variants.of[this.#v]![unit.bundle];
    if (variant === undefined) {
      return isBranch
        ? state.slots.has(slotKey!) && state.policy === "all"
        : references.addressSlots.has(slotKey!);
    }
    const index = this.#positionsOf(unit.bundle).get(relocation);
    // The relocations of unwind entries are not the variant's.
    if (index === undefined) return references.addressSlots.has(slotKey!);
    return variant.references![index]!.startsWith("s");
  }

  /** Where in its variant's list of references each relocation of a bundle is. */
  #positionsOf(bundle: number): ReadonlyMap<UnitRelocation, number> {
    if (this.#bundlePositions?.bundle !== bundle) {
      const bound = this.#layout.references.ofBundle(this.#v, this.#resolved.version.bundles[bundle]!);
      const positions = new Map(bound.map(({ relocation }, i) => [relocation, i]));
      this.#bundlePositions = { bundle, positions };
    }
    return this.#bundlePositions.positions;
  }

  /** The slots of this version: those whose function it has, and those by which it calls the rest of the program. */
  #slotTargets(): Map<string, { readonly slot: Slot; readonly target: SlotTarget }> {
    const { version, definitions, places } = this.#resolved;
    const { references, state } = this.#layout;
    const targets = new Map<string, SlotTarget>();
    for (const unit of version.units) {
      if (places[unit.index] !== "code") continue;
      targets.set(unit.name, { unit, offset: 0 });
      for (const { name, binding, offset } of unit.symbols) {
        const isLocal = binding === "local";
        const key = references.functionKey(this.#v, unit, offset, name, isLocal);
        if (key !== undefined && (isLocal || definitions.get(name)?.unit === unit))
          targets.set(key, { unit, offset });
      }
    }
    for (const [name, definition] of definitions)
      if (isBoundByName(definition, places)) targets.set(name, { name, isWeak: false });
    for (const bundle of version.bundles)
      for (const { binding, isBranch } of references.ofBundle(this.#v, bundle))
        if (isBranch && binding.kind === "name") targets.set(binding.name, binding);
    const found = new Map<string, { slot: Slot; target: SlotTarget }>();
    for (const [key, slot] of state.slots) {
      const target = targets.get(key);
      if (target !== undefined) found.set(key, { slot, target });
    }
    return found;
  }

  /** True for what shares its pages with other variants that don't change. */
  #isFixedVariant(unit: Unit): boolean {
    const { homes, variants } = this.#layout.references;
    if (homes.of[this.#v]!.has(unit.index)) return false;
    return variants.of[this.#v]![unit.bundle]?.isVolatile === false;
  }

  #relocateFiller({ address, relocations }: Filler): void {
    const [section, start] = this.#place(address);
    for (const { relocation, offset, value } of relocations) {
      // A run and a distance: there may be nothing at the address, and GNU ld for AArch64 dies of absolute symbols.
      const [targetSection, distance] = this.#place(value);
      const { type, addend } = relocation;
      this.#relocations[section]!.push(
        this.#toPlace(start + offset, type, addend, targetSection, distance, STT_NOTYPE),
      );
    }
  }

  #relocateSlot(slot: Slot, target: SlotTarget): void {
    const { relocation } = slotCode(this.#resolved.version.machine);
    const [section, start] = this.#place(slot.address);
    const { type, addend } = relocation;
    const offset = start + relocation.offset;
    if ("name" in target) {
      const symbol = this.#symbols.named(target.name, target.isWeak);
      this.#relocations[section]!.push({ offset, type, addend, target: { symbol } });
      return;
    }
    const [targetSection, value] = this.#at(target.unit, target.offset)!;
    this.#relocations[section]!.push(this.#toPlace(offset, type, addend, targetSection, value, STT_FUNC));
  }

  /** Entries by the address of their function: those that all versions have in common come first. */
  #addUnwind(): void {
    const { version } = this.#resolved;
    const address = (unit: number) => this.#addressOf(version.units[unit]!) ?? Number.MAX_SAFE_INTEGER;
    const entries = [...version.unwind].sort((a, b) => address(a.unit) - address(b.unit));
    const section = emitUnwind(entries, (unit: number, relocation: UnitRelocation, at: number) =>
      this.#emitReference(this.#layout.references.bind(this.#v, version.units[unit]!, relocation), at),
    );
    if (section !== undefined) this.#relocations[this.#addSection(section)]!.push(...section.relocations!);
  }
}

/** What the compiler promises of all code in the object; slots don't keep it (they begin without ENDBR64 or BTI). */
const PROPERTY_NOTE = ".note.gnu.property";
/** SHF_INFO_LINK, SHF_LINK_ORDER, SHF_GROUP. */
const LINKAGE_FLAGS = 0x40 | 0x80 | 0x200;
