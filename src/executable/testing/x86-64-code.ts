/** x86-64 code for tests of its streams: written to them, of real programs, and made at random. */
import fc from "fast-check";
import { Differ, writeDelta } from "../../delta/index.ts";
import { Alignment } from "../code-alignment.ts";
import { Instructions } from "../code-instructions.ts";
import { pieceBytes } from "../code-library.ts";
import { OperandWriter } from "../code-operands.ts";
import { splitCode } from "../code-split.ts";
import { type CodedStreams, Stream, StreamWriters } from "../code-streams.ts";
import { dissect, PieceKind } from "../index.ts";
import { buildPrograms, installedPrograms } from "./programs.ts";

/** Pieces one behind the other, each by itself. */
export function writeFresh(pieces: readonly Uint8Array[]): CodedStreams {
  const out = new StreamWriters();
  const operands = new OperandWriter(out);
  const code = new Instructions();
  for (const piece of pieces) {
    splitCode(piece, code);
    out.of(Stream.code).raw(code.skeleton.subarray(0, code.skeletonBytes));
    operands.write(code);
  }
  return out.finish();
}

/** Pieces, each by the source in its place. */
export function writeChanges(sources: readonly Uint8Array[], targets: readonly Uint8Array[]): CodedStreams {
  const out = new StreamWriters();
  const operands = new OperandWriter(out);
  const from = new Instructions();
  const to = new Instructions();
  const alignment = new Alignment();
  const differ = new Differ();
  for (const [i, target] of targets.entries()) {
    splitCode(sources[i]!, from);
    splitCode(target, to);
    const base = from.skeleton.subarray(0, from.skeletonBytes);
    const skeleton = to.skeleton.subarray(0, to.skeletonBytes);
    const delta = differ.diff(base, skeleton);
    writeDelta(base, skeleton, delta, {
      numbers: out.of(Stream.deltaNumbers),
      heads: out.of(Stream.deltaHeads),
      copies: out.of(Stream.deltaCopies),
      literals: out.of(Stream.code),
      values: out.of(Stream.deltaValues),
    });
    alignment.align(from, to, delta);
    operands.write(to, from, alignment);
  }
  return out.finish();
}

/** Blanked code of real programs. */
export function realPieces(): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const programs = [...buildPrograms(["stripped", "no-pie", "static"]), ...installedPrograms().slice(0, 1)];
  for (const { bytes } of programs) {
    const dissection = dissect(bytes, { prove: false });
    for (let i = 0; i < dissection.pieces.count; i++)
      if (dissection.pieces.kind[i] === PieceKind.code) pieces.push(pieceBytes(dissection, i));
  }
  return pieces;
}

/** Prefixes, escapes and branches more often than chance has it. */
export const codeByte = fc.oneof(
  fc.nat(255),
  fc.constantFrom(0x0f, 0x38, 0x62, 0x66, 0x67, 0x8f, 0xc4, 0xc5, 0xc7, 0xe8, 0xe9, 0xeb, 0xf0, 0xf2, 0xf6),
  fc.constantFrom(0x40, 0x48, 0x74, 0x75, 0x80, 0x83, 0x84, 0x85, 0x8b, 0x8d, 0xc3, 0x05, 0x44, 0x24, 0x00),
);
