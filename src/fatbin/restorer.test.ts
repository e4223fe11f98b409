/** The restorer's own Zstandard decoder and its recipes, against Node's and the encoder's, under memory checkers. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { xorshift32 } from "../bytes/testing/random.ts";
import { packCompact } from "./index.ts";
import { inputsOf, lacks, run, Workshop } from "./testing/compiled.ts";
import { type Decoding, RestorerHost } from "./testing/host.ts";

const workshop = new Workshop();
after(() => workshop[Symbol.dispose]());
const isHere = process.platform === "linux" && process.arch === "x64";
const skip = isHere ? lacks("gcc") : "the checkers are built for x86-64 and Linux only";
let host: RestorerHost;
before(() => {
  if (!skip) host = new RestorerHost(workshop.folder);
});

/** Data of many kinds: what Zstandard makes of it uses every kind of block, table and literals. */
function inputs(): Uint8Array[] {
  const next = xorshift32(7);
  const make = (length: number, byte: (i: number) => number) =>
    Uint8Array.from({ length }, (_, i) => byte(i));
  const text = readFileSync(new URL(import.meta.url));
  const program = new Uint8Array(readFileSync("/bin/sh"));
  return [
    new Uint8Array(0),
    new Uint8Array([7]),
    make(5, (i) => i),
    new Uint8Array(300_000),
    make(1000, () => next() & 255),
    make(200_000, () => next() & 255),
    make(3000, () => next() & 1),
    make(70_000, () => (next() % 100 < 97 ? 0 : next() & 255)),
    make(140_000, (i) => (i * i) >>> 9),
    make(60_000, () => Math.min(next() & 255, next() & 255, next() & 255, next() & 255)),
    make(260, () => 32 + (next() % 7)),
    make(1500, (i) => (i % 300 < 290 ? i % 7 : next() & 255)),
    new Uint8Array(text),
    program,
    new Uint8Array(
      Buffer.concat([program, text, program.subarray(1000), make(9000, () => next() & 255), text]),
    ),
  ];
}

const LEVELS = [-50, 1, 3, 6, 9, 13, 16, 19, 22];

function compress(bytes: Uint8Array, level: number, dictionary?: Uint8Array): Uint8Array {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return new Uint8Array(zstdCompressSync(bytes, { params, ...(dictionary && { dictionary }) }));
}

test("frames of every level decode to what was compressed", { skip }, () => {
  const cases = inputs().flatMap((bytes) =>
    LEVELS.map((level) => ({ bytes, source: compress(bytes, level) })),
  );
  const decoded = host.decode(cases.map(({ bytes, source }) => ({ source, bytes: bytes.length })));
  for (const [i, { bytes }] of cases.entries())
    assert.ok(decoded[i] && Buffer.compare(decoded[i], bytes) === 0, `case ${i}`);
});

test("content size and checksum may be there or not", { skip }, () => {
  const bytes = inputs().at(-1)!;
  const cases = [0, 1].flatMap((size) =>
    [0, 1].map((checksum) => ({
      bytes: bytes.length,
      source: new Uint8Array(
        zstdCompressSync(bytes, {
          params: { [constants.ZSTD_c_contentSizeFlag]: size, [constants.ZSTD_c_checksumFlag]: checksum },
        }),
      ),
    })),
  );
  for (const decoded of host.decode(cases)) assert.ok(decoded && Buffer.compare(decoded, bytes) === 0);
});

test("matches reach into a prefix", { skip }, () => {
  const [program, whole] = [inputs().at(-2)!, inputs().at(-1)!];
  const prefixes = [program, program.subarray(5000), whole.subarray(0, 300), inputs()[12]!];
  const cases = prefixes.flatMap((prefix) =>
    LEVELS.map((level) => ({ prefix, bytes: whole.length, source: compress(whole, level, prefix) })),
  );
  for (const [i, decoded] of host.decode(cases).entries())
    assert.ok(decoded && Buffer.compare(decoded, whole) === 0, `case ${i}`);
  // Of another prefix the bytes are wrong, or there is an error: the digest tells.
  const other = program.map((byte) => byte ^ 1);
  for (const decoded of host.decode(
    cases.map((one) => ({ ...one, prefix: other.subarray(0, one.prefix.length) })),
  ))
    assert.ok(decoded === undefined || decoded.length === whole.length);
});

test("another length, cut frames and changed bytes: refused or decoded as by Node, never outside of memory", {
  skip,
}, () => {
  const next = xorshift32(99);
  const cases: Decoding[] = [];
  for (const [n, bytes] of inputs().entries()) {
    for (const level of [1, 9, 19]) {
      const source = compress(bytes, level);
      if (source.length > 60_000) continue;
      cases.push({ source, bytes: bytes.length + 1 }, { source, bytes: Math.max(0, bytes.length - 1) });
      for (let i = 0; i < 60; i++) {
        const changed = source.slice(0, i % 6 === 0 ? next() % source.length : source.length);
        // The tables stand near the beginning; changes there lead farther.
        const among = i % 2 === 0 ? Math.min(60, changed.length) : changed.length;
        for (let change = 0; change < 1 + (i % 3) && among > 0; change++)
          changed[next() % among]! ^= 1 << (next() & 7);
        const prefix = n % 2 === 0 ? {} : { prefix: bytes.subarray(0, next() % 100) };
        cases.push({ source: changed, bytes: bytes.length, ...prefix });
      }
    }
  }
  const decoded = host.decode(cases);
  let refused = 0;
  for (const [i, { source, bytes, prefix }] of cases.entries()) {
    if (decoded[i] === undefined) {
      refused++;
      continue;
    }
    if (prefix !== undefined) continue;
    const expected = decodeWithNode(source, bytes);
    if (expected) assert.ok(Buffer.compare(decoded[i], expected) === 0, `case ${i}`);
  }
  assert.ok(refused > cases.length / 4 && refused < cases.length, `${refused} of ${cases.length}`);
});

function decodeWithNode(source: Uint8Array, bytes: number): Uint8Array | undefined {
  try {
    const decoded = zstdDecompressSync(source, { maxOutputLength: Math.max(1, bytes) });
    return decoded.length === bytes ? new Uint8Array(decoded) : undefined;
  } catch {
    return undefined;
  }
}

function compactFile(compiler: string, options: Readonly<Record<string, readonly string[]>>) {
  const flavours = Object.entries(options).map(
    ([features, flags]) => [features, workshop.compile(`flavour ${features}`, flags, compiler)] as const,
  );
  const inputs = inputsOf(Object.fromEntries(flavours));
  const fat = run(packCompact(inputs, { defaultFlavour: "compressed" }));
  const file = new Uint8Array(Buffer.concat([...fat.pieces()]));
  const payloadOffset = Number(Buffer.from(file.buffer).readBigUInt64LE(128));
  return { fat, file, payloadOffset };
}

test("recipes of compiled programs make the same images as the encoder's own way back", { skip }, () => {
  const { fat, file, payloadOffset } = compactFile("gcc", {
    "": ["-static", "-O2"],
    "x86-64-v2": ["-static", "-O2", "-march=x86-64-v2"],
    "x86-64-v3": ["-static", "-O3", "-march=x86-64-v3"],
    aes: ["-O2", "-fPIE", "-pie"],
  });
  const made = host.make(fat.manifest.flavours.map((_, flavour) => ({ file, payloadOffset, flavour })));
  // The digest was compared there.
  for (const image of made) assert.ok(image);
});

test("recipes of AArch64 programs", { skip: skip || lacks("aarch64-linux-gnu-gcc") }, () => {
  const { fat, file, payloadOffset } = compactFile("aarch64-linux-gnu-gcc", {
    "": ["-static", "-O2"],
    lse: ["-static", "-O2", "-march=armv8-a+lse"],
    sve: ["-O2", "-fPIE", "-pie", "-march=armv8.2-a+sve"],
  });
  for (const image of host.make(
    fat.manifest.flavours.map((_, flavour) => ({ file, payloadOffset, flavour })),
  ))
    assert.ok(image);
});

test("changed recipes are refused, never followed outside of memory", { skip }, () => {
  const { fat, file, payloadOffset } = compactFile("gcc", { "": ["-O2"], avx2: ["-O2", "-mavx2"] });
  const next = xorshift32(5);
  const requests = fat.manifest.flavours.flatMap(({ recipe }, flavour) =>
    Array.from({ length: 250 }, (_, i) => {
      const changed = file.slice();
      // The header is where lengths, counts and places are.
      const among = i % 2 === 0 ? 56 + 32 : recipe!.bytes;
      for (let n = 0; n <= i % 2; n++) changed[recipe!.offset + (next() % among)]! ^= 1 << (next() & 7);
      return { file: changed, payloadOffset, flavour };
    }),
  );
  const made = host.make(requests);
  const refused = made.filter((image) => image === undefined).length;
  assert.ok(refused > requests.length * 0.8, `${refused} of ${requests.length} refused`);
});
