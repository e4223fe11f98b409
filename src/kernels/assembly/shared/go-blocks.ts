/**
 * Blocks of deflate as Go's compress/flate writes them: length-limited codes by the package-merge method (Larmore
 * and Hirschberg 1990) with packages preferred over equal leaves, one run-length coding over both codes' lengths,
 * stored blocks when they are smaller.
 */
import {
  align,
  BIT_LENGTHS,
  bitLengthOrder,
  bitLengthTree,
  codes,
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
  lengthCounts,
  literalExtra,
  literalTree,
  MAX_BITS,
  outputEnd,
  send,
  sendCode,
  sendSymbols,
  set,
  setOutput,
} from "./trees";

const MAX_STORED: u32 = 65535;
const NEVER: i32 = i32.MAX_VALUE;
const END_OF_RUNS: u32 = 255;

/** Symbols with their frequencies, as frequency << 16 | symbol: sorted as numbers they are in order. */
const list: usize = memory.data(8 * 320, 16);
const runs: usize = memory.data(512, 16);

/** For each length: last, next leaf's and next package's frequency, what is still needed; 16 x 16 counts of leaves. */
const last: usize = memory.data(4 * 17, 16);
const nextLeaf: usize = memory.data(4 * 17, 16);
const nextPackage: usize = memory.data(4 * 17, 16);
const needed: usize = memory.data(4 * 17, 16);
const leaves: usize = memory.data(4 * 17 * 16, 16);

// @ts-ignore: decorator
@inline
function at(array: usize, i: u32): i32 {
  return load<i32>(array + (i << 2));
}

// @ts-ignore: decorator
@inline
function put(array: usize, i: u32, value: i32): void {
  store<i32>(array + (i << 2), value);
}

// @ts-ignore: decorator
@inline
function frequencyAt(i: u32): i32 {
  return <i32>(load<u64>(list + (i << 3)) >> 16);
}

function sort(entries: u32): void {
  for (let gap: u32 = 121; gap > 0; gap = (gap - 1) / 3) {
    for (let i = gap; i < entries; i++) {
      const value = load<u64>(list + (i << 3));
      let j = i;
      for (; j >= gap && load<u64>(list + ((j - gap) << 3)) > value; j -= gap) {
        store<u64>(list + (j << 3), load<u64>(list + ((j - gap) << 3)));
      }
      store<u64>(list + (j << 3), value);
    }
  }
}

/** Leaves that are in the first packages of each length, found from the longest length downwards as needed. */
function countLeaves(entries: u32, most: u32): u32 {
  const longest = min(most, entries - 1);
  memory.fill(leaves, 0, 4 * 17 * 16);
  memory.fill(needed, 0, 4 * 17);
  store<u64>(list + (entries << 3), <u64>NEVER << 16);
  for (let level: u32 = 1; level <= longest; level++) {
    put(last, level, frequencyAt(1));
    put(nextLeaf, level, frequencyAt(2));
    put(nextPackage, level, level == 1 ? NEVER : frequencyAt(0) + frequencyAt(1));
    put(leaves, level * 16 + level, 2);
  }
  put(needed, longest, 2 * entries - 4);
  let level = longest;
  while (true) {
    if (at(nextPackage, level) == NEVER && at(nextLeaf, level) == NEVER) {
      put(needed, level, 0);
      put(nextPackage, level + 1, NEVER);
      level++;
      continue;
    }
    const before = at(last, level);
    if (at(nextLeaf, level) < at(nextPackage, level)) {
      const taken = at(leaves, level * 16 + level) + 1;
      put(last, level, at(nextLeaf, level));
      put(leaves, level * 16 + level, taken);
      put(nextLeaf, level, frequencyAt(taken));
    } else {
      put(last, level, at(nextPackage, level));
      memory.copy(leaves + level * 64, leaves + (level - 1) * 64, level << 2);
      put(needed, level - 1, 2);
    }
    const left = at(needed, level) - 1;
    put(needed, level, left);
    if (left == 0) {
      if (level == longest) break;
      put(nextPackage, level + 1, before + at(last, level));
      level++;
    } else {
      while (at(needed, level - 1) > 0) level--;
    }
  }
  return longest;
}

/** Lengths and codes of a tree from frequencies, which may be those of another. */
export function generate(frequencies: usize, tree: usize, elements: u32, most: u32): void {
  let entries: u32 = 0;
  for (let i: u32 = 0; i < elements; i++) {
    const frequency = get(frequencies, FREQUENCY, i);
    set(tree, LENGTH, i, 0);
    if (frequency != 0) store<u64>(list + (entries++ << 3), (<u64>frequency << 16) | i);
  }
  memory.fill(lengthCounts, 0, 32);
  if (entries <= 2) {
    for (let i: u32 = 0; i < entries; i++) set(tree, LENGTH, load<u16>(list + (i << 3)), 1);
    store<u16>(lengthCounts + 2, <u16>entries);
  } else {
    sort(entries);
    const longest = countLeaves(entries, most);
    let end = entries;
    let length: u32 = 1;
    for (let level = longest; level > 0; level--, length++) {
      const some = <u32>(at(leaves, longest * 16 + level) - at(leaves, longest * 16 + level - 1));
      store<u16>(lengthCounts + (length << 1), <u16>some);
      for (let i = end - some; i < end; i++) set(tree, LENGTH, load<u16>(list + (i << 3)), length);
      end -= some;
    }
  }
  codes(tree, elements - 1);
}

export function cost(frequencies: usize, lengths: usize, elements: u32): u32 {
  let bits: u32 = 0;
  for (let i: u32 = 0; i < elements; i++) bits += get(frequencies, FREQUENCY, i) * get(lengths, LENGTH, i);
  return bits;
}

/** Bits beside the codes that lengths and distances of the block take. */
export function extraBits(): u32 {
  let bits: u32 = 0;
  for (let i: u32 = 0; i < LITERALS - END_BLOCK - 1; i++) {
    bits += get(literalTree, FREQUENCY, END_BLOCK + 1 + i) * <u32>load<u8>(literalExtra + i);
  }
  for (let i: u32 = 0; i < DISTANCES; i++) bits += get(distanceTree, FREQUENCY, i) * <u32>load<u8>(distanceExtra + i);
  return bits;
}

/** How many lengths of the code of literals are sent: the end of the block is always among them. */
export function sentLiterals(): u32 {
  let some = LITERALS;
  while (get(literalTree, FREQUENCY, some - 1) == 0) some--;
  return some;
}

/** How many of the code of distances: one, of the first distance, where there are none. */
export function sentDistances(): u32 {
  let some = DISTANCES;
  while (some > 0 && get(distanceTree, FREQUENCY, some - 1) == 0) some--;
  if (some > 0) return some;
  set(distanceTree, FREQUENCY, 0, 1);
  return 1;
}

/** Shortens the runs in both codes' lengths; counts the symbols that say them. */
export function shorten(literalCodes: usize, literals: u32, distanceCodes: usize, distances: u32): void {
  for (let i: u32 = 0; i < BIT_LENGTHS; i++) set(bitLengthTree, FREQUENCY, i, 0);
  for (let i: u32 = 0; i < literals; i++) store<u8>(runs + i, <u8>get(literalCodes, LENGTH, i));
  for (let i: u32 = 0; i < distances; i++) store<u8>(runs + literals + i, <u8>get(distanceCodes, LENGTH, i));
  store<u8>(runs + literals + distances, <u8>END_OF_RUNS);
  let length: u32 = load<u8>(runs);
  let run: i32 = 1;
  let to = runs;
  for (let from = runs + 1; length != END_OF_RUNS; from++) {
    const next: u32 = load<u8>(from);
    if (next == length) {
      run++;
      continue;
    }
    if (length != 0) {
      store<u8>(to++, <u8>length);
      count(bitLengthTree, length);
      run--;
      while (run >= 3) {
        const some = min(run, 6);
        store<u8>(to++, 16);
        store<u8>(to++, <u8>(some - 3));
        count(bitLengthTree, 16);
        run -= some;
      }
    } else {
      while (run >= 11) {
        const some = min(run, 138);
        store<u8>(to++, 18);
        store<u8>(to++, <u8>(some - 11));
        count(bitLengthTree, 18);
        run -= some;
      }
      if (run >= 3) {
        store<u8>(to++, 17);
        store<u8>(to++, <u8>(run - 3));
        count(bitLengthTree, 17);
        run = 0;
      }
    }
    for (; run > 0; run--) {
      store<u8>(to++, <u8>length);
      count(bitLengthTree, length);
    }
    length = next;
    run = 1;
  }
  store<u8>(to, <u8>END_OF_RUNS);
  generate(bitLengthTree, bitLengthTree, BIT_LENGTHS, 7);
}

/** How many lengths of the code of lengths are sent. */
function sentLengths(): u32 {
  let some = BIT_LENGTHS;
  while (some > 4 && get(bitLengthTree, FREQUENCY, load<u8>(bitLengthOrder + some - 1)) == 0) some--;
  return some;
}

export function headerBits(): u32 {
  return (
    17 +
    3 * sentLengths() +
    cost(bitLengthTree, bitLengthTree, BIT_LENGTHS) +
    2 * get(bitLengthTree, FREQUENCY, 16) +
    3 * get(bitLengthTree, FREQUENCY, 17) +
    7 * get(bitLengthTree, FREQUENCY, 18)
  );
}

export function sendHeader(literals: u32, distances: u32): void {
  const some = sentLengths();
  send(4, 3);
  send(literals - 257, 5);
  send(distances - 1, 5);
  send(some - 4, 4);
  for (let i: u32 = 0; i < some; i++) send(get(bitLengthTree, LENGTH, load<u8>(bitLengthOrder + i)), 3);
  for (let from = runs; load<u8>(from) != END_OF_RUNS; ) {
    const symbol: u32 = load<u8>(from++);
    sendCode(bitLengthTree, symbol);
    if (symbol >= 16) send(load<u8>(from++), symbol == 16 ? 2 : symbol == 17 ? 3 : 7);
  }
}

export function sendStored(raw: usize, rawBytes: u32, final: bool): void {
  send(final ? 1 : 0, 3);
  align();
  const to = outputEnd();
  store<u16>(to, <u16>rawBytes);
  store<u16>(to, <u16>~rawBytes, 2);
  memory.copy(to + 4, raw, rawBytes);
  setOutput(to + 4 + rawBytes);
}

/**
 * Writes the symbols as a block. `raw` 0: the input is gone. `always` is the rule of the fastest level: never fixed
 * codes, and stored when that is at most a sixteenth more.
 */
export function writeBlock(raw: usize, rawBytes: u32, always: bool): void {
  const literals = sentLiterals();
  const distances = sentDistances();
  generate(literalTree, literalTree, LITERALS, MAX_BITS);
  generate(distanceTree, distanceTree, DISTANCES, MAX_BITS);
  const isStorable = raw != 0 && rawBytes <= MAX_STORED;
  const extra: u32 = isStorable && !always ? extraBits() : 0;
  shorten(literalTree, literals, distanceTree, distances);
  const fixed: u32 = 3 + cost(literalTree, fixedLiterals, LITERALS) + cost(distanceTree, fixedDistances, DISTANCES) + extra;
  const dynamic =
    headerBits() + cost(literalTree, literalTree, LITERALS) + cost(distanceTree, distanceTree, DISTANCES) + extra;
  const stored = (rawBytes + 5) * 8;
  const isFixed = !always && dynamic >= fixed;
  const coded = always ? dynamic + (dynamic >> 4) : isFixed ? fixed : dynamic;
  if (isStorable && stored < coded) {
    sendStored(raw, rawBytes, false);
  } else if (isFixed) {
    send(2, 3);
    sendSymbols(fixedLiterals, fixedDistances);
    sendCode(fixedLiterals, END_BLOCK);
  } else {
    sendHeader(literals, distances);
    sendSymbols(literalTree, distanceTree);
    sendCode(literalTree, END_BLOCK);
  }
  initBlock();
}

/** Writes the input as literals alone. */
export function writeLiterals(raw: usize, rawBytes: u32): void {
  initBlock();
  for (let i: u32 = 0; i < rawBytes; i++) count(literalTree, load<u8>(raw + i));
  set(distanceTree, FREQUENCY, 0, 1);
  generate(literalTree, literalTree, LITERALS, MAX_BITS);
  generate(distanceTree, distanceTree, DISTANCES, MAX_BITS);
  shorten(literalTree, END_BLOCK + 1, distanceTree, 1);
  const dynamic = headerBits() + cost(literalTree, literalTree, LITERALS) + 1;
  const coded = dynamic + (dynamic >> 4);
  if ((rawBytes + 5) * 8 < coded) sendStored(raw, rawBytes, false);
  else {
    sendHeader(END_BLOCK + 1, 1);
    for (let i: u32 = 0; i < rawBytes; i++) sendCode(literalTree, load<u8>(raw + i));
    sendCode(literalTree, END_BLOCK);
  }
  initBlock();
}
