/**
 * Units that belong together: a function with its cold part, its jump tables, its exception table, and what is
 * ordered after it. Everything else is a bundle by itself.
 */
import { SHF_LINK_ORDER, STT_FUNC } from "../elf/index.ts";
import type { SectionFate, UnitDraft } from "./cut.ts";
import { namingSymbols } from "./names.ts";
import type { ObjectFile } from "./object-file.ts";
import type { UnwindDraft } from "./unwind.ts";

/** Several bundles refer to it. */
const MANY = -2;
const NONE = -1;

/** Units of each bundle, the one it is named after first; bundles in the order of their first units. */
export function bundleUnits(
  units: readonly UnitDraft[],
  unwind: readonly UnwindDraft[],
  objects: readonly ObjectFile[],
  fates: readonly (readonly SectionFate[])[],
): number[][] {
  /** The unit that leads the bundle. */
  const leader = units.map(({ index }) => index);
  attachColdParts(units, leader);
  attachLinkOrdered(units, objects, fates, leader);
  attachTables(units, unwind, leader);
  const members = new Map<number, number[]>();
  for (const { index } of units) {
    const first = leader[index]!;
    const bundle = members.get(first);
    if (bundle === undefined) members.set(first, index === first ? [index] : [first, index]);
    else if (index !== first) bundle.push(index);
  }
  const bundles = [...members.values()];
  for (const bundle of bundles) {
    const [first, ...others] = bundle;
    const order = (index: number) => (units[index]!.kind === "code" ? 0 : 1);
    bundle.splice(0, bundle.length, first!, ...others.sort((a, b) => order(a) - order(b) || a - b));
  }
  return bundles.sort((a, b) => a[0]! - b[0]!);
}

/** The name of the one function of a unit, as the compiler gave it. */
function functionName(unit: UnitDraft): string | undefined {
  if (unit.kind !== "code") return undefined;
  const [first, ...others] = namingSymbols(unit.symbols);
  return first !== undefined && others.every(({ offset }) => offset === first.offset)
    ? first.name
    : undefined;
}

/** `.text.unlikely.f` with `f.cold` belongs to `f` of the same object. */
function attachColdParts(units: readonly UnitDraft[], leader: number[]): void {
  const byName = new Map<string, number>();
  const key = (object: number, name: string) => `${object} ${name}`;
  for (const unit of units) {
    if (unit.kind !== "code") continue;
    for (const { name, type, offset } of unit.symbols)
      if (type === STT_FUNC && offset === 0) byName.set(key(unit.object, name), unit.index);
  }
  for (const unit of units) {
    const name = functionName(unit);
    const base = name && /^(.+)\.cold(\.\d+)?$/.exec(name)?.[1];
    if (!base) continue;
    const found = byName.get(key(unit.object, base));
    if (found !== undefined && found !== unit.index && leader[found] === found) leader[unit.index] = found;
  }
}

/** SHF_LINK_ORDER: a table about one section, which goes with it. */
function attachLinkOrdered(
  units: readonly UnitDraft[],
  objects: readonly ObjectFile[],
  fates: readonly (readonly SectionFate[])[],
  leader: number[],
): void {
  for (const unit of units) {
    if ((unit.flags & SHF_LINK_ORDER) === 0) continue;
    const link = objects[unit.object]!.elf.sections[unit.section]!.header.sh_link;
    const fate = fates[unit.object]![link];
    if (fate?.kind === "unit" && fate.unit !== unit.index && leader[leader[fate.unit]!] === leader[fate.unit])
      leader[unit.index] = leader[fate.unit]!;
  }
}

/**
 * Tables that only one function knows: exception tables, and anonymous read-only data that refers back into the
 * function or stands in a section named after it (jump tables on AArch64 hold distances, without relocations).
 */
function attachTables(units: readonly UnitDraft[], unwind: readonly UnwindDraft[], leader: number[]): void {
  const user = units.map(() => NONE);
  const use = (from: number, to: number) => {
    const bundle = leader[from]!;
    if (leader[to] === bundle) return;
    user[to] = user[to] === NONE || user[to] === bundle ? bundle : MANY;
  };
  for (const unit of units)
    for (const { target } of unit.relocations) if (target.kind === "unit") use(unit.index, target.unit);
  const exceptionTables = new Set<number>();
  for (const { unit, lsda, fdeRelocations, cieRelocations } of unwind) {
    for (const { target } of [...fdeRelocations, ...cieRelocations])
      if (target.kind === "unit" && target.unit !== unit) use(unit, target.unit);
    if (lsda !== undefined) exceptionTables.add(lsda);
  }
  for (const unit of units) {
    const owner = user[unit.index]!;
    if (owner < 0 || leader[unit.index] !== unit.index) continue;
    const function_ = units[owner]!;
    if (function_.kind !== "code" || function_.object !== unit.object) continue;
    const isTable =
      exceptionTables.has(unit.index) ||
      (unit.kind === "rodata" &&
        unit.anonymous &&
        unit.entrySize === 0 &&
        (unit.relocations.some(({ target }) => target.kind === "unit" && leader[target.unit] === owner) ||
          unit.sectionName === `.rodata.${functionName(function_)}`));
    if (isTable) leader[unit.index] = owner;
  }
}
