/**
 * Identities: what must be equal for two units to be the same unit.
 *
 * A reference counts by the name of what it points to, or, where that is anonymous, by its content. Content may
 * refer to other anonymous content, so bundles are taken in the order in which they depend on each other; within a
 * cycle of several bundles references count by name. Within a bundle they count by position.
 */
import { ByteWriter, utf8 } from "../bytes/index.ts";
import { EMPTY_DIGEST, sha256 } from "../digest/index.ts";
import type { Machine } from "../elf/index.ts";
import { componentOrder } from "./components.ts";
import type { UnitDraft } from "./cut.ts";
import { maskedBytes } from "./masking.ts";
import type { Target, UnitRelocation } from "./model.ts";
import { isMeaningful, namingSymbols, type SymbolNames, sectionClass } from "./names.ts";
import type { UnwindDraft } from "./unwind.ts";

export interface IdentityInput {
  readonly machine: Machine;
  readonly units: readonly UnitDraft[];
  readonly bundles: readonly (readonly number[])[];
  readonly unwind: readonly UnwindDraft[];
  readonly names: SymbolNames;
}

/** Fills in the facets and identities of the units; returns those of the bundles. */
export function identify(input: IdentityInput): string[] {
  const { units, bundles } = input;
  const position = units.map(() => 0);
  for (const bundle of bundles) for (const [i, unit] of bundle.entries()) position[unit] = i;
  const unwindOf = new Map<number, UnwindDraft[]>();
  for (const entry of input.unwind) {
    const bundle = units[entry.unit]!.bundle;
    const known = unwindOf.get(bundle);
    if (known === undefined) unwindOf.set(bundle, [entry]);
    else known.push(entry);
  }
  const identities = bundles.map(() => "");
  const writer = new ReferenceWriter(input, position, identities);
  const contentOf = (bundle: number): number[] => {
    const relocations = [
      ...bundles[bundle]!.map((unit) => units[unit]!.relocations),
      ...(unwindOf.get(bundle) ?? []).flatMap((entry) => [entry.cieRelocations, entry.fdeRelocations]),
    ];
    return relocations.flatMap((list) => list.flatMap(({ target }) => writer.contentBundle(target, bundle)));
  };
  for (const component of componentOrder(bundles.length, contentOf)) {
    writer.cycle = component.length > 1 ? new Set(component) : undefined;
    const made = component.map((bundle) => identifyBundle(input, bundle, unwindOf.get(bundle) ?? [], writer));
    for (const [i, bundle] of component.entries()) identities[bundle] = made[i]!;
  }
  return identities;
}

function identifyBundle(
  { machine, units, bundles }: IdentityInput,
  bundle: number,
  unwind: readonly UnwindDraft[],
  references: ReferenceWriter,
): string {
  const members = bundles[bundle]!.map((index) => units[index]!);
  for (const unit of members) {
    unit.facets = {
      bytes: sha256(maskedBytes(machine, unit.bytes, unit.relocations)),
      relocations: references.digest(unit.relocations, bundle),
      flags: references.flagsDigest(unit),
      binding: bindingDigest(unit),
    };
  }
  const contents = members.map((unit) =>
    sha256(
      utf8(
        `unit ${unit.facets.bytes} ${unit.facets.relocations} ${unit.facets.flags} ${unit.facets.binding} ` +
          `${unit.alignment} ${unit.sizeBytes}`,
      ),
    ),
  );
  const [only] = contents;
  // Of several, each one's identity says which the others are.
  for (const [i, unit] of members.entries())
    unit.identity = contents.length === 1 ? only! : sha256(utf8(`unit ${i} of ${contents.join(" ")}`));
  const entries = unwind.map(
    ({ unit, cie, cieRelocations, fde, fdeRelocations }) =>
      `${bundles[bundle]!.indexOf(unit)} ${sha256(recordBytes(machine, cie, cieRelocations))} ` +
      `${references.digest(cieRelocations, bundle)} ${sha256(recordBytes(machine, fde, fdeRelocations))} ` +
      `${references.digest(fdeRelocations, bundle)}`,
  );
  return sha256(utf8(`bundle ${contents.join(" ")} unwind ${entries.join(" ")}`));
}

/**
 * A record of .eh_frame without the distance from an FDE to its CIE, and without padding, which only the last one of
 * a section has: zeros at the end are DW_CFA_nop, or belong to the instruction before them, which says so.
 */
function recordBytes(
  machine: Machine,
  record: Uint8Array,
  relocations: readonly UnitRelocation[],
): Uint8Array {
  const masked = maskedBytes(machine, record, relocations).slice();
  masked.fill(0, 0, 8);
  let end = masked.length;
  while (end > 8 && masked[end - 1] === 0) end--;
  return masked.subarray(0, end);
}

/** The symbols by offset, kind and binding; of names only those beside the one after which the unit is called. */
function bindingDigest(unit: UnitDraft): string {
  if (unit.symbols.length === 0) return EMPTY_DIGEST;
  const naming = namingSymbols(unit.symbols);
  const [first] = naming;
  const lines = unit.symbols
    .filter(isMeaningful)
    .map(({ name, offset, sizeBytes, binding, visibility, type }) => {
      const shown = name === first?.name ? "" : name;
      // Of a symbol that is all of its unit, the unit says the size.
      const size = offset === 0 && sizeBytes === unit.sizeBytes ? "all" : sizeBytes;
      return `${offset} ${size} ${binding} ${visibility} ${type} ${shown}`;
    });
  return sha256(utf8(lines.sort().join("\n")));
}

/** Writes references so that they can be compared between versions. */
class ReferenceWriter {
  readonly #input: IdentityInput;
  readonly #position: readonly number[];
  readonly #identities: readonly string[];
  readonly #writer = new ByteWriter();
  readonly #flags = new Map<string, string>();
  /** Bundles that depend on each other, whose identities aren't known yet. */
  cycle: ReadonlySet<number> | undefined;

  constructor(input: IdentityInput, position: readonly number[], identities: readonly string[]) {
    this.#input = input;
    this.#position = position;
    this.#identities = identities;
  }

  /** The other bundle whose content a reference stands for; nothing for what counts by name. */
  contentBundle(target: Target, from: number): number | [] {
    if (target.kind !== "unit") return [];
    const unit = this.#input.units[target.unit]!;
    const isContent = unit.anonymous && unit.bundle !== from && this.#position[unit.index] === 0;
    return isContent ? unit.bundle : [];
  }

  /** SHA-256 of what a section is; there are few kinds. */
  flagsDigest({ type, flags, entrySize, sectionName }: UnitDraft): string {
    const text = `${type} ${flags} ${entrySize} ${sectionClass(sectionName)}`;
    const digest = this.#flags.get(text) ?? sha256(utf8(text));
    this.#flags.set(text, digest);
    return digest;
  }

  /** SHA-256 of the relocations of one unit or record. */
  digest(relocations: readonly UnitRelocation[], from: number): string {
    if (relocations.length === 0) return EMPTY_DIGEST;
    const writer = this.#writer;
    writer.reset();
    for (const { offset, type, addend, target } of relocations) {
      writer.u64(offset).u32(type);
      const text = utf8(this.#canonical(target, addend, from));
      writer.u32(text.length).raw(text);
    }
    return sha256(writer.view());
  }

  #canonical(target: Target, addend: bigint, from: number): string {
    if (target.kind === "external") return `external ${target.weak} ${addend} ${target.name}`;
    if (target.kind === "absolute") return `absolute ${target.value} ${addend}`;
    const unit = this.#input.units[target.unit]!;
    const at = BigInt(target.offset) + addend;
    if (unit.bundle === from) return `bundle ${this.#position[unit.index]} ${at}`;
    const content = this.contentBundle(target, from);
    if (typeof content === "number" && this.cycle?.has(content) !== true)
      return `content ${this.#identities[content]} ${at}`;
    const { name, delta } = nameOfTarget(unit, target.symbol, target.offset, addend, this.#input);
    return `name ${delta} ${name}`;
  }
}

/** What a reference by name says: a symbol's name, unique in the version, and the distance from it. */
export function nameOfTarget(
  unit: UnitDraft,
  symbol: string | undefined,
  offset: number,
  addend: bigint,
  { machine, names }: Pick<IdentityInput, "machine" | "names">,
): { readonly name: string; readonly delta: bigint } {
  const own = symbol === undefined ? undefined : names.nameOf(unit, symbol);
  if (own !== undefined) return { name: own, delta: addend };
  const at = BigInt(offset) + addend;
  const naming = names.namingOf(unit);
  if (naming.length > 1) {
    // Assemblers write the section and an offset for a local symbol; on x86-64 mostly 4 less, for the field's size.
    const meant = machine === "x86-64" && addend < 0n ? at + 4n : at;
    const covering = naming.findLast(
      (one) => BigInt(one.offset) <= meant && meant < BigInt(one.offset + Math.max(1, one.sizeBytes)),
    );
    const name = covering && names.nameOf(unit, covering.name);
    if (name !== undefined) return { name, delta: at - BigInt(covering!.offset) };
  }
  return { name: unit.name, delta: at };
}
