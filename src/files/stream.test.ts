import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createWriteStream, existsSync } from "node:fs";
import { Writable } from "node:stream";
import { test } from "node:test";
import { isTenonError } from "../errors/index.ts";
import { writeAll } from "./index.ts";

function* pieces(count: number, lengthBytes: number): Generator<Uint8Array> {
  // One buffer again and again: a stream that kept it would show the wrong bytes.
  const buffer = new Uint8Array(lengthBytes);
  for (let i = 0; i < count; i++) yield buffer.fill(i);
}

test("a slow reader is waited for, piece by piece, and buffers may be reused", async () => {
  const got: Buffer[] = [];
  let inside = 0;
  const slow = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _, done) {
      assert.equal(++inside, 1);
      setTimeout(() => {
        got.push(Buffer.from(chunk));
        inside--;
        done();
      }, 1);
    },
  });
  const result = await writeAll(slow, pieces(20, 100));
  assert.deepEqual(result, { lengthBytes: 2000, readerLeft: false });
  assert.ok(
    Buffer.concat(got).equals(Buffer.concat([...pieces(20, 100)].map((_, i) => Buffer.alloc(100, i)))),
  );
  assert.equal(slow.writableEnded, false);
  assert.equal(slow.listenerCount("error"), 0);
  assert.deepEqual(await writeAll(slow, [new Uint8Array(0)]), { lengthBytes: 0, readerLeft: false });
});

test("a reader that goes away ends the writing without a failure", async () => {
  const program = `
    import { writeAll } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    function* endless() { const b = new Uint8Array(65536); for (;;) yield b; }
    const first = await writeAll(process.stdout, endless());
    const second = await writeAll(process.stdout, endless());
    process.stderr.write(JSON.stringify([first.readerLeft, first.lengthBytes > 0, second.readerLeft]));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.once("data", () => child.stdout.destroy());
  let said = "";
  child.stderr.on("data", (data) => {
    said += data;
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.equal(said, "[true,true,true]");
  assert.equal(code, 0);
});

test("a full device, a failing source and a signal are errors", async (t) => {
  if (existsSync("/dev/full")) {
    const full = createWriteStream("/dev/full");
    await assert.rejects(writeAll(full, pieces(3, 10), { name: "/dev/full" }), (e) => {
      return isTenonError(e, "io") && e.data.systemCode === "ENOSPC" && e.message.includes("/dev/full");
    });
  } else t.diagnostic("no /dev/full");

  const sink = new Writable({ write: (_, __, done) => done() });
  const broken = new Error("broken source");
  await assert.rejects(
    writeAll(
      sink,
      (function* () {
        yield new Uint8Array(1);
        throw broken;
      })(),
    ),
    (e) => e === broken,
  );

  const between = new AbortController();
  const aborting = function* () {
    between.abort();
    yield new Uint8Array(1);
  };
  await assert.rejects(writeAll(sink, aborting(), { signal: between.signal }), (e) => {
    return isTenonError(e, "interrupted");
  });

  const stuck = new Writable({ write() {} });
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 5);
  await assert.rejects(writeAll(stuck, pieces(2, 10), { signal: controller.signal }), (e) => {
    return isTenonError(e, "interrupted");
  });
});
