import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { type ErrorCode, isTenonError } from "../errors/index.ts";
import { addressing } from "./directory.ts";
import { openSource, type RestoreOptions, type Restorer, restoreFile, walk } from "./index.ts";
import { openRestorer } from "./restorer.ts";
import { scratch } from "./testing/scratch.ts";

const b = (text: string) => Buffer.from(text, "latin1");

async function put(restorer: Restorer, path: string, content: string, mode = 0o644): Promise<boolean> {
  const writer = await restorer.file(b(path), { mode });
  await writer?.write(b(content));
  await writer?.commit();
  return writer !== undefined;
}

/** Everything below a directory, as find(1) sees it. */
function listing(root: string): string[] {
  const out = execFileSync("find", [root, "-mindepth", "1", "-printf", "%m %y %P %l\n"], {
    encoding: "latin1",
  });
  return out
    .split("\n")
    .filter(Boolean)
    .map((line) => line.trim())
    .sort();
}

const refused = (code: ErrorCode) => (error: unknown) => isTenonError(error, code);

test("a tree comes back with its modes, read-only directories included", async (t) => {
  const root = join(scratch(t), "new/destination");
  const restorer = await openRestorer(root, { durable: true });
  await restorer.directory(b(""), { mode: 0o700 });
  await restorer.directory(b("ro"), { mode: 0o555 });
  await restorer.directory(b("ro/deep"), { mode: 0o500 });
  assert.equal(await restorer.symlink(b("ro-link"), { target: b("/nowhere/\xff") }), true);
  await put(restorer, "ro/deep/f", "hello", 0o444);
  await put(restorer, "ro/\xff\x80", "strange name");
  await put(restorer, "implied/parent/f", "x", 0o600);
  await restorer.finish();
  assert.deepEqual(listing(root), [
    "444 f ro/deep/f",
    "500 d ro/deep",
    "555 d ro",
    "600 f implied/parent/f",
    "644 f ro/\xff\x80",
    "755 d implied",
    "755 d implied/parent",
    "777 l ro-link /nowhere/\xff",
  ]);
  assert.equal(fs.statSync(root).mode & 0o777, 0o700);
  assert.equal(fs.readFileSync(join(root, "ro/deep/f"), "utf8"), "hello");
});

test("nobody else can look into a directory before the end", async (t) => {
  const root = scratch(t);
  fs.chmodSync(root, 0o711);
  const restorer = await openRestorer(root);
  await restorer.directory(b(""), { mode: 0o777 });
  await restorer.directory(b("d"), { mode: 0o777 });
  await put(restorer, "d/f", "x");
  assert.deepEqual(listing(root), ["644 f d/f", "700 d d"]);
  await restorer.finish();
  assert.deepEqual(listing(root), ["644 f d/f", "777 d d"]);
  assert.equal(fs.statSync(root).mode & 0o777, 0o711, "a destination that was there keeps its mode");
});

test("setuid and setgid are dropped unless they are asked for; sticky stays", async (t) => {
  const root = scratch(t);
  for (const keepSetid of [false, true]) {
    const restorer = await openRestorer(join(root, String(keepSetid)), { keepSetid });
    await restorer.directory(b("d"), { mode: 0o3755 });
    await put(restorer, "f", "x", 0o6755);
    await restorer.finish();
  }
  assert.deepEqual(listing(join(root, "false")), ["1755 d d", "755 f f"]);
  assert.deepEqual(listing(join(root, "true")), ["3755 d d", "6755 f f"]);
});

for (const by of ["descriptor", "path"] as const) {
  const skip = by === "descriptor" && addressing() !== "descriptor" ? "no /proc/self/fd here" : false;

  test(`nothing is written outside (by ${by})`, { skip }, async (t) => {
    const base = scratch(t);
    const root = join(base, "root");
    const outside = join(base, "outside");
    fs.mkdirSync(root);
    fs.mkdirSync(outside);
    fs.writeFileSync(join(outside, "f"), "precious");
    fs.symlinkSync(outside, join(root, "present"));
    fs.symlinkSync("../outside/f", join(root, "leaf"));
    fs.symlinkSync("loop", join(root, "loop"));
    for (const existing of ["error", "overwrite", "skip"] as const) {
      await using restorer = await openRestorer(root, { existing, addressing: by });
      await restorer.symlink(b(`brought-${existing}`), { target: b("../outside") });
      const through = ["present/x", `brought-${existing}/x`, "present/a/b/c", "loop/x"];
      const formed = [
        "../outside/x",
        "/etc/x",
        "a/../../outside/x",
        "a//x",
        "./x",
        "x/.",
        "x/",
        "x\0y",
        "..",
      ];
      for (const path of [...through, ...formed]) {
        await assert.rejects(restorer.file(b(path), { mode: 0o644 }), refused("unsafe"), path);
        await assert.rejects(restorer.directory(b(path), { mode: 0o755 }), refused("unsafe"), path);
        await assert.rejects(restorer.symlink(b(path), { target: b("t") }), refused("unsafe"), path);
      }
      await assert.rejects(restorer.directory(b("present"), { mode: 0o755 }), refused("unsafe"));
      await assert.rejects(restorer.file(b(""), { mode: 0o644 }), refused("unsafe"));
      await assert.rejects(restorer.symlink(b("e"), { target: b("") }), refused("unsafe"));
      await assert.rejects(restorer.symlink(b("e"), { target: b("a\0b") }), refused("unsafe"));
      if (existing === "overwrite") await restorer.finish();
    }
    assert.deepEqual(fs.readdirSync(outside), ["f"]);
    assert.deepEqual(fs.readdirSync(base).sort(), ["outside", "root"]);

    // Overwriting a link replaces the link, not what it points to.
    await using restorer = await openRestorer(root, { existing: "overwrite", addressing: by });
    await put(restorer, "leaf", "new");
    assert.equal(fs.readFileSync(join(outside, "f"), "utf8"), "precious");
    assert.equal(fs.readFileSync(join(root, "leaf"), "utf8"), "new");
    assert.ok(fs.lstatSync(join(root, "leaf")).isFile());
  });

  test(`a directory swapped for a link while it is filled leads nowhere (by ${by})`, { skip }, async (t) => {
    const base = scratch(t);
    const [root, outside, moved] = [join(base, "root"), join(base, "outside"), join(base, "moved")];
    fs.mkdirSync(outside);
    await using restorer = await openRestorer(root, { addressing: by });
    await put(restorer, "d/before", "x");
    const writer = await restorer.file(b("d/during"), { mode: 0o644 });
    fs.renameSync(join(root, "d"), moved);
    fs.symlinkSync(outside, join(root, "d"));
    const rest = async () => {
      await writer!.write(b("y"));
      await writer!.commit();
      await put(restorer, "d/after", "z");
    };
    if (by === "descriptor") {
      await rest();
      assert.deepEqual(fs.readdirSync(moved).sort(), ["after", "before", "during"]);
    } else {
      await assert.rejects(rest(), refused("unsafe"));
    }
    assert.deepEqual(fs.readdirSync(outside), []);
  });
}

test("what exists is kept, replaced or skipped as asked; kinds never change places with directories", async (t) => {
  const run = async (options: RestoreOptions) => {
    const root = scratch(t);
    for (const name of ["f", "l", "other"]) fs.writeFileSync(join(root, name), "old");
    fs.mkdirSync(join(root, "d/sub"), { recursive: true });
    fs.chmodSync(join(root, "d"), 0o711);
    await using restorer = await openRestorer(root, options);
    const results: unknown[] = [];
    const steps: (() => Promise<unknown>)[] = [
      () => put(restorer, "f", "new"),
      () => restorer.symlink(b("l"), { target: b("t") }),
      () => restorer.directory(b("d"), { mode: 0o750 }),
      () => put(restorer, "d", "new"),
      () => restorer.directory(b("other"), { mode: 0o755 }),
      () => restorer.symlink(b("d/sub"), { target: b("t") }),
    ];
    for (const step of steps) results.push(await step().catch((e) => (isTenonError(e) ? e.code : e)));
    await restorer.finish();
    return { results, root: listing(root), f: fs.readFileSync(join(root, "f"), "utf8") };
  };
  const plain = ["644 f f", "644 f l", "644 f other", "711 d d", "755 d d/sub"];
  assert.deepEqual(await run({}), {
    results: ["exists", "exists", undefined, "exists", "exists", "exists"],
    root: plain,
    f: "old",
  });
  assert.deepEqual(await run({ existing: "skip" }), {
    results: [false, false, undefined, false, "exists", false],
    root: plain,
    f: "old",
  });
  assert.deepEqual(await run({ existing: "overwrite" }), {
    results: [true, true, undefined, "exists", "exists", "exists"],
    root: ["644 f f", "644 f other", "750 d d", "755 d d/sub", "777 l l t"],
    f: "new",
  });
});

test("overwriting fills a directory that an earlier restore left read-only", async (t) => {
  const root = scratch(t);
  for (const existing of ["error", "overwrite"] as const) {
    const restorer = await openRestorer(root, { existing });
    await restorer.directory(b("d"), { mode: 0o555 });
    if (existing === "overwrite") assert.equal(fs.statSync(join(root, "d")).mode & 0o777, 0o755);
    await put(restorer, "d/f", existing);
    await put(restorer, `d/${existing}`, "");
    await restorer.finish();
  }
  assert.deepEqual(listing(root), ["555 d d", "644 f d/error", "644 f d/f", "644 f d/overwrite"]);
});

test("a way down longer than the handles kept, and back up", async (t) => {
  const root = scratch(t);
  const deep = Array.from({ length: 150 }, (_, i) => `d${i}`);
  const restorer = await openRestorer(root);
  for (const depth of [150, 149, 20, 140, 1])
    await put(restorer, [...deep.slice(0, depth), "f"].join("/"), String(depth));
  const openFiles = fs.existsSync("/proc/self/fd") ? fs.readdirSync("/proc/self/fd").length : 0;
  assert.ok(openFiles < 150, `${openFiles} open files`);
  await restorer.finish();
  assert.equal(fs.readFileSync(join(root, ...deep, "f"), "utf8"), "150");
  assert.equal(fs.readFileSync(join(root, ...deep.slice(0, 20), "f"), "utf8"), "20");
  await assert.rejects(restorer.directory(b("x"), { mode: 0 }), refused("usage"));
});

test("what is walked and restored is what was there", async (t) => {
  const base = scratch(t);
  const name = fc.constantFrom("a", "a-b", "b", "\xff", "ü", "c.d");
  const entry = fc.record({
    path: fc.array(name, { minLength: 1, maxLength: 3 }),
    kind: fc.constantFrom("file", "directory", "symlink"),
    mode: fc.integer({ min: 0, max: 0o1777 }),
    content: fc.uint8Array({ maxLength: 200 }),
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 20 }), fc.boolean(), async (entries, sparse) => {
      const from = join(base, `from${run}`);
      const to = join(base, `to${run++}`);
      fs.mkdirSync(from);
      for (const { path, kind, mode, content } of entries) {
        const at = b(`${from}/${path.join("/")}`);
        try {
          fs.mkdirSync(b(`${from}/${path.slice(0, -1).join("/")}`), { recursive: true });
          if (kind === "directory") fs.mkdirSync(at);
          else if (kind === "symlink") fs.symlinkSync(b("../x\xff"), at);
          else fs.writeFileSync(at, content, { flag: "wx" });
          // The owner's bits stay, so that the test need not be root.
          if (kind !== "symlink") fs.chmodSync(at, mode | 0o700);
        } catch {
          // Something else stands there already.
        }
      }
      const restorer = await openRestorer(to, { sparse });
      for await (const item of walk(from)) {
        assert.ok(item.kind !== "problem");
        if (item.kind === "directory") await restorer.directory(item.path, item);
        else if (item.kind === "symlink") await restorer.symlink(item.path, { target: item.target! });
        else {
          await using source = await openSource(item.absolute);
          const writer = await restorer.file(item.path, item);
          const bytes = new Uint8Array(item.sizeBytes);
          assert.equal(source.readSync(bytes), item.sizeBytes);
          await writer!.write(bytes);
          await writer!.commit();
          assert.deepEqual(
            fs.readFileSync(b(`${to}/${Buffer.from(item.path).toString("latin1")}`)),
            Buffer.from(bytes),
          );
        }
      }
      await restorer.finish();
      assert.deepEqual(listing(to), listing(from));
    }),
    { seed: 7, numRuns: 25 },
  );
});

test("one file to a place that the user named", async (t) => {
  const root = scratch(t);
  fs.mkdirSync(join(root, "real"));
  fs.symlinkSync("real", join(root, "dir"));
  const write = async (path: string, options: RestoreOptions = {}) => {
    const writer = await restoreFile(path, { mode: 0o755, ...options });
    await writer?.write(b("program"));
    await writer?.commit();
    return writer?.lengthBytes;
  };
  assert.equal(await write(join(root, "dir/f"), { durable: true }), 7);
  assert.deepEqual(listing(join(root, "real")), ["755 f f"]);
  await assert.rejects(write(join(root, "dir/f")), refused("exists"));
  assert.equal(await write(join(root, "dir/f"), { existing: "skip" }), undefined);
  assert.equal(await write(join(root, "dir/f"), { existing: "overwrite" }), 7);
  await assert.rejects(write(join(root, "none/f")), refused("not-found"));
  await assert.rejects(write(`${root}/`), refused("usage"));
  await assert.rejects(write(join(root, "real"), { existing: "overwrite" }), refused("exists"));
  // What would break the machine: devices, and links to them.
  fs.symlinkSync("/dev/null", join(root, "null"));
  await assert.rejects(write(join(root, "null"), { existing: "overwrite" }), refused("exists"));
  await assert.rejects(write("/dev/null", { existing: "overwrite" }), refused("exists"));
  assert.ok(fs.statSync("/dev/null").isCharacterDevice());
});
