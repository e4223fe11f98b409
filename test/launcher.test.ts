/** bin/tenon.mjs in packages of different shapes. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";

const LAUNCHER = join(import.meta.dirname, "..", "bin", "tenon.mjs");

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "tenon-launcher-"));
});
after(() => rmSync(folder, { recursive: true }));

/** A package with the launcher, that needs a Node, with a program or without. */
function makePackage(name: string, needs: string, program?: string): string {
  const root = join(folder, name);
  mkdirSync(join(root, "bin"), { recursive: true });
  copyFileSync(LAUNCHER, join(root, "bin", "tenon.mjs"));
  writeFileSync(
    join(root, "package.json"),
    JSON.stringify({ type: "module", engines: { node: `>=${needs}` } }),
  );
  if (program !== undefined) {
    mkdirSync(join(root, "dist", "cli"), { recursive: true });
    writeFileSync(join(root, "dist", "cli", "main.js"), program);
  }
  return join(root, "bin", "tenon.mjs");
}

/** Gives the package a Node of its own: this one, said to be of that version. */
function bringNode(name: string, version: string): void {
  const brought = join(folder, name, "node_modules", `node-${process.platform}-${process.arch}`);
  mkdirSync(join(brought, "bin"), { recursive: true });
  writeFileSync(join(brought, "package.json"), JSON.stringify({ version }));
  symlinkSync(process.execPath, join(brought, "bin", "node"));
}

const run = (launcher: string, ...args: string[]) =>
  spawnSync(process.execPath, [launcher, ...args], { encoding: "utf8" });

const SHOW = "console.log(JSON.stringify([process.argv.slice(2), process.ppid])); process.exitCode = 7;";

test("a package without dist says so", () => {
  const { status, stderr } = run(makePackage("empty", "24.12"));
  assert.deepEqual([status, stderr], [1, "tenon: dist/ is missing from this package: install it again\n"]);
});

test("a checkout runs what was built of its sources, else the sources", () => {
  const launcher = makePackage("checkout", "24.12");
  const at = (name: string) => join(folder, "checkout", name);
  const write = (name: string, text: string, minute: number) => {
    mkdirSync(dirname(at(name)), { recursive: true });
    writeFileSync(at(name), text);
    utimesSync(at(name), 60 * minute, 60 * minute);
  };
  const ran = () => run(launcher, "a").stdout.trim();
  write("src/cli/main.ts", 'const what: string = "source"; console.log(what);', 1);
  assert.equal(ran(), "source", "not built");
  write("dist/cli/main.js", 'console.log("built");', 2);
  assert.equal(ran(), "built");
  write("src/other/room.test.ts", "", 3);
  write("src/other/testing/programs.ts", "", 3);
  write("src/other/notes.md", "", 3);
  assert.equal(ran(), "built", "what isn't built is no reason");
  for (const name of ["src/other/deep/room.ts", "src/kernels/gear.wasm"]) {
    write(name, "", 3);
    assert.equal(ran(), "source", name);
    rmSync(at(name));
  }
});

test("a Node that is new enough runs the program itself", () => {
  const { status, stdout } = run(makePackage("plain", "24.12", SHOW), "a", "--b");
  assert.deepEqual([status, JSON.parse(stdout)], [7, [["a", "--b"], process.pid]]);
});

test("a Node that is too old says which one is needed", () => {
  for (const needs of ["999.0", `${process.versions.node.split(".")[0]}.999`]) {
    const { status, stderr } = run(makePackage(`old-${needs}`, needs, SHOW));
    assert.equal(status, 1);
    assert.ok(stderr.startsWith(`tenon: needs Node ${needs} or newer; this is ${process.version}`), stderr);
  }
});

test("a Node that is too old hands over to the one in the package, unless that is too old too", () => {
  const launcher = makePackage("brought", "999.0", SHOW);
  bringNode("brought", "999.1.0");
  const { status, stdout } = run(launcher, "a");
  const [args, parent] = JSON.parse(stdout);
  assert.deepEqual([status, args], [7, ["a"]]);
  assert.notEqual(parent, process.pid);

  const old = makePackage("brought-old", "999.0", SHOW);
  bringNode("brought-old", "998.0.0");
  assert.equal(run(old).status, 1);
});

async function lineOf(child: ChildProcess): Promise<string> {
  return String((await once(child.stdout!, "data"))[0]);
}

test("signals and their consequence pass through", async () => {
  const wait =
    'process.on("SIGTERM", () => process.exit(9)); setInterval(() => {}, 1000); console.log("ready");';
  const launcher = makePackage("signals", "999.0", wait);
  bringNode("signals", "999.1.0");
  const clean = spawn(process.execPath, [launcher], { stdio: ["ignore", "pipe", "inherit"] });
  assert.equal(await lineOf(clean), "ready\n");
  clean.kill("SIGTERM");
  assert.deepEqual(await once(clean, "exit"), [9, null]);

  const killed = makePackage(
    "killed",
    "999.0",
    'process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1000);',
  );
  bringNode("killed", "999.1.0");
  assert.equal(run(killed).signal, "SIGTERM");
});
