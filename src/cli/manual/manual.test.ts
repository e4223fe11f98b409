import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { commandNames, commandOf, GLOBAL_OPTIONS } from "../table.ts";
import { commandsPage } from "./markdown.ts";
import { escapeRoff, manPages } from "./roff.ts";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-manual-"));
});
after(() => rmSync(folder, { recursive: true }));

test("the committed reference is what the table makes", () => {
  const committed = new URL("../../../docs/manual/commands.md", import.meta.url);
  assert.equal(readFileSync(committed, "utf8"), commandsPage(), "run `npm run docs`");
});

test("the reference names every command and option", () => {
  const page = commandsPage();
  for (const name of commandNames()) {
    const section = page.slice(page.indexOf(`## tenon ${name}\n`));
    assert.ok(section.startsWith(`## tenon ${name}\n`), name);
    for (const option of Object.keys(commandOf(name).options))
      assert.ok(section.includes(`--${option}`), `${name} ${option}`);
  }
  for (const option of Object.keys(GLOBAL_OPTIONS)) assert.ok(page.includes(`--${option}`), option);
  assert.ok(!page.includes("__"));
});

test("roff: nothing in a text is taken as a request or an escape", () => {
  assert.equal(escapeRoff(".so x\n'y \\fB -a ~"), "\\&.so x\n\\&'y \\efB \\-a \\(ti");
});

/** Runs a tool on every page if it is installed; its complaints. */
function complaints(
  t: { skip(reason: string): void },
  tool: string,
  args: readonly string[],
): string | undefined {
  let all = "";
  for (const { file, text } of manPages()) {
    writeFileSync(join(folder, file), text);
    const { error, status, stdout, stderr } = spawnSync(tool, [...args, file], {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, MANPAGER: "cat", LC_ALL: "C.UTF-8" },
    });
    if (error) {
      t.skip(`${tool} is not installed`);
      return undefined;
    }
    all += `${stderr}${status === 0 || tool === "mandoc" ? "" : `${file}: exit code ${status}\n`}${tool === "mandoc" ? stdout : ""}`;
  }
  return all;
}

test("man shows the pages without a warning", (t) => {
  const found = complaints(t, "man", ["--warnings", "-l"]);
  if (found !== undefined) assert.equal(found, "");
});

test("mandoc finds nothing wrong with the pages", (t) => {
  const found = complaints(t, "mandoc", ["-T", "lint", "-W", "warning"]);
  // Pages carry no date, so that they are the same whenever they are built.
  const lines = found?.split("\n").filter((line) => line !== "" && !line.includes("missing date"));
  if (lines !== undefined) assert.deepEqual(lines, []);
});
