/**
 * Pieces of x86-64 code from their streams: skeletons parsed, operands foretold or read, and both put together without
 * a column leaving this memory. The twin, which explains the rules, is src/executable/code-restore-twin.ts; the caller
 * copies parts of the streams into windows, and asks the twin where this gives up: at what no writer makes, and where
 * a window ends too early.
 *
 * Fields that look like references are taken down on the way, as isa-x86-64 would find them in the code.
 */
import { copyRun, HEADS, LOOKAHEAD_BYTES, MAX_PIECE_BYTES, PARTS, STARTS, zeros } from "./shared/code-columns";
import { align, BYTE_COPIES, BYTE_FROMS, BYTE_LITERALS, byteDelta, readDelta, SKELETON } from "./shared/code-delta";
import {
  FIELD_CONTEXTS,
  FIELD_KINDS,
  FIELD_OFFSETS,
  FIELD_SHAPES,
  fieldCount,
  setFieldCount,
} from "./shared/code-fields";
import { codeEnd, restoreChanged, restoreFresh, skeletonEnd } from "./shared/code-join";
import { giveRun, isHit, RUN, takeRun } from "./shared/code-runs";
import { clearLearned, SOURCE, sourceTail, splitSource } from "./shared/code-source";
import { BRANCH_NUMBERS, CODE, CURSORS, cursor, setCursor, WINDOWS, windowEnd } from "./shared/code-windows";
import { failed, startReading, value, varint } from "./shared/varints";
import { TABLES } from "./shared/x86-64-opcodes";
import { displacementOf, headOf, immediateOf, lengthOf, OTHER, partsAt } from "./shared/x86-64-parts";

export { MAX_PIECE_BYTES, SLACK_BYTES } from "./shared/code-columns";
export { ABS32, ABSOLUTE, CALL, CODE_DATA, MAX_FIELDS, PC32 } from "./shared/code-fields";
export {
  ABSOLUTE32_BLANK,
  BACKWARD,
  BEHIND,
  BLANK,
  FAR_BACKWARD,
  FAR_FORWARD,
  FORWARD,
  ODD,
} from "./shared/code-join";
export { WINDOW_BYTES } from "./shared/code-windows";

/** Pieces that are handed over at once. */
export const MAX_PIECES: u32 = 4096;
/** Bytes of all of them together. */
export const OUT_BYTES: u32 = 1 << 18;

const PIECES: usize = memory.data(4096 * 8, 16);
const OUT: usize = memory.data((1 << 18) + 64, 64);

/** Where the decoder's tables go. */
export function tables(): usize {
  return TABLES;
}

/** The windows, one behind the other, each with slack behind. */
export function windows(): usize {
  return WINDOWS;
}

/** Of each window where the reading is, and where it ends: u32 each. */
export function cursors(): usize {
  return CURSORS;
}

/** The run of right operands: f64, infinite behind the last wrong one. */
export function runAt(): usize {
  return RUN;
}

/** Of each piece its length and where it goes in the file: u32 each. */
export function pieces(): usize {
  return PIECES;
}

export function out(): usize {
  return OUT;
}

/** Fields since `takeFields`: file offsets (u32), kinds, shapes and contexts (u8). */
export function fieldOffsets(): usize {
  return FIELD_OFFSETS;
}

export function fieldKinds(): usize {
  return FIELD_KINDS;
}

export function fieldShapes(): usize {
  return FIELD_SHAPES;
}

export function fieldContexts(): usize {
  return FIELD_CONTEXTS;
}

export function fields(): u32 {
  return fieldCount;
}

/** They were taken: to be called before there are more than `MAX_FIELDS`. */
export function takeFields(): void {
  setFieldCount(0);
}

/**
 * Makes fresh pieces in `out`, one behind the other. `allRuns` says that the window of runs holds all of the stream's
 * rest, `absolute` whether addresses of 32 bits are references. Returns how many pieces were made; cursors and run stand
 * where the next one begins.
 */
export function fresh(count: u32, allRuns: bool, absolute: bool): u32 {
  startReading();
  takeRun(allRuns);
  const stop = windowEnd(CODE);
  let to = OUT;
  for (let piece: u32 = 0; piece < count; piece++) {
    const entry = PIECES + <usize>(piece << 3);
    const length = load<u32>(entry);
    if (!restoreFresh(cursor(CODE), stop, to, length, load<u32>(entry, 4), absolute)) return piece;
    to += <usize>length;
    const end = skeletonEnd + (to - codeEnd);
    if (end > stop) return piece;
    memory.copy(codeEnd, skeletonEnd, to - codeEnd);
    setCursor(CODE, end);
    giveRun();
  }
  return count;
}

/** Where the source of a changed piece goes. */
export function source(): usize {
  return SOURCE;
}

/** The delta of bytes that the last `change` found: literals, sources and copies, u32 each; its steps. */
export function byteLiterals(): usize {
  return BYTE_LITERALS;
}

export function byteFroms(): usize {
  return BYTE_FROMS;
}

export function byteCopies(): usize {
  return BYTE_COPIES;
}

let stepCount: u32 = 0;

export function byteSteps(): u32 {
  return stepCount;
}

/** Finds the instructions of a changed piece: see `parseWholeTwin`. Returns their number, or -1. */
function parseWhole(skeletonBytes: u32, mostBytes: u32): i32 {
  const decodedEnd = SKELETON + <usize>skeletonBytes + LOOKAHEAD_BYTES;
  const stop = SKELETON + <usize>(skeletonBytes - tailBytes);
  let at: u32 = 0;
  let from = SKELETON;
  let place: usize = 0;
  while (from < stop) {
    const found = partsAt(from, decodedEnd);
    store<u32>(STARTS + (place << 2), at);
    store<u32>(HEADS + (place << 2), <u32>(from - SKELETON));
    store<u32>(PARTS + (place << 2), found);
    const length = lengthOf(found);
    from += <usize>(immediateOf(found) == OTHER ? length - displacementOf(found) : headOf(found));
    at += length;
    place++;
  }
  store<u32>(STARTS + (place << 2), at);
  store<u32>(HEADS + (place << 2), <u32>(from - SKELETON));
  return from > stop || at + tailBytes > mostBytes ? -1 : <i32>place;
}

/** Bytes at the end of a changed piece that are no instruction. */
let tailBytes: u32 = 0;

/**
 * Makes a piece that is said by the source, of which `sourceBytes` are at `source`, in `out`: of `mostBytes` at most.
 * Returns its length, or -1; then cursors and run mean nothing.
 */
export function change(
  sourceBytes: u32,
  mostBytes: u32,
  fileOffset: u32,
  allRuns: bool,
  absolute: bool,
): i32 {
  startReading();
  takeRun(allRuns);
  const most = min(mostBytes, MAX_PIECE_BYTES);
  const skeletonBytes = readDelta(splitSource(sourceBytes), most);
  if (skeletonBytes < 0) return -1;
  zeros(SKELETON + <usize>skeletonBytes);
  tailBytes = sourceTail;
  if (!isHit()) {
    setCursor(BRANCH_NUMBERS, varint(cursor(BRANCH_NUMBERS), windowEnd(BRANCH_NUMBERS)));
    if (failed || value > <u64>skeletonBytes) return -1;
    tailBytes = <u32>value;
  }
  if (tailBytes > <u32>skeletonBytes) return -1;
  const count = parseWhole(skeletonBytes, most);
  if (count < 0) return -1;
  align(count);
  clearLearned();
  if (!restoreChanged(count, OUT, fileOffset, absolute)) return -1;
  const codeBytes = load<u32>(STARTS + (<usize>count << 2));
  copyRun(OUT + <usize>codeBytes, SKELETON + <usize>(<u32>skeletonBytes - tailBytes), <usize>tailBytes);
  stepCount = byteDelta(count);
  giveRun();
  return <i32>(codeBytes + tailBytes);
}
