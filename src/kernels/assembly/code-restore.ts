/**
 * Pieces of x86-64 code from their streams: skeletons parsed, operands foretold or read, and both put together without
 * a column leaving this memory. The twin, which explains the rules, is src/executable/code-restore-twin.ts; the caller
 * copies parts of the streams into windows, and asks the twin where this gives up: at what no writer makes, and where
 * a window ends too early.
 *
 * Fields that look like references are taken down on the way, as isa-x86-64 would find them in the code.
 */
import {
  copyRun,
  HEADS,
  LOOKAHEAD_BYTES,
  MAX_PIECE_BYTES,
  PARTS,
  SLACK_BYTES,
  STARTS,
  zeros,
} from "./shared/code-columns";
import {
  align,
  BYTE_COPIES,
  BYTE_FROMS,
  BYTE_LITERALS,
  byteDelta,
  COUNTERPARTS,
  PARTNERS,
  readDelta,
  SKELETON,
} from "./shared/code-delta";
import {
  BLANK_BRANCH,
  clearLearned,
  foretell,
  IMMEDIATE_BASE,
  learn,
  ODD_BRANCH,
  SOURCE,
  SOURCE_PARTS,
  sourceDisplacement,
  sourceImmediate,
  sourceTail,
  sourceTarget,
  splitSource,
} from "./shared/code-source";
import {
  BRANCH_NUMBERS,
  BRANCH_SYMBOLS,
  CODE,
  CURSORS,
  cursor,
  DISPLACEMENTS8,
  DISPLACEMENTS32,
  IMMEDIATES8,
  IMMEDIATES32,
  OPERAND_RUNS,
  setCursor,
  WINDOW_BYTES,
  WINDOWS,
  windowEnd,
} from "./shared/code-windows";
import { clearLabels, lastLabel, led, openLabel, passLabels } from "./shared/operand-labels";
import { failed, startReading, unzigzag, value, varint } from "./shared/varints";
import { INSTRUCTION_TRUNCATED, TABLES } from "./shared/x86-64-opcodes";
import {
  BRANCH,
  BYTE,
  baseOf,
  displacementOf,
  headOf,
  immediateOf,
  lengthOf,
  OTHER,
  partsAt,
  ripOf,
  SHORT_BRANCH,
  WORD,
} from "./shared/x86-64-parts";

export { MAX_PIECE_BYTES, SLACK_BYTES, WINDOW_BYTES };

/** Pieces that are handed over at once. */
export const MAX_PIECES: u32 = 4096;
/** Bytes of all of them together. */
export const OUT_BYTES: u32 = 1 << 18;
// The numbers of the twin, compared with them by a test.
export const FORWARD: u32 = 64;
export const BACKWARD: u32 = 168;
export const BEHIND: u32 = 208;
export const FAR_FORWARD: u32 = 248;
export const FAR_BACKWARD: u32 = 249;
export const BLANK: u32 = 250;
export const ODD: u32 = 251;
export const ABSOLUTE32_BLANK: i32 = 0x5eb1a9c7;
export const PC32: u32 = 0;
export const ABS32: u32 = 2;

export const CALL: u32 = 0;
export const CODE_DATA: u32 = 1;
export const ABSOLUTE: u32 = 18;

const CALL_OPCODE: u32 = 0xe8;
const XBEGIN_MODRM: u32 = 0xf8;
const MAX_WORD: u64 = 1 << 32;

/** Fields that are kept until they are taken. */
export const MAX_FIELDS: u32 = 1 << 18;
/** Fields don't overlap, and a call makes at most `OUT_BYTES`; one more is scratch. */
const FIELDS: i32 = (1 << 18) + (1 << 18) / 4 + 16;

const RUN: usize = memory.data(8, 16);
const PIECES: usize = memory.data(4096 * 8, 16);
const OUT: usize = memory.data((1 << 18) + 64, 64);
const FIELD_OFFSETS: usize = memory.data(FIELDS * 4, 64);
const FIELD_KINDS: usize = memory.data(FIELDS, 64);
const FIELD_SHAPES: usize = memory.data(FIELDS, 64);
const FIELD_CONTEXTS: usize = memory.data(FIELDS, 64);

/** Branches that lead ahead: target, where the field is, where its instruction ends, what it is: u32 each. */
const AHEAD_BYTES: usize = 16;
const AHEAD: usize = memory.data(((1 << 18) / 2 + 1) * 16, 64);

let fieldCount: u32 = 0;
/** Of a fresh piece where skeleton and code end, without the tail. */
let skeletonEnd: usize = 0;
let codeEnd: usize = 0;
/** Right operands until the next wrong one. */
let run: u64 = 0;
let runsAt: usize = 0;
let runsEnd: usize = 0;
/** Whether the window of runs holds all of the stream's rest. */
let hasAllRuns: bool = false;

const ENDLESS: u64 = u64.MAX_VALUE;

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
  fieldCount = 0;
}

/** Parts of an instruction near the end of a piece, of which `left` bytes are left. */
function partsNearEnd(from: usize, left: usize): u32 {
  // What lies behind the piece's end is zero to the decoder.
  const end = from + left;
  const saved0 = v128.load(end);
  const saved1 = v128.load(end, 16);
  zeros(end);
  const found = partsAt(from, end);
  v128.store(end, saved0);
  v128.store(end, saved1, 16);
  return found;
}

function nextRun(): void {
  if (runsAt == runsEnd && hasAllRuns) run = ENDLESS;
  else {
    runsAt = varint(runsAt, runsEnd);
    run = value;
  }
}

/** Whether what is foretold is right. */
// @ts-ignore: decorator
@inline
function isHit(): bool {
  if (run > 0) {
    run--;
    return true;
  }
  nextRun();
  return false;
}

/** Writes a field's columns; it counts when its number is passed. */
// @ts-ignore: decorator
@inline
function noteField(field: usize, offset: u32, kind: u32, shape: u32, context: u32): void {
  store<u32>(FIELD_OFFSETS + (field << 2), offset);
  store<u8>(FIELD_KINDS + field, kind);
  store<u8>(FIELD_SHAPES + field, shape);
  store<u8>(FIELD_CONTEXTS + field, context);
}

/** Value of a word that was read. */
// @ts-ignore: decorator
@inline
function word(): i32 {
  const code = value;
  return code == 0 ? ABSOLUTE32_BLANK : <i32>unzigzag(code - 1);
}

/** Puts the distances of branches in that led ahead; `count` instructions begin at `to` and the `STARTS` behind. */
function leadAhead(end: usize, to: usize, count: u32): bool {
  for (let branch = AHEAD; branch < end; branch += AHEAD_BYTES) {
    const target = load<u32>(branch);
    if (target > count) return false;
    const at = <usize>load<u32>(branch, 4);
    const distance = <i32>load<u32>(STARTS + (<usize>target << 2)) - <i32>(<usize>load<u32>(branch, 8) - to);
    if (load<u32>(branch, 12) == BRANCH) store<i32>(at, distance);
    else {
      if (distance > 0x7f) return false;
      store<u8>(at, distance);
    }
  }
  return true;
}

/**
 * Puts a piece together at `to` from the skeleton at `from`. One that is said by the source (`isChanged`) was parsed to
 * `count` instructions; a fresh one is parsed on the way, up to `stop` and for `count` bytes of code. False for what no
 * writer makes.
 */
// @ts-ignore: decorator
@inline
function restore(
  count: u32,
  from: usize,
  stop: usize,
  to: usize,
  fileOffset: u32,
  absolute: bool,
  isChanged: bool,
): bool {
  const toOffset = fileOffset - <u32>to;
  const end = to + <usize>count;
  let at = to;
  let ahead = AHEAD;
  let field: usize = <usize>fieldCount;
  let displacements8 = cursor(DISPLACEMENTS8);
  let displacements32 = cursor(DISPLACEMENTS32);
  let immediates8 = cursor(IMMEDIATES8);
  let immediates32 = cursor(IMMEDIATES32);
  let symbols = cursor(BRANCH_SYMBOLS);
  let numbers = cursor(BRANCH_NUMBERS);
  // There are no more instructions than bytes.
  clearLabels(count);
  let place: usize = 0;
  for (; isChanged ? place < <usize>count : at < end && from < stop; place++) {
    let parts: u32;
    if (isChanged) parts = load<u32>(PARTS + (place << 2));
    else {
      const left = end - at;
      if (left >= LOOKAHEAD_BYTES) parts = partsAt(from, from + left);
      else {
        parts = partsNearEnd(from, left);
        if ((parts & INSTRUCTION_TRUNCATED) != 0) break;
      }
      store<u32>(STARTS + (place << 2), <u32>(at - to));
    }
    const next = at + <usize>lengthOf(parts);
    const head = <usize>headOf(parts);
    v128.store(at, v128.load(from));
    at += head;
    from += head;
    const partner: i32 = isChanged ? load<i32>(PARTNERS + (place << 2)) : -1;
    // Parts of an instruction without operands stand for no partner.
    const partnerParts: u32 = partner >= 0 ? load<u32>(SOURCE_PARTS + (<usize>partner << 2)) : 0;
    const displacementBytes = displacementOf(parts);
    if (!isChanged) {
      // Bytes are never foretold here. Taken without a branch: what isn't there is overwritten by what follows.
      const is1 = <usize>(displacementBytes & 1);
      store<u8>(at, load<u8>(displacements8));
      displacements8 += is1;
      at += is1;
    }
    if (isChanged ? displacementBytes != 0 : displacementBytes > 1) {
      const isRip = ripOf(parts) != 0;
      let displacement: i32 = 0;
      let isForetold = isRip;
      if (isChanged && displacementOf(partnerParts) != 0 && ripOf(partnerParts) == ripOf(parts)) {
        isForetold = true;
        displacement = sourceDisplacement(partner);
        if (!isRip) displacement = foretell(baseOf(parts, from), displacement);
      }
      if (!isForetold || !isHit()) {
        if (isChanged && displacementBytes == 1) {
          if (displacements8 >= windowEnd(DISPLACEMENTS8)) return false;
          displacement = <i32>load<i8>(displacements8++);
        } else {
          displacements32 = varint(displacements32, windowEnd(DISPLACEMENTS32));
          if (value > MAX_WORD) return false;
          displacement = word();
        }
      }
      if (isChanged && !isRip && displacementOf(partnerParts) != 0 && ripOf(partnerParts) == 0)
        learn(baseOf(parts, from), sourceDisplacement(partner), displacement);
      store<i32>(at, displacement);
      if (!isChanged || displacementBytes == 4) {
        const shape = <u32>(next - at) - 4;
        if (isRip) noteField(field, <u32>at + toOffset, PC32, shape, CODE_DATA);
        else noteField(field, <u32>at + toOffset, ABS32, shape, ABSOLUTE);
        field += <usize>(isRip ? displacement == 0 : absolute && displacement == ABSOLUTE32_BLANK);
      }
      at += <usize>displacementBytes;
    }
    const kind = immediateOf(parts);
    if (!isChanged) {
      const isByte = <usize>(kind == BYTE);
      store<u8>(at, load<u8>(immediates8));
      immediates8 += isByte;
      at += isByte;
    }
    if (isChanged ? kind == OTHER : kind <= BYTE) {
      while (at < next) store<u8>(at++, load<u8>(from++));
      continue;
    }
    if (kind >= SHORT_BRANCH) {
      const instruction = <i32>place;
      passLabels(instruction + 1);
      let immediate: i32 = 0;
      let target: i32 = BLANK_BRANCH;
      let isForetold = <u32>load<u8>(from - 1) == CALL_OPCODE;
      if (isChanged && immediateOf(partnerParts) >= SHORT_BRANCH) {
        const led = sourceTarget(partner, immediateOf(partnerParts));
        if (led >= 0) {
          isForetold = true;
          target = load<i32>(COUNTERPARTS + (<usize>led << 2));
        } else if (led == BLANK_BRANCH && kind == BRANCH) isForetold = true;
      }
      if (!isForetold || !isHit()) {
        target = BLANK_BRANCH;
        if (symbols >= windowEnd(BRANCH_SYMBOLS)) return false;
        const symbol: u32 = load<u8>(symbols++);
        if (symbol < BLANK) {
          if (symbol < FORWARD) target = openLabel(symbol);
          else if (symbol < BACKWARD) target = instruction + 1 + <i32>(symbol - FORWARD);
          else if (symbol < BEHIND) target = instruction - <i32>(symbol - BACKWARD);
          else if (symbol < FAR_FORWARD) target = lastLabel(symbol - BEHIND);
          else {
            numbers = varint(numbers, windowEnd(BRANCH_NUMBERS));
            if (value > <u64>count) return false;
            const number = <i32>value;
            target =
              symbol == FAR_FORWARD
                ? instruction + 1 + <i32>(BACKWARD - FORWARD) + number
                : instruction - <i32>(BEHIND - BACKWARD) - number;
          }
          if (target < 0 || target > <i32>count) return false;
        } else if (symbol == ODD) {
          target = ODD_BRANCH;
          numbers = varint(numbers, windowEnd(BRANCH_NUMBERS));
          if (value > MAX_WORD) return false;
          immediate = <i32>unzigzag(value);
        } else if (symbol != BLANK) return false;
      }
      if (target >= 0) {
        led(instruction, target);
        if (isChanged || target <= instruction)
          immediate = <i32>load<u32>(STARTS + (<usize>target << 2)) - <i32>(next - to);
        else if (target > instruction + 1) {
          // How far it is will be known later; not 0, and not before this.
          store<u32>(ahead, <u32>target);
          store<u32>(ahead, <u32>at, 4);
          store<u32>(ahead, <u32>next, 8);
          store<u32>(ahead, kind, 12);
          ahead += AHEAD_BYTES;
          immediate = 1;
        }
      }
      if (kind == SHORT_BRANCH) {
        if (target != ODD_BRANCH && (target < 0 || immediate != (immediate << 24) >> 24)) return false;
      } else {
        // XBEGIN is no call.
        const context = <u32>load<u8>(from - 1) == XBEGIN_MODRM ? CODE_DATA : CALL;
        noteField(field, <u32>at + toOffset, PC32, 0, context);
        field += <usize>(immediate == 0);
      }
      store<i32>(at, immediate);
    } else {
      const partnerKind = immediateOf(partnerParts);
      const isPaired = isChanged && (partnerKind == BYTE || partnerKind == WORD);
      let immediate: i32 = 0;
      if (isPaired) immediate = foretell(IMMEDIATE_BASE, sourceImmediate(partner));
      if (!isPaired || !isHit()) {
        if (isChanged && kind == BYTE) {
          if (immediates8 >= windowEnd(IMMEDIATES8)) return false;
          immediate = <i32>load<i8>(immediates8++);
        } else {
          immediates32 = varint(immediates32, windowEnd(IMMEDIATES32));
          if (value > MAX_WORD) return false;
          immediate = word();
        }
      }
      if (isPaired) learn(IMMEDIATE_BASE, sourceImmediate(partner), immediate);
      store<i32>(at, immediate);
      if (!isChanged || kind == WORD) {
        noteField(field, <u32>at + toOffset, ABS32, 0, ABSOLUTE);
        field += <usize>(absolute && immediate == ABSOLUTE32_BLANK);
      }
    }
    at = next;
  }
  // What was taken without a look may lie behind the windows.
  if (!isChanged) {
    store<u32>(STARTS + (place << 2), <u32>(at - to));
    skeletonEnd = from;
    codeEnd = at;
    if (!leadAhead(ahead, to, <u32>place)) return false;
  }
  if (failed || displacements8 > windowEnd(DISPLACEMENTS8) || immediates8 > windowEnd(IMMEDIATES8)) return false;
  fieldCount = <u32>field;
  setCursor(DISPLACEMENTS8, displacements8);
  setCursor(DISPLACEMENTS32, displacements32);
  setCursor(IMMEDIATES8, immediates8);
  setCursor(IMMEDIATES32, immediates32);
  setCursor(BRANCH_SYMBOLS, symbols);
  setCursor(BRANCH_NUMBERS, numbers);
  return true;
}

function restoreFresh(from: usize, stop: usize, to: usize, codeBytes: u32, fileOffset: u32, absolute: bool): bool {
  return restore(codeBytes, from, stop, to, fileOffset, absolute, false);
}

function restoreChanged(count: u32, to: usize, fileOffset: u32, absolute: bool): bool {
  return restore(count, SKELETON, 0, to, fileOffset, absolute, true);
}

function takeRun(allRuns: bool): void {
  const given = load<f64>(RUN);
  run = given > 9007199254740991 ? ENDLESS : <u64>given;
  runsAt = cursor(OPERAND_RUNS);
  runsEnd = windowEnd(OPERAND_RUNS);
  hasAllRuns = allRuns;
}

function giveRun(): void {
  setCursor(OPERAND_RUNS, runsAt);
  store<f64>(RUN, run == ENDLESS ? Infinity : <f64>run);
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
