/** Which ref an input gets when none is named: its own, `<basename>:latest`. */
import { basename, resolve } from "node:path";
import { TenonError } from "../errors/index.ts";
import { formatRef, parseRefName, type RefName } from "../repository/index.ts";
import { imageName, needImageOperand } from "./image-operand.ts";
import type { AddInput } from "./types.ts";

export interface RefTarget {
  readonly inputs: readonly AddInput[];
  readonly ref: RefName | undefined;
}

/** Name of an input: what it is called in a tree that holds several, and the name of its own ref. */
export function inputName(input: AddInput): string {
  if (typeof input !== "string")
    return "image" in input ? imageName(needImageOperand(input.image)) : input.name;
  const name = basename(resolve(input));
  if (name !== "") return name;
  throw new TenonError("usage", `${input} has no name of its own: add it alone, with --ref`, { path: input });
}

/** Each input with its own ref, or none. `usage` when two would share one. */
export function defaultRefs(inputs: readonly AddInput[], noRef: boolean): RefTarget[] {
  const seen = new Set<string>();
  return inputs.map((input) => {
    if (noRef) return { inputs: [input], ref: undefined };
    const name = inputName(input);
    // What a ref's name can't hold becomes '-', at its beginning '_'.
    const ref = parseRefName(name.replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[.-]/, "_"));
    const text = formatRef(ref);
    if (seen.has(text)) {
      throw new TenonError("usage", `several inputs would become ${text}: name a ref with --ref`, {
        ref: text,
      });
    }
    seen.add(text);
    return { inputs: [input], ref };
  });
}
