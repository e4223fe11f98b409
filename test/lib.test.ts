/** Versions of a library by the command line alone: stored, laid out, linked, run, and their pages counted. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const MAIN = join(import.meta.dirname, "..", "src", "cli", "main.ts");
/** Some 60 KiB of code: enough pages to tell shares from chance. */
const FUNCTIONS = 600;

interface Change {
  readonly constant: number;
  readonly callee: string;
  /** A function more, in front of all others. */
  readonly isLonger: boolean;
}

/** What differs: a constant of the same size, a call target, everything's place; 1.4 is 1.1 again. */
const VERSIONS: Readonly<Record<string, Change>> = {
  "1.1": { constant: 7, callee: "f3", isLonger: false },
  "1.2": { constant: 9, callee: "f3", isLonger: false },
  "1.3": { constant: 9, callee: "f5", isLonger: true },
  "1.4": { constant: 7, callee: "f3", isLonger: false },
};

/** Two files, each with a static function and a counter of the same names. */
function sources({ constant, callee, isLonger }: Change): Record<string, string> {
  const work = Array.from({ length: FUNCTIONS }, (_, i) => {
    const callOther = i % 7 === 0 && i > 0 ? `x += f${i - 1}(x ^ ${i});` : "";
    return `int f${i}(int x) { ${callOther} for (int i = 0; i < ${1 + (i % 5)}; i++) x = x * ${i * 2 + 3} + table[(x + i) & 15]; return helper(x) + ${i}; }`;
  });
  const shared = (add: number) => `
    static int counter = ${add};
    __attribute__((noinline)) static int helper(int x) { counter++; return x ^ (x >> 3) ^ ${add}; }
    static const int table[16] = { 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, ${add} };`;
  return {
    first: `${shared(11)}
      ${isLonger ? "int added(int x) { return helper(x) * 77 + counter; }" : ""}
      ${work.join("\n")}`,
    second: `${shared(12)}
      int f3(int), f5(int), f599(int), f14(int);
      __attribute__((noinline)) int sized(int x) { return helper(x) + ${constant}; }
      __attribute__((noinline)) int caller(int x) { return ${callee}(x) + 1; }
      int (*const entry)(int) = sized;
      const char *version(void) { return "constant ${constant}, " "callee ${callee}"; }
      int library(int x) { return caller(x) + sized(x) * 3 + entry(x + 1) + f599(x) + f14(x) + counter; }`,
  };
}

const PROGRAM = `
  int printf(const char *, ...);
  int library(int);
  const char *version(void);
  int main(void) { for (int i = 0; i < 20; i++) printf("%d ", library(i * 1001)); printf("%s\\n", version()); return 0; }`;

let folder: string;
const at = (...names: string[]) => join(folder, ...names);
const gcc = (...args: string[]) => execFileSync("gcc", ["-O2", "-fno-pic", ...args], { cwd: folder });
const tenon = (...args: string[]) =>
  execFileSync(process.execPath, [MAIN, "-r", at("repo"), "--no-progress", ...args], {
    cwd: folder,
    encoding: "utf8",
  });

interface Shared {
  readonly pageSizes: readonly {
    readonly total: { readonly pages: number; readonly zero: number; readonly distinct: number };
    readonly neighbours: readonly {
      readonly pages: number;
      readonly zero: number;
      readonly sameAddress: number;
    }[];
  }[];
}

function share(images: readonly string[], ...options: string[]) {
  const { pageSizes } = JSON.parse(tenon("lib", "share", "--json", ...options, ...images)) as Shared;
  const [{ total, neighbours } = assert.fail("no page size")] = pageSizes;
  return {
    distinct: total.distinct,
    identical: neighbours.map(({ pages, zero, sameAddress }) => sameAddress / (pages - zero)),
  };
}

const missing =
  process.arch !== "x64" || spawnSync("gcc", ["--version"]).status !== 0 ? "needs gcc on x86-64" : false;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-lib-"));
});
after(() => rmSync(folder, { recursive: true }));

test("versions are stored, laid out, linked and run, and share their pages", { skip: missing }, () => {
  writeFileSync(at("main.c"), PROGRAM);
  gcc("-c", "main.c");
  const labels = Object.keys(VERSIONS);
  const plain: string[] = [];
  tenon("init");
  for (const [label, change] of Object.entries(VERSIONS)) {
    mkdirSync(at(label));
    const objects = Object.entries(sources(change)).map(([name, text]) => {
      const source = join(label, `${name}.c`);
      writeFileSync(at(source), text);
      gcc("-ffunction-sections", "-fdata-sections", "-c", source, "-o", join(label, `${name}.o`));
      return join(label, `${name}.o`);
    });
    const archive = join(label, "libwork.a");
    execFileSync("ar", ["rcsD", archive, ...objects], { cwd: folder });
    tenon("lib", "add", `work:${label}`, archive);
    gcc("-static", "-no-pie", "-o", join(label, "plain"), "main.o", archive);
    plain.push(join(label, "plain"));
  }
  const link = (place: string, label: string) => {
    const image = join(place, `image-${label}`);
    gcc(
      ...["-static", "-no-pie", "-o", image, "-T", join(place, `work-${label}.ld`)],
      ...["main.o", join(place, `work-${label}.o`)],
    );
    return image;
  };
  tenon("lib", "layout", "work", "-o", "layout");
  const images = labels.map((label) => link("layout", label));

  const outputs = labels.map((label, i) => {
    const expected = execFileSync(at(plain[i]!), { encoding: "utf8" });
    assert.equal(execFileSync(at(images[i]!), { encoding: "utf8" }), expected, label);
    return expected;
  });
  assert.equal(new Set(outputs).size, 3, "1.4 does what 1.1 did, the others differ");

  const laidOut = share(images, "--svg", at("pages.svg"));
  const relinked = share(plain);
  assert.match(readFileSync(at("pages.svg"), "utf8"), /Pages that 4 images share/);
  // From 1.2 to 1.3 everything moved in the plain link.
  assert.ok(laidOut.identical[1]! > relinked.identical[1]! + 0.4, JSON.stringify({ laidOut, relinked }));
  for (const identical of laidOut.identical) assert.ok(identical > 0.9, JSON.stringify(laidOut));
  assert.ok(laidOut.distinct < relinked.distinct * 0.75, JSON.stringify({ laidOut, relinked }));
  const [reverted] = share([images[0]!, images[3]!]).identical;
  assert.equal(reverted, 1, "1.4 has every page of 1.1");

  // The same, one version after the other: what was placed stays, and the images stay what they were.
  for (const [i, label] of labels.entries()) {
    const settings = i === 0 ? ["--slots", "all"] : [];
    tenon("lib", "layout", "work", "--versions", label, ...settings, "-o", "grown");
  }
  const grown = labels.map((label) => link("grown", label));
  for (const [i, image] of grown.entries()) {
    assert.equal(execFileSync(at(image), { encoding: "utf8" }), outputs[i]);
  }
  const oneByOne = share(grown);
  assert.ok(oneByOne.identical[0]! > 0.9, JSON.stringify(oneByOne));
  assert.ok(oneByOne.distinct < relinked.distinct * 0.85, JSON.stringify({ oneByOne, relinked }));
});
