import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter, equalBytes } from "../bytes/index.ts";
import { DeltaReader } from "../delta/index.ts";
import { isTenonError } from "../errors/index.ts";
import { Alignment } from "./code-alignment.ts";
import { deltaSources } from "./code-changes.ts";
import { Instructions, LOOKAHEAD_BYTES } from "./code-instructions.ts";
import { OperandReader } from "./code-operands.ts";
import { joinCode, parseSkeleton, parseWhole, splitCode } from "./code-split.ts";
import { type CodedStreams, Stream, StreamReaders } from "./code-streams.ts";
import { codeByte, realPieces, writeChanges, writeFresh } from "./testing/x86-64-code.ts";

const seed = { seed: 20261121 };

function readFresh(streams: CodedStreams, lengths: readonly number[]): Uint8Array[] {
  const sources = new StreamReaders(streams);
  const operands = new OperandReader(sources);
  const stream = sources.of(Stream.code);
  const skeletons = new Uint8Array(stream.remaining + LOOKAHEAD_BYTES);
  skeletons.set(stream.bytes);
  const code = new Instructions();
  const pieces = lengths.map((length) => {
    const from = stream.offset;
    stream.skip(parseSkeleton(skeletons, from, length, code), "code");
    operands.read(code, skeletons, from);
    const piece = new Uint8Array(length);
    joinCode(code, skeletons, from, piece);
    return piece;
  });
  sources.end();
  return pieces;
}

/** A piece by another. */
const writeChange = (source: Uint8Array, target: Uint8Array) => writeChanges([source], [target]);

function readChange(source: Uint8Array, streams: CodedStreams, mostBytes: number): Uint8Array {
  const sources = new StreamReaders(streams);
  const operands = new OperandReader(sources);
  const from = new Instructions();
  const to = new Instructions();
  splitCode(source, from);
  const base = from.skeleton.subarray(0, from.skeletonBytes);
  const streamsOfDelta = deltaSources(sources, Stream.code);
  const delta = new DeltaReader(streamsOfDelta, base.length, mostBytes);
  to.growSkeleton(delta.targetBytes);
  delta.apply(base, streamsOfDelta, to.skeleton);
  to.skeleton.fill(0, delta.targetBytes, delta.targetBytes + LOOKAHEAD_BYTES);
  parseWhole(to, delta.targetBytes, operands.tailBytes(from, delta.targetBytes), mostBytes);
  const alignment = new Alignment();
  alignment.align(from, to, delta);
  operands.read(to, to.skeleton, 0, from, alignment);
  const target = new Uint8Array(to.codeBytes);
  joinCode(to, to.skeleton, 0, target);
  sources.end();
  // Places in the target are places in the source, or none.
  const bytes = alignment.byteDelta(from, to);
  let at = 0;
  for (let i = 0; i < bytes.count; i++) {
    at += bytes.literal[i]! + bytes.copy[i]!;
    assert.ok(bytes.from[i]! + bytes.copy[i]! <= source.length);
  }
  assert.ok(at <= target.length);
  return target;
}

const randomCode = fc.array(codeByte, { maxLength: 120 }).map((bytes) => Uint8Array.from(bytes));

test("operands: any bytes come back, by themselves and by others", () => {
  fc.assert(
    fc.property(fc.array(randomCode, { maxLength: 6 }), (pieces) => {
      const again = readFresh(
        writeFresh(pieces),
        pieces.map((piece) => piece.length),
      );
      for (const [i, piece] of pieces.entries()) assert.ok(equalBytes(again[i]!, piece));
    }),
    { ...seed, numRuns: 3000 },
  );
  const edits = fc.array(fc.tuple(fc.nat(119), fc.nat(255), fc.nat(3)), { maxLength: 5 });
  fc.assert(
    fc.property(randomCode, randomCode, edits, fc.boolean(), (source, other, changes, isStranger) => {
      const bytes = [...source];
      for (const [at, byte, removed] of changes) bytes.splice(Math.min(at, bytes.length), removed, byte);
      const target = isStranger ? other : Uint8Array.from(bytes);
      assert.ok(equalBytes(readChange(source, writeChange(source, target), target.length), target));
    }),
    { ...seed, numRuns: 3000 },
  );
});

const real = realPieces();
const none = { skip: real.length === 0 && "no x86-64 compiler, no installed program" };

test("operands: real code comes back in fewer bytes", none, () => {
  const streams = writeFresh(real);
  const again = readFresh(
    streams,
    real.map((piece) => piece.length),
  );
  let bytes = 0;
  for (const [i, piece] of real.entries()) {
    assert.ok(equalBytes(again[i]!, piece));
    bytes += piece.length;
  }
  const stored = [...streams.values()].reduce((sum, stream) => sum + stream.length, 0);
  assert.ok(stored < 0.95 * bytes, `${stored} bytes for ${bytes}`);
});

test("operands: stack slots that moved, and longer branches, cost few bytes", () => {
  /** mov reg, [rsp + slot]; test; je over the rest; an operation on [rsp + slot + 8], 5 */
  const block = (i: number, slot: number, filler: number) => [
    ...[0x8b, 0x44 | ((i % 8) << 3), 0x24, slot, 0x85, 0xc0 | (i % 7), 0x74, 5 + filler],
    ...[0x83, 0x44 | ((i % 5) << 3), 0x24, slot + 8, 5],
    ...new Array<number>(filler).fill(0x90),
  ];
  const slots = Array.from({ length: 40 }, (_, i) => (i * 24) % 96);
  const source = Uint8Array.from(slots.flatMap((slot, i) => block(i, slot, 0)));
  const target = Uint8Array.from(slots.flatMap((slot, i) => block(i, slot + 16, i % 9 === 0 ? 3 : 0)));
  const streams = writeChange(source, target);
  assert.ok(equalBytes(readChange(source, streams, target.length), target));
  const stored = [...streams.values()].reduce((sum, stream) => sum + stream.length, 0);
  assert.ok(stored < 50, `${stored} bytes`);
});

/** One byte of one stream becomes another, or a stream ends early. */
function damage(streams: CodedStreams, stream: number, at: number, byte: number, cut: boolean): CodedStreams {
  const damaged = new Map([...streams].map(([number, bytes]) => [number, bytes.slice()]));
  const numbers = [...damaged.keys()];
  const number = numbers[stream % numbers.length]!;
  const bytes = damaged.get(number)!;
  if (cut) damaged.set(number, bytes.subarray(0, at % bytes.length));
  else bytes[at % bytes.length] = byte;
  return damaged;
}

test("operands: damaged streams give bytes or a typed error", none, () => {
  const pieces = real.filter((piece) => piece.length > 100).slice(0, 12);
  const fresh = writeFresh(pieces);
  const lengths = pieces.map((piece) => piece.length);
  const change = writeChange(pieces[0]!, pieces[1]!);
  fc.assert(
    fc.property(fc.nat(20), fc.nat(), fc.nat(255), fc.boolean(), (stream, at, byte, cut) => {
      const attempts = [
        () => readFresh(damage(fresh, stream, at, byte, cut), lengths),
        () => readChange(pieces[0]!, damage(change, stream, at, byte, cut), 1 << 16),
      ];
      for (const attempt of attempts) {
        try {
          attempt();
        } catch (error) {
          if (!isTenonError(error, "invalid")) throw error;
        }
      }
    }),
    { ...seed, numRuns: 3000 },
  );
});

test("operands: a word is a varint of its zigzag, or 0 for a blank address", () => {
  // mov eax, 5eb1a9c7; mov eax, -1
  const streams = writeFresh([Uint8Array.from([0xb8, 0xc7, 0xa9, 0xb1, 0x5e, 0xb8, 255, 255, 255, 255])]);
  assert.deepEqual(streams.get(Stream.immediates32), new ByteWriter().u8(0).u8(2).finish());
  assert.deepEqual(streams.get(Stream.code), Uint8Array.of(0xb8, 0xb8));
});
