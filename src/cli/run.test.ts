import assert from "node:assert/strict";
import { test } from "node:test";
import { TenonError } from "../errors/index.ts";
import { commandNames } from "./table.ts";
import { fakeStore, noStore, runWith } from "./testing/fake.ts";

test("without a command the overview goes to standard error, and it is wrong usage", async () => {
  const { exitCode, stdout, stderr } = await runWith([], noStore);
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.match(stderr, /^Usage: tenon \[OPTION\.\.\.\] COMMAND/);
});

test("help, version, completion and usage errors need no store", async () => {
  const overview = await runWith(["help"], noStore);
  for (const name of commandNames()) {
    assert.match(overview.stdout, new RegExp(`^  ${name} +\\w`, "m"));
    const help = await runWith([name, "--help"], noStore);
    assert.equal(help.exitCode, 0);
    assert.ok(help.stdout.startsWith(`Usage: tenon ${name} [OPTION...]`));
    for (const line of help.stdout.split("\n"))
      assert.ok(line.length <= 80 || /^ {2}(tenon|curl)/.test(line), line);
  }
  assert.match((await runWith(["help", "add", "--man"], noStore)).stdout, /^\.TH/);
  assert.match((await runWith(["version"], noStore)).stdout, /^tenon \d+\.\d+\.\d+ \(Node \d+/);
  assert.match(
    JSON.parse((await runWith(["--version", "--json"], noStore)).stdout).version,
    /^\d+\.\d+\.\d+/,
  );
  assert.match((await runWith(["completion", "bash"], noStore)).stdout, /complete -F/);
  assert.equal((await runWith(["completion", "csh"], noStore)).exitCode, 2);
  assert.deepEqual(await runWith(["help", "ad"], noStore), {
    exitCode: 2,
    stdout: "",
    stderr: "tenon: unknown command 'ad'; did you mean 'add'?\n  see 'tenon help'\n",
  });
});

test("the repository: option, environment, XDG, home", async () => {
  const opened: string[] = [];
  const store = fakeStore(
    {},
    {
      async open(location) {
        opened.push(location);
        throw new TenonError("no-repository", `no repository in ${location}`);
      },
    },
  );
  const { exitCode, stderr } = await runWith(["ls", "-r", "/given"], store, { env: { TENON_REPO: "/env" } });
  assert.deepEqual([exitCode, stderr.split("\n")[0]], [10, "tenon: no repository in /given"]);
  assert.match(stderr, /tenon init/);
  await runWith(["ls"], store, { env: { TENON_REPO: "/env" } });
  await runWith(["ls"], store, { env: { XDG_DATA_HOME: "/data" } });
  await runWith(["ls"], store, { env: { XDG_DATA_HOME: "relative" } });
  await runWith(["ls"], store);
  assert.deepEqual(opened, [
    "/given",
    "/env",
    "/data/tenon",
    "/home/somebody/.local/share/tenon",
    "/home/somebody/.local/share/tenon",
  ]);
});

const ENTRY = { type: "directory", path: "bin", mode: 0o755 } as const;

test("the repository is closed even when the operation fails, and what was listed before stays", async () => {
  let closed = 0;
  const store = fakeStore({
    list: async function* () {
      yield ENTRY;
      throw new TenonError("damaged", "node is damaged");
    },
    async close() {
      closed++;
    },
  });
  const { exitCode, stdout, stderr } = await runWith(["ls", "--json", "x"], store);
  assert.deepEqual([exitCode, closed], [11, 1]);
  assert.deepEqual(JSON.parse(stdout), ENTRY);
  assert.equal(JSON.parse(stderr).error.code, "damaged");
});
