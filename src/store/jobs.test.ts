/** Several jobs: what is stored and given back is the same, and a signal ends them. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type Backend, MemoryBackend } from "../backend/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { isTenonError } from "../errors/index.ts";
import { link, nextRelease, sampleProgram } from "../executable/testing/small-program.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { closeContext, openBase, openContext } from "./context.ts";
import type { StoreEvent } from "./events.ts";
import { get } from "./get.ts";
import { newRepository } from "./testing/small-repository.ts";

const folder = mkdtempSync(join(tmpdir(), "tenon-jobs-"));
after(() => rmSync(folder, { recursive: true }));

const tarSkip = spawnSync("tar", ["--version"]).error !== undefined && "tar is not installed";

/** Releases of two programs, more of them than are worked on before there are threads, with other files between. */
const files = new Map<string, Uint8Array>();
for (const seed of [1, 2]) {
  let program = sampleProgram(seed, 6000);
  for (let i = 0; i < 3; i++) {
    files.set(`${i}-of-${seed}`, link(program));
    program = nextRelease(program, i, 40);
  }
  files.set(`3-of-${seed}-again`, files.get(`2-of-${seed}`)!);
  files.set(`4-${seed}.text`, noise(70_000, seed));
  files.set(`5-${seed}.small`, noise(60, seed));
}
// It begins as an executable does, and is none.
files.set("0-broken", files.get("0-of-1")!.slice(0, 100_000));
const source = join(folder, "source");
mkdirSync(join(source, "below"), { recursive: true });
for (const [name, bytes] of files) writeFileSync(join(source, name), bytes);
writeFileSync(join(source, "below", "more"), noise(5000, 9));

async function stored(jobs: number, ...inputs: string[]) {
  const backend = new MemoryBackend();
  await closeContext(await newRepository(backend));
  const context = await openContext(await openBase(backend, jobs));
  const items: unknown[] = [];
  const options = {
    ref: "all",
    onEvent: (event: StoreEvent) => {
      if (event.type === "item") items.push(event);
    },
  };
  const { bytes } = await add(context, inputs, options);
  const { threads } = context.workers;
  const content: [string, Uint8Array][] = [];
  for (const { name } of await backend.list("")) {
    if (!name.startsWith("refs/")) content.push([name, await backend.read(name)]);
  }
  await closeContext(context);
  return { backend, content: content.sort(), items, bytes, threads };
}

async function restored(backend: Backend, jobs: number): Promise<{ threads: number }> {
  const context = await openContext(await openBase(backend, jobs));
  const output = join(folder, "restored");
  const { problems } = await get(context, "all", { output });
  assert.equal(problems, 0);
  for (const [name, bytes] of files) assert.ok(readFileSync(join(output, name)).equals(bytes), name);
  rmSync(output, { recursive: true });
  const { threads } = context.workers;
  await closeContext(context);
  return { threads };
}

test("packs, indexes and reports are the same for any number of jobs, and so is what comes back", async () => {
  const alone = await stored(1, source);
  const several = await stored(3, source);
  assert.deepEqual([alone.threads, several.threads > 0], [0, true]);
  assert.deepEqual(several.items, alone.items);
  assert.deepEqual(several.content, alone.content);
  assert.equal(several.bytes, alone.bytes);
  assert.equal((await restored(alone.backend, 1)).threads, 0);
  assert.ok((await restored(alone.backend, 3)).threads > 0);
  const { ok } = await check(await openBase(alone.backend, 3), { readData: true });
  assert.ok(ok);
});

test("files that are named one by one are the same, too", async () => {
  const paths = readdirSync(source).map((name) => join(source, name));
  const [alone, several] = [await stored(1, ...paths), await stored(2, ...paths)];
  assert.deepEqual(several.content, alone.content);
  assert.deepEqual(several.items, alone.items);
});

test("what is inside of an archive is the same, too", { skip: tarSkip }, async () => {
  const archive = join(folder, "all.tar.gz");
  execFileSync("sh", [
    "-c",
    'tar -c --sort=name --mtime=@0 -C "$1" . | gzip -6n > "$2"',
    "-",
    source,
    archive,
  ]);
  const [alone, several] = [await stored(1, archive), await stored(3, archive)];
  assert.ok(several.threads > 0);
  assert.deepEqual(several.content, alone.content);
  const output = join(folder, "archive");
  for (const jobs of [1, 3]) {
    const context = await openContext(await openBase(alone.backend, jobs));
    await get(context, "all", { output });
    assert.ok(readFileSync(output).equals(readFileSync(archive)));
    rmSync(output);
    assert.equal(context.workers.threads > 0, jobs > 1);
    await closeContext(context);
  }
});

test("a signal ends what threads do; nothing is left but what nobody refers to", async () => {
  const backend = new MemoryBackend();
  await closeContext(await newRepository(backend));
  const context = await openContext(await openBase(backend, 2));
  const controller = new AbortController();
  const adding = add(context, [source], {
    ref: "all",
    signal: controller.signal,
    onEvent: () => {
      if (context.workers.threads > 0) controller.abort();
    },
  });
  await assert.rejects(adding, (error) => isTenonError(error, "interrupted"));
  assert.ok(controller.signal.aborted);
  await add(context, [source], { ref: "all" });
  await closeContext(context);
  assert.equal((await restored(backend, 2)).threads > 0, true);
});
