/** Symbols placed in units, and relocations that say which unit they point to. */
import { relocationName, STT_FILE, STT_SECTION } from "../elf/index.ts";
import { type CutResult, pieceAt, type SectionFate } from "./cut.ts";
import type { Target, UnitRelocation } from "./model.ts";
import { broken, type ObjectFile, type ObjectRelocation, type ObjectSymbol, refuse } from "./object-file.ts";

interface Definition {
  readonly object: number;
  readonly symbol: ObjectSymbol;
}

export interface Common {
  readonly name: string;
  sizeBytes: number;
  alignment: number;
}

/** What names mean in the whole version: the linker's choice among the definitions. */
export interface Names {
  /** Global, weak and unique symbols that are defined in a unit, or absolute. */
  readonly defined: ReadonlyMap<string, Definition>;
  readonly commons: readonly Common[];
}

/** A symbol with its place, of those that name something in a unit. */
function placeOf(
  { units, fates }: CutResult,
  object: number,
  section: number,
  value: number,
): { readonly unit: number; readonly offset: number } | SectionFate["kind"] {
  const fate = fates[object]![section]!;
  if (fate.kind === "unit") return { unit: fate.unit, offset: value };
  if (fate.kind === "pieces") return pieceAt(fate, units, value);
  return fate.kind;
}

/**
 * Chooses among the definitions of each global name, as a linker does that is given all objects: a strong one, else
 * a common one, else the first weak one. Errors: `unsupported` when two strong ones exist.
 */
export function chooseNames(objects: readonly ObjectFile[], cut: CutResult): Names {
  const defined = new Map<string, Definition>();
  const commons = new Map<string, Common>();
  for (const object of objects) {
    for (const symbol of object.symbols) {
      if (symbol.binding === "local" || symbol.place === "undefined") continue;
      if (symbol.place === "common") {
        const known = commons.get(symbol.name) ?? { name: symbol.name, sizeBytes: 0, alignment: 1 };
        known.sizeBytes = Math.max(known.sizeBytes, symbol.sizeBytes);
        known.alignment = Math.max(known.alignment, symbol.value);
        commons.set(symbol.name, known);
        continue;
      }
      if (symbol.place === "section") {
        const fate = cut.fates[object.index]![symbol.section]!;
        if (fate.kind === "duplicate" || fate.kind === "not-linked") continue;
      }
      const known = defined.get(symbol.name);
      if (known !== undefined && known.symbol.binding !== "weak" && symbol.binding !== "weak") {
        const first = objects[known.object]!.name;
        if (symbol.binding === "unique" && known.symbol.binding === "unique") continue;
        throw refuse(object, `${symbol.name} is also defined in ${first}`);
      }
      if (known === undefined || (known.symbol.binding === "weak" && symbol.binding !== "weak"))
        defined.set(symbol.name, { object: object.index, symbol });
    }
  }
  for (const name of commons.keys()) {
    const definition = defined.get(name);
    if (definition?.symbol.binding === "weak") defined.delete(name);
    else if (definition !== undefined) commons.delete(name);
  }
  return { defined, commons: [...commons.values()] };
}

/** Gives the units their symbols. */
export function placeSymbols(objects: readonly ObjectFile[], cut: CutResult): void {
  for (const object of objects) {
    for (const symbol of object.symbols) {
      const { name, sizeBytes, binding, visibility, type, place, section, value } = symbol;
      if (place !== "section" || type === STT_SECTION || type === STT_FILE || name === "") continue;
      const header = object.elf.sections[section]!.header;
      const found = placeOf(cut, object.index, section, value);
      if (typeof found === "string") continue;
      if (value > header.sh_size)
        throw broken(object, "st_value", `${name}: ${value} is outside its section`);
      cut.units[found.unit]!.symbols.push({
        name,
        offset: found.offset,
        sizeBytes,
        binding,
        visibility,
        type,
      });
    }
  }
  for (const { symbols } of cut.units) symbols.sort((a, b) => a.offset - b.offset);
}

/** How far behind the field's beginning x86-64 counts from when the operand is the last of its instruction. */
const PC_BIAS = 4;

/** Resolves relocations of one object. */
export class Resolver {
  readonly #objects: readonly ObjectFile[];
  readonly #cut: CutResult;
  readonly #names: Names;

  constructor(objects: readonly ObjectFile[], cut: CutResult, names: Names) {
    this.#objects = objects;
    this.#cut = cut;
    this.#names = names;
  }

  /** The relocation with its target; `base` is where the unit begins in its section, `where` names it in errors. */
  resolve(object: ObjectFile, relocation: ObjectRelocation, base: number, where: string): UnitRelocation {
    const { offset, type } = relocation;
    const symbol = object.symbols[relocation.symbol];
    const { target, addend } = this.#target(object, relocation, symbol, where);
    return { offset: offset - base, type, addend, target };
  }

  /** True when the relocation points into a copy of a group that was dropped, or into nothing that is linked. */
  isDropped(object: ObjectFile, relocation: ObjectRelocation): boolean {
    const symbol = object.symbols[relocation.symbol];
    if (symbol?.place !== "section") return false;
    return this.#cut.fates[object.index]![symbol.section]!.kind === "duplicate";
  }

  #target(
    object: ObjectFile,
    { type, addend, offset }: ObjectRelocation,
    symbol: ObjectSymbol | undefined,
    where: string,
  ): { readonly target: Target; readonly addend: bigint } {
    if (symbol === undefined || symbol.index === 0)
      return { target: { kind: "absolute", value: 0n }, addend };
    if (symbol.binding !== "local") return { target: this.#byName(object, symbol), addend };
    if (symbol.place === "absolute") return { target: absolute(object, symbol), addend };
    if (symbol.place !== "section")
      throw broken(object, "r_info", `${where}: a local symbol ${symbol.name} without a place`);
    const section = object.elf.sections[symbol.section]!;
    const isSection = symbol.type === STT_SECTION;
    const name = isSection ? section.name : symbol.name;
    const fate = this.#cut.fates[object.index]![symbol.section]!;
    if (fate.kind === "unit") {
      if (symbol.value > section.header.sh_size)
        throw broken(object, "st_value", `${name}: ${symbol.value} is outside its section`);
      return {
        target: unitTarget(fate.unit, symbol.value, isSection ? undefined : symbol.name),
        addend,
      };
    }
    if (fate.kind === "pieces") {
      if (!isSection) {
        const { unit, offset: inside } = pieceAt(fate, this.#cut.units, symbol.value);
        return { target: unitTarget(unit, inside, symbol.name), addend };
      }
      // A section and an offset name the entry at that offset; counted from the field's end on x86-64.
      const bias = this.#isFromEnd(object, type) ? PC_BIAS : 0;
      const at = symbol.value + Number(addend) + bias;
      if (!(at >= 0 && at <= section.header.sh_size))
        throw refuse(
          object,
          `${where}: relocation at ${offset} points to ${at} in ${name}, which is cut into entries`,
        );
      const { unit, offset: inside } = pieceAt(fate, this.#cut.units, at);
      return { target: unitTarget(unit, inside, undefined), addend: BigInt(-bias) };
    }
    const what =
      fate.kind === "duplicate"
        ? `into a copy of the group ${fate.signature} that is dropped`
        : fate.kind === "unwind"
          ? "into .eh_frame"
          : "into what isn't loaded";
    throw refuse(
      object,
      `${where}: ${relocationName(object.elf.machine, type)} at ${offset} points to ${name}, ${what}`,
    );
  }

  /** PC32, PLT32 and their like: the addend makes up for the distance from the field to the next instruction. */
  #isFromEnd(object: ObjectFile, type: number): boolean {
    return object.elf.machine === "x86-64" && (type === 2 || type === 4);
  }

  #byName(object: ObjectFile, symbol: ObjectSymbol): Target {
    const { name } = symbol;
    const definition = this.#names.defined.get(name);
    if (definition === undefined) {
      if (symbol.place === "section" && this.#cut.fates[object.index]![symbol.section]!.kind === "duplicate")
        throw refuse(object, `${name}: its group is dropped, and the copy that is kept doesn't define it`);
      return { kind: "external", name, weak: symbol.binding === "weak" };
    }
    const definer = this.#objects[definition.object]!;
    if (definition.symbol.place === "absolute") return absolute(definer, definition.symbol);
    const found = placeOf(this.#cut, definition.object, definition.symbol.section, definition.symbol.value);
    if (typeof found === "string")
      throw refuse(object, `${name} is defined in ${definer.name} in what isn't loaded`);
    return unitTarget(found.unit, found.offset, name);
  }
}

function unitTarget(unit: number, offset: number, symbol: string | undefined): Target {
  return { kind: "unit", unit, offset, symbol };
}

function absolute({ elf }: ObjectFile, { index }: ObjectSymbol): Target {
  const symtab = elf.sections.find(({ header }) => header.sh_type === 2)!;
  return {
    kind: "absolute",
    value: elf.view.data.getBigUint64(symtab.header.sh_offset + 24 * index + 8, true),
  };
}

/** Gives the units their relocations. */
export function placeRelocations(objects: readonly ObjectFile[], cut: CutResult, resolver: Resolver): void {
  for (const object of objects) {
    for (const [section, relocations] of object.relocations) {
      const fate = cut.fates[object.index]![section]!;
      if (fate.kind !== "unit" && fate.kind !== "pieces") continue;
      for (const relocation of relocations) {
        const place =
          fate.kind === "unit"
            ? { unit: fate.unit, offset: relocation.offset }
            : pieceAt(fate, cut.units, relocation.offset);
        const unit = cut.units[place.unit]!;
        const base = relocation.offset - place.offset;
        unit.relocations.push(resolver.resolve(object, relocation, base, unit.sectionName));
      }
    }
  }
}
