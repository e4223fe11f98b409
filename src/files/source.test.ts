import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { openSource, type SourceChange } from "./index.ts";
import { scratch } from "./testing/scratch.ts";

const SIZE = 300_000;

function content(): Buffer {
  return Buffer.from(Array.from({ length: SIZE }, (_, i) => (i * 31) >>> 3));
}

test("a file is read whole, in blocks of any size, both ways", async (t) => {
  const path = join(scratch(t), "f");
  fs.writeFileSync(path, content(), { mode: 0o751 });
  for (const blockBytes of [7_001, 65_536, 100_000, SIZE, SIZE + 1]) {
    for (const sync of [false, true]) {
      await using source = await openSource(path);
      assert.deepEqual([source.sizeBytes, source.mode], [SIZE, 0o751]);
      const parts: Buffer[] = [];
      const block = new Uint8Array(blockBytes);
      for (;;) {
        const got = sync ? source.readSync(block) : await source.read(block);
        if (got === 0) break;
        parts.push(Buffer.from(block.subarray(0, got)));
      }
      assert.ok(parts.slice(0, -1).every((part) => part.length === blockBytes));
      assert.ok(Buffer.concat(parts).equals(content()));
      assert.equal(await source.changed(), undefined);
    }
  }
});

async function changeAfter(
  t: TestContext,
  { readFirst, meanwhile }: { readFirst: number; meanwhile: (path: string) => void },
): Promise<{ change: SourceChange | undefined; lengthBytes: number }> {
  const path = join(scratch(t), "f");
  fs.writeFileSync(path, content());
  fs.utimesSync(path, 1000, 1000);
  const source = await openSource(path);
  let lengthBytes = await source.read(new Uint8Array(readFirst));
  meanwhile(path);
  lengthBytes += await source.read(new Uint8Array(2 * SIZE));
  const change = await source.changed();
  await source.close();
  return { change, lengthBytes };
}

test("growing, shrinking, changing and being replaced are seen", async (t) => {
  const cases: [SourceChange | undefined, number, (path: string) => void][] = [
    [undefined, SIZE, () => {}],
    ["grew", SIZE, (path) => fs.appendFileSync(path, "more")],
    ["shrank", 1000, (path) => fs.truncateSync(path, 500)],
    ["modified", SIZE, (path) => fs.writeFileSync(path, Buffer.alloc(SIZE, 1))],
    [
      "replaced",
      SIZE,
      (path) => {
        fs.writeFileSync(`${path}2`, "other");
        fs.renameSync(`${path}2`, path);
      },
    ],
    ["replaced", SIZE, (path) => fs.unlinkSync(path)],
    [
      "modified",
      SIZE,
      (path) => {
        fs.writeFileSync(path, Buffer.alloc(SIZE, 1));
        fs.unlinkSync(path);
      },
    ],
  ];
  for (const [expected, length, meanwhile] of cases) {
    const got = await changeAfter(t, { readFirst: 1000, meanwhile });
    assert.deepEqual(got, { change: expected, lengthBytes: length });
  }
});

test("a write that puts the modification time back is seen by the change time", async (t) => {
  const { change } = await changeAfter(t, {
    readFirst: 0,
    meanwhile: (path) => {
      fs.writeFileSync(path, Buffer.alloc(SIZE, 1));
      fs.utimesSync(path, 1000, 1000);
    },
  });
  assert.equal(change, "modified");
});

test("a file that shrank while read and grew again has shrunk", async (t) => {
  const path = join(scratch(t), "f");
  fs.writeFileSync(path, content());
  await using source = await openSource(path);
  fs.truncateSync(path, 10);
  assert.equal(source.readSync(new Uint8Array(100)), 10);
  fs.truncateSync(path, SIZE);
  assert.equal(await source.changed(), "shrank");
});

test("a file of /proc, with content but no size, is not taken for empty in silence", async (t) => {
  if (!fs.existsSync("/proc/version")) return t.skip("no /proc");
  await using source = await openSource("/proc/version");
  assert.equal(await source.read(new Uint8Array(100)), 0);
  assert.equal(await source.changed(), "grew");
});

test("what is not a regular file is refused without waiting", async (t) => {
  const root = scratch(t);
  execFileSync("mkfifo", [join(root, "fifo")]);
  fs.mkdirSync(join(root, "dir"));
  fs.writeFileSync(join(root, "file"), "");
  fs.symlinkSync("file", join(root, "link"));
  for (const path of [join(root, "fifo"), join(root, "dir"), join(root, "link"), "/dev/zero"]) {
    await assert.rejects(
      openSource(path),
      (e) => isTenonError(e, "unsupported") && e.data.path === path,
      path,
    );
  }
  await assert.rejects(openSource(join(root, "missing")), (e) => isTenonError(e, "not-found"));
});

test("a name that is not UTF-8, and a source used after closing", async (t) => {
  const path = Buffer.concat([Buffer.from(`${scratch(t)}/`), Buffer.from([0xe9, 0x80])]);
  fs.writeFileSync(path, "x");
  const source = await openSource(path);
  const reading = source.read(new Uint8Array(1));
  await source.close();
  await source.close();
  assert.equal(await reading, 1);
  assert.throws(
    () => source.readSync(new Uint8Array(1)),
    (e) => isTenonError(e, "usage"),
  );
});
