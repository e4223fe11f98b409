/**
 * Deltas as bytes, in streams by meaning (docs/formats/delta.md):
 *
 *     numbers   stepCount varint; then what did not fit into the two streams below, step by step: literal varint,
 *               move zigzag varint, copy varint
 *     heads     for each step u8: literal in the low four bits, 15 for one in `numbers`;
 *               move + 8 in the high four bits, 0 for one in `numbers`
 *     copies    for each step u8: copy, 255 for one in `numbers`
 *     literals  bytes that stand for themselves
 *     values    bytes that are differences (modulo 256) to what the base has in their place
 *
 * `move` counts from where the base would go on if the new bytes replaced as many of the base, so that a replacement
 * has move 0. Few replaced bytes are mostly a displacement or a constant that grew: the difference is what repeats.
 */
import type { ByteReader, ByteWriter } from "../bytes/index.ts";
import type { Delta } from "./diff.ts";

const LONG_LITERAL = 15;
const MOVE_SHIFT = 4;
const NEAREST_MOVE = -7;
const FARTHEST_MOVE = 7;
const MOVE_BIAS = 8;
const LONG_COPY = 255;

/** A replacement up to this length is said by differences: two 32-bit words. */
const MAX_VALUE_BYTES = 8;

export interface DeltaStreams {
  readonly numbers: ByteWriter;
  readonly heads: ByteWriter;
  readonly copies: ByteWriter;
  readonly literals: ByteWriter;
  readonly values: ByteWriter;
}

export interface DeltaSources {
  readonly numbers: ByteReader;
  readonly heads: ByteReader;
  readonly copies: ByteReader;
  readonly literals: ByteReader;
  readonly values: ByteReader;
}

export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Appends one delta. `target` is what `delta` was found for. */
export function writeDelta(base: Uint8Array, target: Uint8Array, delta: Delta, out: DeltaStreams): void {
  const { numbers, heads, copies, literals, values } = out;
  numbers.varint(delta.count);
  let at = 0;
  let expected = 0;
  for (let i = 0; i < delta.count; i++) {
    const literal = delta.literal[i]!;
    const copy = delta.copy[i]!;
    const resumed = expected + literal;
    const from = copy === 0 ? resumed : delta.from[i]!;
    const move = from - resumed;
    const near = move >= NEAREST_MOVE && move <= FARTHEST_MOVE;
    heads.u8(Math.min(literal, LONG_LITERAL) | ((near ? move + MOVE_BIAS : 0) << MOVE_SHIFT));
    copies.u8(Math.min(copy, LONG_COPY));
    if (literal >= LONG_LITERAL) numbers.varint(literal);
    if (!near) numbers.varint(zigzag(move));
    if (copy >= LONG_COPY) numbers.varint(copy);
    if (isReplacement(literal, move, from, base.length)) {
      for (let j = 0; j < literal; j++) values.u8((target[at + j]! - base[expected + j]!) & 0xff);
    } else literals.raw(target.subarray(at, at + literal));
    at += literal + copy;
    expected = from + copy;
  }
}

function isReplacement(literal: number, move: number, from: number, baseBytes: number): boolean {
  return literal > 0 && literal <= MAX_VALUE_BYTES && move === 0 && from <= baseBytes;
}

/** One delta that was read: its steps, checked against a base's length; bytes are taken when it is applied. */
export class DeltaReader implements Delta {
  readonly count: number;
  readonly literal: Uint32Array;
  readonly from: Uint32Array;
  readonly copy: Uint32Array;
  readonly baseBytes: number;
  readonly targetBytes: number;

  /** Errors: `invalid` when a copy lies outside the base, or the target would be longer than `maxBytes`. */
  constructor(
    { numbers, heads, copies }: Pick<DeltaSources, "numbers" | "heads" | "copies">,
    baseBytes: number,
    maxBytes: number,
  ) {
    this.count = numbers.varint("stepCount", heads.remaining);
    this.literal = new Uint32Array(this.count);
    this.from = new Uint32Array(this.count);
    this.copy = new Uint32Array(this.count);
    this.baseBytes = baseBytes;
    let expected = 0;
    let target = 0;
    for (let i = 0; i < this.count; i++) {
      const head = heads.u8("head");
      const short = head & LONG_LITERAL;
      const near = head >> MOVE_SHIFT;
      const copied = copies.u8("copy");
      const literal = short === LONG_LITERAL ? numbers.varint("literal", maxBytes) : short;
      const move = near === 0 ? unzigzag(numbers.varint("move")) : near - MOVE_BIAS;
      const copy = copied === LONG_COPY ? numbers.varint("copy", maxBytes) : copied;
      const from = expected + literal + move;
      if (copy > 0 && (from < 0 || from + copy > baseBytes))
        throw numbers.error("move", "a copy from outside the base");
      target += literal + copy;
      if (target > maxBytes) throw numbers.error("copy", `a target longer than ${maxBytes} bytes`);
      // Without a copy the place has no meaning, but must fit a column.
      if (from < 0 || from > 0xffffffff) throw numbers.error("move", "not a place");
      this.literal[i] = literal;
      this.from[i] = from;
      this.copy[i] = copy;
      expected = from + copy;
    }
    this.targetBytes = target;
  }

  /** Writes the target to `out`, which has its length. */
  apply(
    base: Uint8Array,
    { literals, values }: Pick<DeltaSources, "literals" | "values">,
    out: Uint8Array,
  ): void {
    const { count, literal: literalColumn, from: fromColumn, copy: copyColumn } = this;
    let at = 0;
    let expected = 0;
    for (let i = 0; i < count; i++) {
      const literal = literalColumn[i]!;
      const from = fromColumn[i]!;
      const copy = copyColumn[i]!;
      if (isReplacement(literal, from - expected - literal, from, base.length)) {
        const first = values.offset;
        values.skip(literal, "values");
        for (let j = 0; j < literal; j++) out[at + j] = values.bytes[first + j]! + base[expected + j]!;
      } else {
        const first = literals.offset;
        literals.skip(literal, "literals");
        copyRun(literals.bytes, first, literal, out, at);
      }
      at += literal;
      copyRun(base, from, copy, out, at);
      at += copy;
      expected = from + copy;
    }
  }
}

/** Shorter runs, which most are, are copied faster byte by byte than by a call. */
const SHORT_RUN_BYTES = 32;

function copyRun(bytes: Uint8Array, from: number, length: number, out: Uint8Array, at: number): void {
  if (length > SHORT_RUN_BYTES) out.set(bytes.subarray(from, from + length), at);
  else for (let i = 0; i < length; i++) out[at + i] = bytes[from + i]!;
}
