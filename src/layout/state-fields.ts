/** Values of a JSON file that a stranger may have written, read with a look at what they are. Errors: `invalid`. */
import { invalid, type TenonError } from "../errors/index.ts";
import type { Region } from "./model.ts";

/** A value of the file with the path to it, for errors. */
export class Fields {
  readonly #value: unknown;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    this.#value = value;
    this.#path = path;
  }

  error(key: string, why: string): TenonError {
    return invalid("layout", `${this.#path}.${key}`, 0, why);
  }

  get isNull(): boolean {
    return this.#value === null;
  }

  of(key: string): unknown {
    if (typeof this.#value !== "object" || this.#value === null) throw this.error(key, "not an object");
    return Object.hasOwn(this.#value, key) ? (this.#value as Record<string, unknown>)[key] : undefined;
  }

  field(key: string): Fields {
    return new Fields(this.of(key), `${this.#path}.${key}`);
  }

  at(index: number): Fields {
    return this.field(String(index));
  }

  rows<T>(read: (row: Fields) => T): T[] {
    if (!Array.isArray(this.#value)) throw this.error("", "not a list");
    return this.#value.map((row, i) => read(new Fields(row, `${this.#path}.${i}`)));
  }

  list(key: string): Fields[] {
    return this.field(key).rows((row) => row);
  }

  texts(pattern = /(?:)/): string[] {
    return this.rows((row) => row).map((row, i) => {
      const value = row.#value;
      if (typeof value !== "string" || !pattern.test(value))
        throw this.error(String(i), "not what it should be");
      return value;
    });
  }

  text(index: number): string {
    return this.textOf(String(index));
  }

  textOf(key: string): string {
    const value = this.of(key);
    if (typeof value !== "string") throw this.error(key, "not a text");
    return value;
  }

  integer(index: number): number {
    return this.number(String(index));
  }

  number(key: string): number {
    const value = this.of(key);
    if (!Number.isSafeInteger(value) || (value as number) < 0)
      throw this.error(key, "not a whole number from 0");
    return value as number;
  }

  flag(index: number): boolean {
    const value = this.of(String(index));
    if (typeof value !== "boolean") throw this.error(String(index), "neither true nor false");
    return value;
  }

  choice<const T extends string>(key: string, choices: readonly T[]): T {
    const value = this.of(key);
    if (!choices.includes(value as T)) throw this.error(key, `not one of ${choices.join(", ")}`);
    return value as T;
  }

  within({ base, usedBytes }: Region, address: number, sizeBytes: number): void {
    if (address < base || address + sizeBytes > base + usedBytes)
      throw this.error("1", "address outside its region");
  }
}
