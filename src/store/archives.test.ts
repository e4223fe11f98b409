/** Archives made by the programs that people use come back byte for byte, taken apart or not. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { noise } from "../bytes/testing/random.ts";
import { has, roundTrip, scratchRepository, writeFiles } from "./testing/repository.ts";

async function sampleTree(directory: string): Promise<string> {
  const source = join(directory, "source");
  await writeFiles(source, {
    "bin/tool": readFileSync("/bin/ls"),
    empty: "",
    small: "a few bytes\n",
    edge: noise(512, 3),
    "over-the-edge": noise(513, 4),
    [`long/${"n".repeat(120)}/${"m".repeat(130)}`]: noise(3000, 5),
    "r\u00e9sum\u00e9": noise(200_000, 6),
  });
  await mkdir(join(source, "nothing"));
  await chmod(join(source, "bin/tool"), 0o4755);
  await symlink("bin/tool", join(source, "link"));
  execFileSync("ln", [join(source, "small"), join(source, "hard")]);
  execFileSync("sh", [
    "-c",
    `truncate -s 3M ${source}/holes && printf x | dd of=${source}/holes bs=1 seek=1000000 conv=notrunc status=none`,
  ]);
  return source;
}

const TARS: readonly (readonly [name: string, program: string, ...args: string[]])[] = [
  ["gnu", "tar", "--format=gnu"],
  ["pax", "tar", "--format=pax"],
  ["oldgnu-sparse", "tar", "--format=oldgnu", "--sparse"],
  ["pax-sparse", "tar", "--format=pax", "--sparse"],
  ["bsd-pax", "bsdtar", "--format=pax"],
  ["bsd-ustar-like", "bsdtar", "--format=gnutar"],
];

test("tar archives of all kinds are taken apart and come back", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const source = await sampleTree(directory);
  for (const [name, program, ...args] of TARS) {
    if (!has(program)) {
      t.diagnostic(`${program} is not installed: ${name} skipped`);
      continue;
    }
    const path = join(directory, `${name}.tar`);
    execFileSync(program, [...args, "-cf", path, "-C", source, "."]);
    assert.equal((await roundTrip(repository, path, name)).representation, "tar");
  }
  // The same files in six archives: their content is there once.
  const { storedBytes } = await repository.stats();
  const once = noise(200_000, 6).length + 150_000;
  assert.ok(storedBytes < once, `${storedBytes} bytes`);
});

/** A header block with a right checksum. */
function header(name: string, size: string | Buffer, typeflag = "0"): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0, "latin1");
  block.write("0000644\0", 100);
  if (typeof size === "string") block.write(size, 124);
  else size.copy(block, 124);
  block.write("        ", 148);
  block.write(typeflag, 156);
  block.write("ustar\x0000", 257, "latin1");
  block.write(
    `${block
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  return block;
}

const base256 = (...bytes: number[]) => Buffer.concat([Buffer.from(bytes), Buffer.alloc(12 - bytes.length)]);

test("odd and hostile tar archives come back too", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const data = noise(1024, 1);
  const end = Buffer.alloc(1024);
  const odd: Record<string, Buffer> = {
    "huge size": Buffer.concat([header("f", "77777777777"), data, end]),
    "negative size": Buffer.concat([header("f", base256(0xff, 0xff)), data, end]),
    "base 256": Buffer.concat([
      header("f", Buffer.concat([base256(0x80).subarray(0, 10), Buffer.from([4, 0])])),
      data,
      end,
    ]),
    "base 256 beyond all": Buffer.concat([header("f", Buffer.alloc(12, 0x80)), data, end]),
    "not a number": Buffer.concat([header("f", "zzz"), data, end]),
    "names with NUL and ..": Buffer.concat([header("../../etc/passwd\0/x", "00000002000"), data, end]),
    "cut in the data": Buffer.concat([header("f", "00000002000"), data.subarray(0, 700)]),
    "cut in the header": Buffer.concat([header("f", "00000002000"), data, header("g", "0").subarray(0, 100)]),
    "no end": Buffer.concat([header("f", "00000002000"), data]),
    "long garbage behind": Buffer.concat([header("f", "00000002000"), data, end, noise(100_000, 9)]),
    "extension larger than the archive": Buffer.concat([header("x", "77777777777", "x"), data, end]),
    "extension without a member": Buffer.concat([header("x", "00000002000", "x"), data, end]),
    "hard link with a size": Buffer.concat([header("f", "00000002000", "1"), data, end]),
    "two archives": Buffer.concat([
      header("f", "00000002000"),
      data,
      end,
      header("g", "00000002000"),
      data,
      end,
    ]),
  };
  let i = 0;
  for (const [name, content] of Object.entries(odd)) {
    const path = join(directory, `odd-${i++}.tar`);
    writeFileSync(path, content);
    assert.equal((await roundTrip(repository, path, `odd${i}`)).representation, "tar", name);
  }
});

test("damaged archives come back as they are: bits changed at random, seed 7", async (t) => {
  const { repository, directory } = await scratchRepository(t);
  const source = await sampleTree(directory);
  const path = join(directory, "a.tar");
  execFileSync("tar", ["--format=pax", "-cf", path, "-C", source, "--exclude=holes", "--exclude=bin", "."]);
  const whole = readFileSync(path);
  const random = Buffer.from(noise(4096, 7));
  const headers = [...Array(whole.length / 512).keys()].filter(
    (i) => whole.toString("latin1", i * 512 + 257, i * 512 + 262) === "ustar",
  );
  for (let i = 0; i < 15; i++) {
    const changed = Buffer.from(whole);
    for (let j = 0; j < 3; j++) {
      const block = headers[random.readUInt16LE(i * 24 + j * 8) % headers.length]!;
      changed[block * 512 + (random.readUInt16LE(i * 24 + j * 8 + 2) % 512)]! ^=
        1 << (random[i * 24 + j * 8 + 4]! & 7);
    }
    writeFileSync(path, changed);
    await repository.add([path], { ref: `d${i}` });
    assert.ok(Buffer.concat(await Array.fromAsync(repository.cat(`d${i}`))).equals(changed), `variant ${i}`);
  }
});

function debOf(directory: string): string {
  const root = join(directory, "package");
  execFileSync("mkdir", ["-p", join(root, "DEBIAN"), join(root, "usr/bin")]);
  writeFileSync(
    join(root, "DEBIAN/control"),
    "Package: sample\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: x\n",
  );
  writeFileSync(join(root, "usr/bin/thing"), noise(50_000, 8));
  const path = join(directory, "sample.deb");
  execFileSync("dpkg-deb", ["-Zgzip", "--build", "--root-owner-group", root, path]);
  return path;
}

test("ar archives are taken apart: static libraries and packages", async (t: TestContext) => {
  const { repository, directory } = await scratchRepository(t);
  await writeFiles(directory, {
    "o/one.o": noise(5001, 1),
    "o/a-name-that-is-longer-than-sixteen.o": noise(70_000, 2),
    "o/tiny.o": "x",
  });
  const library = join(directory, "lib.a");
  const objects = readdirSync(join(directory, "o")).map((name) => join(directory, "o", name));
  if (has("ar")) {
    execFileSync("ar", ["rcs", library, ...objects]);
    assert.equal((await roundTrip(repository, library, "lib")).representation, "ar");
    const content = readFileSync(library);
    for (const cut of [8, 60, 68, 100, 5000, content.length - 1]) {
      writeFileSync(library, content.subarray(0, cut));
      assert.equal(
        (await roundTrip(repository, library, `cut${cut}`)).representation,
        cut === 8 || cut === 60 ? (cut === 8 ? "inline" : "inline") : cut <= 128 ? "inline" : "ar",
      );
    }
  } else t.diagnostic("ar is not installed: static libraries skipped");
  if (has("dpkg-deb"))
    assert.equal((await roundTrip(repository, debOf(directory), "deb")).representation, "ar");
  else t.diagnostic("dpkg-deb is not installed: packages skipped");
});
