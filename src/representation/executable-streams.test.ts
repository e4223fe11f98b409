import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Stream } from "../executable/index.ts";
import { kindName } from "../repository/index.ts";
import { kindOfStream } from "./executable-streams.ts";

const page = (name: string) => readFileSync(new URL(`../../docs/formats/${name}`, import.meta.url), "utf8");

/** `0 to 3, 9`: each number of it. */
function expand(ranges: string): number[] {
  return ranges.split(", ").flatMap((range) => {
    const [first, last = first] = range.split(" to ").map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

test("every stream of executables has a kind with its name, which statistics show", () => {
  for (const [name, number] of Object.entries(Stream)) {
    assert.equal(kindName(kindOfStream(number)), `executable${name[0]!.toUpperCase()}${name.slice(1)}`);
  }
});

test("the pages of the formats list every stream, and the kinds of all", () => {
  const [, table] = page("executable-recipe.md").match(/## Streams\n\n(.*?)\n\n/s)!;
  const listed = [...table!.matchAll(/^\| ([\d to,]+) \| ([\w, ]+) \|/gm)].flatMap(([, numbers, names]) => {
    const each = names!.split(", ");
    const all = expand(numbers!);
    assert.equal(all.length, each.length, `${numbers}: ${names}`);
    return all.map((number, at) => [each[at]!, number]);
  });
  assert.deepEqual(Object.fromEntries(listed), Stream);
  const [, kinds] = page("segment.md").match(/^\| ([\d to,]+) \| `executable\.\.\.`/m)!;
  for (const number of Object.values(Stream)) assert.ok(expand(kinds ?? "").includes(kindOfStream(number)));
});
