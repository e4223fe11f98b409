import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const INTERRUPT = new URL("interrupt.ts", import.meta.url).href;

let home: string;
before(() => {
  home = mkdtempSync(join(tmpdir(), "tenon-home-"));
});
after(() => rmSync(home, { recursive: true }));

function environment(): NodeJS.ProcessEnv {
  const {
    TENON_REPO: _repo,
    XDG_DATA_HOME: _data,
    XDG_CACHE_HOME: _cache,
    NODE_OPTIONS: _options,
    ...rest
  } = process.env;
  return { ...rest, HOME: home };
}

/** Modules of the project that a command line loads, as paths below `src/`. */
function modulesOf(...args: string[]): string[] {
  // A hook in the process tells each module that is really loaded.
  const hook = `import { registerHooks } from "node:module";
    import { appendFileSync } from "node:fs";
    registerHooks({ load(url, context, next) { appendFileSync(process.env.LOADED, url + "\\n"); return next(url, context); } });`;
  const loaded = join(home, "loaded");
  const script = ["--import", `data:text/javascript,${encodeURIComponent(hook)}`, MAIN, ...args];
  rmSync(loaded, { force: true });
  spawnSync(process.execPath, script, { env: { ...environment(), LOADED: loaded }, encoding: "utf8" });
  const urls = spawnSync("cat", [loaded], { encoding: "utf8" }).stdout.split("\n");
  return urls.filter((url) => url.includes("/src/")).map((url) => url.slice(url.lastIndexOf("/src/") + 5));
}

test("commands without a repository load nothing outside of this room but the errors", () => {
  for (const args of [["version"], ["help", "add"], ["completion", "bash"], ["statz"]]) {
    const modules = modulesOf(...args);
    assert.ok(modules.includes("cli/run.ts"), modules.join(" "));
    for (const module of modules) assert.match(module, /^(cli|errors)\//, args.join(" "));
  }
  // The measure itself works: a command with a repository loads the store.
  assert.ok(modulesOf("ls").includes("store/index.ts"));
});

test("the program: exit code, streams, no repository", () => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, ...args], { env: environment(), encoding: "utf8" });
  const version = run("version");
  assert.deepEqual([version.status, version.stderr], [0, ""]);
  assert.match(version.stdout, /^tenon \d/);
  const missing = run("ls");
  assert.deepEqual([missing.status, missing.stdout], [10, ""]);
  assert.match(missing.stderr, /tenon init/);
});

test("a reader that leaves at once is no failure and hears nothing of it", async () => {
  const child = spawn(process.execPath, [MAIN, "help"], {
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.destroy();
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    complaint += text;
  });
  assert.deepEqual(await once(child, "close"), [0, null]);
  assert.equal(complaint, "");
});

test("the first signal asks, the second kills", async () => {
  const script = `import { listenForInterrupt } from ${JSON.stringify(INTERRUPT)};
    const signal = listenForInterrupt(() => console.log("heard"));
    signal.addEventListener("abort", () => console.log("aborted"));
    setInterval(() => {}, 1000);
    console.log("ready");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout.setEncoding("utf8");
  let text = "";
  const said = async (word: string) => {
    while (!text.includes(word)) text += (await once(child.stdout, "data"))[0];
  };
  await said("ready");
  child.kill("SIGINT");
  await said("heard");
  assert.match(text, /aborted/);
  assert.equal(child.exitCode, null);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [null, "SIGTERM"]);
});
