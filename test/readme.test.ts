/** What README.md shows is what happens. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { COMMANDS, commandNames } from "../src/cli/index.ts";

const ROOT = join(import.meta.dirname, "..");
const readme = readFileSync(join(ROOT, "README.md"), "utf8");
const LIBRARY = pathToFileURL(join(ROOT, "src", "index.ts")).href;

/** The blocks of one language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    (match) => match[1]!,
  );
}

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-readme-"));
});
after(() => rmSync(folder, { recursive: true }));

test("the example of the library runs and gives back what went in", () => {
  const [example, ...others] = blocks(readme, "ts");
  assert.ok(example && others.length === 0, "README.md has one example in TypeScript");
  assert.ok(example.split("\n").length <= 12, "the example is short");
  const here = example.replace('from "tenon"', `from ${JSON.stringify(LIBRARY)}`);
  assert.notEqual(here, example, 'it imports from "tenon"');
  writeFileSync(join(folder, "example.ts"), here);
  mkdirSync(join(folder, "bin"));
  const content = Buffer.from("a program\n".repeat(50_000));
  writeFileSync(join(folder, "bin", "server"), content);

  const { status, stdout, stderr } = spawnSync(process.execPath, ["example.ts"], {
    cwd: folder,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /server [0-9a-f]{64} \d+\n500000 bytes became \d+\n/);
  assert.match(stdout, /ref: 'server:1.0'/);
  assert.deepEqual(readFileSync(join(folder, "restored")), content);
});

test("the commands that are shown exist", () => {
  const shown = blocks(readme, "sh").flatMap((block) => [
    ...block.matchAll(/^tenon (?:-\S+ )*(\w+)(?: (\w+))?/gm),
  ]);
  assert.ok(shown.length > 4);
  for (const [line, first, second] of shown) {
    // Commands have one word or two: `fat pack`.
    assert.ok(
      [first!, `${first} ${second}`].some((name) => Object.hasOwn(COMMANDS, name)),
      line,
    );
  }
});

test("the scripts that documents name exist", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  for (const page of ["README.md", "CONTRIBUTING.md", "docs/manual/getting-started.md"]) {
    const text = readFileSync(join(ROOT, page), "utf8");
    for (const [line, script] of text.matchAll(/npm run (?:-s )?([a-z:]+)/g)) {
      assert.ok(Object.hasOwn(scripts, script!), `${page}: ${line}`);
    }
  }
});

test("the changelog names every command of this version", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  const changelog = readFileSync(join(ROOT, "CHANGELOG.md"), "utf8");
  assert.ok(changelog.includes(`## ${version}\n`), `CHANGELOG.md has an entry for ${version}`);
  // Of a group such as `fat pack`, the group is named.
  const groups = new Set(commandNames().map((name) => name.split(" ")[0]!));
  for (const name of groups) {
    if (name === "help" || name === "completion") continue;
    assert.match(changelog, new RegExp(`\`(tenon )?${name}\``), `CHANGELOG.md: ${name}`);
  }
});
