/** What the references of each bundle come to, as text that is the same when the bytes are. */
import { type Machine, STT_GNU_IFUNC } from "../elf/index.ts";
import { TenonError } from "../errors/index.ts";
import type { Bundle, Unit, UnitRelocation } from "../library/index.ts";
import type { Homes } from "./homes.ts";
import type { Reference } from "./model.ts";
import { dependsOnGotAddress, isBranch } from "./reference-kinds.ts";
import { type Binding, type Definition, isBoundByName, type ResolvedVersion } from "./resolve.ts";
import type { Variants } from "./variants.ts";

/** One relocation of a bundle with what it is bound to. */
export interface BoundReference {
  readonly unit: Unit;
  readonly relocation: UnitRelocation;
  readonly binding: Binding;
  readonly isBranch: boolean;
  /** The key of the slot by which the target can be reached; undefined when it can't. */
  readonly slotKey: string | undefined;
}

export class References {
  readonly versions: readonly ResolvedVersion[];
  readonly variants: Variants;
  readonly homes: Homes;
  /** Functions whose address is that of their slot. */
  readonly addressSlots: Set<string>;
  readonly #bound: (readonly BoundReference[] | undefined)[][];

  constructor(
    versions: readonly ResolvedVersion[],
    variants: Variants,
    homes: Homes,
    addressSlots: Iterable<string>,
  ) {
    this.versions = versions;
    this.variants = variants;
    this.homes = homes;
    this.addressSlots = new Set(addressSlots);
    this.#bound = versions.map(({ version }) => new Array(version.bundles.length).fill(undefined));
  }

  get machine(): Machine {
    return this.versions[0]!.version.machine;
  }

  /** The relocations of a bundle's units, in order. Errors: `unsupported` for static IFUNCs. */
  ofBundle(v: number, bundle: Bundle): readonly BoundReference[] {
    const known = this.#bound[v]![bundle.index];
    if (known !== undefined) return known;
    const { version } = this.versions[v]!;
    const bound = bundle.units.flatMap((index) => this.ofUnit(v, version.units[index]!));
    this.#bound[v]![bundle.index] = bound;
    return bound;
  }

  ofUnit(v: number, unit: Unit): BoundReference[] {
    return unit.relocations.map((relocation) => this.bind(v, unit, relocation));
  }

  /** One reference of a unit, or of the unwind entry that describes it. */
  bind(v: number, unit: Unit, relocation: UnitRelocation): BoundReference {
    const resolved = this.versions[v]!;
    const binding = resolved.bind(relocation);
    if (binding.kind === "unit" && binding.entry?.type === STT_GNU_IFUNC) {
      const object = resolved.version.objects[unit.object]!.name;
      throw new TenonError(
        "unsupported",
        `${resolved.label}: ${object}: ${binding.entry.name} is a static function that is chosen at start (IFUNC); only global ones can be laid out`,
      );
    }
    const isCode = resolved.places[unit.index] === "code";
    const branch = isCode && isBranch(this.machine, relocation.type, unit.bytes, relocation.offset);
    return { unit, relocation, binding, isBranch: branch, slotKey: this.#slotKey(v, unit, binding, branch) };
  }

  #slotKey(v: number, from: Unit, binding: Binding, branch: boolean): string | undefined {
    if (binding.kind === "name") return branch ? binding.name : undefined;
    if (binding.kind !== "unit" || binding.unit.bundle === from.bundle) return undefined;
    return this.functionKey(
      v,
      binding.unit,
      binding.offset,
      binding.entry?.name,
      binding.entry?.binding === "local",
    );
  }

  /** The name of a function for its slot: unique in its version, and the same in others. */
  functionKey(
    v: number,
    unit: Unit,
    offset: number,
    name: string | undefined,
    isLocal: boolean,
  ): string | undefined {
    if (this.versions[v]!.places[unit.index] !== "code") return undefined;
    if (name !== undefined && !isLocal) return name;
    if (offset === 0) return unit.name;
    return name === undefined ? undefined : `${unit.name} ${name}`;
  }

  /** Text of a reference when no slot is used for a branch. */
  text(v: number, { binding, slotKey, isBranch: branch }: BoundReference): Reference {
    if (slotKey !== undefined && !branch && this.addressSlots.has(slotKey)) return `s${slotKey}`;
    if (binding.kind === "name") return `n${binding.name}`;
    if (binding.kind === "absolute") return `a${binding.value}`;
    return this.unitText(v, binding.unit, binding.offset);
  }

  /** What a symbol comes to for those who refer to it by name. */
  exportText(v: number, definition: Definition): Reference {
    const { unit, symbol } = definition;
    if (isBoundByName(definition, this.versions[v]!.places)) return `n${symbol.name}`;
    const key = this.functionKey(v, unit, symbol.offset, symbol.name, false);
    return key !== undefined && this.addressSlots.has(key)
      ? `s${key}`
      : this.unitText(v, unit, symbol.offset);
  }

  unitText(v: number, unit: Unit, offset: number): Reference {
    const home = this.homes.of[v]!.get(unit.index);
    if (home !== undefined) {
      const { key, generation, standsFor } = home;
      return standsFor === undefined ? `h${key}@${generation}+${offset}` : `v${standsFor}.0+${offset}`;
    }
    const variant = this.variants.of[v]![unit.bundle];
    const resolved = this.versions[v]!;
    if (variant === undefined || resolved.places[unit.index] === "through") return `p${unit.name}+${offset}`;
    return `v${variant.id}.${resolved.positions[unit.index]!}+${offset}`;
  }

  /** True when the bytes of a reference depend on what only the linker knows. */
  isVolatile({ relocation }: BoundReference, reference: Reference): boolean {
    if (dependsOnGotAddress(this.machine, relocation.type)) return true;
    return reference.startsWith("n") || reference.startsWith("p");
  }
}
