/**
 * How the blocks of a deflate stream were written: their types and ends, Huffman codes, and how those are spelled.
 * All of it is guessed as zlib would have done it, and only what differs costs more than a bit.
 */
import { bit, number, plain, resetContexts, tree } from "./range-coder";
import * as reader from "./token-reader";
import {
  bitLengthExtra,
  bitLengthOrder,
  bitLengthTree,
  build,
  codeOfDistance,
  codes,
  distanceExtra,
  distanceTree,
  FREQUENCY,
  get,
  LENGTH,
  lengthCounts,
  literalExtra,
  literalTree,
  send,
  sendCode,
  set,
  symbolOfLength,
} from "./trees";

const LITERALS: u32 = 286;
const DISTANCES: u32 = 30;
const BIT_LENGTHS: u32 = 19;
/** What a frequency may add up to in `build`. */
const MAX_TOTAL: u32 = 0xffff;

const FLAGS: usize = memory.data(4 * 16, 16);
const TYPES: usize = memory.data(4 * 4 * 4, 16);
const NUMBERS: usize = memory.data(4 * 32, 16);
const STORED_NUMBERS: usize = memory.data(4 * 32, 16);
const SAME: usize = memory.data(4 * 8, 16);
const VALUES: usize = memory.data(4 * 16 * 16, 16);
const OPERATION: usize = memory.data(4 * 4, 16);
const OPERATION_SYMBOL: usize = memory.data(4 * 32, 16);
const BIT_SAME: usize = memory.data(4 * 8, 16);
const BIT_VALUES: usize = memory.data(4 * 8 * 8, 16);

const FINAL: usize = 0;
const PADDING: usize = 4;
const ALL_LENGTHS: usize = 8;
const LITERAL_CODES: usize = 12;
const DISTANCE_CODES: usize = 16;
const CROSSES: usize = 20;
const ALL_OPERATIONS: usize = 24;
const ALL_BIT_LENGTHS: usize = 28;
const BIT_LENGTH_CODES: usize = 32;
const CLOSING: usize = 36;

const frequencies: usize = memory.data(4 * 320, 16);
/** What was guessed for the lengths. */
const guesses: usize = memory.data(320);

let typeBefore: u32 = 0;

export function resetBlockCoder(): void {
  typeBefore = 0;
  resetContexts(FLAGS, 4 * 16);
  resetContexts(TYPES, 4 * 16);
  resetContexts(NUMBERS, 4 * 32);
  resetContexts(STORED_NUMBERS, 4 * 32);
  resetContexts(SAME, 4 * 8);
  resetContexts(VALUES, 4 * 256);
  resetContexts(OPERATION, 4 * 4);
  resetContexts(OPERATION_SYMBOL, 4 * 32);
  resetContexts(BIT_SAME, 4 * 8);
  resetContexts(BIT_VALUES, 4 * 64);
}

/** The facts that a block begins with; `contentBytes` is what it holds. */
export let type: u32 = 0;
export let final: u32 = 0;
export let padding: u32 = 0;
export let contentBytes: u32 = 0;

export function codeBlock(blockType: u32, isFinal: u32, storedPadding: u32, bytes: u32): void {
  final = bit(FLAGS + FINAL, isFinal);
  type = tree(TYPES + (typeBefore << 4), 2, blockType);
  typeBefore = type;
  padding = 0;
  if (type == 0 && bit(FLAGS + PADDING, storedPadding == 0 ? 0 : 1) != 0) padding = plain(7, storedPadding);
  contentBytes = number(type == 0 ? STORED_NUMBERS : NUMBERS, bytes);
  memory.fill(frequencies, 0, 4 * 320);
}

export function codeClosing(bits: u32): u32 {
  return bit(FLAGS + CLOSING, bits == 0 ? 0 : 1) == 0 ? 0 : plain(7, bits);
}

// @ts-ignore: decorator
@inline
function increase(at: usize): void {
  store<u32>(at, load<u32>(at) + 1);
}

/** Counts a symbol of the block; `literal` is what it stands for if its distance is 0. */
export function countToken(token: u32, literal: u32): void {
  if (token >> 16 == 0) increase(frequencies + (literal << 2));
  else {
    increase(frequencies + (symbolOfLength(token & 0xffff) << 2));
    increase(frequencies + ((288 + codeOfDistance((token >> 16) - 1)) << 2));
  }
}

function setFrequencies(tree: usize, from: usize, symbols: u32): void {
  let total: u32 = 0;
  for (let i: u32 = 0; i < symbols; i++) total += load<u32>(from + (i << 2));
  let shift: u32 = 0;
  while (total >> shift > MAX_TOTAL / 2) shift++;
  for (let i: u32 = 0; i < symbols; i++) {
    const frequency = load<u32>(from + (i << 2));
    set(tree, FREQUENCY, i, frequency == 0 ? 0 : max(1, frequency >> shift));
  }
}

/** Codes the lengths of one code, each against its guess. */
function codeLengths(lengths: usize, guessed: usize, symbols: u32, group: usize): void {
  let before: u32 = 0;
  for (let i: u32 = 0; i < symbols; i++) {
    const guess: u32 = load<u8>(guessed + i);
    const length: u32 = load<u8>(lengths + i);
    const context = SAME + (((group << 2) | (guess == 0 ? 2 : 0) | before) << 2);
    before = bit(context, length == guess ? 0 : 1);
    store<u8>(lengths + i, <u8>(before == 0 ? guess : tree(VALUES + (<usize>guess << 6), 4, length)));
  }
}

// @ts-ignore: decorator
@inline
function lengthAt(n: u32): u32 {
  return n < reader.literalCodes ? load<u8>(reader.literalLengths + n) : load<u8>(reader.distanceLengths + n - reader.literalCodes);
}

/** How zlib would spell the lengths from `n` on, a run ending at `end`: symbol << 8 | repetitions. */
function guessOperation(n: u32, end: u32, start: u32): u32 {
  const value = lengthAt(n);
  let run: u32 = 1;
  while (n + run < end && run < 138 && lengthAt(n + run) == value) run++;
  if (value == 0) return run < 3 ? 1 : run <= 10 ? (17 << 8) | run : (18 << 8) | run;
  if (n > start && lengthAt(n - 1) == value && run >= 3) return (16 << 8) | min(6, run);
  return (value << 8) | 1;
}

/** Operations that differ when runs may cross from literals to distances, or may not. */
function wrongOperations(crosses: bool): u32 {
  let wrong: u32 = 0;
  let n: u32 = 0;
  const total = reader.literalCodes + reader.distanceCodes;
  for (let i: u32 = 0; i < reader.operationCount; i++) {
    const symbol: u32 = load<u8>(reader.operations + (i << 1));
    const repeat: u32 = load<u8>(reader.operations + (i << 1), 1);
    if (guessHere(n, total, crosses) != ((symbol << 8) | repeat)) wrong++;
    n += repeat;
  }
  return wrong;
}

// @ts-ignore: decorator
@inline
function guessHere(n: u32, total: u32, crosses: bool): u32 {
  if (crosses) return guessOperation(n, total, 0);
  return n < reader.literalCodes
    ? guessOperation(n, reader.literalCodes, 0)
    : guessOperation(n, total, reader.literalCodes);
}

/** False when damaged corrections say what can't be. */
function codeOperations(isReading: bool): bool {
  const total = reader.literalCodes + reader.distanceCodes;
  let straight: u32 = 0;
  let across: u32 = 0;
  if (!isReading) {
    straight = wrongOperations(false);
    across = wrongOperations(true);
  }
  const crosses = bit(FLAGS + CROSSES, across < straight ? 1 : 0) != 0;
  const isExact = bit(FLAGS + ALL_OPERATIONS, min(straight, across) == 0 ? 0 : 1) == 0;
  let n: u32 = 0;
  let i: u32 = 0;
  while (n < total) {
    const guess = guessHere(n, total, crosses);
    const at = reader.operations + (i++ << 1);
    const actual = ((<u32>load<u8>(at)) << 8) | <u32>load<u8>(at, 1);
    let symbol = guess >> 8;
    let repeat = guess & 255;
    if (!isExact && bit(OPERATION, actual == guess ? 0 : 1) != 0) {
      symbol = tree(OPERATION_SYMBOL, 5, actual >> 8);
      repeat = 1;
      if (symbol > 18) return false;
      if (symbol > 15) repeat = plain(8, actual & 255);
      if (repeat == 0 || n + repeat > total) return false;
      if (symbol > 15 && (repeat < (symbol == 18 ? 11 : 3) || repeat > (symbol == 16 ? 6 : symbol == 17 ? 10 : 138))) return false;
    }
    store<u8>(at, <u8>symbol);
    store<u8>(at, <u8>repeat, 1);
    n += repeat;
  }
  reader.setOperationCount(i);
  return true;
}

function codeBitLengths(): void {
  for (let i: u32 = 0; i < BIT_LENGTHS; i++) set(bitLengthTree, FREQUENCY, i, 0);
  for (let i: u32 = 0; i < reader.operationCount; i++) {
    const symbol: u32 = load<u8>(reader.operations + (i << 1));
    set(bitLengthTree, FREQUENCY, symbol, get(bitLengthTree, FREQUENCY, symbol) + 1);
  }
  build(bitLengthTree, 0, bitLengthExtra, 0, BIT_LENGTHS, 7);
  let differs: u32 = 0;
  for (let i: u32 = 0; i < BIT_LENGTHS; i++) {
    if (get(bitLengthTree, LENGTH, i) != <u32>load<u8>(reader.bitLengths + i)) differs = 1;
  }
  const isExact = bit(FLAGS + ALL_BIT_LENGTHS, differs) == 0;
  let before: u32 = 0;
  for (let i: u32 = 0; i < BIT_LENGTHS; i++) {
    const guess = get(bitLengthTree, LENGTH, i);
    const length: u32 = load<u8>(reader.bitLengths + i);
    let result = guess;
    if (!isExact) {
      before = bit(BIT_SAME + (((guess == 0 ? 2 : 0) | before) << 2), length == guess ? 0 : 1);
      if (before != 0) result = tree(BIT_VALUES + (<usize>guess << 5), 3, length);
    }
    store<u8>(reader.bitLengths + i, <u8>result);
  }
  let least: u32 = BIT_LENGTHS;
  while (least > 4 && load<u8>(reader.bitLengths + load<u8>(bitLengthOrder + least - 1)) == 0) least--;
  const isLeast = bit(FLAGS + BIT_LENGTH_CODES, reader.bitLengthCodes == least ? 0 : 1) == 0;
  reader.setBitLengthCodes(isLeast ? least : plain(4, reader.bitLengthCodes - 4) + 4);
}

/** Codes the Huffman codes of a dynamic block whose symbols were counted. False when damaged corrections say what can't be. */
export function codeCodes(isReading: bool): bool {
  increase(frequencies + (256 << 2));
  setFrequencies(literalTree, frequencies, LITERALS);
  setFrequencies(distanceTree, frequencies + 4 * 288, DISTANCES);
  const literalMax = build(literalTree, 0, literalExtra, 257, LITERALS, 15);
  const distanceMax = build(distanceTree, 0, distanceExtra, 0, DISTANCES, 15);
  memory.fill(guesses, 0, 320);
  for (let i: u32 = 0; i <= literalMax; i++) store<u8>(guesses + i, <u8>get(literalTree, LENGTH, i));
  for (let i: u32 = 0; i <= distanceMax; i++) store<u8>(guesses + 288 + i, <u8>get(distanceTree, LENGTH, i));
  const isLiteralMax = bit(FLAGS + LITERAL_CODES, reader.literalCodes == literalMax + 1 ? 0 : 1) == 0;
  reader.setLiteralCodes(isLiteralMax ? literalMax + 1 : plain(5, reader.literalCodes - 257) + 257);
  const isDistanceMax = bit(FLAGS + DISTANCE_CODES, reader.distanceCodes == distanceMax + 1 ? 0 : 1) == 0;
  reader.setDistanceCodes(isDistanceMax ? distanceMax + 1 : plain(5, reader.distanceCodes - 1) + 1);
  if (reader.literalCodes > 286 || reader.distanceCodes > 30) return false;
  let differs: u32 = 0;
  for (let i: u32 = 0; i < reader.literalCodes; i++) {
    if (load<u8>(reader.literalLengths + i) != load<u8>(guesses + i)) differs = 1;
  }
  for (let i: u32 = 0; i < reader.distanceCodes; i++) {
    if (load<u8>(reader.distanceLengths + i) != load<u8>(guesses + 288 + i)) differs = 1;
  }
  if (bit(FLAGS + ALL_LENGTHS, differs) == 0) {
    memory.copy(reader.literalLengths, guesses, reader.literalCodes);
    memory.copy(reader.distanceLengths, guesses + 288, reader.distanceCodes);
  } else {
    codeLengths(reader.literalLengths, guesses, reader.literalCodes, 0);
    codeLengths(reader.distanceLengths, guesses + 288, reader.distanceCodes, 1);
  }
  if (!codeOperations(isReading)) return false;
  codeBitLengths();
  return true;
}

function setCodes(tree: usize, lengths: usize, symbols: u32): void {
  memory.fill(lengthCounts, 0, 32);
  for (let i: u32 = 0; i < symbols; i++) {
    const length: u32 = load<u8>(lengths + i);
    set(tree, LENGTH, i, length);
    if (length == 0) continue;
    const at = lengthCounts + (length << 1);
    store<u16>(at, load<u16>(at) + 1);
  }
  codes(tree, symbols - 1);
}

/** Writes what a dynamic block begins with, and makes its codes ready. */
export function sendCodes(): void {
  setCodes(literalTree, reader.literalLengths, reader.literalCodes);
  setCodes(distanceTree, reader.distanceLengths, reader.distanceCodes);
  setCodes(bitLengthTree, reader.bitLengths, BIT_LENGTHS);
  send(reader.literalCodes - 257, 5);
  send(reader.distanceCodes - 1, 5);
  send(reader.bitLengthCodes - 4, 4);
  for (let i: u32 = 0; i < reader.bitLengthCodes; i++) send(load<u8>(reader.bitLengths + load<u8>(bitLengthOrder + i)), 3);
  for (let i: u32 = 0; i < reader.operationCount; i++) {
    const symbol: u32 = load<u8>(reader.operations + (i << 1));
    const repeat: u32 = load<u8>(reader.operations + (i << 1), 1);
    sendCode(bitLengthTree, symbol);
    if (symbol == 16) send(repeat - 3, 2);
    else if (symbol == 17) send(repeat - 3, 3);
    else if (symbol == 18) send(repeat - 11, 7);
  }
}
