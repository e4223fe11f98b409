/** What the command table is made of: kinds of values, options, operands, commands. */
import { TenonError } from "../errors/index.ts";

/** What a shell offers in the place of a value. */
export type Completion = "none" | "path" | "directory" | "ref" | "command" | "choice";

/** How the text of a value becomes a value. `parse` throws a `usage` error that says what it wants. */
export interface ValueKind<T> {
  readonly placeholder: string;
  readonly completion: Completion;
  readonly choices?: readonly string[];
  readonly parse: (text: string) => T;
}

export interface Option<V> {
  readonly takes: "nothing" | "value" | "values";
  readonly help: string;
  readonly short?: string;
  readonly kind?: ValueKind<unknown>;
  /** What holds when the option is not given, for the reader. */
  readonly default?: string;
  /** Environment variable that stands in for the option. */
  readonly env?: string;
  /** Only for inference: the type of the parsed value. */
  readonly type?: V;
}

interface OptionExtras {
  readonly short?: string;
  readonly default?: string;
  readonly env?: string;
}

export function flag(help: string, extras: OptionExtras = {}): Option<boolean> {
  return { takes: "nothing", help, ...extras };
}

export function value<T>(kind: ValueKind<T>, help: string, extras: OptionExtras = {}): Option<T | undefined> {
  return { takes: "value", kind, help, ...extras };
}

export function values<T>(kind: ValueKind<T>, help: string, extras: OptionExtras = {}): Option<readonly T[]> {
  return { takes: "values", kind, help, ...extras };
}

// biome-ignore lint/suspicious/noExplicitAny: a set of options of any value types
export type Options = Readonly<Record<string, Option<any>>>;

export type ValuesOf<O extends Options> = {
  readonly [K in keyof O]: O[K] extends Option<infer V> ? V : never;
};

export interface Operand {
  readonly name: string;
  readonly help: string;
  readonly completion: Completion;
  readonly choices?: readonly string[];
  readonly optional?: boolean;
  readonly repeated?: boolean;
}

export interface Example {
  readonly command: string;
  readonly explains: string;
}

/** A line of the table. In texts, `code` stands between backticks. */
export interface Command {
  readonly group: "Keeping" | "Looking" | "Upkeep" | "Flavours" | "Libraries" | "Other";
  readonly summary: string;
  readonly description: readonly string[];
  readonly operands: readonly Operand[];
  readonly options: Options;
  readonly examples: readonly Example[];
  /** What `--json` prints on standard output: one object, a line per entry, or not JSON at all. */
  readonly prints: "object" | "lines" | "bytes" | "text";
  /** Left out of help, manual and completions. */
  readonly hidden?: boolean;
}

/** Keeps the literal types of one command's options. */
export function command<const O extends Options>(entry: Command & { readonly options: O }) {
  return entry;
}

function refuse(text: string, wanted: string): TenonError {
  return new TenonError("usage", `${JSON.stringify(text)} is not ${wanted}`);
}

export function text(placeholder: string, completion: Completion = "none"): ValueKind<string> {
  return { placeholder, completion, parse: (given) => given };
}

export function choice<T extends string>(placeholder: string, choices: readonly T[]): ValueKind<T> {
  return {
    placeholder,
    completion: "choice",
    choices,
    parse(given) {
      if (!choices.includes(given as T)) throw refuse(given, `one of ${choices.join(", ")}`);
      return given as T;
    },
  };
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/** A number of bytes: `4096`, `64K`, `1.5M`, `2GiB`. Units are powers of 1024. */
export const size: ValueKind<number> = {
  placeholder: "SIZE",
  completion: "none",
  parse(given) {
    const parts = /^(\d+(?:\.\d+)?)(?:([KMGT])(?:i?B)?|B)?$/i.exec(given);
    const bytes = parts
      ? Math.round(Number(parts[1]) * SIZE_UNITS[(parts[2] ?? "").toUpperCase()]!)
      : Number.NaN;
    if (!Number.isSafeInteger(bytes)) throw refuse(given, "a size such as 4096, 64K, 1.5M or 2G");
    return bytes;
  },
};

const DURATION_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };

/** Milliseconds: `90s`, `15m`, `2h`, `1d`; a plain number is seconds. */
export const duration: ValueKind<number> = {
  placeholder: "DURATION",
  completion: "none",
  parse(given) {
    const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(given);
    const milliseconds = parts ? Math.round(Number(parts[1]) * DURATION_UNITS[parts[2] ?? "s"]!) : Number.NaN;
    if (!Number.isSafeInteger(milliseconds)) throw refuse(given, "a duration such as 90s, 15m, 2h or 1d");
    return milliseconds;
  },
};

export const count: ValueKind<number> = {
  placeholder: "N",
  completion: "none",
  parse(given) {
    const number = /^\d+$/.test(given) ? Number(given) : Number.NaN;
    if (!Number.isSafeInteger(number) || number < 1) throw refuse(given, "a whole number from 1");
    return number;
  },
};
