/** How the tables of features, levels and CPUs are written: a list of words is one text. */
import type { NamedSet } from "./vocabulary.ts";

export function words(text: string): string[] {
  return text === "" ? [] : text.split(" ");
}

export function namedSet(name: string, base: string | undefined, features: string): NamedSet {
  return { name, features: words(features), ...(base !== undefined && { base }) };
}
