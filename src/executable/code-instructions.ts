/**
 * x86-64 code as instructions: a *skeleton* (prefixes, opcodes, ModRM, SIB, and whatever is no instruction) and, apart
 * from it, operands: displacements, immediates, branches. Of one function in two builds the skeletons are alike where
 * distances, stack slots and constants are not; and each sort of operand compresses best among its own.
 *
 * How long an instruction is, and where its parts are, follows from its head alone (docs/formats/isa.md): so a
 * skeleton gives the same instructions as the code. Columns, used again for every piece: a 60 MB program has ten
 * million instructions.
 */
import { Immediate, partsImmediate } from "../isa/index.ts";

/** The branch leads to another piece: its field is blank. */
export const BLANK_BRANCH = -1;
/** The branch doesn't lead to an instruction: `immediate` has its distance. */
export const ODD_BRANCH = -2;

/** Bytes that a decoder may look at behind the last one; they are zero. */
export const LOOKAHEAD_BYTES = 16;

/** The instructions of one piece. */
export class Instructions {
  count = 0;
  /** Offset of each in the code; behind them that of the tail. */
  start = new Uint32Array(256);
  /** Offset of each in the skeleton; behind them that of the tail. */
  head = new Uint32Array(256);
  /** Packed parts: see the room isa. */
  parts = new Uint32Array(256);
  /** What a displacement is added to: the low bits of rm, or 8 and the low bits of SIB's base. */
  base = new Uint8Array(256);
  displacement = new Int32Array(256);
  /** Immediate, or branch distance. */
  immediate = new Int32Array(256);
  /** Instruction to which a branch leads, `count` for the end, `BLANK_BRANCH` or `ODD_BRANCH`. */
  target = new Int32Array(256);
  /** Bytes at the end that are no whole instruction. */
  tailBytes = 0;
  /** At least as long as needed, with zeros behind. */
  skeleton = new Uint8Array(1024);

  get codeBytes(): number {
    return this.start[this.count]! + this.tailBytes;
  }

  get skeletonBytes(): number {
    return this.head[this.count]! + this.tailBytes;
  }

  /** The instruction that begins at an offset of the code, `count` for the end of the last, or -1. */
  at(offset: number): number {
    const { start } = this;
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (start[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return start[low] === offset ? low : -1;
  }

  grow(): void {
    const size = this.start.length * 2;
    this.start = moved(this.start, new Uint32Array(size));
    this.head = moved(this.head, new Uint32Array(size));
    this.parts = moved(this.parts, new Uint32Array(size));
    this.base = moved(this.base, new Uint8Array(size));
    this.displacement = moved(this.displacement, new Int32Array(size));
    this.immediate = moved(this.immediate, new Int32Array(size));
    this.target = moved(this.target, new Int32Array(size));
  }

  growSkeleton(bytes: number): void {
    if (this.skeleton.length < bytes + LOOKAHEAD_BYTES) this.skeleton = new Uint8Array(2 * bytes + 1024);
  }
}

function moved<T extends Uint8Array | Uint32Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** True for a branch with a field of 1 or 4 bytes. */
export function isBranch(immediate: number): boolean {
  return immediate === Immediate.shortBranch || immediate === Immediate.branch;
}

/** Ends the columns. */
export function endInstructions(
  into: Instructions,
  count: number,
  at: number,
  out: number,
  tailBytes: number,
): void {
  into.count = count;
  into.start[count] = at;
  into.head[count] = out;
  into.tailBytes = tailBytes;
}

/** Finds where branches lead. */
export function findTargets(into: Instructions): void {
  const { count, parts, start, immediate, target } = into;
  for (let i = 0; i < count; i++) {
    const kind = partsImmediate(parts[i]!);
    if (!isBranch(kind)) continue;
    const distance = immediate[i]!;
    if (kind === Immediate.branch && distance === 0) target[i] = BLANK_BRANCH;
    else {
      const found = into.at(start[i + 1]! + distance);
      target[i] = found < 0 ? ODD_BRANCH : found;
    }
  }
}
