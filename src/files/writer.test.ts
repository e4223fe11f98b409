import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { isTenonError } from "../errors/index.ts";
import { Directory } from "./directory.ts";
import { giveName } from "./naming.ts";
import { openRestorer } from "./restorer.ts";
import { scratch } from "./testing/scratch.ts";
import { startFile, type WriteAt } from "./writer.ts";

const b = (text: string) => Buffer.from(text);

function start(root: string, options: { sparse?: boolean; writeAt?: WriteAt; existing?: "overwrite" } = {}) {
  const directory = Directory.open(b(root));
  const writer = startFile(directory, { name: b("f"), mode: 0o600, ...options });
  directory.release();
  return writer!;
}

test("a file has its name only when it is whole; aborting leaves nothing", async (t) => {
  const root = scratch(t);
  const writer = start(root);
  await writer.write(b("half"));
  const [temporary] = fs.readdirSync(root);
  assert.match(temporary!, /^\.tenon-[0-9a-f]{12}-[0-9a-z]+$/);
  assert.equal(fs.statSync(join(root, temporary!)).mode & 0o777, 0o600);
  await writer.abort();
  assert.deepEqual(fs.readdirSync(root), []);
  await writer.abort();
  await assert.rejects(writer.write(b("x")), (e) => isTenonError(e, "usage"));
  await assert.rejects(writer.commit(), (e) => isTenonError(e, "usage"));
  {
    await using left = start(root);
    await left.write(b("x"));
  }
  assert.deepEqual(fs.readdirSync(root), []);
});

test("aborting in the middle of a write waits for it before it closes the file", async (t) => {
  const root = scratch(t);
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  const writer = start(root, {
    writeAt: async (fd, bytes, at) => {
      await gate;
      return fs.writeSync(fd, bytes, 0, bytes.length, at);
    },
  });
  const writing = writer.write(b("late"));
  const aborting = writer.abort();
  setImmediate(open);
  await aborting;
  await writing;
  assert.equal(writer.lengthBytes, 4);
  assert.deepEqual(fs.readdirSync(root), []);
});

test("what appears meanwhile under the name is not replaced, unless that was asked for", async (t) => {
  const root = scratch(t);
  const careful = start(root);
  const bold = start(root, { existing: "overwrite" });
  fs.writeFileSync(join(root, "f"), "theirs");
  await assert.rejects(careful.commit(), (e) => isTenonError(e, "exists"));
  assert.equal(fs.readFileSync(join(root, "f"), "utf8"), "theirs");
  await bold.write(b("ours"));
  await bold.commit();
  assert.equal(fs.readFileSync(join(root, "f"), "utf8"), "ours");
  assert.deepEqual(fs.readdirSync(root), ["f"]);
});

test("a file system without hard links is checked before a name is given", async (t) => {
  const root = scratch(t);
  const directory = Directory.open(b(root));
  t.after(() => directory.release());
  const failing = (code: string) => () => {
    throw Object.assign(new Error("injected"), { code });
  };
  const names = { from: b("from"), to: b("to"), replace: false };
  fs.writeFileSync(join(root, "from"), "new");
  fs.writeFileSync(join(root, "to"), "old");
  assert.throws(
    () => giveName(directory, names, failing("EPERM")),
    (e) => isTenonError(e, "exists"),
  );
  assert.equal(fs.readFileSync(join(root, "to"), "utf8"), "old");
  fs.unlinkSync(join(root, "to"));
  assert.throws(() => giveName(directory, names, failing("EIO")), { code: "EIO" });
  giveName(directory, names, failing("ENOTSUP"));
  assert.deepEqual(fs.readdirSync(root), ["to"]);
  assert.equal(fs.readFileSync(join(root, "to"), "utf8"), "new");
});

test("sparse files read the same, however they are cut", async (t) => {
  const root = scratch(t);
  const run = fc.record({ zero: fc.boolean(), lengthBytes: fc.integer({ min: 1, max: 20_000 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(run, { maxLength: 6 }),
      fc.integer({ min: 1, max: 30_000 }),
      async (runs, pieceBytes) => {
        const whole = Buffer.concat(runs.map((r) => Buffer.alloc(r.lengthBytes, r.zero ? 0 : 7)));
        // Zeros also inside data, and data that begins with a zero.
        for (let i = 0; i < whole.length; i += 997) whole[i] = 0;
        const writer = start(root, { sparse: true, existing: "overwrite" });
        for (let at = 0; at < whole.length; at += pieceBytes)
          await writer.write(whole.subarray(at, at + pieceBytes));
        assert.equal(writer.lengthBytes, whole.length);
        await writer.commit();
        assert.ok(fs.readFileSync(join(root, "f")).equals(whole));
      },
    ),
    { seed: 11, numRuns: 60 },
  );
});

test("blocks of zeros take no space where the file system has holes", async (t) => {
  const root = scratch(t);
  const hole = 8 << 20;
  const allocated = async (sparse: boolean) => {
    const writer = start(root, { sparse, existing: "overwrite" });
    await writer.write(b("head"));
    await writer.write(new Uint8Array(hole));
    await writer.write(b("tail"));
    await writer.write(new Uint8Array(hole));
    await writer.commit();
    const stat = fs.statSync(join(root, "f"));
    assert.equal(stat.size, 8 + 2 * hole);
    return stat.blocks * 512;
  };
  assert.ok((await allocated(false)) >= hole);
  const probe = fs.openSync(join(root, "probe"), "w");
  fs.ftruncateSync(probe, hole);
  const hasHoles = fs.fstatSync(probe).blocks * 512 < hole;
  fs.closeSync(probe);
  const bytes = await allocated(true);
  if (hasHoles) assert.ok(bytes <= 64 * 1024, `${bytes} bytes are allocated`);
  else t.diagnostic("this file system has no holes");
});

test("a full disk names the file and what to do, and leaves nothing", async (t) => {
  const root = scratch(t);
  for (const code of ["ENOSPC", "EDQUOT", "EIO"]) {
    let left = 10_000;
    const writeAt: WriteAt = (fd, bytes, position) => {
      if (left === 0) throw Object.assign(new Error("injected"), { code });
      const part = Math.min(left, bytes.length);
      left -= part;
      return fs.writeSync(fd, bytes, 0, part, position);
    };
    const restorer = await openRestorer(root, { writeAt });
    const writer = await restorer.file(b("d/f"), { mode: 0o644 });
    await writer!.write(new Uint8Array(6_000));
    const failed = writer!.write(new Uint8Array(6_000));
    await assert.rejects(failed, (e) => {
      assert.ok(isTenonError(e, "io"));
      assert.equal(e.data.path, join(root, "d/f"));
      assert.equal(e.data.systemCode, code);
      if (code !== "EIO") assert.match(e.message, /^writing .*d\/f: .*free some.* or choose another place/);
      return true;
    });
    assert.deepEqual(fs.readdirSync(join(root, "d")), []);
    await assert.rejects(writer!.commit(), (e) => isTenonError(e, "usage"));
    await restorer.close();
  }
});

test("a write that takes only a part is continued; one that takes nothing fails", async (t) => {
  const root = scratch(t);
  const content = Buffer.from(Array.from({ length: 1000 }, (_, i) => i));
  const slow = start(root, {
    writeAt: (fd, bytes, at) => fs.writeSync(fd, bytes, 0, Math.min(7, bytes.length), at),
  });
  await slow.write(content);
  await slow.commit();
  assert.ok(fs.readFileSync(join(root, "f")).equals(content));
  const stuck = start(root, { existing: "overwrite", writeAt: () => 0 });
  await assert.rejects(stuck.write(content), (e) => isTenonError(e, "io"));
  assert.deepEqual(fs.readdirSync(root), ["f"]);
});

test("a file system that is really full", async (t) => {
  const root = scratch(t);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", root], { stdio: "ignore" });
  } catch {
    t.skip("no permission to mount a file system");
    return;
  }
  try {
    for (const lengthBytes of [20_000, 1 << 20]) {
      const writer = start(root);
      await assert.rejects(
        async () => {
          for (let at = 0; at < 1 << 20; at += lengthBytes) await writer.write(new Uint8Array(lengthBytes));
        },
        (e) => isTenonError(e, "io") && e.data.systemCode === "ENOSPC",
      );
      assert.deepEqual(fs.readdirSync(root), []);
    }
  } finally {
    execFileSync("umount", [root]);
  }
});
