/**
 * Operands of x86-64 code as streams: those that are foretold as runs of right ones, the others each in the stream of
 * its sort.
 *
 * In fresh code a call and an operand that counts from the instruction pointer are foretold to be blank. In a changed
 * piece each instruction that the delta took from the source foretells its operands: branches lead to the counterpart
 * of where they led, and a stack slot that moved is found again by where it moved before.
 */
import type { ByteReader, ByteWriter } from "../bytes/index.ts";
import { unzigzag, zigzag } from "../delta/index.ts";
import { Immediate, partsDisplacementBytes, partsImmediate } from "../isa/index.ts";
import type { Alignment } from "./code-alignment.ts";
import { BLANK_BRANCH, type Instructions, isBranch, ODD_BRANCH } from "./code-instructions.ts";
import { MAX_OPEN_LABELS, NOTHING, OperandModel } from "./code-operand-model.ts";
import { Stream, type StreamReaders, type StreamWriters } from "./code-streams.ts";
import { ABSOLUTE, CALL, CODE_DATA } from "./references-contexts.ts";
import { ABSOLUTE32_BLANK } from "./references-kinds.ts";
import { ReferenceKind } from "./types.ts";

const CALL_OPCODE = 0xe8;

/**
 * Symbols of branches. From 0 on: labels that were led to and lie ahead, nearest first; then distances ahead and back,
 * in instructions; then labels that were led to, the last one first.
 */
const FORWARD = MAX_OPEN_LABELS;
const BACKWARD = 168;
const BEHIND = 208;
const FAR_FORWARD = 248;
const FAR_BACKWARD = 249;
const BLANK = 250;
const ODD = 251;

/** What the kernel that reads operands repeats, for a test. */
export const operandNumbers: Readonly<Record<string, number>> = {
  ...{ FORWARD, BACKWARD, BEHIND, FAR_FORWARD, FAR_BACKWARD, BLANK, ODD, ABSOLUTE32_BLANK },
  ...{ PC32: ReferenceKind.pc32, ABS32: ReferenceKind.abs32, CALL, CODE_DATA, ABSOLUTE },
};

export class OperandWriter {
  readonly #out: StreamWriters;
  readonly #model = new OperandModel();
  #run = 0;

  constructor(out: StreamWriters) {
    this.#out = out;
  }

  /** True when a foretold value is right. */
  #isHit(foretold: number, value: number): boolean {
    if (foretold === NOTHING) return false;
    if (foretold === value) {
      this.#run++;
      return true;
    }
    this.#out.of(Stream.operandRuns).varint(this.#run);
    this.#run = 0;
    return false;
  }

  /** Writes the operands of a piece, of a changed one by its source. */
  write(code: Instructions, source?: Instructions, alignment?: Alignment): void {
    const model = this.#model;
    const out = this.#out;
    model.begin(source, alignment);
    if (source !== undefined && !this.#isHit(source.tailBytes, code.tailBytes))
      out.of(Stream.branchNumbers).varint(code.tailBytes);
    for (let i = 0; i < code.count; i++) {
      const parts = code.parts[i]!;
      const partner = model.partner(i);
      const displacementBytes = partsDisplacementBytes(parts);
      if (displacementBytes !== 0) {
        const value = code.displacement[i]!;
        const base = code.base[i]!;
        if (!this.#isHit(model.displacement(parts, base, partner), value)) {
          if (displacementBytes === 1) out.of(Stream.displacements8).u8(value & 0xff);
          else writeWord(value, out.of(Stream.displacements32));
        }
        model.learnDisplacement(parts, base, partner, value);
      }
      const kind = partsImmediate(parts);
      if (isBranch(kind)) {
        const isCall = code.skeleton[code.head[i + 1]! - 1] === CALL_OPCODE;
        model.open.pass(i + 1);
        const target = code.target[i]!;
        if (!this.#isHit(model.branch(parts, isCall, partner), target)) {
          if (target === ODD_BRANCH) {
            out.of(Stream.branchSymbols).u8(ODD);
            out.of(Stream.branchNumbers).varint(zigzag(code.immediate[i]!));
          } else this.#branch(target, i);
        }
        model.led(i, target);
      } else if (kind !== Immediate.other) {
        const value = code.immediate[i]!;
        if (!this.#isHit(model.immediate(partner), value)) {
          if (kind === Immediate.byte) out.of(Stream.immediates8).u8(value & 0xff);
          else writeWord(value, out.of(Stream.immediates32));
        }
        model.learnImmediate(partner, value);
      }
    }
  }

  #branch(target: number, instruction: number): void {
    const symbols = this.#out.of(Stream.branchSymbols);
    if (target === BLANK_BRANCH) {
      symbols.u8(BLANK);
      return;
    }
    const numbers = this.#out.of(Stream.branchNumbers);
    const distance = target - instruction - 1;
    if (distance >= 0) {
      const label = this.#model.open.find(target);
      if (label >= 0) symbols.u8(label);
      else if (distance < BACKWARD - FORWARD) symbols.u8(FORWARD + distance);
      else {
        symbols.u8(FAR_FORWARD);
        numbers.varint(distance - (BACKWARD - FORWARD));
      }
      return;
    }
    const label = this.#model.last.find(target);
    if (label >= 0 && label < FAR_FORWARD - BEHIND) symbols.u8(BEHIND + label);
    else if (-distance <= BEHIND - BACKWARD) symbols.u8(BACKWARD - 1 - distance);
    else {
      symbols.u8(FAR_BACKWARD);
      numbers.varint(-distance - 1 - (BEHIND - BACKWARD));
    }
  }
}

/** Displacements and immediates of 4 bytes: 0 for a blank address, else zigzag + 1. */
function writeWord(value: number, out: ByteWriter): void {
  out.varint(value === ABSOLUTE32_BLANK ? 0 : zigzag(value) + 1);
}

function readWord(reader: ByteReader): number {
  const code = reader.varint("operand", 2 ** 32);
  return code === 0 ? ABSOLUTE32_BLANK : unzigzag(code - 1);
}

export class OperandReader {
  readonly #sources: StreamReaders;
  readonly #model = new OperandModel();
  readonly #runs: ByteReader;
  /** Right operands until the next wrong one. */
  run: number;

  constructor(sources: StreamReaders) {
    this.#sources = sources;
    this.#runs = sources.of(Stream.operandRuns);
    this.run = this.#next();
  }

  /** Behind the last wrong one all are right. */
  #next(): number {
    return this.#runs.remaining === 0 ? Number.POSITIVE_INFINITY : this.#runs.varint("run");
  }

  #isHit(foretold: number): boolean {
    if (foretold === NOTHING) return false;
    if (this.run > 0) {
      this.run--;
      return true;
    }
    this.run = this.#next();
    return false;
  }

  /** How many bytes at the end of a changed piece's skeleton are no instruction: to be read before `read`. */
  tailBytes(source: Instructions, skeletonBytes: number): number {
    const tail = this.#isHit(source.tailBytes)
      ? source.tailBytes
      : this.#sources.of(Stream.branchNumbers).varint("tail");
    if (tail > skeletonBytes) throw this.#runs.error("tail", `${tail} bytes at the end of ${skeletonBytes}`);
    return tail;
  }

  /** Fills the operands in. Errors: `invalid` for branches out of the piece. */
  read(
    code: Instructions,
    skeleton: Uint8Array,
    from: number,
    source?: Instructions,
    alignment?: Alignment,
  ): void {
    const model = this.#model;
    const sources = this.#sources;
    const displacements8 = sources.of(Stream.displacements8);
    const displacements32 = sources.of(Stream.displacements32);
    const immediates8 = sources.of(Stream.immediates8);
    const immediates32 = sources.of(Stream.immediates32);
    model.begin(source, alignment);
    for (let i = 0; i < code.count; i++) {
      const parts = code.parts[i]!;
      const partner = model.partner(i);
      const displacementBytes = partsDisplacementBytes(parts);
      if (displacementBytes !== 0) {
        const base = code.base[i]!;
        let value = model.displacement(parts, base, partner);
        if (!this.#isHit(value)) {
          value =
            displacementBytes === 1
              ? (displacements8.u8("displacement") << 24) >> 24
              : readWord(displacements32);
        }
        code.displacement[i] = value;
        model.learnDisplacement(parts, base, partner, value);
      }
      const kind = partsImmediate(parts);
      if (isBranch(kind)) {
        const isCall = skeleton[from + code.head[i + 1]! - 1] === CALL_OPCODE;
        model.open.pass(i + 1);
        let target = model.branch(parts, isCall, partner);
        if (!this.#isHit(target)) target = this.#branch(code, i);
        code.target[i] = target;
        if (target !== ODD_BRANCH) {
          const distance = target === BLANK_BRANCH ? 0 : code.start[target]! - code.start[i + 1]!;
          if (kind === Immediate.shortBranch && (target < 0 || distance !== (distance << 24) >> 24))
            throw this.#runs.error("branch", "a short branch to afar");
          code.immediate[i] = distance;
        }
        model.led(i, target);
      } else if (kind !== Immediate.other) {
        let value = model.immediate(partner);
        if (!this.#isHit(value))
          value =
            kind === Immediate.byte ? (immediates8.u8("immediate") << 24) >> 24 : readWord(immediates32);
        code.immediate[i] = value;
        model.learnImmediate(partner, value);
      }
    }
  }

  /** The instruction that a branch leads to; the distance of an odd one is put into its place. */
  #branch(code: Instructions, instruction: number): number {
    const symbols = this.#sources.of(Stream.branchSymbols);
    const numbers = this.#sources.of(Stream.branchNumbers);
    const symbol = symbols.u8("branch");
    if (symbol === BLANK) return BLANK_BRANCH;
    if (symbol === ODD) {
      code.immediate[instruction] = unzigzag(numbers.varint("branch", 2 ** 32));
      return ODD_BRANCH;
    }
    let target: number;
    if (symbol < FORWARD) target = this.#model.open.get(symbol);
    else if (symbol < BACKWARD) target = instruction + 1 + symbol - FORWARD;
    else if (symbol < BEHIND) target = instruction - (symbol - BACKWARD);
    else if (symbol < FAR_FORWARD) target = this.#model.last.get(symbol - BEHIND);
    else if (symbol === FAR_FORWARD)
      target = instruction + 1 + BACKWARD - FORWARD + numbers.varint("branch", code.count);
    else if (symbol === FAR_BACKWARD)
      target = instruction - (BEHIND - BACKWARD) - numbers.varint("branch", code.count);
    else throw symbols.error("branch", `${symbol} is not known`, symbols.offset - 1);
    if (target < 0 || target > code.count) throw symbols.error("branch", "out of its piece");
    return target;
  }
}
