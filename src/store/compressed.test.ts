/** Streams of encoders that nobody modelled, zlib streams, zip archives: taken apart and made again, or kept with a reason. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deflateRawSync, deflateSync, gzipSync, constants as zlib, zstdCompressSync } from "node:zlib";
import { noise } from "../bytes/testing/random.ts";
import { has, roundTrip, scratchRepository, writeFiles } from "./testing/repository.ts";

const program = readFileSync(process.execPath).subarray(30 << 20, (30 << 20) + 900_000);

test("gzip files of encoders without a model cost corrections, not their content again", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const plain = join(directory, "plain");
  writeFileSync(plain, program);
  await repository.add([plain], { ref: "plain" });
  const before = (await repository.stats()).storedBytes;
  let streams = 0;
  let bytes = 0;
  const settings = [
    { memLevel: 6 },
    { windowBits: 14, level: 9 },
    { strategy: zlib.Z_FIXED, level: 1 },
    { strategy: zlib.Z_FILTERED },
    { level: 4, memLevel: 3 },
  ];
  for (const [i, options] of settings.entries()) {
    const path = join(directory, `odd-${i}.gz`);
    writeFileSync(path, gzipSync(program, options));
    const kept = await roundTrip(repository, path, `odd-${i}`);
    assert.equal(kept.representation, "gzip", JSON.stringify(kept));
    streams++;
    bytes += readFileSync(path).length;
  }
  const cost = (await repository.stats()).storedBytes - before;
  assert.ok(cost < bytes * 0.08 + streams * 1000, `${cost} of ${bytes}`);
  // Members of several encoders, one behind the other; then it comes back after everything was moved.
  const path = join(directory, "several.gz");
  writeFileSync(
    path,
    Buffer.concat([
      gzipSync(program.subarray(0, 300_000), { memLevel: 5 }),
      gzipSync(Buffer.alloc(0)),
      gzipSync(program.subarray(5), { level: 9 }),
      Buffer.alloc(700),
    ]),
  );
  assert.equal((await roundTrip(repository, path, "several")).representation, "gzip");
  await repository.compact({});
  assert.ok(Buffer.concat(await Array.fromAsync(repository.cat("several"))).equals(readFileSync(path)));
  assert.ok((await repository.check({ readData: true })).ok);
});

test("corrections that would take too much are not stored", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const path = join(directory, "odd.gz");
  // Zeros, said by matches of lengths and distances that nobody would take.
  const stored = Buffer.concat([Buffer.from([0, 0x20, 0x4e, 0xdf, 0xb1]), Buffer.alloc(20_000)]);
  const random = Buffer.from(noise(60_000, 5));
  const bits: number[] = [1, 1, 0];
  const send = (value: number, length: number) => {
    for (let i = 0; i < length; i++) bits.push((value >> i) & 1);
  };
  const code = (value: number, length: number) => {
    for (let i = length - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  let contentBytes = 20_000;
  for (let i = 0; i < 20_000; i++) {
    const length = 3 + (random[i * 3]! & 7);
    code(length - 2, 7);
    // Distances from 8193 to 12288: a code of five bits and twelve more.
    code(26, 5);
    send(random.readUInt16LE(i * 3 + 1), 12);
    contentBytes += length;
  }
  code(0, 7);
  const coded = Buffer.alloc(Math.ceil(bits.length / 8));
  for (const [i, bit] of bits.entries()) coded[i >> 3]! |= bit << (i & 7);
  const whole = gzipSync(Buffer.alloc(contentBytes));
  writeFileSync(path, Buffer.concat([whole.subarray(0, 10), stored, coded, whole.subarray(-8)]));
  const kept = await roundTrip(repository, path, "odd");
  assert.equal(kept.representation, "chunks");
  assert.match(kept.declined[0]!.reason, /corrections would take \d+ %/);
});

test("zlib streams", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const path = join(directory, "file.zz");
  const one = deflateSync(program);
  const wrong = Buffer.from(one);
  wrong[one.length - 1]! ^= 1;
  const files: Record<string, Buffer> = {
    node: one,
    fastest: deflateSync(program, { level: 1 }),
    "a wrong checksum": wrong,
    "cut in the checksum": one.subarray(0, one.length - 2),
    "something behind": Buffer.concat([one, noise(900, 3)]),
    small: deflateSync(program.subarray(0, 2000)),
  };
  for (const [name, bytes] of Object.entries(files)) {
    writeFileSync(path, bytes);
    assert.equal((await roundTrip(repository, path, name.replaceAll(" ", "-"))).representation, "zlib", name);
  }
  if (has("python3")) {
    const script = "import sys,zlib;sys.stdout.buffer.write(zlib.compress(open(sys.argv[1],'rb').read()))";
    const plain = join(directory, "plain");
    writeFileSync(plain, program);
    writeFileSync(path, execFileSync("python3", ["-c", script, plain], { maxBuffer: 1 << 24 }));
    assert.equal((await roundTrip(repository, path, "python")).representation, "zlib");
  }
  const others: Record<string, [Buffer, RegExp | undefined]> = {
    truncated: [one.subarray(0, one.length >> 1), /end/],
    "only the first bytes": [Buffer.concat([one.subarray(0, 2), noise(5000, 1)]), undefined],
    "much behind": [Buffer.concat([one, noise(90_000, 3)]), /other data/],
  };
  for (const [name, [bytes, reason]] of Object.entries(others)) {
    writeFileSync(path, bytes);
    const kept = await roundTrip(repository, path, name.replaceAll(" ", "-"));
    assert.equal(kept.representation, "chunks", name);
    if (reason === undefined) assert.deepEqual(kept.declined, [], name);
    else assert.match(kept.declined[0]!.reason, reason, name);
  }
});

const PYTHON_ZIP = `import sys,zipfile
z=zipfile.ZipFile(sys.argv[1],'w',zipfile.ZIP_DEFLATED)
for f in sys.argv[2:]: z.write(f)
z.comment=b'a remark'
z.close()`;

test("zip archives of programs are taken apart", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, {
    "tree/tool": readFileSync("/bin/ls"),
    "tree/lib/text": "a line of text\n".repeat(9000),
    "tree/noise": noise(70_000, 2),
    "tree/tiny": "x",
    "tree/empty": "",
  });
  const cwd = join(directory, "tree");
  const files = ["tool", "lib/text", "noise", "tiny", "empty"];
  const makers: [name: string, program: string, ...args: string[]][] = [
    ["info-zip", "zip", "-q", "-r", "../info-zip.zip", "."],
    ["info-zip-9", "zip", "-q", "-9", "../info-zip-9.zip", ...files],
    ["stored", "zip", "-q", "-0", "../stored.zip", ...files],
    ["python", "python3", "-c", PYTHON_ZIP, "../python.zip", ...files],
    ["jar", "jar", "cf", "../jar.zip", ...files],
    ["bsdtar", "bsdtar", "--format=zip", "-cf", "../bsdtar.zip", ...files],
    ["streamed", "sh", "-c", "cat tool | zip -q - - > ../streamed.zip"],
  ];
  let made = 0;
  for (const [name, maker, ...args] of makers) {
    if (!has(maker) || (name === "streamed" && !has("zip"))) {
      t.diagnostic(`${maker} is not installed: ${name} skipped`);
      continue;
    }
    execFileSync(maker, args, { cwd });
    const kept = await roundTrip(repository, join(directory, `${name}.zip`), name);
    assert.equal(kept.representation, "zip", `${name}: ${JSON.stringify(kept.declined)}`);
    made++;
  }
  if (made < 2) return;
  // The program is there once, as an executable, whatever it was compressed with.
  const { representations } = await repository.stats();
  assert.ok(representations.some(({ name, blobs }) => name === "executable" && blobs === 1));
  assert.ok((await repository.check({ readData: true })).ok);
});

/** An archive with members as they are given; the directory may say something else. */
function zipOf(
  members: readonly {
    name: string;
    method: number;
    data: Buffer;
    at?: number;
    flags?: number;
    says?: number;
  }[],
): Buffer {
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const { name, method, data, at, flags = 0, says } of members) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(data.length, 18);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(flags, 8);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(says ?? data.length, 20);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at ?? offset, 42);
    parts.push(local, Buffer.from(name), data);
    entries.push(entry, Buffer.from(name));
    offset += 30 + name.length + data.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 8);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

test("odd and hostile zip archives come back too", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const data = Buffer.from(noise(3000, 1));
  const text = Buffer.from("words and words again, ".repeat(500));
  const deflated = deflateRawSync(text);
  const inner = zipOf([{ name: "inner", method: 8, data: deflated }]);
  const zeros = deflateRawSync(Buffer.alloc(300 << 20), { level: 1 });
  const odd: Record<string, [Buffer, string, RegExp?]> = {
    "not deflated although it says so": [zipOf([{ name: "f", method: 8, data }]), "zip"],
    "another method": [zipOf([{ name: "f", method: 14, data }]), "zip"],
    encrypted: [zipOf([{ name: "f", method: 8, data, flags: 1 }]), "zip"],
    "bytes behind the stream": [
      zipOf([{ name: "f", method: 8, data: Buffer.concat([deflated, data]) }]),
      "zip",
    ],
    "a zip in a zip": [zipOf([{ name: "z", method: 0, data: inner }]), "zip"],
    preamble: [Buffer.concat([Buffer.from("#!/bin/sh\nexit\n"), inner]), "zip"],
    "zeros behind the end": [Buffer.concat([inner, Buffer.alloc(3000)]), "zip"],
    "much behind the end": [Buffer.concat([inner, Buffer.alloc(100_000)]), "chunks", /there is none/],
    cut: [inner.subarray(0, 150), "chunks", /there is none/],
    "the same data for two": [
      zipOf([
        { name: "a", method: 0, data },
        { name: "b", method: 0, data, at: 0 },
      ]),
      "chunks",
      /overlap/,
    ],
    "reaching into the directory": [
      zipOf([{ name: "a", method: 0, data, says: 4000 }]),
      "chunks",
      /reaches into/,
    ],
    "nothing but an end": [
      Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(200), zipOf([])]),
      "chunks",
      /no members/,
    ],
    bomb: [zipOf([{ name: "zeros", method: 8, data: zeros }]), "zip"],
  };
  for (const [name, [bytes, representation, reason]] of Object.entries(odd)) {
    const path = join(directory, "odd.zip");
    writeFileSync(path, bytes);
    const kept = await roundTrip(repository, path, name.replaceAll(" ", "-"));
    assert.equal(kept.representation, representation, `${name}: ${JSON.stringify(kept.declined)}`);
    if (reason !== undefined) assert.match(kept.declined[0]!.reason, reason, name);
  }
  // The bomb's stream stayed compressed.
  assert.ok((await repository.stats()).storedBytes < 2_000_000);
});

test("archives with bits changed at random come back, seed 31", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const text = Buffer.from("words and words again, ".repeat(300));
  const whole = zipOf([
    { name: "one", method: 8, data: deflateRawSync(text) },
    { name: "two", method: 0, data: Buffer.from(noise(500, 3)) },
    { name: "three", method: 8, data: deflateRawSync(program.subarray(0, 4000), { level: 9 }) },
  ]);
  const random = Buffer.from(noise(4096, 31));
  const path = join(directory, "changed.zip");
  for (let i = 0; i < 25; i++) {
    const changed = Buffer.from(whole);
    for (let j = 0; j < 3; j++) {
      changed[random.readUInt16LE(i * 24 + j * 8) % whole.length]! ^= 1 << (random[i * 24 + j * 8 + 4]! & 7);
    }
    writeFileSync(path, changed);
    await repository.add([path], { ref: `c${i}` });
    assert.ok(Buffer.concat(await Array.fromAsync(repository.cat(`c${i}`))).equals(changed), `variant ${i}`);
  }
});

test("zstd and xz are kept as they are, and say why", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const path = join(directory, "file");
  writeFileSync(path, zstdCompressSync(program));
  const kept = await roundTrip(repository, path, "zstd");
  assert.equal(kept.representation, "chunks");
  assert.deepEqual(
    kept.declined.map(({ representation }) => representation),
    ["zstd"],
  );
  assert.match(kept.declined[0]!.reason, /kept as they are/);
  if (!has("xz")) return;
  writeFileSync(path, execFileSync("xz", ["-c"], { input: program, maxBuffer: 1 << 24 }));
  assert.equal((await roundTrip(repository, path, "xz")).declined[0]?.representation, "xz");
});
