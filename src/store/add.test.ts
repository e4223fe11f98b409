import assert from "node:assert/strict";
import { truncateSync } from "node:fs";
import { chmod, mkdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { noise } from "../bytes/testing/random.ts";
import { inputName } from "./default-ref.ts";
import type { StoreEvent } from "./events.ts";
import { scratchRepository, writeFiles } from "./testing/repository.ts";

test("a directory comes back with contents, modes, links and empty directories", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const source = join(directory, "source");
  await writeFiles(source, {
    "bin/tool": noise(70_000, 1),
    "a-b": "x",
    "a.txt": "",
    "a/x": "deep",
    "z/y/x": noise(10, 2),
  });
  await mkdir(join(source, "empty"));
  await chmod(join(source, "bin/tool"), 0o755);
  await symlink("../outside", join(source, "link"));
  const { roots, files } = await repository.add([source], { ref: "s:1" });
  assert.equal(files, 5);
  assert.equal(roots[0]!.root.type, "tree");
  const out = join(directory, "out");
  await repository.get("s:1", { output: out });
  assert.ok((await readFile(join(out, "bin/tool"))).equals(noise(70_000, 1)));
  await assert.rejects(repository.get("s:1:/link", { output: join(directory, "link") }), {
    message: "s:1:/link is a symbolic link to ../outside; get that, or the directory that it is in",
  });
  assert.equal((await stat(join(out, "bin/tool"))).mode & 0o777, 0o755);
  assert.equal(await readlink(join(out, "link")), "../outside");
  assert.ok((await stat(join(out, "empty"))).isDirectory());
  // The same content has the same root, and costs nothing more than its ref.
  const again = await repository.add([out], { ref: "s:2" });
  assert.equal(again.roots[0]!.root.digest, roots[0]!.root.digest);
  assert.ok(again.storedBytes < 1000, `${again.storedBytes} bytes`);
  assert.deepEqual(await Array.fromAsync(repository.diff("s:1", "s:2")), []);
});

test("several inputs become one tree under one ref, or a ref each", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, { "x/one": "1", two: "22" });
  const inputs = [join(directory, "x"), join(directory, "two")];
  await repository.add(inputs, { ref: "both" });
  const paths = (await Array.fromAsync(repository.list("both", { recursive: true }))).map(
    (e) => e.type !== "ref" && e.path,
  );
  assert.deepEqual(paths, ["two", "x", "x/one"]);
  const { roots } = await repository.add(inputs);
  assert.deepEqual(
    roots.map(({ ref }) => ref),
    ["x:latest", "two:latest"],
  );
  await assert.rejects(repository.add([inputs[0]!, inputs[0]!], { ref: "twice" }), { code: "usage" });
  await assert.rejects(repository.add([join(directory, "absent")]), { code: "not-found" });
});

test("adding the same again makes no new state; something else does", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, { in: "first" });
  await repository.add([join(directory, "in")], { ref: "r" });
  const same = await repository.add([join(directory, "in")], { ref: "r" });
  assert.equal(same.roots[0]!.sequence, 1);
  await writeFiles(directory, { in: "second" });
  await repository.add([join(directory, "in")], { ref: "r" });
  const read = async (spec: string) => Buffer.concat(await Array.fromAsync(repository.cat(spec))).toString();
  assert.equal(await read("r"), "second");
  assert.equal(await read("r@1"), "first");
  assert.equal(await read("r~1"), "first");
  const digest = (await Array.fromAsync(repository.log("r")))[0]!.root!.digest;
  assert.equal(await read(digest.slice(0, 10)), "second");
});

test("a stream is stored once, known or not", async (t) => {
  const { repository } = await scratchRepository(t);
  const content = noise(300_000, 3);
  async function* pieces() {
    for (let at = 0; at < content.length; at += 7777) yield content.subarray(at, at + 7777);
  }
  await repository.add([{ name: "s", stream: pieces() }], { ref: "s:1" });
  const second = await repository.add([{ name: "s", stream: pieces() }], { ref: "s:2" });
  assert.ok(second.storedBytes < 1000);
  assert.ok(Buffer.concat(await Array.fromAsync(repository.cat("s:2"))).equals(content));
});

test("a file that changes while it is read is stored as it was read, and reported", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const path = join(directory, "growing");
  await writeFile(path, noise(9 << 20, 1));
  const events: StoreEvent[] = [];
  let size = 9 << 20;
  const result = await repository.add([path], {
    ref: "g",
    onEvent(event) {
      events.push(event);
      if (event.type === "progress" && event.doneBytes > 0 && event.doneBytes < 9 << 20)
        truncateSync(path, ++size);
    },
  });
  assert.equal(result.problems, 1);
  assert.ok(events.some((event) => event.type === "problem" && /while it was read/.test(event.message)));
  await repository.get("g", { output: join(directory, "out") });
  assert.equal((await stat(join(directory, "out"))).size, result.roots[0]!.root.size);
});

test("a long list of runs is a tree, and any offset is read through few nodes", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  // Every other chunk is known from before: no two neighbours are in one run.
  const parts = Array.from({ length: 1400 }, (_, i) => noise(22_528, i));
  await writeFiles(directory, { even: Buffer.concat(parts.filter((_, i) => i % 2 === 0)) });
  await repository.add([join(directory, "even")]);
  const whole = Buffer.concat(parts);
  await writeFiles(directory, { whole });
  await repository.add([join(directory, "whole")]);
  for (const offset of [0, 1, 500_000, 22_528 * 700 - 1, whole.length - 5, whole.length, whole.length + 10]) {
    const got = Buffer.concat(await Array.fromAsync(repository.cat("whole", { offset, length: 1024 })));
    assert.ok(whole.subarray(offset, offset + 1024).equals(got), `at ${offset}`);
  }
  await repository.get("whole", { output: join(directory, "out") });
  assert.ok(whole.equals(await readFile(join(directory, "out"))));
});

test("an abort leaves the repository as it was", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, { in: noise(8 << 20, 1) });
  const controller = new AbortController();
  const adding = repository.add([join(directory, "in")], {
    ref: "x",
    signal: controller.signal,
    onEvent: (event) => event.type === "progress" && event.doneBytes > 1 << 20 && controller.abort(),
  });
  await assert.rejects(adding, { code: "interrupted" });
  assert.deepEqual(await Array.fromAsync(repository.list()), []);
  const { storedBytes } = await repository.stats();
  assert.ok(storedBytes < 2000, `${storedBytes} bytes left`);
});

test("a repository within what is added is left out and named; a glob leaves it out silently", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, { "a.txt": "a", "repo-notes/b.txt": "b" });
  const problems: string[] = [];
  const onEvent = (event: StoreEvent) => {
    if (event.type === "problem") problems.push(event.message);
  };
  const added = await repository.add([directory], { ref: "all", onEvent });
  assert.deepEqual([added.files, added.problems, problems.length], [2, 1, 1]);
  assert.match(problems[0]!, /repo: it is the repository itself; --exclude/);
  const paths = (await Array.fromAsync(repository.list("all", { recursive: true }))).map((entry) =>
    "path" in entry ? entry.path : "",
  );
  assert.deepEqual(paths, ["a.txt", "repo-notes", "repo-notes/b.txt"]);
  assert.equal((await repository.add([directory], { ref: "all", exclude: ["repo"] })).problems, 0);
  for (const path of [repository.location, join(repository.location, "packs")])
    await assert.rejects(repository.add([path], { ref: "x" }), { code: "usage" });
});

test("names of inputs: of the directory that is meant, also as . or .., and none for the root", async () => {
  assert.equal(inputName("build/"), "build");
  assert.equal(inputName("build/debug/.."), "build");
  assert.equal(inputName("."), basename(process.cwd()));
  assert.equal(inputName(".."), basename(dirname(process.cwd())));
  assert.throws(() => inputName("/"), { code: "usage", message: /no name of its own/ });
});
