import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import { bytewise, componentwise, type WalkItem, type WalkOptions, walk } from "./index.ts";
import { scratch } from "./testing/scratch.ts";

async function all(root: string | Buffer, options?: WalkOptions): Promise<WalkItem[]> {
  const items: WalkItem[] = [];
  for await (const item of walk(root, options)) items.push(item);
  return items;
}

/** `kind path` of each item, bytes as latin1. */
async function lines(root: string | Buffer, options?: WalkOptions): Promise<string[]> {
  const items = await all(root, options);
  return items.map(
    (i) => `${i.kind === "problem" ? i.code : i.kind} ${Buffer.from(i.path).toString("latin1")}`,
  );
}

test("entries carry what is needed to store them", async (t) => {
  const root = scratch(t);
  fs.mkdirSync(join(root, "d"), { mode: 0o750 });
  fs.writeFileSync(join(root, "d/f"), "hello");
  fs.chmodSync(join(root, "d/f"), 0o4751);
  fs.linkSync(join(root, "d/f"), join(root, "g"));
  fs.symlinkSync("../outside", join(root, "s"));
  const items = await all(root);
  const [top, d, f, g, s] = items as [WalkItem, WalkItem, WalkItem, WalkItem, WalkItem];
  assert.equal(items.length, 5);
  assert.equal(top.kind, "directory");
  assert.deepEqual(top.path, new Uint8Array(0));
  assert.ok(d.kind === "directory" && f.kind === "file" && g.kind === "file" && s.kind === "symlink");
  assert.equal(d.mode, 0o750);
  assert.equal(d.hardlinkKey, undefined);
  assert.deepEqual([f.mode, f.sizeBytes], [0o4751, 5]);
  assert.equal(fs.readFileSync(f.absolute, "utf8"), "hello");
  assert.ok(f.hardlinkKey !== undefined && f.hardlinkKey === g.hardlinkKey);
  assert.equal(Buffer.from(s.target!).toString(), "../outside");
  assert.equal(s.sizeBytes, 10);
  assert.equal(s.hardlinkKey, undefined);
});

test("what is below a directory comes where its name and '/' sort", async (t) => {
  const root = scratch(t);
  for (const d of ["a", "a-b", "a-b-c", "a/z"]) fs.mkdirSync(join(root, d));
  for (const f of ["a/x", "a-b/y", "a-b-c/w", "a.txt", "a0", "a-b0", "a/z/q", "B"])
    fs.writeFileSync(join(root, f), "");
  assert.deepEqual(
    (await lines(root)).map((line) => line.split(" ")[1]),
    ["", "B", "a", "a-b", "a-b-c", "a-b-c/w", "a-b/y", "a-b0", "a.txt", "a/x", "a/z", "a/z/q", "a0"],
  );
  assert.deepEqual(
    (await lines(root, { order: componentwise })).map((line) => line.split(" ")[1]),
    ["", "B", "a", "a/x", "a/z", "a/z/q", "a-b", "a-b/y", "a-b-c", "a-b-c/w", "a-b0", "a.txt", "a0"],
  );
});

/** Names over few letters, so that prefixes are common, with bytes around '/' and some that are not UTF-8. */
const name = fc
  .array(fc.constantFrom("a", "b", "-", "0", ".", "\x01", "\xff", "\x80"), { minLength: 1, maxLength: 3 })
  .map((letters) => letters.join(""))
  .filter((n) => n !== "." && n !== "..");
const tree = fc.array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 4 }), fc.boolean()), {
  maxLength: 25,
});

test("any tree is walked in order and completely", async (t) => {
  const base = scratch(t);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(tree, async (entries) => {
      const root = join(base, String(run++));
      fs.mkdirSync(root);
      const expected = new Set<string>([""]);
      for (const [names, isDirectory] of entries) {
        const path = (n: number) => Buffer.from(`${root}/${names.slice(0, n).join("/")}`, "latin1");
        try {
          fs.mkdirSync(path(names.length - (isDirectory ? 0 : 1)), { recursive: true });
          if (!isDirectory) fs.writeFileSync(path(names.length), "");
        } catch {
          continue; // a file stands where this one needs a directory, or the other way round
        }
        for (let n = 1; n <= names.length; n++) expected.add(names.slice(0, n).join("/"));
      }
      for (const order of [bytewise, componentwise]) {
        const got = await all(root, { order });
        for (let i = 1; i < got.length; i++) assert.ok(order(got[i - 1]!.path, got[i]!.path) < 0);
        const paths = got.map((item) => Buffer.from(item.path).toString("latin1"));
        assert.deepEqual(new Set(paths), expected);
        assert.equal(paths.length, expected.size);
      }
    }),
    { seed: 20240817, numRuns: 60 },
  );
});

test("the root may be a file, or a link, which is followed; links below are not", async (t) => {
  const base = scratch(t);
  fs.mkdirSync(join(base, "d"));
  fs.symlinkSync("..", join(base, "d/up"));
  fs.symlinkSync("loop", join(base, "d/loop"));
  fs.symlinkSync("/etc", join(base, "d/out"));
  fs.symlinkSync("d", join(base, "link"));
  fs.writeFileSync(join(base, "f"), "x");
  assert.deepEqual(await lines(join(base, "link")), [
    "directory ",
    "symlink loop",
    "symlink out",
    "symlink up",
  ]);
  assert.deepEqual(await lines(join(base, "f")), ["file "]);
  assert.deepEqual(await lines(Buffer.from(`${base}/d/`)), [
    "directory ",
    "symlink loop",
    "symlink out",
    "symlink up",
  ]);
  await assert.rejects(all(join(base, "d/loop")), (e) => isTenonError(e, "unsafe") || isTenonError(e, "io"));
  await assert.rejects(all(join(base, "missing")), (e) => isTenonError(e, "not-found"));
  await assert.rejects(all("/dev/null"), (e) => isTenonError(e, "unsupported"));
});

test("sockets, FIFOs and devices are problems, and the walk goes on", async (t) => {
  const root = scratch(t);
  execFileSync("mkfifo", [join(root, "b-fifo")]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, "c-socket"), resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  let device = true;
  try {
    execFileSync("mknod", [join(root, "d-device"), "c", "1", "3"], { stdio: "ignore" });
  } catch {
    device = false;
    t.diagnostic("no permission to make a device node: that part is skipped");
  }
  fs.writeFileSync(join(root, "a"), "");
  fs.writeFileSync(join(root, "e"), "");
  const expected = [
    "directory ",
    "file a",
    "special b-fifo",
    "special c-socket",
    "special d-device",
    "file e",
  ];
  assert.deepEqual(
    await lines(root),
    device ? expected : expected.filter((line) => !line.includes("device")),
  );
});

test("what vanishes or is replaced during the walk is a problem, and the walk goes on", async (t) => {
  const root = scratch(t);
  for (const d of ["b", "c", "d"]) {
    fs.mkdirSync(join(root, d));
    fs.writeFileSync(join(root, d, "x"), "");
  }
  fs.writeFileSync(join(root, "a"), "");
  fs.writeFileSync(join(root, "z"), "");
  const got: string[] = [];
  for await (const item of walk(root, { sameDevice: true })) {
    got.push(`${item.kind === "problem" ? item.code : item.kind} ${Buffer.from(item.path)}`);
    if (got.at(-1) === "file a") fs.rmSync(join(root, "z"));
    if (got.at(-1) === "directory b") fs.rmSync(join(root, "b"), { recursive: true });
    if (got.at(-1) === "directory c") {
      fs.rmSync(join(root, "c"), { recursive: true });
      fs.symlinkSync("/etc", join(root, "c"));
    }
  }
  assert.deepEqual(got, [
    "directory ",
    "file a",
    "directory b",
    "vanished b",
    "directory c",
    "changed c",
    "directory d",
    "file d/x",
    "vanished z",
  ]);
});

test("a directory that can't be listed is a problem, and the walk goes on", async (t: TestContext) => {
  const root = scratch(t);
  fs.mkdirSync(join(root, "a"));
  fs.writeFileSync(join(root, "a/x"), "");
  fs.writeFileSync(join(root, "b"), "");
  if (process.getuid?.() === 0) {
    // Root may read everything; a name that makes the path too long is refused to root too.
    const level = "n".repeat(250);
    const before = process.cwd();
    try {
      process.chdir(join(root, "a"));
      for (let i = 0; i < 17; i++) {
        fs.mkdirSync(level);
        process.chdir(level);
      }
    } finally {
      process.chdir(before);
    }
    const got = await all(root);
    const problem = got.find((item) => item.kind === "problem");
    assert.ok(
      problem?.kind === "problem" && problem.code === "unreadable" && problem.systemCode === "ENAMETOOLONG",
    );
    assert.equal(Buffer.from(got.at(-1)!.path).toString(), "b");
  } else {
    fs.chmodSync(join(root, "a"), 0);
    assert.deepEqual(await lines(root), ["directory ", "directory a", "unreadable a", "file b"]);
  }
});

test("excluded paths are left out with everything below; a signal stops the walk", async (t) => {
  const root = scratch(t);
  fs.mkdirSync(join(root, "skip/me"), { recursive: true });
  fs.writeFileSync(join(root, "skip/me/x"), "");
  fs.writeFileSync(join(root, "keep.o"), "");
  fs.writeFileSync(join(root, "keep.c"), "");
  assert.deepEqual(await lines(root, { exclude: ["skip/", "*.o"] }), ["directory ", "file keep.c"]);
  await assert.rejects(all(root, { exclude: ["["] }), (e) => isTenonError(e, "usage"));
  await assert.rejects(all(root, { signal: AbortSignal.abort() }), (e) => isTenonError(e, "interrupted"));
  const controller = new AbortController();
  await assert.rejects(
    async () => {
      for await (const _ of walk(root, { signal: controller.signal })) controller.abort();
    },
    (e) => isTenonError(e, "interrupted"),
  );
});

test("sameDevice yields mount points as empty directories", async (t) => {
  const root = scratch(t);
  fs.mkdirSync(join(root, "m"));
  fs.writeFileSync(join(root, "z"), "");
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", join(root, "m")], { stdio: "ignore" });
  } catch {
    t.skip("no permission to mount a file system");
    return;
  }
  try {
    fs.writeFileSync(join(root, "m/x"), "");
    assert.deepEqual(await lines(root, { sameDevice: true }), ["directory ", "directory m", "file z"]);
    assert.deepEqual(await lines(root), ["directory ", "directory m", "file m/x", "file z"]);
  } finally {
    execFileSync("umount", [join(root, "m")]);
  }
});
