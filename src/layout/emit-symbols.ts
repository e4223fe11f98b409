/** Symbols of an object that is being made: names once, local ones on demand. */
import {
  type ObjectSymbol,
  STB_GLOBAL,
  STB_GNU_UNIQUE,
  STB_LOCAL,
  STB_WEAK,
  STT_NOTYPE,
  STV_DEFAULT,
  STV_HIDDEN,
  STV_INTERNAL,
  STV_PROTECTED,
} from "../elf/index.ts";
import type { UnitSymbol } from "../library/index.ts";

const BINDINGS = { local: STB_LOCAL, global: STB_GLOBAL, weak: STB_WEAK, unique: STB_GNU_UNIQUE } as const;
const VISIBILITIES = {
  default: STV_DEFAULT,
  internal: STV_INTERNAL,
  hidden: STV_HIDDEN,
  protected: STV_PROTECTED,
} as const;

export class SymbolList {
  readonly list: ObjectSymbol[] = [];
  /** Names that other objects see or define. */
  readonly #byName = new Map<string, number>();
  readonly #anonymous = new Map<string, number>();

  #push(symbol: ObjectSymbol): number {
    this.list.push(symbol);
    return this.list.length - 1;
  }

  /** Defines a symbol as a unit has it, at another place or with another binding where that is said. */
  define(symbol: UnitSymbol, section: number, value: number, changes: Partial<ObjectSymbol> = {}): number {
    const { name, type, sizeBytes, binding, visibility } = symbol;
    const made: ObjectSymbol = {
      ...{ name, type, sizeBytes, section, value },
      ...{ binding: BINDINGS[binding], visibility: VISIBILITIES[visibility] },
      ...changes,
    };
    const index = this.#push(made);
    if (made.binding !== STB_LOCAL) this.#byName.set(made.name, index);
    return index;
  }

  /** A common symbol: its value is its alignment. */
  common(name: string, sizeBytes: number, alignment: number, type: number): void {
    const symbol = { name, type, sizeBytes, binding: STB_GLOBAL, visibility: STV_DEFAULT };
    this.#byName.set(name, this.#push({ ...symbol, section: "common", value: alignment }));
  }

  /** True when this object defines the name. */
  defines(name: string): boolean {
    const index = this.#byName.get(name);
    return index !== undefined && this.list[index]!.section !== "undefined";
  }

  /** The symbol of a name; undefined in this object when nothing has defined it. */
  named(name: string, isWeak: boolean, type: number = STT_NOTYPE): number {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const binding = isWeak ? STB_WEAK : STB_GLOBAL;
    const place = { section: "undefined", value: 0, sizeBytes: 0, visibility: STV_DEFAULT } as const;
    const index = this.#push({ name, binding, type, ...place });
    this.#byName.set(name, index);
    return index;
  }

  /** A local symbol without meaning of its own, for a place that can't be said as section and offset. */
  local(section: number | "absolute", value: number, type: number): number {
    const key = `${section} ${value} ${type}`;
    let index = this.#anonymous.get(key);
    if (index === undefined) {
      const name = section === "absolute" ? ".Labsolute" : `.L${section}.${value.toString(16)}`;
      const rest = { binding: STB_LOCAL, visibility: STV_DEFAULT, sizeBytes: 0 };
      index = this.#push({ name, type, section, value, ...rest });
      this.#anonymous.set(key, index);
    }
    return index;
  }
}
