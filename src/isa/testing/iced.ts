/** For tests and benchmarks: comparing the x86-64 decoder with iced-x86, an independent one. */
import { createRequire } from "node:module";
import type * as Iced from "iced-x86";
import { decodePacked, packedDisplacement, packedImmediate } from "../x86-64/decode.ts";
import {
  INSTRUCTION_INVALID,
  INSTRUCTION_LENGTH,
  X86_64_BASED_DISP32,
  X86_64_DISP32,
  X86_64_IMM32,
  X86_64_REL8,
  X86_64_REL32,
  X86_64_RIP32,
} from "../x86-64/layout.ts";

// The package is CommonJS whose exports Node can't see from outside.
export const iced = createRequire(import.meta.url)("iced-x86") as typeof Iced;

export interface Differences {
  /** Instructions that iced accepts; only these are compared. */
  compared: number;
  /** Positions that iced rejects, and how many of them this decoder accepts. */
  rejected: number;
  rejectedAndAccepted: number;
  /** Kind of difference, with the number of cases and the bytes of the first few. */
  readonly classes: Map<string, { count: number; examples: string[] }>;
}

export function noDifferences(): Differences {
  return { compared: 0, rejected: 0, rejectedAndAccepted: 0, classes: new Map() };
}

const EXAMPLES = 4;

/** What iced says of an instruction: length, then kind and offset of the displacement and the immediate. */
function expectation(decoder: Iced.Decoder, instruction: Iced.Instruction): string {
  const offsets = decoder.getConstantOffsets(instruction);
  let displacement = "0@0";
  let immediate = "0@0";
  // A0 to A3 under 67 hold a 4-byte address that this decoder doesn't report.
  const wholeAddress =
    offsets.displacementSize === 8 ||
    (offsets.displacementSize === 4 && instruction.memoryDisplSize === 4 && isWholeAddress(instruction));
  if (offsets.displacementSize === 4 && !wholeAddress) {
    let kind = X86_64_BASED_DISP32;
    if (instruction.isIpRelMemoryOperand) kind = X86_64_RIP32;
    else if (instruction.memoryBase === iced.Register.None) kind = X86_64_DISP32;
    displacement = `${kind}@${offsets.displacementOffset}`;
  }
  const branches = instruction.op0Kind === iced.OpKind.NearBranch64;
  if (offsets.immediateSize === 4) {
    immediate = `${branches ? X86_64_REL32 : X86_64_IMM32}@${offsets.immediateOffset}`;
  } else if (offsets.immediateSize === 1 && branches) {
    immediate = `${X86_64_REL8}@${offsets.immediateOffset}`;
  }
  offsets.free();
  return `${instruction.length} ${displacement} ${immediate}`;
}

function isWholeAddress(instruction: Iced.Instruction): boolean {
  const { Code } = iced;
  return [
    Code.Mov_AL_moffs8,
    Code.Mov_AX_moffs16,
    Code.Mov_EAX_moffs32,
    Code.Mov_RAX_moffs64,
    Code.Mov_moffs8_AL,
    Code.Mov_moffs16_AX,
    Code.Mov_moffs32_EAX,
    Code.Mov_moffs64_RAX,
  ].includes(instruction.code);
}

/**
 * Compares at every position where iced finds an instruction, up to `limit` of them; where iced finds none, both go
 * one byte on.
 */
export function compareWithIced(
  code: Uint8Array,
  differences: Differences,
  limit = Number.POSITIVE_INFINITY,
): void {
  const decoder = new iced.Decoder(64, code, iced.DecoderOptions.None);
  const instruction = new iced.Instruction();
  let at = 0;
  let compared = 0;
  while (at < code.length && compared < limit) {
    decoder.position = at;
    decoder.decodeOut(instruction);
    const packed = decodePacked(code, at, code.length);
    if (instruction.isInvalid) {
      differences.rejected++;
      if ((packed & INSTRUCTION_INVALID) === 0) differences.rejectedAndAccepted++;
      at++;
      continue;
    }
    compared++;
    const expected = expectation(decoder, instruction);
    const displacement = packedDisplacement(packed);
    const immediate = packedImmediate(packed);
    const field = (f: { kind: number; offset: number }) => (f.kind === 0 ? "0@0" : `${f.kind}@${f.offset}`);
    const flags = (packed & 0xf0) === 0 ? "" : `${packed & 0xf0}+`;
    const got = `${flags}${packed & INSTRUCTION_LENGTH} ${field(displacement)} ${field(immediate)}`;
    if (got !== expected) {
      const name = `${iced.Code[instruction.code]}: iced ${expected}, here ${got}`;
      const entry = differences.classes.get(name) ?? { count: 0, examples: [] };
      entry.count++;
      if (entry.examples.length < EXAMPLES) {
        entry.examples.push(Buffer.from(code.subarray(at, at + 15)).toString("hex"));
      }
      differences.classes.set(name, entry);
    }
    at += instruction.length;
  }
  differences.compared += compared;
  instruction.free();
  decoder.free();
}
