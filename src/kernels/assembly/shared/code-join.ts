/** Code put together of a skeleton and operands that are foretold or read: the twin is src/executable/code-operands.ts. */
import { LOOKAHEAD_BYTES, PARTS, STARTS, zeros } from "./code-columns";
import { COUNTERPARTS, PARTNERS, SKELETON } from "./code-delta";
import {
  ABS32,
  ABSOLUTE,
  CALL,
  CODE_DATA,
  fieldCount,
  noteField,
  PC32,
  setFieldCount,
} from "./code-fields";
import { isHit } from "./code-runs";
import {
  BLANK_BRANCH,
  foretell,
  IMMEDIATE_BASE,
  learn,
  ODD_BRANCH,
  SOURCE_PARTS,
  sourceDisplacement,
  sourceImmediate,
  sourceTarget,
} from "./code-source";
import {
  BRANCH_NUMBERS,
  BRANCH_SYMBOLS,
  cursor,
  DISPLACEMENTS8,
  DISPLACEMENTS32,
  IMMEDIATES8,
  IMMEDIATES32,
  setCursor,
  windowEnd,
} from "./code-windows";
import { clearLabels, lastLabel, led, openLabel, passLabels } from "./operand-labels";
import { failed, unzigzag, value, varint } from "./varints";
import { INSTRUCTION_TRUNCATED } from "./x86-64-opcodes";
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
} from "./x86-64-parts";

// The numbers of the twin, compared with them by a test.
export const FORWARD: u32 = 64;
export const BACKWARD: u32 = 168;
export const BEHIND: u32 = 208;
export const FAR_FORWARD: u32 = 248;
export const FAR_BACKWARD: u32 = 249;
export const BLANK: u32 = 250;
export const ODD: u32 = 251;
export const ABSOLUTE32_BLANK: i32 = 0x5eb1a9c7;

const CALL_OPCODE: u32 = 0xe8;
const XBEGIN_MODRM: u32 = 0xf8;
const MAX_WORD: u64 = 1 << 32;

/** Branches that lead ahead: target, where the field is, where its instruction ends, what it is: u32 each. */
const AHEAD_BYTES: usize = 16;
const AHEAD: usize = memory.data(((1 << 18) / 2 + 1) * 16, 64);

/** Of a fresh piece where skeleton and code end, without the tail. */
export let skeletonEnd: usize = 0;
export let codeEnd: usize = 0;

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
  setFieldCount(<u32>field);
  setCursor(DISPLACEMENTS8, displacements8);
  setCursor(DISPLACEMENTS32, displacements32);
  setCursor(IMMEDIATES8, immediates8);
  setCursor(IMMEDIATES32, immediates32);
  setCursor(BRANCH_SYMBOLS, symbols);
  setCursor(BRANCH_NUMBERS, numbers);
  return true;
}

/** A fresh piece of `codeBytes`, whose skeleton begins at `from`; then `skeletonEnd` and `codeEnd` are known. */
export function restoreFresh(from: usize, stop: usize, to: usize, codeBytes: u32, fileOffset: u32, absolute: bool): bool {
  return restore(codeBytes, from, stop, to, fileOffset, absolute, false);
}

/** The changed piece whose skeleton was made, parsed and aligned. */
export function restoreChanged(count: u32, to: usize, fileOffset: u32, absolute: bool): bool {
  return restore(count, SKELETON, 0, to, fileOffset, absolute, true);
}
