import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { commandNames, commandOf, familyMembers, firstWords, GLOBAL_OPTIONS } from "../table.ts";
import { completionScript, SHELLS } from "./index.ts";

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-completion-"));
  for (const shell of SHELLS) writeFileSync(join(folder, shell), completionScript(shell));
  // What the scripts ask for refs; it shows which repository they asked for.
  const program =
    '#!/bin/sh\ncase "$*" in "--repo /elsewhere __refs") echo away:1;; __refs) printf "tool:1\\ntool:2\\nother:latest\\n";; esac\n';
  writeFileSync(join(folder, "tenon"), program);
  chmodSync(join(folder, "tenon"), 0o755);
  mkdirSync(join(folder, "files", "folder one"), { recursive: true });
  writeFileSync(join(folder, "files", "file one"), "");
});
after(() => rmSync(folder, { recursive: true }));

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ["--version"]).error === undefined;
}

for (const shell of SHELLS) {
  test(`${shell} parses its script`, { skip: !isInstalled(shell) && `${shell} is not installed` }, () => {
    execFileSync(shell, ["-n", join(folder, shell)], { stdio: "pipe" });
  });

  test(`the script for ${shell} knows every command and option, and no hidden one`, () => {
    const script = completionScript(shell);
    const fish = shell === "fish";
    for (const name of commandNames()) {
      assert.match(script, new RegExp(`\\b${name}\\b`));
      for (const option of Object.keys(commandOf(name).options)) {
        assert.ok(script.includes(fish ? `-l ${option} ` : `--${option}`), `${name} ${option}`);
      }
    }
    for (const option of Object.keys(GLOBAL_OPTIONS))
      assert.ok(script.includes(fish ? `-l ${option} ` : `--${option}`), option);
  });
}

/** What bash would offer at the end of the line, which it cut into words at its word breaks. */
function bashOffers(line: string): string[] {
  const script = `source ../bash; COMP_LINE=$1; COMP_POINT=\${#1}; _tenon; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = execFileSync("bash", ["--norc", "-c", script, "bash", line], {
    cwd: join(folder, "files"),
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
  });
  return out.split("\n").filter((offer) => offer !== "");
}

test("bash offers what fits", { skip: !isInstalled("bash") && "bash is not installed" }, () => {
  const cases: [string, string[]][] = [
    ["tenon sta", ["stats"]],
    ["tenon ", firstWords()],
    ["tenon fat ", familyMembers("fat")],
    ["tenon -r x fat ex", ["explain"]],
    ["tenon fat explain --fea", ["--features"]],
    ["tenon fat list f", ["file one", "folder one"]],
    ["tenon -r x --json re", ["repair"]],
    ["tenon add --exc", ["--exclude"]],
    ["tenon --no-", ["--no-progress"]],
    ["tenon add --compression ", ["none", "fast", "default", "max"]],
    ["tenon add --compression=m", ["max"]],
    ["tenon help com", ["compact", "completion"]],
    ["tenon completion ", ["bash", "zsh", "fish"]],
    ["tenon add f", ["file one", "folder one"]],
    ["tenon --repo f", ["folder one"]],
    ["tenon get t", ["tool:1", "tool:2"]],
    // Bash sees the colon as the end of a word and replaces only what follows.
    ["tenon get tool:", ["1", "2"]],
    ["tenon -r /elsewhere get ", ["away:1"]],
    ["tenon --repo=/elsewhere get ", ["away:1"]],
    ["tenon stats ", []],
    ["tenon frobnicate ", []],
  ];
  for (const [line, offers] of cases) assert.deepEqual(bashOffers(line).sort(), [...offers].sort(), line);
});

test("fish offers what fits", { skip: !isInstalled("fish") && "fish is not installed" }, () => {
  const offers = (line: string) => {
    const script = `source ${join(folder, "fish")}; complete -C "${line}"`;
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, HOME: folder };
    const out = execFileSync("fish", ["--no-config", "-c", script], {
      cwd: join(folder, "files"),
      encoding: "utf8",
      env,
    });
    return out
      .split("\n")
      .filter((offer) => offer !== "")
      .map((offer) => offer.split("\t")[0]);
  };
  assert.deepEqual(offers("tenon sta"), ["stats"]);
  assert.deepEqual(offers("tenon add --exc"), ["--exclude"]);
  assert.deepEqual(offers("tenon fat ex"), ["explain"]);
  assert.deepEqual(offers("tenon fat explain --fea"), ["--features"]);
  assert.deepEqual(offers("tenon get tool:"), ["tool:1", "tool:2"]);
  assert.deepEqual(offers("tenon -r /elsewhere get "), ["away:1"]);
  assert.deepEqual(offers("tenon add --compression m"), ["max"]);
});
