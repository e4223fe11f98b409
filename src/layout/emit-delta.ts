/**
 * The objects of a chain of deltas: copies of what the pieces hold, bound so that together they are the newest version.
 *
 * Linked with the newest piece first. References between bundles go by name, also within a file: static functions
 * and data get hidden global names that are unique. What a later piece defines anew is weak in the earlier ones.
 * COMDAT groups stay groups, of which linkers keep the first.
 */
import { utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import {
  type ObjectContent,
  type ObjectGroup,
  type ObjectRelocation,
  type ObjectSection,
  type ObjectTarget,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHF_MERGE,
  SHF_TLS,
  SHT_PROGBITS,
  STB_GLOBAL,
  STB_LOCAL,
  STB_WEAK,
  STT_FUNC,
  STT_NOTYPE,
  STT_OBJECT,
  STT_TLS,
  STV_HIDDEN,
} from "../elf/index.ts";
import type { Bundle, Unit, UnitRelocation, UnitSymbol } from "../library/index.ts";
import { canRedirect, type DeltaPlan, isAnonymous, isList } from "./delta-plan.ts";
import { SymbolList } from "./emit-symbols.ts";
import { emitUnwind } from "./emit-unwind.ts";
import { needsGotEntry, refersToTls, SLOT_BYTES, slotCode } from "./reference-kinds.ts";
import type { ResolvedVersion } from "./resolve.ts";

export interface EmittedPiece {
  readonly object: ObjectContent;
  /** Functions that are entered through trampolines of this piece. */
  readonly trampolines: readonly string[];
  /** Sections of this piece that later ones replace. */
  readonly replaced: readonly string[];
  /** Sections with static symbols that have a global name now, and the name. */
  readonly globalized: readonly { readonly section: string; readonly name: string }[];
}

/** Name of the section with the trampolines. */
const TRAMPOLINES = ".text.tenon_slots";

/**
 * The hidden global name of something static: its own, made unique by where it is from. Numbers that the compiler
 * counts up are left out, since they differ between versions; of several alike in a unit each has its place instead.
 */
function hiddenName(unit: Unit, name: string | undefined): string {
  const plain = name === undefined ? "unit" : withoutCounters(name);
  const alike = unit.symbols.filter((symbol) => name !== undefined && withoutCounters(symbol.name) === plain);
  const place = alike.length > 1 ? alike.findIndex((symbol) => symbol.name === name) : 0;
  return `${plain}.tenon.${sha256(utf8(`${unit.name} ${plain} ${place}`)).slice(0, 12)}`;
}

function withoutCounters(name: string): string {
  return name.replace(/\.\d+(?=\.|$)/g, "");
}

/** `trampolines` is whether functions that changed are entered through branches, which can be given fixed addresses. */
export function emitPiece(plan: DeltaPlan, piece: number, trampolines: boolean): EmittedPiece {
  return new PieceEmitter(plan, piece, trampolines).emit();
}

class PieceEmitter {
  readonly #plan: DeltaPlan;
  readonly #piece: number;
  readonly #trampolines: boolean;
  readonly #symbols = new SymbolList();
  readonly #sections: ObjectSection[] = [];
  readonly #relocations: ObjectRelocation[][] = [];
  readonly #groups: ObjectGroup[] = [];
  readonly #groupNumbers = new Map<string, number>();
  /** From unit to its section here. */
  readonly #sectionOf = new Map<number, number>();
  readonly #globalized = new Map<string, string>();
  readonly #slots: {
    readonly symbols: readonly UnitSymbol[];
    readonly unit: Unit;
    readonly target: string | undefined;
  }[] = [];

  constructor(plan: DeltaPlan, piece: number, trampolines: boolean) {
    this.#plan = plan;
    this.#piece = piece;
    this.#trampolines = trampolines;
  }

  get #resolved(): ResolvedVersion {
    return this.#plan.versions[this.#piece]!;
  }

  #unit(index: number): Unit {
    return this.#resolved.version.units[index]!;
  }

  /** False for what a later piece has replaced, or the newest version no longer has. */
  #isCurrent(bundle: Bundle): boolean {
    return (
      isAnonymous(this.#resolved, bundle) ||
      (this.#plan.current.get(bundle.name) ?? this.#piece) === this.#piece
    );
  }

  #isGone(bundle: Bundle): boolean {
    const newest = this.#plan.versions.length - 1;
    return (
      this.#piece !== newest && !isAnonymous(this.#resolved, bundle) && !this.#plan.current.has(bundle.name)
    );
  }

  emit(): EmittedPiece {
    const { machine, commons } = this.#resolved.version;
    const { bundles, reverts, changed } = this.#plan.pieces[this.#piece]!;
    for (const bundle of bundles) for (const index of bundle.units) this.#addSection(this.#unit(index));
    for (const bundle of bundles) {
      const entersBySlot =
        this.#trampolines && changed.has(bundle.name) && canRedirect(this.#resolved, bundle);
      for (const [i, index] of bundle.units.entries())
        this.#defineSymbols(bundle, this.#unit(index), entersBySlot && i === 0);
    }
    for (const { bundle, to } of reverts) {
      const unit = this.#unit(bundle.units[0]!);
      this.#slots.push({ unit, symbols: this.#entries(unit), target: aliasName(unit, to.piece) });
    }
    for (const { name, sizeBytes, alignment } of commons)
      this.#symbols.common(name, sizeBytes, alignment, STT_OBJECT);
    this.#addSlots(reverts.map(({ bundle }) => bundle));
    this.#addGroups();
    for (const bundle of bundles) {
      for (const index of bundle.units) {
        const section = this.#sectionOf.get(index)!;
        for (const relocation of this.#unit(index).relocations)
          this.#relocations[section]!.push(this.#relocate(bundle, relocation, relocation.offset));
      }
    }
    const entries = bundles.flatMap((bundle) => this.#resolved.unwindOf(bundle));
    const unwind = emitUnwind(entries, (unit, relocation, at) =>
      this.#relocate(this.#resolved.version.bundles[this.#unit(unit).bundle]!, relocation, at),
    );
    if (unwind !== undefined) {
      this.#sections.push(unwind);
      this.#relocations.push([...unwind.relocations!]);
    }
    const sections = this.#sections.map((section, i) => ({
      ...section,
      relocations: this.#relocations[i]!.sort((a, b) => a.offset - b.offset),
    }));
    const replaced = bundles
      .filter((bundle) => this.#isStale(bundle))
      .map(({ units }) => this.#unit(units[0]!).sectionName);
    return {
      object: { machine, sections, symbols: this.#symbols.list, groups: this.#groups },
      trampolines: this.#slots.flatMap(({ symbols }) => symbols.map(({ name }) => name)),
      replaced,
      globalized: [...this.#globalized].map(([name, section]) => ({ section, name })),
    };
  }

  #isStale(bundle: Bundle): boolean {
    return !this.#isCurrent(bundle) || this.#isGone(bundle);
  }

  #addSection(unit: Unit): void {
    const { sectionName: name, type, flags, alignment, entrySize, bytes, sizeBytes, group } = unit;
    const own = { name, type, flags: flags & ~LINKAGE_FLAGS, alignment, entrySize, bytes, sizeBytes };
    let number: number | undefined;
    if (group !== undefined) {
      number = this.#groupNumbers.get(group) ?? this.#groupNumbers.size;
      this.#groupNumbers.set(group, number);
    }
    this.#sections.push(number === undefined ? own : { ...own, group: number });
    this.#relocations.push([]);
    this.#sectionOf.set(unit.index, this.#sections.length - 1);
  }

  #addGroups(): void {
    for (const signature of this.#groupNumbers.keys()) {
      const member = [...this.#sectionOf.keys()].find((index) => this.#unit(index).group === signature)!;
      this.#groups.push({ signature: this.#symbols.list.length, isComdat: true });
      const rest = { offset: 0, sizeBytes: 0, type: STT_NOTYPE, visibility: "default" } as const;
      const symbol = { name: signature, binding: "local", ...rest } as const;
      this.#symbols.define(symbol, this.#sectionOf.get(member)!, 0);
    }
  }

  /** The symbols at which a function is entered. */
  #entries(unit: Unit): UnitSymbol[] {
    return unit.symbols.filter(
      ({ name, offset, type }) => offset === 0 && (type === STT_FUNC || !/^[.$]/.test(name)),
    );
  }

  #defineSymbols(bundle: Bundle, unit: Unit, entersBySlot: boolean): void {
    const section = this.#sectionOf.get(unit.index)!;
    const isStale = this.#isStale(bundle);
    const isNameless = isAnonymous(this.#resolved, bundle);
    if (this.#plan.aliased.has(`${this.#piece} ${bundle.name}`) && unit.index === bundle.units[0]) {
      const alias = { name: aliasName(unit, this.#piece), offset: 0, sizeBytes: 0, type: STT_FUNC } as const;
      this.#symbols.define({ ...alias, binding: "global", visibility: "hidden" }, section, 0);
    }
    if (entersBySlot) this.#slots.push({ unit, symbols: this.#entries(unit), target: undefined });
    for (const symbol of unit.symbols) {
      const isEntry = symbol.offset === 0 && !/^[.$]/.test(symbol.name);
      if (entersBySlot && isEntry)
        this.#symbols.define(symbol, section, symbol.offset, { binding: STB_LOCAL });
      else if (symbol.binding !== "local")
        this.#symbols.define(symbol, section, symbol.offset, isStale ? { binding: STB_WEAK } : {});
      else if (isNameless || /^[.$]/.test(symbol.name)) this.#symbols.define(symbol, section, symbol.offset);
      else this.#globalize(unit, symbol, section, symbol.offset, isStale);
    }
    // References to a place without a symbol are to the unit and an offset.
    if (!isNameless && unit.group === undefined) {
      const rest = { name: "", offset: 0, sizeBytes: 0, binding: "local", visibility: "hidden" } as const;
      const type = (unit.flags & SHF_TLS) !== 0 ? STT_TLS : STT_NOTYPE;
      this.#symbols.define({ ...rest, type }, section, 0, {
        ...{ name: hiddenName(unit, undefined), binding: isStale ? STB_WEAK : STB_GLOBAL },
      });
    }
  }

  #globalize(unit: Unit, symbol: UnitSymbol, section: number, value: number, isStale: boolean): void {
    if (unit.group !== undefined) {
      this.#symbols.define(symbol, section, value);
      return;
    }
    const name = hiddenName(unit, symbol.name);
    const binding = isStale ? STB_WEAK : STB_GLOBAL;
    this.#symbols.define(symbol, section, value, { name, binding, visibility: STV_HIDDEN });
    this.#globalized.set(name, unit.sectionName);
  }

  /** Trampolines: to bodies of this piece, or to older ones by their alias. */
  #addSlots(reverted: readonly Bundle[]): void {
    if (this.#slots.length === 0) return;
    const { machine } = this.#resolved.version;
    const code = slotCode(machine);
    const bytes = new Uint8Array(SLOT_BYTES * this.#slots.length);
    for (const i of this.#slots.keys()) bytes.set(code.bytes, SLOT_BYTES * i);
    const flags = SHF_ALLOC | SHF_EXECINSTR;
    const section = this.#sections.length;
    this.#sections.push({ name: TRAMPOLINES, type: SHT_PROGBITS, flags, alignment: SLOT_BYTES, bytes });
    this.#relocations.push([]);
    const { offset, type, addend } = code.relocation;
    const revertedUnits = new Map(reverted.map((bundle) => [bundle.units[0]!, bundle]));
    for (const [i, { unit, symbols, target }] of this.#slots.entries()) {
      const at = SLOT_BYTES * i;
      const bundle = revertedUnits.get(unit.index) ?? this.#resolved.version.bundles[unit.bundle]!;
      const isStale = this.#isStale(bundle);
      for (const symbol of symbols) {
        const size = { sizeBytes: SLOT_BYTES, type: STT_FUNC };
        if (symbol.binding === "local") this.#globalize(unit, { ...symbol, ...size }, section, at, isStale);
        else this.#symbols.define(symbol, section, at, isStale ? { ...size, binding: STB_WEAK } : size);
      }
      // Where the unit itself isn't stored here, references by unit come to the trampoline as well.
      if (target !== undefined) {
        const rest = {
          name: hiddenName(unit, undefined),
          offset: 0,
          sizeBytes: 0,
          type: STT_NOTYPE,
        } as const;
        const binding = isStale ? STB_WEAK : STB_GLOBAL;
        this.#symbols.define({ ...rest, binding: "global", visibility: "hidden" }, section, at, { binding });
      }
      const to: ObjectTarget =
        target === undefined
          ? { section: this.#sectionOf.get(unit.index)! }
          : { symbol: this.#symbols.named(target, false) };
      this.#relocations[section]!.push({ offset: at + offset, type, addend, target: to });
    }
  }

  #relocate(from: Bundle, { type, addend, target }: UnitRelocation, offset: number): ObjectRelocation {
    const { machine, bundles } = this.#resolved.version;
    const named = (name: string, isWeak: boolean, value = 0): ObjectRelocation => {
      const symbolType = refersToTls(machine, type) ? STT_TLS : STT_NOTYPE;
      const symbol = this.#symbols.named(name, isWeak, symbolType);
      return { offset, type, addend: addend + BigInt(value), target: { symbol } };
    };
    if (target.kind === "absolute") {
      const symbol = this.#symbols.local("absolute", 0, STT_NOTYPE);
      return { offset, type, addend: addend + target.value, target: { symbol } };
    }
    if (target.kind === "external") return named(target.name, target.weak);
    const unit = this.#unit(target.unit);
    const section = this.#sectionOf.get(unit.index);
    const isOwn = unit.bundle === from.index || isAnonymous(this.#resolved, bundles[unit.bundle]!);
    if (isOwn && section !== undefined)
      return this.#inside(offset, type, addend, section, target.offset, unit);
    // Lists are the newest version's; what is not in use may refer to what they no longer have.
    const isDropped =
      section === undefined && isList(this.#resolved, bundles[unit.bundle]!) && this.#isStale(from);
    const symbol = this.#symbolAt(unit, target.offset, target.symbol);
    if (symbol === undefined) return named(hiddenName(unit, undefined), isDropped, target.offset);
    if (symbol.binding !== "local") return named(symbol.name, isDropped);
    if (unit.group !== undefined && section !== undefined)
      return this.#inside(offset, type, addend, section, target.offset, unit);
    return named(hiddenName(unit, symbol.name), isDropped);
  }

  #inside(
    offset: number,
    type: number,
    addend: bigint,
    section: number,
    value: number,
    unit: Unit,
  ): ObjectRelocation {
    const isTls = (unit.flags & SHF_TLS) !== 0;
    // Linkers find the entry of a mergeable section by the symbol's place, or else by what is added to the section's.
    const isMerged = (unit.flags & SHF_MERGE) !== 0;
    if (needsGotEntry(this.#resolved.version.machine, type) || isTls || isMerged) {
      const symbol = this.#symbols.local(section, value, isTls ? STT_TLS : STT_NOTYPE);
      return { offset, type, addend, target: { symbol } };
    }
    return { offset, type, addend: addend + BigInt(value), target: { section } };
  }

  #symbolAt(unit: Unit, offset: number, name: string | undefined): UnitSymbol | undefined {
    const here = unit.symbols.filter((symbol) => symbol.offset === offset && !/^[.$]/.test(symbol.name));
    if (name !== undefined) return here.find((symbol) => symbol.name === name);
    return here.find(({ binding }) => binding === "local") ?? here[0];
  }
}

/** The name of a body that trampolines of later pieces lead to. */
function aliasName(unit: Unit, piece: number): string {
  return `${hiddenName(unit, "body")}.${piece}`;
}

/** SHF_INFO_LINK, SHF_LINK_ORDER, SHF_GROUP: links to other sections of the old object. */
const LINKAGE_FLAGS = 0x40 | 0x80 | 0x200;
