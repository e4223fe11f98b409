import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import { link, sampleProgram } from "../executable/testing/small-program.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { compact } from "./compact.ts";
import { openBase, type StoreContext } from "./context.ts";
import { debug } from "./debug.ts";
import { noTar, writeImage } from "./testing/image.ts";
import { addFiles, newRepository } from "./testing/small-repository.ts";

const folder = await mkdtemp(join(tmpdir(), "tenon-debug-test-"));
after(() => rm(folder, { recursive: true }));

/** Enough functions that both files are kept as executables. */
const SOURCE = Array.from(
  { length: 400 },
  (_, i) => `
struct pair_${i} { int left_${i}; char right_${i}[${i + 1}]; };
__attribute__((noinline)) int work_${i}(struct pair_${i} *pair, int x) {
  int sum_${i} = pair->left_${i} * ${i * 7 + 3};
  for (int j = 0; j < x; j++) sum_${i} += pair->right_${i}[j % ${i + 1}] ^ ${i};
  return sum_${i} ${i > 0 ? `+ work_${i - 1}((void *)pair, x - ${i})` : ""};
}`,
).join("\n");

interface Built {
  readonly program: Uint8Array;
  readonly debugFile: Uint8Array;
  /** Without a build-id: only the link tells. */
  readonly linked: Uint8Array;
  readonly linkedDebug: Uint8Array;
}

async function build(): Promise<Built | string> {
  const run = (command: string, ...args: string[]) =>
    spawnSync(command, args, { cwd: folder }).status === 0 ? undefined : `${command} is missing or failed`;
  await writeFile(
    join(folder, "p.c"),
    `${SOURCE}\nint main(int n, char **a) { return work_399((void *)a, n); }`,
  );
  const why =
    run("gcc", "-g", "-O1", "-Wl,--build-id=sha1", "-o", "full", "p.c") ??
    run("objcopy", "--only-keep-debug", "full", "program.debug") ??
    run("objcopy", "--strip-debug", "--add-gnu-debuglink=program.debug", "full", "program") ??
    run("gcc", "-g", "-O2", "-Wl,--build-id=none", "-o", "anonymous", "p.c") ??
    run("objcopy", "--only-keep-debug", "anonymous", "anonymous.debug") ??
    run("objcopy", "--strip-debug", "--add-gnu-debuglink=anonymous.debug", "anonymous", "linked");
  if (why !== undefined) return why;
  const read = async (name: string) => new Uint8Array(await readFile(join(folder, name)));
  return {
    program: await read("program"),
    debugFile: await read("program.debug"),
    linked: await read("linked"),
    linkedDebug: await read("anonymous.debug"),
  };
}

const built = await build();
const skip = typeof built === "string" && built;
const files = built as Built;

async function representations(context: StoreContext): Promise<string[]> {
  const { stats } = await import("./stats.ts");
  return (await stats(context)).representations.map(({ name }) => name);
}

test("by build-id, both ways, whatever the names", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  await addFiles(context, "app:1", { server: files.program, "read.me": noise(500, 1) });
  await addFiles(context, "symbols:1", { "some.thing": files.debugFile });
  await addFiles(context, "symbols:2", { "some.thing": files.debugFile, other: files.linkedDebug });
  assert.ok((await representations(context)).includes("executable"));
  const found = await debug(context, "app:1:/server");
  assert.deepEqual([found.version, found.role, found.hasDebugInformation], [1, "code", false]);
  assert.match(found.buildId!, /^[0-9a-f]{40}$/);
  assert.deepEqual(found.matches, [
    {
      digest: sha256(files.debugFile),
      size: files.debugFile.length,
      by: "build-id",
      places: ["symbols:1", "symbols:2:/some.thing"],
    },
  ]);
  const back = await debug(context, "symbols:1");
  assert.deepEqual([back.role, back.hasDebugInformation, back.buildId], ["debug", true, found.buildId]);
  assert.deepEqual(
    back.matches.map(({ digest, places }) => ({ digest, places })),
    [{ digest: sha256(files.program), places: ["app:1:/server"] }],
  );
});

test("still after the packs were written anew, and when the ref is gone", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  await addFiles(context, "app:1", { server: files.program });
  await addFiles(context, "symbols:1", { file: files.debugFile });
  await compact(context);
  assert.equal((await debug(context, "app:1")).matches[0]!.digest, sha256(files.debugFile));
  const { ok } = await check(await openBase(context.backend), { readData: true, rebuildIndex: true });
  assert.ok(ok);
});

test("by debug link and CRC-32, where there is no build-id", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  await addFiles(context, "app:1", { linked: files.linked, server: files.program });
  await addFiles(context, "symbols:1", { "anonymous.debug": files.linkedDebug, program: files.debugFile });
  const found = await debug(context, "app:1:/linked");
  assert.equal(found.buildId, undefined);
  assert.equal(found.debugLink, "anonymous.debug");
  assert.deepEqual(
    found.matches.map(({ by, places }) => [by, places]),
    [["debug-link", ["symbols:1:/anonymous.debug"]]],
  );
  const back = await debug(context, "symbols:1:/anonymous.debug");
  assert.deepEqual(
    back.matches.map(({ by, places }) => [by, places]),
    [["debug-link", ["app:1:/linked"]]],
  );
});

test("programs and debug files of images, whatever compressed the layers", {
  skip: skip || noTar,
}, async () => {
  for (const compression of ["gzip", "zstd"] as const) {
    const context = await newRepository(new MemoryBackend());
    const content = { "usr/bin/server": files.program };
    const image = writeImage(join(folder, `image-${compression}`), content, compression);
    await add(context, [{ image: `oci:${image}` }], { ref: "app:1" });
    await addFiles(context, "symbols:1", { ".build-id": files.debugFile, other: noise(10, 1) });
    const found = await debug(context, "app:1:/usr/bin/server");
    assert.deepEqual(
      found.matches.map(({ places }) => places),
      [["symbols:1:/.build-id"]],
    );
    const back = await debug(context, "symbols:1:/.build-id");
    assert.deepEqual(
      back.matches.map(({ places, digest }) => [digest, places]),
      [[sha256(files.program), ["app:1:/usr/bin/server"]]],
    );
    const output = join(folder, `out-${compression}`);
    await debug(context, "symbols:1:/.build-id", { output });
    assert.deepEqual(new Uint8Array(await readFile(output)), files.program);
  }
});

test("what is written is what was found", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  await addFiles(context, "app:1", { server: files.program, "server.debug": files.debugFile });
  const output = join(folder, "out.debug");
  const report = await debug(context, "app:1:/server", { output });
  assert.equal(report.output, output);
  assert.deepEqual(new Uint8Array(await readFile(output)), files.debugFile);
  await assert.rejects(debug(context, "app:1:/server", { output }), { code: "exists" });
  await debug(context, "app:1:/server", { output, overwrite: true });
});

test("nothing there, and nothing to be known by", { skip }, async () => {
  const context = await newRepository(new MemoryBackend());
  await addFiles(context, "app:1", {
    server: files.program,
    text: noise(5000, 3),
    generated: link(sampleProgram(1, 200)),
  });
  assert.deepEqual((await debug(context, "app:1:/server")).matches, []);
  await assert.rejects(debug(context, "app:1:/server", { output: join(folder, "none") }), (error) => {
    assert.ok(isTenonError(error, "not-found"));
    assert.match(error.message, /no debug file for app:1:\/server, build-id [0-9a-f]{40}/);
    return true;
  });
  for (const spec of ["app:1", "app:1:/text", "app:1:/generated"]) {
    await assert.rejects(debug(context, spec), { code: "usage" }, spec);
  }
});

test("small files, which are kept as chunks, are found by what they begin with", { skip }, async () => {
  const source = join(folder, "small.c");
  await writeFile(source, "void _start(void) { for (;;); }\n");
  // Below 4 KiB: whatever the compiler, nobody takes it apart.
  const alone = ["-nostdlib", "-static", "-Wl,--build-id=sha1,-n"];
  for (const [command, ...args] of [
    ["gcc", "-g", ...alone, "-o", "small", "small.c"],
    ["objcopy", "--only-keep-debug", "small", "small.debug"],
    ["objcopy", "--strip-debug", "small"],
  ] as const) {
    assert.equal(spawnSync(command, args, { cwd: folder }).status, 0);
  }
  const context = await newRepository(new MemoryBackend());
  await addFiles(context, "app:1", { tool: new Uint8Array(await readFile(join(folder, "small"))) });
  const symbols = {
    "named-differently.dbg": new Uint8Array(await readFile(join(folder, "small.debug"))),
    a: noise(99, 1),
  };
  await addFiles(context, "symbols:1", symbols);
  assert.deepEqual(await representations(context), ["chunks", "inline"]);
  assert.deepEqual(
    (await debug(context, "app:1")).matches.map(({ places }) => places),
    [["symbols:1:/named-differently.dbg"]],
  );
});
