/**
 * Names by which units of two versions are compared.
 *
 * Compilers number what they make up: `f.constprop.0`, `f.isra.0`, `f.cold`, `CSWTCH.4952`, `__func__.1234`, and
 * static variables of functions, `name.1234`. The numbers shift with every change elsewhere. So they are left out,
 * and where a name then means nothing, or means several things that can't change, content takes its place.
 */
import { SHF_WRITE, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT, STT_TLS } from "../elf/index.ts";
import type { UnitDraft } from "./cut.ts";
import type { Unit, UnitSymbol } from "./model.ts";

/** Names that say nothing about what they are given to. */
const MEANINGLESS = [
  /^\.L/,
  /^\$/, // mapping symbols of AArch64
  /^CSWTCH\.\d+$/,
  /^C\.\d+\.\d+$/,
  /^__(func|FUNCTION|PRETTY_FUNCTION)__\.\d+$/,
  /^\.?compoundliteral(\.\d+)?$/,
  /^switch\.table\./,
];

/** Suffixes of functions that compilers split or specialise: the number is a counter. */
const CLONE = /\.(constprop|isra|part|lto_priv|llvm|cold)\.\d+(?=\.|$)/g;

/** Static initialisers of C++ are called after the first function of their file. */
const INITIALISER = /^(_GLOBAL__(?:sub_)?[ID])_.*$/;

/** True for a symbol that names something, as opposed to a label in it. */
export function isMeaningful({ name, type, binding }: UnitSymbol): boolean {
  if (type === STT_NOTYPE && binding === "local" && /^(\.|\$|L\d)/.test(name)) return false;
  return !MEANINGLESS.some((pattern) => pattern.test(name));
}

/** A local name without the compiler's counters. */
export function withoutCounters(name: string, isCode: boolean): string {
  const plain = name.replace(CLONE, ".$1").replace(INITIALISER, "$1");
  return isCode ? plain : withoutEndNumbers(plain);
}

/** Without `.12.3` at the end, unless nothing or a dot stands before it. By hand: names can be as long as files. */
function withoutEndNumbers(name: string): string {
  let kept = name.length;
  for (let end = name.length; ; ) {
    let digits = end;
    while (digits > 0 && isDigit(name.charCodeAt(digits - 1))) digits--;
    if (digits === end || name[digits - 1] !== ".") return name.slice(0, kept);
    end = digits - 1;
    if (end > 0 && name[end - 1] !== ".") kept = end;
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** The name of a section without the name of the one thing that it holds: `.text.unlikely` of `.text.unlikely.f`. */
export function sectionClass(sectionName: string): string {
  return CLASSES.find((prefix) => sectionName.startsWith(`${prefix}.`)) ?? sectionName;
}

/** Longer ones first: the first that fits is taken. */
const CLASSES = [
  ".text.unlikely",
  ".text.startup",
  ".text.exit",
  ".text.hot",
  ".text",
  ".rodata",
  ".data.rel.ro.local",
  ".data.rel.local",
  ".data.rel.ro",
  ".data.rel",
  ".data",
  ".bss.rel.ro",
  ".bss",
  ".tdata",
  ".tbss",
  ".gcc_except_table",
];

const BINDING_ORDER = { global: 0, unique: 0, weak: 1, local: 2 } as const;
const TYPE_ORDER: Readonly<Record<number, number>> = {
  [STT_FUNC]: 0,
  [STT_GNU_IFUNC]: 0,
  [STT_OBJECT]: 0,
  [STT_TLS]: 0,
};

/** The symbols that name something, the one after which the unit is named first. */
export function namingSymbols(symbols: readonly UnitSymbol[]): UnitSymbol[] {
  const rank = ({ binding, type }: UnitSymbol) => 2 * BINDING_ORDER[binding] + (TYPE_ORDER[type] ?? 1);
  const isLabel = ({ binding, type }: UnitSymbol) => binding === "local" && type === STT_NOTYPE;
  const meaningful = symbols.filter(isMeaningful);
  // Assemblers keep labels within functions as local symbols without a type.
  const naming = meaningful.every(isLabel) ? meaningful : meaningful.filter((symbol) => !isLabel(symbol));
  return naming.sort((a, b) => a.offset - b.offset || rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

/** Read-only for the program: also what is only written while it is relocated. */
export function isConstant(unit: Unit): boolean {
  return unit.kind === "string" || unit.kind === "rodata" || /^\.data\.rel\.ro(\.|$)/.test(unit.sectionName);
}

/** Names of a version's symbols: `nameOf` gives the name of a symbol in a unit, unique in the version. */
export interface SymbolNames {
  nameOf(unit: Unit, symbol: string): string | undefined;
  /** The symbols that name something in a unit, by offset. */
  namingOf(unit: Unit): readonly UnitSymbol[];
}

/**
 * Names units and their symbols, and says which units are anonymous. `isChosen` is true for the definition that a
 * global name stands for: of several weak ones, the others carry their object's label, as local ones do.
 */
export function nameUnits(
  units: readonly UnitDraft[],
  labels: readonly string[],
  isChosen: (unit: Unit, symbol: UnitSymbol) => boolean,
): SymbolNames {
  const nothing: UnitSymbol[] = [];
  const naming = units.map(({ kind, symbols }) =>
    kind === "string" || symbols.length === 0 ? nothing : namingSymbols(symbols),
  );
  const plainNames = new Map<string, number>();
  const plain = (unit: Unit, symbol: UnitSymbol) =>
    symbol.binding !== "local" && isChosen(unit, symbol)
      ? symbol.name
      : `${labels[unit.object]}:${withoutCounters(symbol.name, unit.kind === "code")}`;
  for (const unit of units)
    for (const symbol of naming[unit.index]!) {
      const name = plain(unit, symbol);
      plainNames.set(name, (plainNames.get(name) ?? 0) + 1);
    }
  const used = new Map<string, number>();
  /** The name, with a number from its second use on. */
  const unique = (name: string): string => {
    const count = (used.get(name) ?? 0) + 1;
    used.set(name, count);
    return count === 1 ? name : unique(`${name}#${count}`);
  };
  const bySymbol = units.map((unit) => {
    // Most units are strings, which have none.
    if (naming[unit.index]!.length === 0) return undefined;
    const names = new Map<string, string>();
    for (const symbol of naming[unit.index]!)
      if (!names.has(symbol.name)) names.set(symbol.name, unique(plain(unit, symbol)));
    return names;
  });
  for (const unit of units) {
    const symbols = naming[unit.index]!;
    const [first] = symbols;
    const isOne = first !== undefined && symbols.every(({ offset }) => offset === first.offset);
    // Several functions or variables in one section: its name would only be that of the first.
    const own = isOne ? bySymbol[unit.index]!.get(first.name)! : unique(sectionOwnName(unit, labels));
    unit.name = own;
    unit.anonymous =
      isConstant(unit) &&
      (first === undefined ||
        (isOne && first.binding === "local" && plainNames.get(plain(unit, first))! > 1));
  }
  return {
    nameOf: (unit, symbol) => bySymbol[unit.index]?.get(symbol),
    namingOf: (unit) => naming[unit.index]!,
  };
}

function sectionOwnName(unit: Unit, labels: readonly string[]): string {
  const label = labels[unit.object];
  if (unit.kind === "string") return `${label}:string`;
  if (unit.kind === "init" || (unit.flags & SHF_WRITE) !== 0) return `${label}:${unit.sectionName}`;
  return `${label}:${withoutCounters(unit.sectionName, unit.kind === "code")}`;
}
