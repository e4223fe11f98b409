import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { noise } from "../bytes/testing/random.ts";
import { layerProbeLines, oneDecimal } from "./ancestor-lines.ts";
import { FingerprintTable, fingerprint } from "./fingerprints.ts";
import { PieceMeter, sumOf } from "./meter.ts";
import { CompressionPool } from "./recompress.ts";

test("a table of fingerprints knows what it was given, and numbers it in order", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ high: fc.integer({ min: 0, max: 3 }), low: fc.integer({ min: 0, max: 40 }) })),
      (prints) => {
        const plain = new FingerprintTable({ numbered: false });
        const numbered = new FingerprintTable({ numbered: true });
        const model = new Map<string, number>();
        for (const print of prints) {
          // Zeros stand for the fingerprint with the low half 1.
          const key = print.high === 0 && print.low === 0 ? "0 1" : `${print.high} ${print.low}`;
          const isNew = !model.has(key);
          if (isNew) model.set(key, model.size);
          assert.equal(plain.add(print), isNew);
          assert.equal(numbered.number(print), model.get(key));
        }
        assert.equal(plain.count, model.size);
      },
    ),
    { seed: 3 },
  );
});

test("a table grows with 200,000 fingerprints, and a copy goes its own way", () => {
  const table = new FingerprintTable({ numbered: true });
  const prints = Array.from({ length: 200_000 }, (_, i) => fingerprint(Uint8Array.of(i, i >> 8, i >> 16)));
  for (const [i, print] of prints.entries()) assert.equal(table.number(print), i);
  const copy = table.copy();
  assert.ok(copy.add(fingerprint(Uint8Array.of(1))));
  assert.equal(copy.count, table.count + 1);
  for (const [i, print] of prints.entries()) if (i % 997 === 0) assert.equal(table.number(print), i);
});

/** What a meter says of a stream that is cut at the given ends and comes in blocks. */
function measured(data: Uint8Array, ends: readonly number[], blockBytes: number) {
  const meter = new PieceMeter(undefined);
  for (let at = 0; at < data.length; at += blockBytes) {
    const block = data.subarray(at, at + blockBytes);
    meter.take(
      block,
      ends.filter((end) => end > at && end <= at + block.length).map((end) => end - at),
    );
  }
  meter.endStream();
  meter.finish();
  return meter.result();
}

test("what a meter counts doesn't depend on the blocks", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3000 }),
      fc.array(fc.integer({ min: 1, max: 3000 })),
      fc.integer({ min: 1, max: 700 }),
      (length, cuts, blockBytes) => {
        const data = new Uint8Array(length).map((_, i) => (i >> 5) & 1);
        const ends = [...new Set(cuts.filter((cut) => cut <= length))].sort((a, b) => a - b);
        const all = ends.at(-1) === length ? ends : [...ends, length];
        const pieces = all.map((end, i) => Buffer.from(data.subarray(all[i - 1] ?? 0, end)).toString("hex"));
        const unique = new Set(pieces);
        assert.deepEqual(measured(data, ends, blockBytes), {
          totalBytes: length,
          uniqueBytes: [...unique].reduce((sum, piece) => sum + piece.length / 2, 0),
          pieces: pieces.length,
          uniquePieces: unique.size,
        });
      },
    ),
    { seed: 9 },
  );
});

test("a piece without end is counted once, whole, and compressed once", async () => {
  const pool = new CompressionPool();
  const meter = new PieceMeter(pool);
  const block = noise(1 << 18, 5);
  for (let turn = 0; turn < 2; turn++) {
    for (let i = 0; i < 40; i++) meter.take(block, []);
    meter.endStream();
  }
  meter.finish();
  await pool.drain();
  const { packedBytes, aloneBytes, ...counts } = meter.result();
  assert.deepEqual(counts, {
    totalBytes: 80 * block.length,
    uniqueBytes: 40 * block.length,
    pieces: 2,
    uniquePieces: 1,
  });
  // Each frame of 1 MiB holds four times the same noise.
  assert.ok(packedBytes! > 10 * block.length && packedBytes! < 10.1 * block.length, `${packedBytes}`);
  assert.equal(aloneBytes, packedBytes);
});

test("packed is zstd of all pieces together, alone of each; small pieces alone are estimated well", async () => {
  const pool = new CompressionPool();
  const words = Array.from({ length: 64 }, (_, i) =>
    Buffer.from(noise(6, 77 + i))
      .toString("hex")
      .slice(0, 3 + (i % 7)),
  );
  const text = (length: number, seed: number) => {
    const choice = noise(length, seed);
    return Buffer.from(
      Array.from(choice, (byte) => words[byte & 63])
        .join(" ")
        .slice(0, length),
    );
  };
  const large = Array.from({ length: 60 }, (_, i) => text(8000, 1 + i));
  const small = Array.from({ length: 4000 }, (_, i) => text(700, 1000 + i));
  for (const [pieces, tolerance] of [
    [large, 0],
    [small, 0.08],
  ] as const) {
    const meter = new PieceMeter(pool);
    for (const piece of pieces) for (let twice = 0; twice < 2; twice++) meter.piece(piece);
    meter.finish();
    await pool.drain();
    const { packedBytes, aloneBytes } = meter.result();
    const alone = pieces.reduce((sum, piece) => sum + zstdCompressSync(piece).length, 0);
    assert.ok(Math.abs(aloneBytes! / alone - 1) <= tolerance + 1e-9, `${aloneBytes} for ${alone}`);
    const together = zstdCompressSync(Buffer.concat(pieces)).length;
    assert.ok(Math.abs(packedBytes! / together - 1) < 0.05, `${packedBytes} for ${together}`);
  }
});

test("a fork has seen what its origin saw, and no more", async () => {
  const pool = new CompressionPool();
  const meter = new PieceMeter(pool);
  meter.piece(noise(5000, 1));
  await pool.drain();
  const fork = meter.fork();
  fork.piece(noise(5000, 1));
  fork.piece(noise(5000, 2));
  for (const each of [meter, fork]) each.finish();
  await pool.drain();
  assert.equal(meter.result().uniqueBytes, 5000);
  assert.equal(fork.result().uniqueBytes, 10_000);
  assert.ok(fork.result().packedBytes! >= 10_000);
  assert.equal(sumOf([meter.result(), fork.result()]).pieces, 4);
});

test("one decimal is printed as C and Rust print it", () => {
  const values = [0, 0.25, 0.75, 1.25, 2.75, 0.05, 0.15, 18.45, 100, 99.95, 1234.25, 0.35];
  const printed = execFileSync("printf", ["%.1f\\n", ...values.map(String)], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  // coreutils' printf rounds a long double, which holds decimals that a double doesn't: only exact values compare.
  const exact = values.filter((value) => Number.isInteger(value * 4));
  const expected = printed
    .trim()
    .split("\n")
    .filter((_, i) => Number.isInteger(values[i]! * 4));
  assert.deepEqual(exact.map(oneDecimal), expected);
  assert.equal(oneDecimal(0.25), "0.2");
  assert.equal(oneDecimal(0.75), "0.8");
});

test("the layer probe's lines", () => {
  const lines = layerProbeLines("cache", {
    layers: 3,
    compressedBytes: 52_428_800,
    uncompressedBytes: 157_286_400,
    chunks: 8300,
    uniqueBytes: 117_964_800,
  });
  assert.deepEqual(lines, [
    "=== chunk-dedup probe over cache ===",
    "layers (gzip blobs) processed : 3",
    "current on-disk (compressed)  : 50.0 MiB  (exact-layer-deduped already)",
    "uncompressed layer bytes      : 150.0 MiB  (8300 chunks, avg 18.5 KiB)",
    "unique chunk bytes            : 112.5 MiB  (75.0% of uncompressed)",
    "==> sub-layer redundancy found by chunking: 25.0%  (100% - unique/uncompressed)",
    "    note: chunk store holds UNCOMPRESSED unique bytes (112.5 MiB) vs current",
    "    compressed on-disk (50.0 MiB) — chunk-CDN only nets storage if per-chunk",
    "    recompression keeps unique below 50.0 MiB.",
  ]);
});
