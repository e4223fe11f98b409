/**
 * Blocks of deflate as zlib writes them: symbols are counted, Huffman codes built from a heap ordered by frequency
 * and depth, lengths limited, and the cheapest of stored, fixed and dynamic written. It is long because the state of a
 * block (symbols, codes, bits) is one, and is shared by the kernels that follow other encoders.
 */

export const LITERALS: u32 = 286;
export const DISTANCES: u32 = 30;
export const BIT_LENGTHS: u32 = 19;
export const END_BLOCK: u32 = 256;
const HEAP: u32 = 2 * LITERALS + 1;
export const MAX_BITS: u32 = 15;

/** One code: frequencies u16, lengths u16, codes u16, parents u16, each for 573 nodes. */
const TREE_BYTES: u32 = 4 * 2 * 576;
export const FREQUENCY: u32 = 0;
export const LENGTH: u32 = 2 * 576;
const CODE: u32 = 4 * 576;
const PARENT: u32 = 6 * 576;

export const literalTree: usize = memory.data(4608, 16);
export const distanceTree: usize = memory.data(4608, 16);
export const bitLengthTree: usize = memory.data(4608, 16);
export const fixedLiterals: usize = memory.data(4608, 16);
export const fixedDistances: usize = memory.data(4608, 16);

export const literalExtra: usize = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]);
export const distanceExtra: usize = memory.data<u8>([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]);
export const bitLengthExtra: usize = memory.data<u8>([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 3, 7]);
export const bitLengthOrder: usize = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);

/** Length - 3 to its code, code to the least length - 3; the same for distance - 1 (the upper half by 128). */
const lengthCode: usize = memory.data(256);
const lengthBase: usize = memory.data(2 * 32, 2);
const distanceCode: usize = memory.data(512);
const distanceBase: usize = memory.data(2 * 32, 2);

/**
 * Symbols of the block: a literal, or 256 + length - 3; distance << 9; the distance's code << 25, for a literal one that
 * takes no bits.
 */
const symbols: usize = memory.data(4 * 65536, 16);
const LENGTHS: u32 = 256;
const NO_DISTANCE: u32 = 30;
const LITERAL: u32 = NO_DISTANCE << 25;
/** What is written for each symbol: bits | number of bits << 24; for each distance: bits, number << 16, least << 32. */
const literalBits: usize = memory.data(4 * 512, 16);
const distanceBits: usize = memory.data(8 * 32, 16);
const heap: usize = memory.data(2 * 576, 16);
const depth: usize = memory.data(576, 16);
export const lengthCounts: usize = memory.data(2 * 16, 16);
const nextCodes: usize = memory.data(2 * 16, 16);

let heapLength: u32 = 0;
let heapMax: u32 = 0;
let bestBits: u32 = 0;
let fixedBits: u32 = 0;
let symbolCount: u32 = 0;
let matchCount: u32 = 0;
let symbolLimit: u32 = 0;
let isGuessing: bool = false;

let out: usize = 0;
let bits: u64 = 0;
let bitCount: u32 = 0;

// @ts-ignore: decorator
@inline
export function get(tree: usize, field: u32, i: u32): u32 {
  return load<u16>(tree + field + (i << 1));
}

// @ts-ignore: decorator
@inline
export function set(tree: usize, field: u32, i: u32, value: u32): void {
  store<u16>(tree + field + (i << 1), <u16>value);
}

function prepare(): void {
  let length: u32 = 0;
  for (let code: u32 = 0; code < 28; code++) {
    store<u16>(lengthBase + (code << 1), <u16>length);
    for (let i: u32 = 0; i < <u32>1 << load<u8>(literalExtra + code); i++) store<u8>(lengthCode + length++, <u8>code);
  }
  // 258 has a code of its own, although the one before could say it.
  store<u8>(lengthCode + 255, 28);
  store<u16>(lengthBase + 56, 255);
  let distance: u32 = 0;
  for (let code: u32 = 0; code < 30; code++) {
    store<u16>(distanceBase + (code << 1), <u16>distance);
    const count: u32 = 1 << load<u8>(distanceExtra + code);
    if (code < 16) for (let i: u32 = 0; i < count; i++) store<u8>(distanceCode + distance + i, <u8>code);
    else {
      for (let i: u32 = 0; i < count >> 7; i++) store<u8>(distanceCode + 256 + (distance >> 7) + i, <u8>code);
    }
    distance += count;
  }
  for (let n: u32 = 0; n < 288; n++) set(fixedLiterals, LENGTH, n, n < 144 ? 8 : n < 256 ? 9 : n < 280 ? 7 : 8);
  memory.fill(lengthCounts, 0, 32);
  store<u16>(lengthCounts + 14, 24);
  store<u16>(lengthCounts + 16, 152);
  store<u16>(lengthCounts + 18, 112);
  codes(fixedLiterals, 287);
  for (let n: u32 = 0; n < DISTANCES; n++) {
    set(fixedDistances, LENGTH, n, 5);
    set(fixedDistances, CODE, n, reversed(n, 5));
  }
}
prepare();

// @ts-ignore: decorator
@inline
export function symbolOfLength(length: u32): u32 {
  return <u32>load<u8>(lengthCode + length - 3) + 257;
}

// @ts-ignore: decorator
@inline
export function leastOfLength(symbol: u32): u32 {
  return <u32>load<u16>(lengthBase + ((symbol - 257) << 1)) + 3;
}

// @ts-ignore: decorator
@inline
export function leastOfDistance(symbol: u32): u32 {
  return <u32>load<u16>(distanceBase + (symbol << 1)) + 1;
}

// @ts-ignore: decorator
@inline
export function codeOfDistance(below: u32): u32 {
  return below < 256 ? load<u8>(distanceCode + below) : load<u8>(distanceCode + 256 + (below >> 7));
}

/** A block is full when it has `limit` symbols. */
export function trees(limit: u32, guessing: bool): void {
  symbolLimit = limit;
  isGuessing = guessing;
  bits = 0;
  bitCount = 0;
}

export function setOutput(address: usize): void {
  out = address;
}

export function outputEnd(): usize {
  return out;
}

/** Bits that are not yet a whole byte of the output: 0 to 7. */
export function pendingBits(): u32 {
  drain();
  return bitCount;
}

export function initBlock(): void {
  memory.fill(literalTree, 0, 2 * 576);
  memory.fill(distanceTree, 0, 2 * 576);
  memory.fill(bitLengthTree, 0, 2 * 576);
  set(literalTree, FREQUENCY, END_BLOCK, 1);
  symbolCount = 0;
  matchCount = 0;
  bestBits = 0;
  fixedBits = 0;
}

// @ts-ignore: decorator
@inline
export function count(tree: usize, symbol: u32): void {
  const at = tree + (symbol << 1);
  store<u16>(at, load<u16>(at) + 1);
}

/** GNU gzip looks every 4096 symbols whether few distances make the block so good that it should end. */
function isGoodEnough(blockBytes: i32): bool {
  let outBits: u32 = symbolCount * 8;
  for (let code: u32 = 0; code < DISTANCES; code++) {
    outBits += get(distanceTree, FREQUENCY, code) * (5 + <u32>load<u8>(distanceExtra + code));
  }
  return matchCount < symbolCount / 2 && outBits >> 3 < <u32>blockBytes / 2;
}

// @ts-ignore: decorator
@inline
function isFull(blockBytes: i32): bool {
  if ((symbolCount & 0xfff) == 0 && isGuessing && isGoodEnough(blockBytes)) return true;
  return symbolCount == symbolLimit;
}

export function symbolsOfBlock(): u32 {
  return symbolCount;
}

/** Adds a literal; true when the block is full. `blockBytes`: input of the block so far. */
// @ts-ignore: decorator
@inline
export function tallyLiteral(literal: u32, blockBytes: i32): bool {
  store<u32>(symbols + (symbolCount++ << 2), LITERAL | literal);
  count(literalTree, literal);
  return isFull(blockBytes);
}

// @ts-ignore: decorator
@inline
export function tallyDistance(distance: u32, lengthBelow: u32, blockBytes: i32): bool {
  const far = codeOfDistance(distance - 1);
  store<u32>(symbols + (symbolCount++ << 2), (far << 25) | (distance << 9) | LENGTHS | lengthBelow);
  matchCount++;
  count(literalTree, <u32>load<u8>(lengthCode + lengthBelow) + 257);
  count(distanceTree, far);
  return isFull(blockBytes);
}

// @ts-ignore: decorator
@inline
export function send(value: u32, length: u32): void {
  bits |= <u64>value << bitCount;
  bitCount += length;
  if (bitCount >= 32) {
    store<u32>(out, <u32>bits);
    out += 4;
    bits >>= 32;
    bitCount -= 32;
  }
}

export function drain(): void {
  while (bitCount >= 8) {
    store<u8>(out++, <u8>bits);
    bits >>= 8;
    bitCount -= 8;
  }
}

export function align(): void {
  bitCount = (bitCount + 7) & ~7;
  drain();
}

/** Ends on a byte boundary with the lowest bits of `fill` where zeros are usual. */
export function alignWith(fill: u32): void {
  drain();
  if (bitCount == 0) return;
  bits = (bits | (<u64>fill << bitCount)) & 0xff;
  bitCount = 8;
  drain();
}

/** An empty stored block: what a sync flush leaves. */
export function sendEmptyStored(): void {
  send(0, 3);
  align();
  store<u32>(out, 0xffff0000);
  out += 4;
}

/** An empty block of fixed codes: ten bits. */
export function sendEmptyFixed(): void {
  send(2, 10);
}

// @ts-ignore: decorator
@inline
function nodeAt(i: u32): u32 {
  return load<u16>(heap + (i << 1));
}

// @ts-ignore: decorator
@inline
function place(i: u32, node: u32): void {
  store<u16>(heap + (i << 1), <u16>node);
}

function isSmaller(tree: usize, n: u32, m: u32): bool {
  const a = get(tree, FREQUENCY, n);
  const b = get(tree, FREQUENCY, m);
  return a < b || (a == b && load<u8>(depth + n) <= load<u8>(depth + m));
}

function sink(tree: usize, from: u32): void {
  let k = from;
  const v = nodeAt(k);
  for (let j = k << 1; j <= heapLength; j <<= 1) {
    if (j < heapLength && isSmaller(tree, nodeAt(j + 1), nodeAt(j))) j++;
    if (isSmaller(tree, v, nodeAt(j))) break;
    place(k, nodeAt(j));
    k = j;
  }
  place(k, v);
}

/** Makes lengths and codes from frequencies; returns the largest symbol that occurs. `fixed` 0: none. */
export function build(tree: usize, fixed: usize, extra: usize, extraBase: u32, elements: u32, maxLength: u32): u32 {
  heapLength = 0;
  heapMax = HEAP;
  let maxCode: i32 = -1;
  for (let n: u32 = 0; n < elements; n++) {
    if (get(tree, FREQUENCY, n) != 0) {
      place(++heapLength, n);
      maxCode = n;
      store<u8>(depth + n, 0);
    } else set(tree, LENGTH, n, 0);
  }
  while (heapLength < 2) {
    const node: u32 = maxCode < 2 ? <u32>++maxCode : 0;
    place(++heapLength, node);
    set(tree, FREQUENCY, node, 1);
    store<u8>(depth + node, 0);
    bestBits--;
    if (fixed != 0) fixedBits -= get(fixed, LENGTH, node);
  }
  for (let n = heapLength >> 1; n >= 1; n--) sink(tree, n);
  let node = elements;
  do {
    const n = nodeAt(1);
    place(1, nodeAt(heapLength--));
    sink(tree, 1);
    const m = nodeAt(1);
    place(--heapMax, n);
    place(--heapMax, m);
    set(tree, FREQUENCY, node, get(tree, FREQUENCY, n) + get(tree, FREQUENCY, m));
    store<u8>(depth + node, max(load<u8>(depth + n), load<u8>(depth + m)) + 1);
    set(tree, PARENT, n, node);
    set(tree, PARENT, m, node);
    place(1, node++);
    sink(tree, 1);
  } while (heapLength >= 2);
  place(--heapMax, nodeAt(1));
  limitLengths(tree, fixed, extra, extraBase, <u32>maxCode, maxLength);
  codes(tree, <u32>maxCode);
  return <u32>maxCode;
}

function limitLengths(tree: usize, fixed: usize, extra: usize, extraBase: u32, maxCode: u32, maxLength: u32): void {
  memory.fill(lengthCounts, 0, 32);
  set(tree, LENGTH, nodeAt(heapMax), 0);
  let overflow: i32 = 0;
  let h = heapMax + 1;
  for (; h < HEAP; h++) {
    const n = nodeAt(h);
    let length = get(tree, LENGTH, get(tree, PARENT, n)) + 1;
    if (length > maxLength) {
      length = maxLength;
      overflow++;
    }
    set(tree, LENGTH, n, length);
    if (n > maxCode) continue;
    count(lengthCounts, length);
    const extraBits: u32 = n >= extraBase ? load<u8>(extra + n - extraBase) : 0;
    const frequency = get(tree, FREQUENCY, n);
    bestBits += frequency * (length + extraBits);
    if (fixed != 0) fixedBits += frequency * (get(fixed, LENGTH, n) + extraBits);
  }
  if (overflow == 0) return;
  do {
    let length = maxLength - 1;
    while (load<u16>(lengthCounts + (length << 1)) == 0) length--;
    const at = lengthCounts + (length << 1);
    store<u16>(at, load<u16>(at) - 1);
    store<u16>(at, load<u16>(at, 2) + 2, 2);
    const last = lengthCounts + (maxLength << 1);
    store<u16>(last, load<u16>(last) - 1);
    overflow -= 2;
  } while (overflow > 0);
  for (let length = maxLength; length != 0; length--) {
    let n: u32 = load<u16>(lengthCounts + (length << 1));
    while (n != 0) {
      const m = nodeAt(--h);
      if (m > maxCode) continue;
      if (get(tree, LENGTH, m) != length) {
        bestBits += (length - get(tree, LENGTH, m)) * get(tree, FREQUENCY, m);
        set(tree, LENGTH, m, length);
      }
      n--;
    }
  }
}

function reversed(code: u32, length: u32): u32 {
  let from = code;
  let result: u32 = 0;
  for (let i: u32 = 0; i < length; i++) {
    result = (result << 1) | (from & 1);
    from >>= 1;
  }
  return result;
}

export function codes(tree: usize, maxCode: u32): void {
  let code: u32 = 0;
  for (let length: u32 = 1; length <= MAX_BITS; length++) {
    code = (code + load<u16>(lengthCounts + ((length - 1) << 1))) << 1;
    store<u16>(nextCodes + (length << 1), <u16>code);
  }
  for (let n: u32 = 0; n <= maxCode; n++) {
    const length = get(tree, LENGTH, n);
    if (length == 0) continue;
    const at = nextCodes + (length << 1);
    const next: u32 = load<u16>(at);
    store<u16>(at, <u16>(next + 1));
    set(tree, CODE, n, reversed(next, length));
  }
}

// @ts-ignore: decorator
@inline
export function sendCode(tree: usize, symbol: u32): void {
  send(get(tree, CODE, symbol), get(tree, LENGTH, symbol));
}

/** Lengths of a code, runs shortened: counts the symbols that say them, or sends them. */
function lengths(tree: usize, maxCode: u32, sending: bool): void {
  let previous: u32 = 0xffff;
  let next = get(tree, LENGTH, 0);
  let run: u32 = 0;
  let most: u32 = next == 0 ? 138 : 7;
  let least: u32 = next == 0 ? 3 : 4;
  for (let n: u32 = 0; n <= maxCode; n++) {
    const current = next;
    next = n == maxCode ? 0xffff : get(tree, LENGTH, n + 1);
    if (++run < most && current == next) continue;
    if (run < least) {
      if (sending) for (let i: u32 = 0; i < run; i++) sendCode(bitLengthTree, current);
      else set(bitLengthTree, FREQUENCY, current, get(bitLengthTree, FREQUENCY, current) + run);
    } else if (current != 0) {
      if (current != previous) {
        if (sending) sendCode(bitLengthTree, current);
        else count(bitLengthTree, current);
        run--;
      }
      repeat(16, run - 3, 2, sending);
    } else if (run <= 10) repeat(17, run - 3, 3, sending);
    else repeat(18, run - 11, 7, sending);
    run = 0;
    previous = current;
    most = next == 0 ? 138 : current == next ? 6 : 7;
    least = next == 0 || current == next ? 3 : 4;
  }
}

function repeat(symbol: u32, value: u32, length: u32, sending: bool): void {
  if (!sending) {
    count(bitLengthTree, symbol);
    return;
  }
  sendCode(bitLengthTree, symbol);
  send(value, length);
}

/** What is written for each symbol with these codes. */
function prepareBits(literals: usize, distances: usize): void {
  for (let literal: u32 = 0; literal < 256; literal++) {
    store<u32>(literalBits + (literal << 2), (get(literals, LENGTH, literal) << 24) | get(literals, CODE, literal));
  }
  for (let below: u32 = 0; below < 256; below++) {
    const code: u32 = load<u8>(lengthCode + below);
    const length = get(literals, LENGTH, code + 257);
    const bits = ((below - load<u16>(lengthBase + (code << 1))) << length) | get(literals, CODE, code + 257);
    store<u32>(literalBits + ((LENGTHS + below) << 2), ((length + load<u8>(literalExtra + code)) << 24) | bits);
  }
  for (let far: u32 = 0; far < DISTANCES; far++) {
    const at = distanceBits + (far << 3);
    store<u16>(at, <u16>get(distances, CODE, far));
    store<u8>(at, <u8>get(distances, LENGTH, far), 2);
    store<u8>(at, <u8>(get(distances, LENGTH, far) + load<u8>(distanceExtra + far)), 3);
    store<u32>(at, leastOfDistance(far), 4);
  }
}

/** All symbols of the block. A symbol is at most 48 bits, and fewer than 8 are left over: 64 are enough. */
export function sendSymbols(literals: usize, distances: usize): void {
  prepareBits(literals, distances);
  drain();
  let ready = bits;
  let readyCount = bitCount;
  let to = out;
  const end = symbols + (symbolCount << 2);
  for (let from = symbols; from < end; from += 4) {
    const symbol = load<u32>(from);
    const entry = load<u32>(literalBits + ((symbol & 511) << 2));
    const far = distanceBits + ((symbol >> 25) << 3);
    const extra = ((symbol >> 9) & 0xffff) - load<u32>(far, 4);
    ready |= <u64>(entry & 0xffffff) << readyCount;
    readyCount += entry >> 24;
    ready |= <u64>((extra << load<u8>(far, 2)) | load<u16>(far)) << readyCount;
    readyCount += load<u8>(far, 3);
    store<u64>(to, ready);
    to += readyCount >> 3;
    ready >>= readyCount & 56;
    readyCount &= 7;
  }
  bits = ready;
  bitCount = readyCount;
  out = to;
}

/** Writes the block. `raw` 0: its input is no longer in the window, so it can't be stored. */
export function flushBlock(raw: usize, rawBytes: u32, last: bool): void {
  const final: u32 = last ? 1 : 0;
  const literalMax = build(literalTree, fixedLiterals, literalExtra, 257, LITERALS, MAX_BITS);
  const distanceMax = build(distanceTree, fixedDistances, distanceExtra, 0, DISTANCES, MAX_BITS);
  lengths(literalTree, literalMax, false);
  lengths(distanceTree, distanceMax, false);
  build(bitLengthTree, 0, bitLengthExtra, 0, BIT_LENGTHS, 7);
  let order: u32 = BIT_LENGTHS - 1;
  while (order >= 3 && get(bitLengthTree, LENGTH, load<u8>(bitLengthOrder + order)) == 0) order--;
  bestBits += 3 * (order + 1) + 14;
  let bytes = (bestBits + 10) >> 3;
  const fixedBytes = (fixedBits + 10) >> 3;
  if (fixedBytes <= bytes) bytes = fixedBytes;
  if (rawBytes + 4 <= bytes && raw != 0) {
    send(final, 3);
    align();
    store<u16>(out, <u16>rawBytes);
    store<u16>(out, <u16>~rawBytes, 2);
    memory.copy(out + 4, raw, rawBytes);
    out += 4 + rawBytes;
  } else if (fixedBytes == bytes) {
    send(2 + final, 3);
    sendSymbols(fixedLiterals, fixedDistances);
    sendCode(fixedLiterals, END_BLOCK);
  } else {
    send(4 + final, 3);
    send(literalMax - 256, 5);
    send(distanceMax, 5);
    send(order - 3, 4);
    for (let i: u32 = 0; i <= order; i++) send(get(bitLengthTree, LENGTH, load<u8>(bitLengthOrder + i)), 3);
    lengths(literalTree, literalMax, true);
    lengths(distanceTree, distanceMax, true);
    sendSymbols(literalTree, distanceTree);
    sendCode(literalTree, END_BLOCK);
  }
  initBlock();
  if (last) align();
  else drain();
}
