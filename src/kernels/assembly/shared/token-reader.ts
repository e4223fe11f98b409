/**
 * Deflate streams read block by block: the symbols, the content, and how the codes were written (RFC 1951).
 *
 * What could not be written again from these facts is refused: `problem`.
 */
import { content, MAX_BLOCK_CONTENT } from "./token-predictor";
import { bitLengthOrder, distanceExtra, leastOfDistance, leastOfLength, literalExtra } from "./trees";

/** A symbol is `distance << 16 | length`; a literal has distance 0 and length 1. */
export const MAX_TOKENS: i32 = 1 << 20;
export const tokens: usize = memory.data(4 << 20, 16);

export const input: usize = memory.data(1 << 18, 16);
export const INPUT_BYTES: usize = 1 << 18;

/** Lengths of the codes, literals first, then distances; and the operations that said so: symbol, repetitions. */
export const literalLengths: usize = memory.data(288);
export const distanceLengths: usize = memory.data(32);
export const operations: usize = memory.data(2 * 320);
export const bitLengths: usize = memory.data(19);

const MAX_BITS: u32 = 15;
/** One entry for each 15 bits: symbol << 4 | length; 0: no code. */
const literalTable: usize = memory.data(2 << 15, 16);
const distanceTable: usize = memory.data(2 << 15, 16);
const counts: usize = memory.data(2 * 16, 2);

/** Header bits are not read before this many bytes are there: more than a header can have. */
const HEADER_BYTES: usize = 1024;
const SYMBOL_BYTES: usize = 16;

export const enum Problem {
  none = 0,
  truncated = 1,
  code = 2,
  distance = 3,
  block = 4,
  spelling = 5,
}

export let problem: Problem = Problem.none;
export let blockType: u32 = 0;
export let isFinal: u32 = 0;
export let storedPadding: u32 = 0;
export let literalCodes: u32 = 0;
export let distanceCodes: u32 = 0;
export let operationCount: u32 = 0;
export let bitLengthCodes: u32 = 0;
export let tokenCount: i32 = 0;
/** End of the content that was read; behind the last block. */
export let contentEnd: i32 = 0;

let inputAt: usize = 0;
let inputEnd: usize = 0;
let isLast: bool = false;
let bits: u64 = 0;
let bitCount: u32 = 0;
/** 0 between blocks, 1 in stored content, 2 among symbols. */
let phase: u32 = 0;
let blockStart: i32 = 0;
let storedLeft: i32 = 0;

export function startReader(contentStart: i32): void {
  problem = Problem.none;
  inputAt = input;
  inputEnd = input;
  bits = 0;
  bitCount = 0;
  phase = 0;
  contentEnd = contentStart;
}

export function isBetweenBlocks(): bool {
  return phase == 0;
}

export function setLiteralCodes(codes: u32): void {
  literalCodes = codes;
}

export function setDistanceCodes(codes: u32): void {
  distanceCodes = codes;
}

export function setBitLengthCodes(codes: u32): void {
  bitLengthCodes = codes;
}

export function setOperationCount(count: u32): void {
  operationCount = count;
}

export function setContentEnd(end: i32): void {
  contentEnd = end;
}

/** Moves what is left to the front; where more can be put, and how much. */
export function compactInput(): usize {
  const left = inputEnd - inputAt;
  memory.copy(input, inputAt, left);
  inputAt = input;
  inputEnd = input + left;
  return left;
}

export function addInput(bytes: usize, last: bool): void {
  inputEnd += bytes;
  isLast = last;
}

/** Whole bytes behind the stream, after its end. */
export function unusedInput(): usize {
  return inputEnd - inputAt + (bitCount >> 3);
}

// @ts-ignore: decorator
@inline
function refill(): void {
  while (bitCount <= 56) {
    if (inputAt >= inputEnd) {
      if (bitCount == 0) problem = Problem.truncated;
      break;
    }
    bits |= <u64>load<u8>(inputAt++) << bitCount;
    bitCount += 8;
  }
}

function take(length: u32): u32 {
  if (bitCount < length) refill();
  if (bitCount < length) {
    problem = Problem.truncated;
    return 0;
  }
  const value = <u32>bits & ((1 << length) - 1);
  bits >>= length;
  bitCount -= length;
  return value;
}

function fillTable(table: usize, lengths: usize, codes: u32): void {
  memory.fill(counts, 0, 32);
  for (let i: u32 = 0; i < codes; i++) {
    const at = counts + (<usize>load<u8>(lengths + i) << 1);
    store<u16>(at, load<u16>(at) + 1);
  }
  memory.fill(table, 0, 2 << 15);
  let code: u32 = 0;
  let spent: u32 = 0;
  for (let length: u32 = 1; length <= MAX_BITS; length++) {
    const count: u32 = load<u16>(counts + (length << 1));
    spent += count << (MAX_BITS - length);
    if (spent > 1 << MAX_BITS) {
      problem = Problem.code;
      return;
    }
    code <<= 1;
    if (count == 0) continue;
    for (let symbol: u32 = 0; symbol < codes; symbol++) {
      if (load<u8>(lengths + symbol) != length) continue;
      let reversed: u32 = 0;
      for (let i: u32 = 0; i < length; i++) reversed |= ((code >> i) & 1) << (length - 1 - i);
      const entry = <u16>((symbol << 4) | length);
      for (let slot: u32 = reversed; slot < 1 << MAX_BITS; slot += 1 << length) store<u16>(table + (slot << 1), entry);
      code++;
    }
  }
}

function readFixed(): void {
  literalCodes = 288;
  distanceCodes = 30;
  for (let n: u32 = 0; n < 288; n++) store<u8>(literalLengths + n, n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8);
  memory.fill(distanceLengths, 5, 30);
  fillTable(literalTable, literalLengths, 288);
  fillTable(distanceTable, distanceLengths, 30);
}

function readDynamic(): void {
  literalCodes = take(5) + 257;
  distanceCodes = take(5) + 1;
  bitLengthCodes = take(4) + 4;
  if (literalCodes > 286 || distanceCodes > 30) problem = Problem.code;
  memory.fill(bitLengths, 0, 19);
  for (let i: u32 = 0; i < bitLengthCodes; i++) store<u8>(bitLengths + load<u8>(bitLengthOrder + i), <u8>take(3));
  if (problem != Problem.none) return;
  fillTable(literalTable, bitLengths, 19);
  operationCount = 0;
  const total = literalCodes + distanceCodes;
  memory.fill(literalLengths, 0, 288);
  memory.fill(distanceLengths, 0, 32);
  let before: u32 = 0;
  for (let n: u32 = 0; n < total; ) {
    if (bitCount < 32) refill();
    const entry: u32 = load<u16>(literalTable + ((<usize>bits & 32767) << 1));
    if (entry == 0 || (entry & 15) > bitCount) problem = Problem.code;
    if (problem != Problem.none) return;
    take(entry & 15);
    const symbol = entry >> 4;
    let repeat: u32 = 1;
    let value = symbol;
    if (symbol == 16) {
      if (n == 0) problem = Problem.code;
      repeat = 3 + take(2);
      value = before;
    } else if (symbol > 16) {
      repeat = symbol == 17 ? 3 + take(3) : 11 + take(7);
      value = 0;
    }
    if (n + repeat > total) problem = Problem.code;
    if (problem != Problem.none) return;
    store<u8>(operations + (operationCount << 1), <u8>symbol);
    store<u8>(operations + (operationCount++ << 1), <u8>repeat, 1);
    for (let i: u32 = 0; i < repeat; i++, n++) {
      if (n < literalCodes) store<u8>(literalLengths + n, <u8>value);
      else store<u8>(distanceLengths + n - literalCodes, <u8>value);
    }
    before = value;
  }
  fillTable(literalTable, literalLengths, literalCodes);
  if (problem == Problem.none) fillTable(distanceTable, distanceLengths, distanceCodes);
}

function beginBlock(): void {
  isFinal = take(1);
  blockType = take(2);
  tokenCount = 0;
  blockStart = contentEnd;
  if (blockType == 0) {
    const open = bitCount & 7;
    storedPadding = take(open);
    storedLeft = <i32>take(16);
    const complement = <i32>take(16);
    if (problem == Problem.none && (storedLeft ^ complement) != 0xffff) problem = Problem.code;
    phase = 1;
    return;
  }
  phase = 2;
  if (blockType == 1) readFixed();
  else if (blockType == 2) readDynamic();
  else problem = Problem.code;
}

/** True when the block has ended. */
function copyStored(): bool {
  while (storedLeft > 0 && bitCount >= 8) {
    store<u8>(content + contentEnd++, <u8>take(8));
    storedLeft--;
  }
  const some = min(storedLeft, <i32>(inputEnd - inputAt));
  memory.copy(content + contentEnd, inputAt, some);
  inputAt += some;
  contentEnd += some;
  storedLeft -= some;
  if (storedLeft > 0 && isLast) problem = Problem.truncated;
  return storedLeft == 0;
}

/** True when the block has ended. */
function readSymbols(): bool {
  while (true) {
    if (!isLast && inputEnd - inputAt < SYMBOL_BYTES) return false;
    if (inputEnd - inputAt >= 8) {
      // As many whole bytes as there is room for.
      bits |= load<u64>(inputAt) << bitCount;
      const some = (63 - bitCount) >> 3;
      inputAt += some;
      bitCount += some << 3;
      bits &= bitCount == 64 ? u64.MAX_VALUE : ((<u64>1 << bitCount) - 1);
    } else refill();
    let entry: u32 = load<u16>(literalTable + ((<usize>bits & 32767) << 1));
    let length = entry & 15;
    if (entry == 0 || length > bitCount) {
      problem = entry == 0 && bitCount >= MAX_BITS ? Problem.code : Problem.truncated;
      return false;
    }
    bits >>= length;
    bitCount -= length;
    const symbol = entry >> 4;
    if (symbol == 256) return true;
    if (tokenCount == MAX_TOKENS || contentEnd - blockStart > MAX_BLOCK_CONTENT - 258) {
      problem = Problem.block;
      return false;
    }
    if (symbol < 256) {
      store<u8>(content + contentEnd++, <u8>symbol);
      store<u32>(tokens + (tokenCount++ << 2), 1);
      continue;
    }
    if (symbol > 285) {
      problem = Problem.code;
      return false;
    }
    const lengthExtra: u32 = load<u8>(literalExtra + symbol - 257);
    length = leastOfLength(symbol) + (<u32>bits & ((1 << lengthExtra) - 1));
    if (length == 258 && symbol != 285) problem = Problem.spelling;
    bits >>= lengthExtra;
    entry = load<u16>(distanceTable + ((<usize>bits & 32767) << 1));
    const far = entry >> 4;
    const farExtra: u32 = far < 30 ? load<u8>(distanceExtra + far) : 0;
    const spent = lengthExtra + (entry & 15) + farExtra;
    if (entry == 0 || spent > bitCount) {
      problem = entry == 0 && bitCount >= 32 ? Problem.code : Problem.truncated;
      return false;
    }
    bits >>= entry & 15;
    const distance = leastOfDistance(far) + (<u32>bits & ((1 << farExtra) - 1));
    bits >>= farExtra;
    bitCount -= spent;
    if (<i32>distance > contentEnd - 32768) problem = Problem.distance;
    if (problem != Problem.none) return false;
    const to = content + contentEnd;
    if (distance >= 8) {
      for (let i: u32 = 0; i < length; i += 8) store<u64>(to + i, load<u64>(to + i - distance));
    } else {
      for (let i: u32 = 0; i < length; i++) store<u8>(to + i, load<u8>(to + i - distance));
    }
    contentEnd += length;
    store<u32>(tokens + (tokenCount++ << 2), (distance << 16) | length);
  }
}

/** Reads on; true when a block is complete, false for more input or a problem. */
export function readBlock(): bool {
  if (phase == 0) {
    if (!isLast && inputEnd - inputAt < HEADER_BYTES) return false;
    beginBlock();
    if (problem != Problem.none) return false;
  }
  const isComplete = phase == 1 ? copyStored() : readSymbols();
  if (isComplete && problem == Problem.none) {
    phase = 0;
    return true;
  }
  return false;
}

/** Bits of the last byte of the stream that no block has. */
export function closingBits(): u32 {
  return take(bitCount & 7);
}
