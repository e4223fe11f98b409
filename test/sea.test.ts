/** The single executable: built, started, and used for a round trip. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { buildSea, seaObstacle } from "../scripts/build-sea.ts";
import { noThreadNames, runCounting } from "./threads.ts";

const skip = seaObstacle() ?? false;

let folder: string;
let program: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "tenon-sea-test-"));
  program = join(folder, "tenon");
  if (skip === false) await buildSea(program);
});
after(() => rmSync(folder, { recursive: true }));

function run(...args: string[]) {
  // No Node, no checkout in sight.
  const env = { HOME: folder, PATH: "/usr/bin:/bin", TENON_REPO: join(folder, "repository") };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, env, encoding: "utf8" });
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

test("says its version and help", { skip }, () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  assert.equal(
    run("version"),
    `tenon ${version} (Node ${process.versions.node}, ${process.platform} ${process.arch})\n`,
  );
  assert.match(run("help", "add"), /^Usage: tenon add/);
});

test("stores an executable and gives it back", { skip }, () => {
  const source = join(import.meta.dirname, "..", "node_modules", "esbuild", "bin", "esbuild");
  run("init");
  run("add", "--ref", "esbuild:1", source);
  run("get", "esbuild:1", "-o", join(folder, "esbuild"));
  assert.ok(readFileSync(join(folder, "esbuild")).equals(readFileSync(source)));
  run("check", "--read-data");
});

test("its threads work", { skip: skip || noThreadNames }, async () => {
  const env = { HOME: folder, PATH: "/usr/bin:/bin", TENON_REPO: join(folder, "threads"), TENON_JOBS: "2" };
  const source = join(import.meta.dirname, "..", "node_modules", "esbuild", "bin", "esbuild");
  await runCounting(program, ["init"], { env });
  const { code, said, workers } = await runCounting(program, ["add", source], { env });
  assert.deepEqual([code, said, workers], [0, "", 1]);
});
