/** Worker threads in every form in which tenon runs; the single executable's are in sea.test.ts. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { buildProgram, copyKernels } from "../scripts/build-program.ts";
import { noThreadNames, runCounting, workersOf } from "./threads.ts";

const root = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "tenon-workers-test-"));
after(() => rmSync(folder, { recursive: true }));

const skip = noThreadNames;
/** Large enough for threads. */
const PROGRAM = join(root, "node_modules", "esbuild", "bin", "esbuild");

const run = (...args: string[]) =>
  runCounting(process.execPath, args, {
    env: { ...process.env, HOME: folder, TENON_JOBS: "" },
    cwd: folder,
  });

async function roundTrip(label: string, ...command: string[]) {
  const repository = join(folder, label);
  const tenon = (...args: string[]) => run(...command, "-r", repository, ...args);
  await tenon("init");
  for (const [jobs, expected] of [
    ["1", false],
    ["2", true],
  ] as const) {
    const { code, said, workers } = await tenon("add", "--jobs", jobs, "--ref", `e:${jobs}`, PROGRAM);
    assert.deepEqual([code, said, workers > 0], [0, "", expected], `${label}, ${jobs} jobs`);
    if (!expected) rmSync(repository, { recursive: true });
    if (!expected) await tenon("init");
  }
  const output = join(folder, `${label}-again`);
  const { code, workers } = await tenon("get", "--jobs", "2", "e:2", "-o", output);
  assert.deepEqual([code, workers > 0], [0, true], label);
  assert.ok(readFileSync(output).equals(readFileSync(PROGRAM)));
}

test("threads run from the sources", { skip }, () =>
  roundTrip("sources", join(root, "src", "cli", "main.ts")),
);

test("threads run from the bundled command line", { skip }, async () => {
  const program = join(folder, "cli");
  await buildProgram(program);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", version: "0" }));
  await roundTrip("bundle", join(program, "main.js"));
});

test("threads run from the library of the package", { skip }, async () => {
  const library = join(folder, "dist");
  execFileSync(process.execPath, [
    join(root, "node_modules", "typescript", "bin", "tsc"),
    ...["-p", join(root, "tsconfig.build.json"), "--outDir", library],
  ]);
  copyKernels(join(library, "kernels"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", version: "0" }));
  const script = join(folder, "use.js");
  const repository = JSON.stringify(join(folder, "library"));
  writeFileSync(
    script,
    `import { Repository } from ${JSON.stringify(pathToFileURL(join(library, "index.js")).href)};
    await (await Repository.init(${repository})).close();
    await using repository = await Repository.open(${repository}, { jobs: 2 });
    await repository.add([${JSON.stringify(PROGRAM)}]);`,
  );
  const { code, said, workers } = await run(script);
  assert.deepEqual([code, said, workers], [0, "", 1]);
});

test("a signal is heard while an executable is coded, and nothing is left behind", {
  skip,
}, async () => {
  const repository = join(folder, "stopped");
  const command = [join(root, "src", "cli", "main.ts"), "-r", repository];
  await run(...command, "init");
  const child = spawn(process.execPath, [...command, "add", "-j", "2", PROGRAM], { stdio: "ignore" });
  const exit = once(child, "exit");
  while (workersOf(child) === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  child.kill("SIGINT");
  assert.deepEqual(await exit, [130, null]);
  const files = readdirSync(repository, { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  assert.deepEqual(
    files.map(({ name }) => name).filter((name) => !name.startsWith("config")),
    [],
  );
});
