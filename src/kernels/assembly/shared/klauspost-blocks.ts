/**
 * Blocks of deflate as klauspost/compress writes them at its fast levels: a block may go on with the codes of the one
 * before, when an estimate of the entropy says that new ones cost more.
 */
import {
  cost,
  extraBits,
  generate,
  headerBits,
  sendHeader,
  sendStored,
  sentDistances,
  sentLiterals,
  shorten,
} from "./go-blocks";
import {
  align,
  count,
  DISTANCES,
  distanceExtra,
  distanceTree,
  END_BLOCK,
  FREQUENCY,
  fixedDistances,
  fixedLiterals,
  get,
  initBlock,
  LENGTH,
  LITERALS,
  literalExtra,
  literalTree,
  MAX_BITS,
  send,
  sendCode,
  sendSymbols,
  set,
  symbolsOfBlock,
} from "./trees";

/** Blocks of fewer symbols may have fixed codes. */
const MAX_FIXED_SYMBOLS: u32 = 250;
/** New codes count a 128th of the block more. */
const PENALTY_SHIFT: i32 = 7;
/** What a header is taken to cost before it is known. */
const GUESSED_HEADER_BITS: i32 = 560;

/** Codes that may go on; of literals two, so that one can be tried. */
let literals: usize = memory.data(4608, 16);
let spare: usize = memory.data(4608, 16);
const distances: usize = memory.data(4608, 16);
const oneDistance: usize = memory.data(4608, 16);
const histogram: usize = memory.data(4608, 16);

/** Bits of the header of the open block; 0 when no block is open. */
let openHeader: i32 = 0;
let isLiteralOnly: bool = false;

export function resetBlocks(): void {
  initBlock();
  openHeader = 0;
  isLiteralOnly = false;
  set(oneDistance, LENGTH, 0, 1);
}

function close(): void {
  if (openHeader > 0) {
    sendCode(literals, END_BLOCK);
    openHeader = 0;
  }
}

export function stored(raw: usize, rawBytes: u32): void {
  close();
  sendStored(raw, rawBytes, false);
}

/** Ends the stream: an empty block of fixed codes. */
export function sendEnd(): void {
  close();
  send(3, 3);
  send(0, 7);
  align();
}

/** As the sum of what the symbols' information would be, in single precision, by an approximation of log2. */
function information(value: f32): f32 {
  let word = reinterpret<i32>(value);
  let log = <f32>(((word >> 23) & 255) - 128);
  word &= -0x7f800001;
  word += 127 << 23;
  const mantissa = reinterpret<f32>(word);
  log += (<f32>-0.34484843 * mantissa + <f32>2.02466578) * mantissa - <f32>0.67487759;
  const bits = -log;
  return bits < 1 ? 1 : bits > 15 ? 15 : bits;
}

function estimate(symbols: u32): i32 {
  let entropy: f32 = 0;
  let extra: i32 = 0;
  let matches: i32 = 0;
  if (symbols > 0) {
    const share: f32 = <f32>1 / <f32>symbols;
    for (let i: u32 = 0; i < 256; i++) {
      const n = <f32>get(literalTree, FREQUENCY, i);
      if (n > 0) entropy += information(n * share) * n;
    }
    entropy += 15;
    for (let i: u32 = 0; i < 29; i++) {
      const some = <i32>get(literalTree, FREQUENCY, 257 + i);
      if (some == 0) continue;
      const n = <f32>some;
      entropy += information(n * share) * n;
      extra += <i32>load<u8>(literalExtra + i) * some;
      matches += some;
    }
  }
  if (matches > 0) {
    const share: f32 = <f32>1 / <f32>matches;
    for (let i: u32 = 0; i < DISTANCES; i++) {
      const some = <i32>get(distanceTree, FREQUENCY, i);
      if (some == 0) continue;
      const n = <f32>some;
      entropy += information(n * share) * n;
      extra += <i32>load<u8>(distanceExtra + i) * some;
    }
  }
  return <i32>entropy + extra;
}

function canGoOn(): bool {
  for (let i: u32 = 0; i < LITERALS; i++) {
    if (get(literalTree, FREQUENCY, i) != 0 && get(literals, LENGTH, i) == 0) return false;
  }
  for (let i: u32 = 0; i < DISTANCES; i++) {
    if (get(distanceTree, FREQUENCY, i) != 0 && get(distances, LENGTH, i) == 0) return false;
  }
  return true;
}

function sizeWith(ofLiterals: usize, ofDistances: usize): i32 {
  return <i32>(cost(literalTree, ofLiterals, LITERALS) + cost(distanceTree, ofDistances, DISTANCES));
}

function sendFixed(): void {
  close();
  send(2, 3);
  sendSymbols(fixedLiterals, fixedDistances);
  sendCode(fixedLiterals, END_BLOCK);
}

/** Writes the symbols. `last`: a flush follows, and the block ends; else it may go on. */
export function writeSymbols(raw: usize, rawBytes: u32, last: bool): void {
  put(raw, rawBytes, last);
  initBlock();
}

function put(raw: usize, rawBytes: u32, last: bool): void {
  // The frequency of the end is 1 from the start; before the last block it isn't counted yet.
  const symbols = symbolsOfBlock() + (last ? 1 : 0);
  set(literalTree, FREQUENCY, END_BLOCK, last ? 1 : 0);
  if (isLiteralOnly && openHeader > 0) {
    close();
    isLiteralOnly = false;
  }
  if (openHeader > 0 && !canGoOn()) close();
  // Codes that later blocks may go on with are sent whole.
  const literalCount = last ? sentLiterals() : LITERALS;
  const distanceCount = last ? sentDistances() : DISTANCES;
  const extra = <i32>extraBits();
  const plain = <i32>((rawBytes + 5) * 8);
  if (openHeader > 0) {
    let fresh = openHeader + estimate(symbols);
    fresh += <i32>get(literals, LENGTH, END_BLOCK) + (fresh >> PENALTY_SHIFT);
    let size = sizeWith(literals, distances) + extra;
    if (fresh < size) {
      close();
      size = fresh;
    }
    if (symbols < MAX_FIXED_SYMBOLS) {
      const fixed = 3 + sizeWith(fixedLiterals, fixedDistances) + extra + 7;
      if (fixed < size) {
        if (plain <= size) stored(raw, rawBytes);
        else sendFixed();
        return;
      }
    }
    if (plain <= size) {
      stored(raw, rawBytes);
      return;
    }
  }
  if (openHeader == 0) {
    set(literalTree, FREQUENCY, END_BLOCK, 1);
    generate(literalTree, literals, LITERALS, MAX_BITS);
    generate(distanceTree, distances, DISTANCES, MAX_BITS);
    shorten(literals, literalCount, distances, distanceCount);
    const header = <i32>headerBits();
    const size = header + sizeWith(literals, distances) + extra;
    if (symbols < MAX_FIXED_SYMBOLS) {
      const fixed = 3 + sizeWith(fixedLiterals, fixedDistances) + extra;
      if (fixed <= size) {
        if (plain <= fixed) stored(raw, rawBytes);
        else sendFixed();
        return;
      }
    }
    if (plain <= size) {
      stored(raw, rawBytes);
      return;
    }
    sendHeader(literalCount, distanceCount);
    openHeader = header;
    isLiteralOnly = false;
  }
  sendSymbols(literals, distances);
  if (last) close();
}

/** True when the bytes are so evenly spread that codes can't help. */
function isFlat(rawBytes: u32): bool {
  const mean = <f64>rawBytes / 256;
  const most = <f64>(rawBytes * 2);
  let sum: f64 = 0;
  for (let i: u32 = 0; i < 256; i++) {
    const difference = <f64>get(histogram, FREQUENCY, i) - mean;
    sum += difference * difference;
    if (sum > most) break;
  }
  return sum < most;
}

/** Writes the input as literals alone. */
export function writeLiteralsOf(raw: usize, rawBytes: u32, last: bool): void {
  initBlock();
  memory.fill(histogram, 0, 2 * 576);
  for (let i: u32 = 0; i < rawBytes; i++) count(histogram, load<u8>(raw + i));
  if (rawBytes > 1024 && isFlat(rawBytes)) {
    stored(raw, rawBytes);
    return;
  }
  set(histogram, FREQUENCY, END_BLOCK, 1);
  generate(histogram, spare, END_BLOCK + 1, MAX_BITS);
  let fresh = <i32>cost(histogram, spare, END_BLOCK + 1) + openHeader;
  if (openHeader == 0) fresh += GUESSED_HEADER_BITS;
  fresh += fresh >> PENALTY_SHIFT;
  if (<i32>((rawBytes + 5) * 8) <= fresh) {
    stored(raw, rawBytes);
    return;
  }
  if (openHeader > 0) {
    let again: i32 = 0;
    for (let i: u32 = 0; i < 256; i++) {
      const frequency = <i32>get(histogram, FREQUENCY, i);
      if (frequency == 0) continue;
      const length = <i32>get(literals, LENGTH, i);
      if (length == 0) {
        again = i32.MAX_VALUE;
        break;
      }
      again += frequency * length;
    }
    if (fresh < again) close();
  }
  if (openHeader == 0) {
    const before = literals;
    literals = spare;
    spare = before;
    shorten(literals, END_BLOCK + 1, oneDistance, 1);
    sendHeader(END_BLOCK + 1, 1);
    isLiteralOnly = true;
    openHeader = <i32>headerBits();
  }
  for (let i: u32 = 0; i < rawBytes; i++) sendCode(literals, load<u8>(raw + i));
  if (last) {
    close();
    isLiteralOnly = false;
  }
}
