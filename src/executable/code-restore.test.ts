import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { equalBytes } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import { scanX86_64Pieces, X86_64_RIP32, x86_64Kind } from "../isa/index.ts";
import { instantiateKernel } from "../kernels/index.ts";
import { operandNumbers } from "./code-operands.ts";
import { CodeRestorer } from "./code-restore.ts";
import { CodeRestorerTwin } from "./code-restore-twin.ts";
import { type CodedStreams, Stream, StreamReaders } from "./code-streams.ts";
import { PieceKind } from "./index.ts";
import { contextOf } from "./references-contexts.ts";
import { ABSOLUTE32_BLANK } from "./references-kinds.ts";
import { codeByte, realPieces, writeChanges, writeFresh } from "./testing/x86-64-code.ts";
import { ReferenceKind } from "./types.ts";

const seed = { seed: 20261121 };

const streamNumbers = Object.values(Stream);

/** What a restorer makes of streams, or says of them. */
function outcome(streams: CodedStreams, restore: (sources: StreamReaders) => unknown) {
  const sources = new StreamReaders(streams);
  try {
    const made = restore(sources);
    return { made, left: streamNumbers.map((number) => sources.of(number).remaining) };
  } catch (error) {
    if (!isTenonError(error, "invalid")) throw error;
    return { error: error.message };
  }
}

/** Between pieces lie others that are there already. */
const GAP = 3;

/** Where pieces of such lengths go. */
function places(lengths: readonly number[]) {
  let at = 0;
  const offsets = lengths.map((length) => {
    const offset = at;
    at += length + GAP;
    return offset;
  });
  return { offsets, blanked: new Uint8Array(at).fill(0xcc) };
}

/** The same in code that was made: fields as the scan finds them. */
function scannedFields(
  blanked: Uint8Array,
  offsets: number[],
  lengths: readonly number[],
  absolute: boolean,
) {
  const begins = Uint32Array.from(offsets);
  const ends = begins.map((begin, i) => begin + lengths[i]!);
  const scanned = scanX86_64Pieces(blanked, begins, ends, { absolute, absoluteBlank: ABSOLUTE32_BLANK });
  return [...scanned.fieldOffsets].map((offset, i) => {
    const shape = scanned.fieldShapes[i]!;
    const kind = x86_64Kind(shape) <= X86_64_RIP32 ? ReferenceKind.pc32 : ReferenceKind.abs32;
    return [offset, kind, shape >> 4, contextOf(kind, offset, PieceKind.code, 0, blanked)];
  });
}

/** Of the last call of `checkFresh`: how many pieces were no twin's. */
let madeByKernel = 0;

/** Kernel and twin make the same of streams; and the fields are those that a scan finds. */
function checkFresh(streams: CodedStreams, lengths: readonly number[], absolute: boolean) {
  const twin = outcome(streams, (sources) => {
    const { offsets, blanked } = places(lengths);
    const restorer = new CodeRestorerTwin(sources);
    for (const [i, at] of offsets.entries()) restorer.fresh(blanked.subarray(at, at + lengths[i]!));
    return blanked;
  });
  const own = outcome(streams, (sources) => {
    const { offsets, blanked } = places(lengths);
    const restorer = new CodeRestorer(sources, { blanked, pieces: lengths.length, absolute });
    for (const [i, at] of offsets.entries()) restorer.fresh(i, at, lengths[i]!);
    restorer.flush();
    const { isKnown, count, offset, kind, shape, context } = restorer.finish();
    const known = offsets.filter((_, i) => isKnown[i] === 1);
    const knownLengths = lengths.filter((_, i) => isKnown[i] === 1);
    madeByKernel = known.length;
    const fields = [...offset.subarray(0, count)].map((at, i) => [at, kind[i], shape[i], context[i]]);
    assert.deepEqual(fields, scannedFields(blanked, known, knownLengths, absolute));
    return blanked;
  });
  assert.deepEqual(own, twin);
  return twin;
}

/** The same of changed pieces, which together have at most so many bytes. */
function checkChanges(
  streams: CodedStreams,
  bases: readonly Uint8Array[],
  mostBytes: number,
  absolute: boolean,
) {
  const restoreAll = (
    restore: (base: Uint8Array, piece: number, at: number, bytes: Uint8Array) => unknown[],
  ) => {
    const bytes = new Uint8Array(mostBytes);
    const pieces: unknown[] = [];
    let at = 0;
    for (const [i, base] of bases.entries()) {
      const [end, delta] = restore(base, i, at, bytes) as [number, unknown];
      pieces.push({ code: bytes.slice(at, end), delta });
      at = end;
    }
    return pieces;
  };
  const twin = outcome(streams, (sources) => {
    const restorer = new CodeRestorerTwin(sources);
    return restoreAll((base, _, at, bytes) => {
      let end = at;
      const delta = restorer.change(base, mostBytes - at, (length) => {
        end = at + length;
        return bytes.subarray(at, end);
      });
      return [end, delta];
    });
  });
  const own = outcome(streams, (sources) => {
    const restorer = new CodeRestorer(sources, {
      blanked: new Uint8Array(0),
      pieces: bases.length,
      absolute,
    });
    const begins: number[] = [];
    const lengths: number[] = [];
    let made = new Uint8Array(0);
    const pieces = restoreAll((base, piece, at, bytes) => {
      made = bytes as Uint8Array<ArrayBuffer>;
      let end = at;
      const delta = restorer.change({ piece, offset: at, mostBytes: mostBytes - at }, base, (length) => {
        end = at + length;
        return bytes.subarray(at, end);
      });
      begins.push(at);
      lengths.push(end - at);
      return [end, delta];
    });
    const { isKnown, count, offset, kind, shape, context } = restorer.finish();
    const known = begins.filter((_, i) => isKnown[i] === 1);
    const knownLengths = lengths.filter((_, i) => isKnown[i] === 1);
    madeByKernel = known.length;
    const fields = [...offset.subarray(0, count)].map((at, i) => [at, kind[i], shape[i], context[i]]);
    assert.deepEqual(fields, scannedFields(made, known, knownLengths, absolute));
    return pieces;
  });
  assert.deepEqual(own, twin);
  return twin;
}

/** Bytes as `codeByte` has them; blank addresses. */
const codeBytes = fc.oneof(
  { weight: 3, arbitrary: codeByte.map((byte) => [byte]) },
  fc.constantFrom(
    [0xe8, 0, 0, 0, 0],
    [0x0f, 0x84, 0, 0, 0, 0],
    [0xc7, 0xf8, 0, 0, 0, 0],
    [0x8b, 0x05, 0, 0, 0, 0],
    [0xb8, 0xc7, 0xa9, 0xb1, 0x5e],
    [0x8b, 0x04, 0x25, 0xc7, 0xa9, 0xb1, 0x5e],
  ),
);
const randomCode = fc.array(codeBytes, { maxLength: 100 }).map((bytes) => Uint8Array.from(bytes.flat()));

test("restoring: the kernel makes what its twin makes, of random bytes", () => {
  fc.assert(
    fc.property(fc.array(randomCode, { maxLength: 6 }), fc.boolean(), (pieces, absolute) => {
      const lengths = pieces.map((piece) => piece.length);
      const { made } = checkFresh(writeFresh(pieces), lengths, absolute);
      const { offsets } = places(lengths);
      for (const [i, piece] of pieces.entries())
        assert.ok(equalBytes((made as Uint8Array).subarray(offsets[i], offsets[i]! + piece.length), piece));
    }),
    { ...seed, numRuns: 3000 },
  );
});

const edits = fc.array(fc.tuple(fc.nat(119), codeBytes, fc.nat(3)), { maxLength: 5 });
const changedCode = fc
  .tuple(randomCode, randomCode, edits, fc.boolean())
  .map(([source, other, changes, strange]) => {
    const bytes = [...source];
    for (const [at, put, removed] of changes) bytes.splice(Math.min(at, bytes.length), removed, ...put);
    return { source, target: strange ? other : Uint8Array.from(bytes) };
  });

test("restoring: the kernel makes what its twin makes, of random bytes by others", () => {
  fc.assert(
    fc.property(fc.array(changedCode, { maxLength: 4 }), fc.boolean(), (pairs, absolute) => {
      const sources = pairs.map(({ source }) => source);
      const targets = pairs.map(({ target }) => target);
      const most = targets.reduce((sum, target) => sum + target.length, 0);
      const { made } = checkChanges(writeChanges(sources, targets), sources, most, absolute);
      const codes = (made as { code: Uint8Array }[]).map(({ code }) => code);
      assert.deepEqual(codes, targets);
    }),
    { ...seed, numRuns: 4000 },
  );
});

const real = realPieces();
const none = { skip: real.length === 0 && "no x86-64 compiler, no installed program" };

test("restoring: the kernel makes what its twin makes, of real code", none, () => {
  const lengths = real.map((piece) => piece.length);
  const streams = writeFresh(real);
  for (const absolute of [false, true]) {
    checkFresh(streams, lengths, absolute);
    assert.equal(madeByKernel, real.length);
  }
});

/** Neighbours in length: mostly alike in parts only. */
const sorted = real.toSorted((a, b) => a.length - b.length);

test("restoring: the kernel makes what its twin makes, of real code by other code", none, () => {
  const sources = sorted.slice(0, -1);
  const targets = sorted.slice(1);
  const most = targets.reduce((sum, target) => sum + target.length, 0);
  const { made } = checkChanges(writeChanges(sources, targets), sources, most, true);
  assert.equal(madeByKernel, targets.length);
  for (const [i, { code }] of (made as { code: Uint8Array }[]).entries())
    assert.ok(equalBytes(code, targets[i]!));
});

test("restoring: pieces longer than the kernel takes, and more streams than its windows hold", () => {
  const block = (bytes: number) => {
    const code = new Uint8Array(bytes);
    for (let i = 0; i < code.length; i++) code[i] = [0x8b, 0x44, 0x24, i & 0x7f, 0x75, 5][i % 6]!;
    return code;
  };
  const pieces = [
    ...new Array(40).fill(block(60_000)),
    block(300_000),
    block(100),
    block(262_144),
    block(200_000),
  ];
  const lengths = pieces.map((piece) => piece.length);
  checkFresh(writeFresh(pieces), lengths, false);
  assert.equal(madeByKernel, pieces.length - 1);
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

test("restoring: of damaged streams the kernel makes or says what its twin does", none, () => {
  const pieces = real.filter((piece) => piece.length > 100).slice(0, 12);
  const streams = writeFresh(pieces);
  const lengths = pieces.map((piece) => piece.length);
  const bases = sorted.filter((piece) => piece.length > 200).slice(0, 8);
  const changes = writeChanges(bases, pieces.slice(0, bases.length));
  let failed = 0;
  fc.assert(
    fc.property(fc.nat(20), fc.nat(), fc.nat(255), fc.boolean(), (stream, at, byte, cut) => {
      const absolute = byte % 2 === 0;
      const results = [
        checkFresh(damage(streams, stream, at, byte, cut), lengths, absolute),
        checkChanges(damage(changes, stream, at, byte, cut), bases, 1 << 16, absolute),
      ];
      for (const result of results) if ("error" in result) failed++;
    }),
    { ...seed, numRuns: 3000 },
  );
  assert.ok(failed > 1000, `${failed} of 6000`);
});

test("restoring: the numbers that the kernel repeats are its twin's", () => {
  const exported = instantiateKernel<Record<string, { value: number }>>("code-restore");
  for (const [name, value] of Object.entries(operandNumbers))
    assert.equal(exported[name]?.value, value, name);
});
