/**
 * Where each unit of a version goes, and what each reference is bound to.
 *
 * The library room has chosen among definitions as a linker that is given all objects does. Here it is decided
 * what may be bound before the link: a reference stays a name when another part of the program may define the
 * symbol instead (weak, not COMDAT), when the linker must see it (TLS, IFUNC, common), and when the library lacks it.
 */
import {
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_MERGE,
  SHF_TLS,
  SHF_WRITE,
  SHT_NOBITS,
  SHT_PROGBITS,
  STT_FUNC,
  STT_GNU_IFUNC,
} from "../elf/index.ts";
import type {
  Bundle,
  LibraryVersion,
  Unit,
  UnitRelocation,
  UnitSymbol,
  UnwindEntry,
} from "../library/index.ts";

/** Where a unit goes: a region of fixed addresses, or through to the program's ordinary sections. */
export type Place = "code" | "rodata" | "data" | "bss" | "through";

export type Binding =
  | {
      readonly kind: "unit";
      readonly unit: Unit;
      readonly offset: number;
      readonly entry: UnitSymbol | undefined;
    }
  | { readonly kind: "name"; readonly name: string; readonly isWeak: boolean }
  | { readonly kind: "absolute"; readonly value: bigint };

export interface Definition {
  readonly unit: Unit;
  readonly symbol: UnitSymbol;
}

export interface ResolvedVersion {
  readonly label: string;
  readonly version: LibraryVersion;
  /** By unit. */
  readonly places: readonly Place[];
  /** Where in its bundle each unit is. */
  readonly positions: readonly number[];
  /** Symbols that other objects can see, by name. */
  readonly definitions: ReadonlyMap<string, Definition>;
  readonly bind: (relocation: UnitRelocation) => Binding;
  readonly unwindOf: (bundle: Bundle) => readonly UnwindEntry[];
}

export function resolveVersion(label: string, version: LibraryVersion): ResolvedVersion {
  const places = version.units.map(placeOf);
  const positions: number[] = new Array(version.units.length).fill(0);
  for (const { units } of version.bundles) for (const [i, unit] of units.entries()) positions[unit] = i;
  const definitions = new Map<string, Definition>();
  for (const unit of version.units) {
    for (const symbol of unit.symbols) {
      if (symbol.binding === "local") continue;
      if (definitions.get(symbol.name)?.symbol.binding !== "global")
        definitions.set(symbol.name, { unit, symbol });
    }
  }
  const localsOf = new Map<Unit, ReadonlyMap<number, readonly UnitSymbol[]>>();
  const localsAt = (unit: Unit, offset: number): readonly UnitSymbol[] => {
    let locals = localsOf.get(unit);
    if (locals === undefined) {
      // Without a section for each function a unit has thousands, and as many references.
      locals = Map.groupBy(
        unit.symbols.filter(({ binding }) => binding === "local"),
        (symbol) => symbol.offset,
      );
      localsOf.set(unit, locals);
    }
    return locals.get(offset) ?? [];
  };
  const bind = ({ target }: UnitRelocation): Binding => {
    if (target.kind === "absolute") return target;
    if (target.kind === "external") return { kind: "name", name: target.name, isWeak: target.weak };
    const { offset, symbol: name } = target;
    const unit = version.units[target.unit]!;
    const definition = name === undefined ? undefined : definitions.get(name);
    const entry =
      definition?.unit === unit && definition.symbol.offset === offset
        ? definition.symbol
        : localEntry(localsAt(unit, offset), name);
    if (entry !== undefined && isBoundByName({ unit, symbol: entry }, places))
      return { kind: "name", name: entry.name, isWeak: false };
    return { kind: "unit", unit, offset, entry };
  };
  const unwind = Map.groupBy(version.unwind, ({ unit }) => version.units[unit]!.bundle);
  const unwindOf = ({ index }: Bundle) => unwind.get(index) ?? [];
  return { label, version, places, positions, definitions, bind, unwindOf };
}

/** True when only the linker knows what a symbol comes to. */
export function isBoundByName({ unit, symbol }: Definition, places: readonly Place[]): boolean {
  const { binding, type } = symbol;
  if (binding === "local") return false;
  const isOverridable = binding === "weak" && unit.group === undefined;
  return isOverridable || type === STT_GNU_IFUNC || places[unit.index] === "through";
}

/** The local symbol that is meant; the assembler may have put the section in its place, so a name can be missing. */
function localEntry(here: readonly UnitSymbol[], name: string | undefined): UnitSymbol | undefined {
  if (name !== undefined) return here.find((symbol) => symbol.name === name);
  return here.find(({ type }) => type === STT_FUNC) ?? here[0];
}

/** Sections that linkers gather without anybody knowing where each lies. */
const ORDINARY = /^\.(text|rodata|data|bss|gcc_except_table|lrodata|ldata|lbss|gnu\.linkonce)(\.|$)/;

function placeOf(unit: Unit): Place {
  const { type, flags, group, kind, symbols } = unit;
  if ((flags & SHF_ALLOC) === 0 || (flags & SHF_TLS) !== 0) return "through";
  if ((type !== SHT_PROGBITS && type !== SHT_NOBITS) || kind === "init" || kind === "note") return "through";
  // Other names mean something to the linker's script or to the program (`__start_NAME`): their place is not ours.
  if (!ORDINARY.test(unit.sectionName)) return "through";
  const isWritten = (flags & SHF_WRITE) !== 0;
  // The linker must be able to make one object of what is written to and of its copies elsewhere in the program.
  if (isWritten && (group !== undefined || symbols.some(({ binding }) => binding === "unique")))
    return "through";
  if ((flags & SHF_EXECINSTR) !== 0) return isWritten ? "through" : "code";
  if (isWritten) return type === SHT_NOBITS ? "bss" : "data";
  return type === SHT_NOBITS ? "through" : "rodata";
}

/** True for what is compared by content alone: an entry of a mergeable section has no identity of its own. */
export function isMergeable(version: LibraryVersion, bundle: Bundle): boolean {
  if (bundle.units.length !== 1) return false;
  const { flags, relocations } = version.units[bundle.units[0]!]!;
  return (flags & SHF_MERGE) !== 0 && (flags & SHF_WRITE) === 0 && relocations.length === 0;
}

/** True when the rest of the program can refer to it. */
export function isPublic({ symbol }: Definition): boolean {
  return symbol.visibility === "default" || symbol.visibility === "protected";
}
