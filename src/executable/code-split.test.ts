import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { equalBytes } from "../bytes/index.ts";
import { Immediate, partsDisplacementBytes, partsImmediate } from "../isa/index.ts";
import { Instructions, isBranch, LOOKAHEAD_BYTES } from "./code-instructions.ts";
import { pieceBytes } from "./code-library.ts";
import { skeletonOf } from "./code-skeleton.ts";
import { joinCode, parseSkeleton, parseWhole, splitCode } from "./code-split.ts";
import { joinCodeTwin, parseSkeletonTwin, parseWholeTwin, splitCodeTwin } from "./code-split-twin.ts";
import { dissect, PieceKind } from "./index.ts";
import { installedPrograms } from "./testing/programs.ts";

/** Every column as far as it means something. */
function columns(code: Instructions, withOperands: boolean) {
  const { count, start, head, parts, base, displacement, immediate, target, tailBytes } = code;
  const rows: number[][] = [];
  for (let i = 0; i < count; i++) {
    const row = [start[i]!, head[i]!, parts[i]!];
    const hasDisplacement = partsDisplacementBytes(parts[i]!) !== 0;
    if (hasDisplacement) row.push(base[i]!);
    if (withOperands && hasDisplacement) row.push(displacement[i]!);
    const kind = partsImmediate(parts[i]!);
    if (withOperands && kind !== Immediate.other) row.push(immediate[i]!);
    if (withOperands && isBranch(kind)) row.push(target[i]!);
    rows.push(row);
  }
  return { rows, tailBytes, code: start[count], skeleton: head[count] };
}

function padded(skeleton: Uint8Array, behind: number): Uint8Array {
  const bytes = new Uint8Array(skeleton.length + behind + LOOKAHEAD_BYTES);
  bytes.set(skeleton);
  bytes.fill(0x66, skeleton.length, skeleton.length + behind);
  return bytes;
}

/** The kernel's results are the twin's, all the way round. */
function check(code: Uint8Array): void {
  const [own, twin] = [new Instructions(), new Instructions()];
  splitCode(code, own);
  splitCodeTwin(code, twin);
  assert.deepEqual(columns(own, true), columns(twin, true));
  const skeleton = twin.skeleton.slice(0, twin.skeletonBytes);
  assert.ok(equalBytes(own.skeleton.subarray(0, own.skeletonBytes), skeleton));
  assert.ok(equalBytes(skeletonOf(code), skeleton));
  // Another piece may stand behind it in the stream.
  for (const behind of [0, 40]) {
    const stream = padded(skeleton, behind);
    const [ownAgain, twinAgain] = [new Instructions(), new Instructions()];
    assert.equal(parseSkeleton(stream, 0, code.length, ownAgain), skeleton.length);
    assert.equal(parseSkeletonTwin(stream, 0, code.length, twinAgain), skeleton.length);
    assert.deepEqual(columns(ownAgain, false), columns(twinAgain, false));
  }
  const { tailBytes } = twin;
  parseWhole(own, skeleton.length, tailBytes, code.length);
  parseWholeTwin(twin, skeleton.length, tailBytes, code.length);
  assert.deepEqual(columns(own, true), columns(twin, true));
  const outs = [new Uint8Array(code.length), new Uint8Array(code.length)];
  joinCode(own, skeleton, 0, outs[0]!);
  joinCodeTwin(twin, skeleton, 0, outs[1]!);
  for (const out of outs) assert.ok(equalBytes(out, code));
}

test("splitting: the kernel gives what its twin gives, on random bytes", () => {
  const byte = fc.oneof(
    fc.nat(255),
    fc.constantFrom(0x0f, 0x62, 0x66, 0x8f, 0xc4, 0xc5, 0x48, 0xe8, 0xf0, 0x84, 0x05),
  );
  fc.assert(
    fc.property(
      fc.array(byte, { maxLength: 80 }).map((bytes) => Uint8Array.from(bytes)),
      check,
    ),
    { seed: 20261121, numRuns: 4000 },
  );
});

const programs = installedPrograms().slice(0, 2);

test("splitting: the kernel gives what its twin gives, on real code", {
  skip: programs.length === 0 && "no program",
}, () => {
  for (const { bytes } of programs) {
    const dissection = dissect(bytes, { prove: false });
    for (let i = 0; i < dissection.pieces.count; i += 3)
      if (dissection.pieces.kind[i] === PieceKind.code) check(pieceBytes(dissection, i));
  }
});

test("splitting: pieces longer than the kernel takes", () => {
  const code = new Uint8Array(70_000);
  for (let i = 0; i < code.length; i++) code[i] = [0x8b, 0x44, 0x24, i & 0x7f, 0x75, 5][i % 6]!;
  check(code);
  // Skeletons alone are longer as well.
  const longer = new Uint8Array(4 * code.length);
  for (let at = 0; at < longer.length; at += code.length) longer.set(code, at);
  const twin = new Instructions();
  splitCodeTwin(longer, twin);
  assert.ok(equalBytes(skeletonOf(longer), twin.skeleton.subarray(0, twin.skeletonBytes)));
});

test("splitting: a skeleton that ends too early is refused", () => {
  const skeleton = padded(Uint8Array.of(0x8b, 0x44), 0);
  assert.throws(() => parseSkeleton(skeleton, 0, 40, new Instructions()), /ends within a piece/);
});
