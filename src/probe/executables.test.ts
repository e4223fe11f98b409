import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { noise } from "../bytes/testing/random.ts";
import { parseElf, sectionNamed } from "../elf/index.ts";
import { dislocated, elfCuts, relocationInfo } from "./elf-pieces.ts";
import { probe } from "./index.ts";
import { Likeness } from "./likeness.ts";

let folder: string;
let compiled = true;

/** Forty functions that call one another; `first` moves them all. */
function source(first: string): string {
  const functions = Array.from(
    { length: 40 },
    (_, i) =>
      `__attribute__((noinline)) int f${i}(int x) { for (int i = 0; i < x; i++) x ^= ${i ? `f${i - 1}(x >> 1)` : "x"} * ${i + 3}; return x + table[x & 63]; }`,
  );
  return `int table[64] = {1, 2, 3};\n${first}\n${functions.join("\n")}\nint main(int c, char **v) { return f39(c); }\n`;
}

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-probe-elf-"));
  const moved = "__attribute__((noinline, used)) int more(int x) { return x * 77 ^ x << 5 ^ x / 9; }";
  try {
    for (const [name, first] of [
      ["one", ""],
      ["two", moved],
    ] as const) {
      writeFileSync(join(folder, `${name}.c`), source(first));
      execFileSync("gcc", [
        ...["-O1", "-fno-toplevel-reorder", "-Wl,--emit-relocs"],
        ...["-o", join(folder, name), join(folder, `${name}.c`)],
      ]);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    compiled = false;
  }
});
after(() => rmSync(folder, { recursive: true }));

test("cuts are at every section and function, ascending, and cover the file", (t) => {
  if (!compiled) return t.skip("gcc is not installed");
  const bytes = readFileSync(join(folder, "one"));
  const elf = parseElf(bytes);
  const cuts = elfCuts(elf);
  assert.deepEqual([cuts[0], cuts.at(-1)], [0, bytes.length]);
  for (let i = 1; i < cuts.length; i++) assert.ok(cuts[i]! > cuts[i - 1]!);
  const text = sectionNamed(elf, ".text")!.header;
  assert.ok(cuts.includes(text.sh_offset) && cuts.includes(text.sh_offset + text.sh_size));
  const inText = cuts.filter((cut) => cut >= text.sh_offset && cut < text.sh_offset + text.sh_size);
  assert.ok(inText.length >= 41, `${inText.length} cuts in .text`);
});

test("undoing relocations makes moved functions equal", (t) => {
  if (!compiled) return t.skip("gcc is not installed");
  const pieces = (name: string, undo: boolean) => {
    const elf = parseElf(readFileSync(join(folder, name)));
    const cuts = elfCuts(elf);
    const bytes = undo ? dislocated(elf)! : elf.bytes;
    const { sh_offset, sh_size } = sectionNamed(elf, ".text")!.header;
    const found = new Set<string>();
    for (let i = 1; i < cuts.length; i++) {
      if (cuts[i - 1]! < sh_offset || cuts[i]! > sh_offset + sh_size || cuts[i]! - cuts[i - 1]! < 24)
        continue;
      found.add(Buffer.from(bytes.subarray(cuts[i - 1], cuts[i])).toString("hex"));
    }
    return found;
  };
  const common = (undo: boolean) => {
    const two = pieces("two", undo);
    return [...pieces("one", undo)].filter((piece) => two.has(piece)).length;
  };
  // A call to a function at the same distance is equal as it is; the table in another section isn't.
  assert.ok(common(true) >= 40, `${common(true)} equal with relocations undone`);
  assert.ok(common(false) <= 5, `${common(false)} equal as they are`);
});

test("nothing but relocations and symbols counts as relocation info", (t) => {
  if (!compiled) return t.skip("gcc is not installed");
  const elf = parseElf(readFileSync(join(folder, "one")));
  const names = [".rela.text", ".symtab", ".strtab"].map((name) => sectionNamed(elf, name)!.header.sh_offset);
  const ranges = relocationInfo(elf);
  for (const offset of names) assert.ok(ranges.some(([start]) => start === offset));
  const loaded = sectionNamed(elf, ".rela.dyn")!.header.sh_offset;
  assert.ok(ranges.every(([start, end]) => loaded < start || loaded >= end));
});

test("the report has the rows with and without the relocation info, and says what can't be restored", async (t) => {
  if (!compiled) return t.skip("gcc is not installed");
  writeFileSync(join(folder, "data"), noise(4000, 4));
  const { methods, executables, leftOut } = await probe(
    ["one", "two", "data"].map((name) => join(folder, name)),
  );
  const by = (name: string) => methods.find((method) => method.name === name)!;
  assert.deepEqual(leftOut, []);
  const [elf, counted, without] = [by("elf"), by("elf+dislocate"), by("elf+dislocate-info")];
  assert.equal(elf.totalBytes, by("exact").totalBytes);
  assert.equal(counted.totalBytes, elf.totalBytes);
  assert.ok(counted.uniqueBytes < elf.uniqueBytes);
  assert.ok(without.totalBytes < elf.totalBytes, "what was left out is not in its total either");
  assert.deepEqual([counted.isRestorable, without.isRestorable], [true, false]);

  const apart = by("tenon-executables");
  assert.equal(apart.totalBytes, elf.totalBytes);
  assert.ok(apart.uniqueBytes < elf.uniqueBytes && apart.packedBytes! < by("tenon-chunks").packedBytes!);
  assert.deepEqual([apart.isRestorable, apart.aloneBytes], [true, undefined]);

  assert.equal(executables.length, 2);
  for (const map of executables) {
    assert.equal(map.sharedBytes + map.nearBytes + map.uniqueBytes, map.totalBytes);
    assert.ok(map.nearBytes > 1000, `${map.nearBytes} near`);
    const cells = map.cells.flat().reduce((sum, part) => sum + part, 0);
    assert.equal(cells, map.totalBytes);
    assert.equal(map.cells.length, 256);
  }
});

test("files that only begin like executables are whole files", async () => {
  const bad = join(folder, "bad");
  writeFileSync(bad, Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]), noise(30_000, 6)]));
  const tiny = join(folder, "tiny");
  writeFileSync(tiny, Buffer.from([0x7f, 0x45, 0x4c, 0x46]));
  const report = await probe([bad, tiny], { recompress: false });
  assert.deepEqual([report.problems, report.files], [[], 2]);
  assert.equal(report.leftOut[0]!.name, "elf");
});

test("one executable alone has no map", (t) => {
  if (!compiled) return t.skip("gcc is not installed");
  const likeness = new Likeness();
  likeness.add("one", parseElf(readFileSync(join(folder, "one"))));
  assert.deepEqual(likeness.maps(), []);
});
