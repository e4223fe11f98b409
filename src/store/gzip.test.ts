/** Gzip files of the programs that people use: made again from their content, or kept as they are. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { noise } from "../bytes/testing/random.ts";
import { has, roundTrip, scratchRepository } from "./testing/repository.ts";

/** Something of everything: text, machine code, noise, long runs. */
function sample(lengthBytes: number): Buffer {
  const program = readFileSync(process.execPath);
  const parts: Uint8Array[] = [];
  for (let at = 0, i = 0; at < lengthBytes; i++) {
    const part =
      i % 4 === 0
        ? Buffer.from(
            Array.from({ length: 900 }, (_, n) => `line ${n * i} of ${i}: ${(n * 7919) % 1000}`).join("\n"),
          )
        : i % 4 === 1
          ? program.subarray(i * 40_000, (i + 2) * 40_000)
          : i % 4 === 2
            ? noise(20_000, i)
            : Buffer.alloc(9000, i);
    parts.push(part);
    at += part.length;
  }
  return Buffer.concat(parts).subarray(0, lengthBytes);
}

const PYTHON =
  "import gzip,sys;sys.stdout.buffer.write(gzip.compress(open(sys.argv[2],'rb').read(),int(sys.argv[1]),mtime=0))";

test("streams of gzip, pigz and zlib are made again", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const plain = join(directory, "plain");
  for (const [size, levels] of [
    [200_000, [1, 4, 6, 9]],
    [10, [6]],
    [0, [6]],
  ] as const) {
    writeFileSync(plain, sample(size));
    for (const level of levels) {
      const made: [string, string, string[]][] = [
        ["gzip", "gzip", ["-c", `-${level}`, plain]],
        ["pigz", "pigz", ["-p2", "-c", `-${level}`, plain]],
        ["python3", "python3", ["-c", PYTHON, String(level), plain]],
      ];
      for (const [name, program, args] of made) {
        if (!has(program)) {
          t.diagnostic(`${program} is not installed: skipped`);
          continue;
        }
        const path = join(directory, `${name}-${level}-${size}.gz`);
        writeFileSync(path, execFileSync(program, args, { maxBuffer: 1 << 26 }));
        const kept = await roundTrip(repository, path, `${name}-${level}-${size}`);
        if (size > 200)
          assert.equal(kept.representation, "gzip", `${path}: ${JSON.stringify(kept.declined)}`);
      }
    }
  }
  // 12 files of the same content: it is there once.
  assert.ok((await repository.stats()).storedBytes < 700_000);
});

const GO = `package main
import ("compress/gzip"; "io"; "os"; "strconv")
func main() {
	level, _ := strconv.Atoi(os.Args[1])
	w, _ := gzip.NewWriterLevel(os.Stdout, level)
	io.Copy(w, os.Stdin)
	w.Close()
}`;

test("streams of Go's compress/flate are made again", {
  skip: !has("go") && "go is not installed",
}, async (t) => {
  const { repository, directory } = await scratchRepository(t);
  writeFileSync(join(directory, "main.go"), GO);
  const env = { ...process.env, GO111MODULE: "off", GOCACHE: join(directory, "cache") };
  execFileSync("go", ["build", "-o", join(directory, "gz"), join(directory, "main.go")], { env });
  const version = execFileSync("go", ["version"], { encoding: "utf8" });
  if (Number(/go1\.(\d+)/.exec(version)?.[1]) > 26) {
    t.skip(`${version.trim()} has another encoder`);
    return;
  }
  for (const [level, size] of [
    [-1, 300_000],
    [-2, 100_000],
    [1, 300_000],
    [2, 300_000],
    [3, 300_000],
    [4, 300_000],
    [9, 300_000],
    [6, 3000],
    [1, 3000],
  ] as const) {
    const path = join(directory, `go${level}-${size}.gz`);
    writeFileSync(
      path,
      execFileSync(join(directory, "gz"), [String(level)], { input: sample(size), maxBuffer: 1 << 26 }),
    );
    const kept = await roundTrip(repository, path, `go${level}-${size}`);
    assert.equal(kept.representation, "gzip", `level ${level}: ${JSON.stringify(kept.declined)}`);
  }
});

test("several members, names, comments and what follows", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const content = sample(200_000);
  const one = execFileSync("gzip", ["-9", "-c"], { input: content });
  const two = execFileSync("gzip", ["-1", "-c"], { input: content.subarray(50_000) });
  const comment = Buffer.concat([
    one.subarray(0, 3),
    Buffer.from([0x1e]),
    one.subarray(4, 10),
    Buffer.from("\x03\0abcname\0remark\0xx", "latin1"),
    one.subarray(10),
  ]);
  const wrong = Buffer.from(one);
  wrong[wrong.length - 6]! ^= 1;
  const files: Record<string, Buffer> = {
    "two members": Buffer.concat([one, two]),
    "an empty member between": Buffer.concat([one, execFileSync("gzip", ["-c"], { input: "" }), two]),
    "all that a header may have": comment,
    "a wrong CRC": wrong,
    "trailing zeros": Buffer.concat([one, Buffer.alloc(5000)]),
    "trailing garbage": Buffer.concat([one, noise(500, 1)]),
    "cut in the trailer": one.subarray(0, one.length - 3),
  };
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(directory, "file.gz");
    writeFileSync(path, bytes);
    assert.equal((await roundTrip(repository, path, name.replaceAll(" ", "-"))).representation, "gzip", name);
  }
});

test("what can't be made again is kept as it is, with the reason", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const content = sample(600_000);
  const one = execFileSync("gzip", ["-6", "-c"], { input: content });
  const changed = Buffer.from(one);
  changed[one.length >> 1]! ^= 16;
  const files: Record<string, [Buffer, RegExp]> = {
    truncated: [one.subarray(0, one.length >> 1), /unexpected end|none of those/],
    "a header without end": [
      Buffer.concat([one.subarray(0, 3), Buffer.from([8]), one.subarray(4, 10), Buffer.alloc(200_000, 65)]),
      /header/,
    ],
    "reserved flags": [Buffer.concat([one.subarray(0, 3), Buffer.from([0xe0]), one.subarray(4)]), /header/],
    "much garbage behind": [Buffer.concat([one, noise(100_000, 1)]), /other data/],
  };
  for (const [name, [bytes, reason]] of Object.entries(files)) {
    const path = join(directory, "file.gz");
    writeFileSync(path, bytes);
    const kept = await roundTrip(repository, path, name.replaceAll(" ", "-"));
    assert.equal(kept.representation, "chunks", name);
    assert.match(kept.declined[0]!.reason, reason, name);
  }
  // A damaged stream may still be one; whether or not, it comes back.
  const path = join(directory, "changed.gz");
  writeFileSync(path, changed);
  const { representation } = await roundTrip(repository, path, "changed");
  assert.ok(["gzip", "chunks"].includes(representation));
});

test("a gzip stream from standard input is looked into as well, and all comes back after gc and compact", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const plain = sample(150_000);
  const one = execFileSync("gzip", ["-c"], { input: plain });
  const kept: (string | undefined)[] = [];
  async function* stream() {
    yield one;
  }
  await repository.add([{ name: "in", stream: stream() }], {
    ref: "in",
    onEvent: (event) => event.type === "item" && kept.push(event.representation),
  });
  assert.deepEqual(kept, ["gzip"]);
  assert.ok(Buffer.concat(await Array.fromAsync(repository.cat("in"))).equals(one));
  const path = join(directory, "file.gz");
  writeFileSync(path, execFileSync("gzip", ["-9", "-c"], { input: plain }));
  await roundTrip(repository, path, "file");
  await repository.remove("in");
  await repository.remove("in", { history: true }).catch(() => {});
  await repository.compact({});
  assert.ok(Buffer.concat(await Array.fromAsync(repository.cat("file"))).equals(readFileSync(path)));
  assert.ok((await repository.check({ readData: true })).ok);
});

test("a stream from standard input that is read twice counts once", async (t) => {
  const { repository } = await scratchRepository(t);
  // Cut, so that it is kept as chunks after all; above what is read into memory whole.
  const cut = gzipSync(noise(6 << 20, 5), { level: 1 }).subarray(0, -100);
  async function* stream() {
    yield cut;
  }
  const { bytes, files } = await repository.add([{ name: "in", stream: stream() }], { ref: "in" });
  assert.deepEqual([bytes, files], [cut.length, 1]);
  assert.ok(Buffer.concat(await Array.fromAsync(repository.cat("in"))).equals(cut));
});

test("a bomb stays compressed", { skip: !has("gzip") && "gzip is not installed" }, async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const path = join(directory, "bomb.gz");
  execFileSync("sh", ["-c", `head -c 400M /dev/zero | gzip -1 > ${path}`]);
  const kept = await roundTrip(repository, path, "bomb");
  assert.equal(kept.representation, "chunks");
  assert.match(kept.declined[0]!.reason, /expands to more than/);
});
