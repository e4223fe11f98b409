import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { utf8 } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { DirectoryBackend } from "./index.ts";
import { systemError } from "./system.ts";
import { backendConformance, failsWith } from "./testing/conformance.ts";

let top = "";
let made = 0;
before(async () => {
  top = await mkdtemp(join(tmpdir(), "tenon-backend-"));
});
after(() => rm(top, { recursive: true, force: true }));

const fresh = () => join(top, `${++made}`, "repository");

backendConformance("directory", () => new DirectoryBackend(fresh(), { durable: false }));
backendConformance("durable directory", () => new DirectoryBackend(fresh()));

test("directory: nothing is made before the first write", async () => {
  const at = fresh();
  const backend = new DirectoryBackend(at, { durable: false });
  assert.equal(backend.location, at);
  assert.deepEqual(await backend.list(""), []);
  await failsWith("not-found", () => backend.read("config"));
  await assert.rejects(readdir(at));
});

test("directory: foreign files are counted and not listed, symbolic links are neither followed nor listed", async () => {
  const at = fresh();
  const backend = new DirectoryBackend(at, { durable: false });
  await backend.createIfAbsent("packs/p", utf8("12345"));
  await writeFile(join(at, "packs", ".nfs0001"), "123");
  await writeFile(join(at, "packs", "mit Leerzeichen"), "12");
  await symlink("/", join(at, "packs", "root"));
  assert.deepEqual(
    (await backend.list("")).map(({ name }) => name),
    ["packs/p"],
  );
  assert.equal(await backend.totalBytes(), 10);
  assert.equal(await backend.stat("packs/root"), undefined);
});

test("directory: forgotten temporaries are removed by age", async () => {
  const at = fresh();
  const backend = new DirectoryBackend(at, { durable: false });
  const writer = await backend.createWriter();
  await writer.write(utf8("young"));
  await writeFile(join(at, "tmp", "old"), "12345678");
  await utimes(join(at, "tmp", "old"), 1000, 1000);
  assert.equal(await backend.removeTemporaries(2_000_000), 8);
  await writer.commit("packs/p");
  assert.deepEqual(await backend.read("packs/p"), utf8("young"));
});

test("directory: a writer whose temporary was removed fails at its commit and names nothing", async () => {
  const at = fresh();
  const backend = new DirectoryBackend(at, { durable: false });
  const writer = await backend.createWriter();
  await writer.write(utf8("lost"));
  assert.equal(await backend.removeTemporaries(Number.MAX_SAFE_INTEGER), 4);
  await failsWith("io", () => writer.commit("packs/p"));
  assert.deepEqual(await backend.list(""), []);
});

test("directory: folders that vanish are made again", async () => {
  const at = fresh();
  const backend = new DirectoryBackend(at, { durable: false });
  await backend.createIfAbsent("refs/a/1", utf8("x"));
  await rm(at, { recursive: true });
  assert.equal(await backend.createIfAbsent("refs/a/1", utf8("y")), true);
  assert.deepEqual(await backend.read("refs/a/1"), utf8("y"));
});

test("directory: a file that shrinks while it is read is damaged", async () => {
  const at = fresh();
  const backend = new DirectoryBackend(at, { durable: false });
  await backend.createIfAbsent("f", utf8("0123456789"));
  const file = await backend.openRandom("f");
  await truncate(join(at, "f"), 4);
  await failsWith("damaged", () => file.read(2, 5));
  assert.equal(file.readSync(new Uint8Array(5), 2), 2);
  await file.close();
});

test("directory: what the system refuses becomes an io error that names the file", async () => {
  const at = fresh();
  await mkdir(join(at, ".."), { recursive: true });
  await writeFile(at, "a file where the repository should be");
  const backend = new DirectoryBackend(at, { durable: false });
  for (const action of [
    () => backend.createIfAbsent("config", utf8("x")),
    () => backend.replace("config", utf8("x")),
    () => backend.createWriter(),
  ]) {
    await assert.rejects(
      action,
      (error) => isTenonError(error, "io") && String(error.data.path).startsWith(at),
    );
  }
});

test("system errors say what to do", () => {
  for (const [system, words] of [
    ["ENOSPC", /free some/],
    ["EROFS", /read-only/],
    ["EACCES", /permission/],
    ["EWEIRD", /EWEIRD/],
  ] as const) {
    const error = systemError(Object.assign(new Error("no"), { code: system }), "write", "/r/config");
    assert.ok(isTenonError(error, "io"));
    assert.match(error.message, words);
    assert.deepEqual(error.data, { path: "/r/config", system });
  }
  const bug = new RangeError("a bug stays a bug");
  assert.equal(systemError(bug, "write", "/r/config"), bug);
});

const childProgram = `
  import { DirectoryBackend } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
  const [, , at, who] = process.argv;
  const backend = new DirectoryBackend(at, { durable: false });
  let wins = 0;
  for (let i = 0; i < 200; i++) {
    const bytes = new Uint8Array(5000 + i).fill(Number(who));
    if (await backend.createIfAbsent("race/" + i, bytes)) wins++;
    if (i === 20) process.send("under way");
  }
  process.send(wins);
`;

async function runChild(at: string, who: number): Promise<number> {
  const script = join(at, "..", `child-${who}.mjs`);
  await mkdir(join(at, ".."), { recursive: true });
  await writeFile(script, childProgram);
  const child = fork(script, [at, String(who)], { execArgv: [] });
  let wins = -1;
  child.on("message", (message) => {
    if (typeof message === "number") wins = message;
  });
  await once(child, "exit");
  return wins;
}

test("directory: two processes never both create a file", async () => {
  const at = fresh();
  const wins = await Promise.all([runChild(at, 1), runChild(at, 2)]);
  assert.equal(wins[0]! + wins[1]!, 200);
  const files = await new DirectoryBackend(at).list("race");
  assert.equal(files.length, 200);
});

test("directory: a process that is killed leaves whole files or none", async () => {
  const at = fresh();
  const script = join(at, "..", "child.mjs");
  await mkdir(join(at, ".."), { recursive: true });
  await writeFile(script, childProgram);
  const child = fork(script, [at, "7"], { execArgv: [] });
  await once(child, "message");
  child.kill("SIGKILL");
  await once(child, "exit");
  const backend = new DirectoryBackend(at);
  const files = await backend.list("race");
  assert.ok(files.length > 20);
  for (const { name, size } of files) assert.equal(size, 5000 + Number(name.slice("race/".length)));
  await backend.removeTemporaries(Number.MAX_SAFE_INTEGER);
  assert.equal(
    await backend.totalBytes(),
    files.reduce((sum, { size }) => sum + size, 0),
  );
});
