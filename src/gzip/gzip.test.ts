import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import {
  candidates,
  decodeModel,
  encodeModel,
  encoderOf,
  gzipHeaderBytes,
  gzipHint,
  modelName,
} from "./index.ts";
import { deflate, mixedContent } from "./testing/content.ts";

const header = Buffer.from("1f8b08000000000000ff", "hex");
const models = candidates(gzipHint(header));

test("what every model makes inflates to what went in, however it went in, seed 5", () => {
  fc.assert(
    fc.property(
      mixedContent(12),
      fc.constantFrom(...models),
      fc.array(fc.nat(40_000), { maxLength: 4 }),
      (data, model, cuts) => {
        const made = deflate(model, data);
        assert.ok(inflateRawSync(made).equals(data), modelName(model));
        assert.ok(deflate(model, data, cuts).equals(made), `${modelName(model)} cut at ${cuts}`);
      },
    ),
    { seed: 5, numRuns: 150 },
  );
});

/** Beginnings of the digests of what zlib 1.2.13, GNU gzip 1.12, pigz 2.6, Go 1.19 and Node 26 make of `fixedContent`. */
const DIGESTS: Record<string, string> = {
  "chromium 1": "98474c3d42624089",
  "chromium 2": "f8ade79ef3b63598",
  "chromium 3": "915ce41344710256",
  "chromium 4": "d19030606024d5c8",
  "chromium 5": "e2c1d49eda92c39c",
  "chromium 6": "11b8b06b343b6490",
  "chromium 7": "d38d270a0681a12b",
  "chromium 8": "d38d270a0681a12b",
  "chromium 9": "d38d270a0681a12b",
  "zlib 1": "07d43a5d1af01d78",
  "zlib 1 memLevel 9": "a536df9b27053914",
  "gnu 1": "ca9ab0a89e7b4455",
  "pigz 1": "63f845a2d3fe26e2",
  "go 1": "9253bf423dafeb91",
  "zlib 2": "dbd5476966465059",
  "zlib 2 memLevel 9": "b413560e6b45f4c7",
  "gnu 2": "b413560e6b45f4c7",
  "pigz 2": "738bd32014112a12",
  "go 2": "639df887a6ef9c7e",
  "zlib 3": "eac4d5e55023c249",
  "zlib 3 memLevel 9": "100fd86b57f771cd",
  "gnu 3": "3efc8834ecfffda3",
  "pigz 3": "85d2c022c631b4e9",
  "go 3": "473ef4131d0f99e8",
  "zlib 4": "2d3c1d5dea39c1b3",
  "zlib 4 memLevel 9": "09ce615df8f8b5ab",
  "gnu 4": "6c8874e393122e8d",
  "pigz 4": "f09e218f74d7f85c",
  "go 4": "f6e6772c89ce2439",
  "zlib 5": "bf9aab57304391e2",
  "zlib 5 memLevel 9": "4ae49729ce00867c",
  "gnu 5": "92fa177cdcfff505",
  "pigz 5": "ed610afc7fec45d2",
  "go 5": "0847f67eb8a10b45",
  "zlib 6": "7ac3ca8edea18f4a",
  "zlib 6 memLevel 9": "edcc3ba4c53bea50",
  "gnu 6": "a374fac6cbd2d523",
  "pigz 6": "7e2f1407aa6c7450",
  "go 6": "beb422e3a8d4dd7f",
  "zlib 7": "2776061869c94fbb",
  "zlib 7 memLevel 9": "3c34bc183185988a",
  "gnu 7": "cbc37a2297fe2a9c",
  "pigz 7": "6dbb65fd46d2d3ea",
  "go 7": "dc332d52b0fd5fb0",
  "zlib 8": "2776061869c94fbb",
  "zlib 8 memLevel 9": "3c34bc183185988a",
  "gnu 8": "cbc37a2297fe2a9c",
  "pigz 8": "6dbb65fd46d2d3ea",
  "go 8": "dc332d52b0fd5fb0",
  "zlib 9": "2776061869c94fbb",
  "zlib 9 memLevel 9": "3c34bc183185988a",
  "gnu 9": "cbc37a2297fe2a9c",
  "pigz 9": "6dbb65fd46d2d3ea",
  "go 9": "dc332d52b0fd5fb0",
};

function fixedContent(): Uint8Array {
  const part = Buffer.from(
    Array.from({ length: 60_000 }, (_, i) => ((i * i) >> 7) ^ (i % 251 === 0 ? i : 0)),
  );
  return Buffer.concat([part, Buffer.from(part).reverse(), part, part.map((byte) => byte ^ 7)]);
}

test("models make what the programs make, and never something else", () => {
  const data = fixedContent();
  for (const [name, digest] of Object.entries(DIGESTS)) {
    const model = models.find((known) => modelName(known) === name)!;
    assert.equal(sha256(deflate(model, data)).slice(0, 16), digest, name);
  }
});

const PYTHON =
  "import sys,zlib;c=zlib.compressobj(int(sys.argv[1]),8,-15);d=sys.stdin.buffer.read();sys.stdout.buffer.write(c.compress(d)+c.flush())";

test("models make what the installed programs make of real code, where chains are long", (t) => {
  const data = readFileSync(process.execPath).subarray(25 << 20, (25 << 20) + 1_200_000);
  const programs: [program: string, variant: "gnu" | "pigz" | "zlib", args: (level: string) => string[]][] = [
    ["gzip", "gnu", (level) => ["-n", "-c", `-${level}`]],
    ["pigz", "pigz", (level) => ["-n", "-p2", "-c", `-${level}`]],
    ["python3", "zlib", (level) => ["-c", PYTHON, level]],
  ];
  let compared = 0;
  for (const [program, variant, args] of programs) {
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) {
      t.diagnostic(`${program} is not installed: skipped`);
      continue;
    }
    for (const level of [3, 6, 7, 9]) {
      const whole = execFileSync(program, args(`${level}`), { input: data, maxBuffer: 1 << 24 });
      const wanted = variant === "zlib" ? whole : whole.subarray(10, -8);
      const memLevel = variant === "gnu" ? 9 : 8;
      const made = deflate({ variant, level, memLevel, blockBytes: 131072 }, data, [300_001, 700_000]);
      assert.ok(made.equals(wanted), `${program} ${level}`);
      compared++;
    }
  }
  if (compared === 0) t.diagnostic("none of the programs is installed");
  for (const level of [1, 3, 4, 6, 9]) {
    const model = { variant: "chromium", level, memLevel: 8, blockBytes: 131072 } as const;
    assert.ok(deflate(model, data, [300_001]).equals(deflateRawSync(data, { level })), `Node ${level}`);
  }
});

test("a model comes back from a recipe, and unknown ones are refused", () => {
  for (const model of models) {
    const out = new ByteWriter();
    encodeModel(out, model);
    assert.deepEqual(decodeModel(new ByteReader(out.finish(), "model")), model);
  }
  for (const bytes of [
    [0, 6],
    [9, 6],
    [1, 0, 8, 0x80, 0x80, 8],
    [1, 6, 10, 0x80, 0x80, 8],
  ]) {
    assert.throws(() => decodeModel(new ByteReader(Uint8Array.from(bytes), "model")), {
      code: "unsupported",
    });
  }
  for (const model of [
    { variant: "go", level: 10 },
    { variant: "klauspost", level: 6, blockBytes: 0 },
  ] as const) {
    assert.throws(() => encoderOf(model), { code: "unsupported" });
  }
});

test("ends of headers", () => {
  const flags = (flag: number, rest: string) =>
    Buffer.concat([header.subarray(0, 3), Buffer.of(flag), header.subarray(4), Buffer.from(rest, "latin1")]);
  assert.equal(gzipHeaderBytes(flags(0, "x")), 10);
  assert.equal(gzipHeaderBytes(flags(8, "name\0x")), 15);
  assert.equal(gzipHeaderBytes(flags(0x1e, "\x02\0abname\0remark\0crX")), 28);
  for (const bytes of [
    flags(8, "name"),
    flags(4, "\xff\xffab"),
    flags(2, "c"),
    flags(0x20, "xxxx"),
    header.subarray(0, 9),
  ]) {
    assert.equal(gzipHeaderBytes(bytes), undefined);
  }
});
