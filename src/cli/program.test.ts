/** The program with the real store: streams, signals, exit codes. */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const MAIN = join(import.meta.dirname, "main.ts");
/** More than a pipe holds (64 KiB by default, 1 MiB at most), so that a writer waits for its reader. */
const LARGE_BYTES = 8 * 2 ** 20;

let folder: string;
let large: Buffer;

function environment(): NodeJS.ProcessEnv {
  // The test runner asks for colours.
  const { FORCE_COLOR: _, ...rest } = process.env;
  return { ...rest, HOME: folder, TENON_REPO: join(folder, "repository") };
}

function run(...args: string[]) {
  return spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, env: environment(), encoding: "utf8" });
}

function ran(...args: string[]): string {
  const { status, stdout, stderr } = run(...args);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

function start(...args: string[]): ChildProcessByStdio<Writable, Readable, Readable> {
  return spawn(process.execPath, [MAIN, ...args], { cwd: folder, env: environment(), stdio: "pipe" });
}

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-program-"));
  large = randomBytes(LARGE_BYTES);
  writeFileSync(join(folder, "large"), large, { mode: 0o755 });
  ran("init");
  ran("add", "-q", "large");
});
after(() => rmSync(folder, { recursive: true }));

test("a round trip by its commands", () => {
  mkdirSync(join(folder, "dir", "sub"), { recursive: true });
  writeFileSync(join(folder, "dir", "sub", "a\u001b[31m"), "content\n");
  const added = JSON.parse(ran("add", "--json", "--ref", "dir:1", "-m", "why", "dir"));
  assert.deepEqual([added.files, added.newFiles, added.problems], [1, 1, 0]);
  assert.deepEqual(added.roots[0].representations, [
    { name: added.roots[0].representations[0].name, files: 1 },
  ]);
  assert.equal(ran("ls"), "dir:1\nlarge:latest\n");
  assert.ok(ran("ls", "-R", "dir:1").includes("sub/a\\x1b[31m"));
  assert.match(ran("log", "dir:1"), /^dir:1@1 {2}\S+Z {2}\S.* why\n$/);
  ran("get", "large", "-o", "again");
  assert.ok(readFileSync(join(folder, "again")).equals(large));
  assert.equal(statSync(join(folder, "again")).mode & 0o777, 0o755);
  const refused = run("get", "large", "-o", "again");
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /--overwrite/);
  const stats = JSON.parse(ran("stats", "--json"));
  assert.equal(stats.logicalBytes, LARGE_BYTES + 8);
  ran("check", "--read-data");
});

test("a part of a file, and standard output and input as they are", () => {
  const part = spawnSync(process.execPath, [MAIN, "cat", "large", "--offset", "1M", "--length", "5000"], {
    env: environment(),
  });
  assert.ok(part.stdout.equals(large.subarray(2 ** 20, 2 ** 20 + 5000)));
  const bytes = randomBytes(300_000);
  const added = spawnSync(process.execPath, [MAIN, "add", "-q", "--name", "stream", "-"], {
    env: environment(),
    input: bytes,
  });
  assert.equal(added.status, 0, String(added.stderr));
  const got = spawnSync(process.execPath, [MAIN, "get", "stream", "-o", "-"], { env: environment() });
  assert.ok(got.stdout.equals(bytes));
});

test("what can't be stored is named, the rest is stored, and the exit code is 3", () => {
  mkdirSync(join(folder, "partly"));
  writeFileSync(join(folder, "partly", "file"), "x");
  assert.equal(spawnSync("mkfifo", [join(folder, "partly", "pipe")]).status, 0);
  const { status, stdout, stderr } = run("add", "partly");
  assert.equal(status, 3);
  assert.match(stderr, /^tenon: problem: .*partly\/pipe/);
  assert.match(stdout, /^partly:latest@1 /m);
  assert.equal(ran("ls", "partly"), "file\n");
});

test("exit codes: not there, no repository, usage", () => {
  assert.equal(run("get", "nothing").status, 1);
  assert.equal(run("ls", "-r", join(folder, "nowhere")).status, 10);
  assert.equal(run("ls", "--nonsense").status, 2);
  assert.equal(run("init").status, 1);
});

test("a reader that leaves in the middle is no failure", async () => {
  const child = start("cat", "large");
  await once(child.stdout, "data");
  child.stdout.destroy();
  const complaint = text(child.stderr);
  assert.deepEqual(await once(child, "close"), [0, null]);
  assert.equal(await complaint, "");
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} stops an add: exit code 130, no ref, nothing broken`, { timeout: 30_000 }, async () => {
    const child = start("add", "--json", "--name", "endless", "-");
    const events = text(child.stderr);
    const result = text(child.stdout);
    // Standard input stays open: only the signal can end this.
    child.stdin.on("error", () => {});
    child.stdin.write(randomBytes(LARGE_BYTES));
    await sleep(500);
    assert.equal(child.exitCode, null);
    child.kill(signal);
    assert.deepEqual(await once(child, "close"), [130, null]);
    const last = (await events).trimEnd().split("\n").at(-1)!;
    assert.deepEqual([JSON.parse(last).error.code, JSON.parse(last).exitCode], ["interrupted", 130]);
    assert.equal(await result, "");
    assert.ok(!ran("ls").includes("endless"));
    ran("check");
  });
}

test("a second signal ends even what waits for a reader that doesn't read", { timeout: 30_000 }, async () => {
  const child = start("cat", "large");
  await once(child.stdout, "readable");
  child.kill("SIGINT");
  await sleep(300);
  assert.equal(child.signalCode ?? child.exitCode, null);
  child.kill("SIGINT");
  assert.deepEqual(await once(child, "exit"), [null, "SIGINT"]);
});

test("damage: exit code 11, and no wrong bytes anywhere", () => {
  const copy = join(folder, "damaged");
  spawnSync("cp", ["-r", join(folder, "repository"), copy]);
  const files = spawnSync("find", [copy, "-type", "f", "-size", "+1M"], { encoding: "utf8" })
    .stdout.trimEnd()
    .split("\n");
  for (const file of files) {
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    chmodSync(file, 0o644);
    writeFileSync(file, bytes);
  }
  const check = run("check", "--read-data", "-r", copy);
  assert.equal(check.status, 11, check.stdout + check.stderr);
  assert.match(check.stdout, /large:latest/);
  const get = run("get", "large", "-o", "wrong", "-r", copy);
  assert.equal(get.status, 11, get.stderr);
  assert.ok(!existsSync(join(folder, "wrong")));
  assert.match(get.stderr, /tenon check --read-data/);
  const repair = run("repair", "-r", copy);
  assert.equal(repair.status, 3, repair.stderr);
  assert.match(repair.stdout, /lost/);
  assert.equal(run("check", "--read-data", "-r", copy).status, 0);
});
