import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { MemoryBackend } from "../backend/index.ts";
import { noise } from "../bytes/testing/random.ts";
import { link, nextRelease, sampleProgram } from "../executable/testing/small-program.ts";
import { add } from "./add.ts";
import type { StoreContext } from "./context.ts";
import { type DiffOptions, diff } from "./diff.ts";
import { noTar, writeImage } from "./testing/image.ts";
import { addFiles, newRepository } from "./testing/small-repository.ts";
import type { DiffEntry } from "./types.ts";

const folder = await mkdtemp(join(tmpdir(), "tenon-diff-test-"));
after(() => rm(folder, { recursive: true }));

const program = sampleProgram(1, 150);
const first = link(program);
const second = link(nextRelease(program, 2, 6));

async function differences(
  context: StoreContext,
  a: string,
  b: string,
  options?: DiffOptions,
): Promise<DiffEntry[]> {
  const found: DiffEntry[] = [];
  for await (const entry of diff(context, a, b, options)) found.push(entry);
  return found;
}

function counts(entry: DiffEntry | undefined) {
  const { functions } = entry ?? {};
  assert.ok(functions !== undefined && !("problem" in functions), JSON.stringify(entry));
  return functions;
}

test("changed executables, function by function, when asked for", async () => {
  const context = await newRepository(new MemoryBackend());
  const odd = first.slice();
  odd[18] = 243; // RISC-V
  const text = noise(6000, 1);
  await addFiles(context, "app:1", { tool: first, text, odd: first, stays: first, gone: first });
  await addFiles(context, "app:2", { tool: second, text: noise(6000, 2), odd, stays: first, added: first });
  const quick = await differences(context, "app:1", "app:2");
  assert.deepEqual(
    quick.map(({ path, change }) => `${change} ${path}`),
    ["added added", "removed gone", "changed odd", "changed text", "changed tool"],
  );
  assert.ok(quick.every((entry) => !("functions" in entry)));
  const found = await differences(context, "app:1", "app:2", { functions: true });
  const byPath = new Map(found.map((entry) => [entry.path, entry]));
  const { same, changed, added, removed, changes } = counts(byPath.get("tool"));
  assert.ok(same > 130 && changed + added + removed > 0, JSON.stringify({ same, changed, added, removed }));
  assert.equal(changes.length, changed + added + removed);
  for (const path of ["text", "added", "gone"]) assert.ok(!("functions" in byPath.get(path)!), path);
  const { functions } = byPath.get("odd")!;
  assert.ok(functions !== undefined && "problem" in functions);
  assert.match(functions.problem, /not supported/);
});

test("two files, and subdirectories", async () => {
  const context = await newRepository(new MemoryBackend());
  await addFiles(context, "one", { tool: first });
  await addFiles(context, "two", { tool: second });
  const [entry] = await differences(context, "one", "two", { functions: true });
  const alone = counts(entry);
  await addFiles(context, "tree:1", { tool: first, other: noise(10, 1) });
  const [mixed] = await differences(context, "tree:1:/tool", "two", { functions: true });
  assert.deepEqual(counts(mixed), alone);
});

test("images: the functions of their programs, whatever compressed the layers", { skip: noTar }, async () => {
  const context = await newRepository(new MemoryBackend());
  const images = {
    "app:1.1": writeImage(join(folder, "image-1"), { "usr/bin/tool": first }, "gzip"),
    "app:1.2": writeImage(join(folder, "image-2"), { "usr/bin/tool": second }, "zstd"),
  };
  for (const [ref, layout] of Object.entries(images))
    await add(context, [{ image: `oci:${layout}` }], { ref });
  const found = await differences(context, "app:1.1", "app:1.2", { functions: true });
  assert.deepEqual(
    found.map(({ path }) => path),
    ["usr/bin/tool"],
  );
  const { same, changed } = counts(found[0]);
  assert.ok(same > 130 && changed > 0, `${same} ${changed}`);
  const [alone] = await differences(context, "app:1.1:/usr/bin/tool", "app:1.2:/usr/bin/tool", {
    functions: true,
  });
  assert.deepEqual(alone!.functions, found[0]!.functions);
});
