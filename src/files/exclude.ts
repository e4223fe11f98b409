/**
 * Globs that leave paths out.
 *
 * `*` is any run of characters within a name, `?` one character, `[a-z]` and `[!a-z]` one of or none of a set,
 * `\` takes the next character as it is, `**` as a whole component is any number of components. A glob
 * without '/' is matched with names at any depth; one with '/' with whole paths from the root; one that ends
 * in '/' with directories only. Bytes of a name that are not UTF-8 count as characters that only `*`, `?` and
 * `[!...]` match.
 */
import { TenonError } from "../errors/index.ts";
import { pathBytes } from "./path.ts";

/** One character's test; `any` may take any number of them. */
type Token = "any" | ((character: string) => boolean);
type Component = "any" | readonly Token[];

interface Glob {
  readonly components: readonly Component[];
  readonly directoriesOnly: boolean;
}

/**
 * A test for "this path is left out". Ask it of directories before what is below them.
 * Errors: `usage` for a glob that is empty or has an open bracket.
 */
export function exclusion(globs: readonly string[]): (path: Uint8Array, isDirectory: boolean) => boolean {
  const parsed = globs.map(parseGlob);
  return (path, isDirectory) => {
    if (parsed.length === 0 || path.length === 0) return false;
    const names = pathBytes(path).toString("utf8").split("/");
    const characters = names.map((name) => Array.from(name));
    return parsed.some(
      (glob) =>
        (isDirectory || !glob.directoriesOnly) &&
        matches(glob.components, characters, (component, name) => matches(component, name, accepts)),
    );
  };
}

function accepts(token: Exclude<Token, "any">, character: string): boolean {
  return token(character);
}

/**
 * Whether a sequence matches a pattern in which "any" stands for any run. Going back to the latest "any" alone
 * suffices, so that the work is at most the product of the two lengths.
 */
function matches<P, I>(
  pattern: readonly (P | "any")[],
  items: readonly I[],
  one: (element: P, item: I) => boolean,
): boolean {
  let p = 0;
  let i = 0;
  let anyAt = -1;
  let resume = 0;
  while (i < items.length) {
    const element = pattern[p];
    if (element === "any") {
      anyAt = p++;
      resume = i;
    } else if (element !== undefined && one(element, items[i]!)) {
      p++;
      i++;
    } else if (anyAt !== -1) {
      p = anyAt + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === "any") p++;
  return p === pattern.length;
}

function parseGlob(glob: string): Glob {
  const directoriesOnly = glob.endsWith("/");
  const body = glob.replace(/^\/|\/$/g, "");
  if (body === "") throw new TenonError("usage", `exclude '${glob}': names nothing`);
  const components: Component[] = body.split("/").map((part) => {
    return part === "**" ? "any" : parseComponent(part, glob);
  });
  const anchored = glob.replace(/\/$/, "").includes("/");
  return { components: anchored ? components : ["any", ...components], directoriesOnly };
}

function parseComponent(part: string, glob: string): Token[] {
  const characters = Array.from(part);
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === "*") tokens.push("any");
    else if (character === "?") tokens.push(() => true);
    else if (character === "[") {
      // A bracket right after the opening (or its '!') is a member, not the end.
      const negated = characters[at + 1] === "!";
      const start = at + (negated ? 2 : 1);
      const end = characters.indexOf("]", start + 1);
      if (end === -1) throw new TenonError("usage", `exclude '${glob}': '[' without ']'`);
      tokens.push(setOf(characters.slice(start, end), negated));
      at = end;
    } else {
      const literal = character === "\\" && at + 1 < characters.length ? characters[++at]! : character;
      tokens.push((candidate) => candidate === literal);
    }
  }
  return tokens;
}

function setOf(members: readonly string[], negated: boolean): (character: string) => boolean {
  const ranges: [number, number][] = [];
  for (let at = 0; at < members.length; at++) {
    const low = members[at]!.codePointAt(0)!;
    const isRange = members[at + 1] === "-" && at + 2 < members.length;
    ranges.push([low, isRange ? members[at + 2]!.codePointAt(0)! : low]);
    if (isRange) at += 2;
  }
  return (character) => {
    const code = character.codePointAt(0)!;
    return ranges.some(([low, high]) => low <= code && code <= high) !== negated;
  };
}
