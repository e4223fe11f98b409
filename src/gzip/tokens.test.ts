/** Corrections: any deflate stream comes back from its content, and nothing that is damaged does harm. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deflateRawSync, inflateRawSync, constants as zlib } from "node:zlib";
import fc from "fast-check";
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { isTenonError } from "../errors/index.ts";
import {
  decodeModel,
  encodeModel,
  TokenAnalysis,
  type TokenParameters,
  TokenSynthesis,
  tokenParameters,
} from "./index.ts";
import { mixedContent } from "./testing/content.ts";

interface Analysed {
  readonly corrections: Buffer;
  readonly streamBytes: number;
}

function analyse(parameters: TokenParameters, stream: Uint8Array, stepBytes = 1 << 16): Analysed {
  const analysis = new TokenAnalysis(parameters);
  try {
    const pieces: Uint8Array[] = [];
    for (let at = 0; !analysis.isDone; at += stepBytes) {
      pieces.push(...analysis.push(stream.subarray(at, at + stepBytes), at + stepBytes >= stream.length));
    }
    return { corrections: Buffer.concat(pieces), streamBytes: analysis.streamBytes };
  } finally {
    analysis.release();
  }
}

function synthesise(
  parameters: TokenParameters,
  content: Uint8Array,
  corrections: Uint8Array,
  { stepBytes = 1 << 16, mostBytes = Number.POSITIVE_INFINITY } = {},
): Buffer {
  const synthesis = new TokenSynthesis(parameters);
  const made: Buffer[] = [];
  let contentAt = 0;
  let correctionsAt = 0;
  try {
    for (let bytes = 0; bytes <= mostBytes; ) {
      const next = synthesis.next();
      if (next === "done") break;
      if (next === "content") {
        if (contentAt >= content.length) synthesis.end();
        else synthesis.add(content.subarray(contentAt, contentAt + stepBytes));
        contentAt += stepBytes;
      } else if (next === "corrections") {
        const part = corrections.subarray(
          correctionsAt,
          correctionsAt + Math.min(synthesis.correctionRoom, 1000),
        );
        correctionsAt += part.length;
        synthesis.addCorrections(part);
      } else {
        made.push(Buffer.from(next));
        bytes += next.length;
      }
    }
    return Buffer.concat(made);
  } finally {
    synthesis.release();
  }
}

const content = mixedContent(14);

const settings = fc.record({
  level: fc.integer({ min: 0, max: 9 }),
  memLevel: fc.integer({ min: 1, max: 9 }),
  windowBits: fc.integer({ min: 9, max: 15 }),
  strategy: fc.constantFrom(
    zlib.Z_DEFAULT_STRATEGY,
    zlib.Z_FILTERED,
    zlib.Z_HUFFMAN_ONLY,
    zlib.Z_RLE,
    zlib.Z_FIXED,
  ),
});

test("streams of all settings come back, however they are cut, seed 11", () => {
  fc.assert(
    fc.property(
      content,
      settings,
      fc.constantFrom(...tokenParameters),
      fc.integer({ min: 1, max: 70_000 }),
      (plain, options, parameters, stepBytes) => {
        const stream = deflateRawSync(plain, options);
        const behind = Buffer.concat([stream, Buffer.from("what follows")]);
        const { corrections, streamBytes } = analyse(parameters, behind, stepBytes);
        assert.equal(streamBytes, stream.length);
        const again = synthesise(parameters, plain, corrections, { stepBytes });
        assert.ok(again.equals(stream));
      },
    ),
    { seed: 11, numRuns: 120 },
  );
});

test("a stream of real code: nearly nothing is left to correct for the encoder that is guessed", () => {
  const plain = readFileSync(process.execPath).subarray(20 << 20, (20 << 20) + 1_500_000);
  const stream = deflateRawSync(plain);
  const costs: number[] = [];
  for (const parameters of tokenParameters) {
    const { corrections } = analyse(parameters, stream);
    costs.push(corrections.length / stream.length);
    assert.ok(synthesise(parameters, plain, corrections).equals(stream));
    // Blocks of a few symbols: each begins where the content that is known may end. Other content is in the memory.
    const part = plain.subarray(0, 100_000);
    const small = deflateRawSync(part, { memLevel: 1, level: costs.length % 10 });
    const few = analyse(parameters, small).corrections;
    analyse(parameters, deflateRawSync(plain.subarray(700_000)));
    const again = synthesise(parameters, part, few, { stepBytes: 1 + costs.length * 3 });
    assert.ok(again.equals(small));
  }
  assert.ok(Math.min(...costs) < 0.03, `${Math.min(...costs)}`);
});

test("damaged streams are refused, or come back as they are, seed 12", () => {
  let refused = 0;
  fc.assert(
    fc.property(
      content,
      fc.array(fc.tuple(fc.nat(1 << 20), fc.nat(7)), { minLength: 1, maxLength: 4 }),
      fc.constantFrom(...tokenParameters),
      (plain, flips, parameters) => {
        const stream = deflateRawSync(plain);
        for (const [at, bit] of flips) stream[at % stream.length]! ^= 1 << bit;
        let analysed: Analysed;
        try {
          analysed = analyse(parameters, stream);
        } catch (error) {
          assert.ok(isTenonError(error, "invalid"), `${error}`);
          refused++;
          return;
        }
        const { corrections, streamBytes } = analysed;
        let other: Buffer;
        try {
          other = inflateRawSync(stream.subarray(0, streamBytes));
        } catch {
          // A code that leaves bits unused, which zlib doesn't take: nobody gets as far as here with it.
          refused++;
          return;
        }
        const again = synthesise(parameters, other, corrections);
        assert.ok(again.equals(stream.subarray(0, streamBytes)));
      },
    ),
    { seed: 12, numRuns: 200 },
  );
  assert.ok(refused > 20, `${refused} refused`);
});

test("damaged corrections and content give an error or other bytes, and an end, seed 13", () => {
  let failed = 0;
  fc.assert(
    fc.property(
      content,
      fc.array(fc.tuple(fc.nat(1 << 20), fc.nat(7)), { minLength: 1, maxLength: 4 }),
      fc.constantFrom(...tokenParameters),
      fc.boolean(),
      (plain, flips, parameters, isContent) => {
        const stream = deflateRawSync(plain);
        const { corrections } = analyse(parameters, stream);
        const damaged = Buffer.from(isContent ? plain : corrections);
        if (damaged.length === 0) return;
        for (const [at, bit] of flips) damaged[at % damaged.length]! ^= 1 << bit;
        const mostBytes = 4 * stream.length + 1000;
        try {
          synthesise(parameters, isContent ? damaged : plain, isContent ? corrections : damaged, {
            mostBytes,
          });
        } catch (error) {
          assert.ok(isTenonError(error, "damaged"), `${error}`);
          failed++;
        }
      },
    ),
    { seed: 13, numRuns: 200 },
  );
  assert.ok(failed > 20, `${failed} failed`);
});

test("parameters come back from a recipe, and impossible ones are refused", () => {
  for (const parameters of tokenParameters) {
    const out = new ByteWriter();
    encodeModel(out, { ...parameters, correctionBytes: 1234 });
    assert.deepEqual(decodeModel(new ByteReader(out.finish(), "model")), {
      ...parameters,
      correctionBytes: 1234,
    });
  }
  for (const bytes of [
    [6, 5, 1],
    [6, 3, 2],
    [6, 3, 1, 0x83, 2],
  ]) {
    assert.throws(() => decodeModel(new ByteReader(Uint8Array.from(bytes), "model")), { code: "invalid" });
  }
});

/** Content that every release makes anew: numbers, and what repeats. */
function goldenContent(): Buffer {
  const lines = Array.from(
    { length: 3000 },
    (_, i) => `${(i * 7919) % 1009} is number ${i}, ${(i * i) % 97}\n`,
  );
  return Buffer.from(lines.join(""));
}

const golden = (name: string) => readFileSync(new URL(`../../test/golden/${name}`, import.meta.url));

test("golden: corrections of earlier releases make the same stream for ever", () => {
  const plain = goldenContent();
  const stream = golden("deflate-corrections.stream");
  assert.equal(sha256(inflateRawSync(stream)), sha256(plain));
  for (const [i, parameters] of tokenParameters.entries()) {
    const corrections = golden(`deflate-corrections.${i}`);
    assert.ok(synthesise(parameters, plain, corrections).equals(stream), `parameters ${i}`);
  }
});
