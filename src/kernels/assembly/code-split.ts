/**
 * x86-64 code taken apart into skeleton and operands, and put together again. The twins, which explain the rules, are
 * src/executable/code-split-twin.ts and src/isa/x86-64/parts.ts; the decoder's tables are copied into `tables()` once.
 */
import { INSTRUCTION_TRUNCATED, TABLES } from "./shared/x86-64-opcodes";
import {
  BYTE,
  baseOf,
  displacementOf,
  headOf,
  immediateOf,
  lengthOf,
  OTHER,
  partsAt,
  SHORT_BRANCH,
} from "./shared/x86-64-parts";

/** Longer pieces are left to the twin. */
export const MAX_PIECE_BYTES: u32 = 65536;
/** Zeros behind what is decoded. */
export const LOOKAHEAD_BYTES: u32 = 32;

/** One more entry than a piece has bytes: the tail's. */
const ENTRIES: i32 = 65536 + 16;

const CODE: usize = memory.data(<i32>MAX_PIECE_BYTES + 64, 64);
const SKELETON: usize = memory.data(<i32>MAX_PIECE_BYTES + 64, 64);
const STARTS: usize = memory.data(ENTRIES * 4, 64);
const HEADS: usize = memory.data(ENTRIES * 4, 64);
const PARTS: usize = memory.data(ENTRIES * 4, 64);
const DISPLACEMENTS: usize = memory.data(ENTRIES * 4, 64);
const IMMEDIATES: usize = memory.data(ENTRIES * 4, 64);
const BASES: usize = memory.data(ENTRIES, 64);

let count: u32 = 0;

export function tables(): usize {
  return TABLES;
}

/** Where code goes, or comes from. */
export function code(): usize {
  return CODE;
}

/** Where skeletons come from, or go. */
export function skeleton(): usize {
  return SKELETON;
}

/** Columns of the instructions: u32 each. */
export function starts(): usize {
  return STARTS;
}

export function heads(): usize {
  return HEADS;
}

export function parts(): usize {
  return PARTS;
}

/** i32 each. */
export function displacements(): usize {
  return DISPLACEMENTS;
}

export function immediates(): usize {
  return IMMEDIATES;
}

/** u8 each. */
export function bases(): usize {
  return BASES;
}

/** Instructions that the last call found. */
export function instructions(): u32 {
  return count;
}

// @ts-ignore: decorator
@inline
function zeros(at: usize): void {
  memory.fill(at, 0, <usize>LOOKAHEAD_BYTES);
}

/** Takes `length` bytes of code apart. Returns the skeleton's length without the tail. */
export function split(length: u32): u32 {
  const end = CODE + <usize>length;
  zeros(end);
  let at = CODE;
  let out = SKELETON;
  let place: usize = 0;
  while (at < end) {
    const found = partsAt(at, end);
    if ((found & INSTRUCTION_TRUNCATED) != 0) break;
    store<u32>(STARTS + (place << 2), <u32>(at - CODE));
    store<u32>(HEADS + (place << 2), <u32>(out - SKELETON));
    store<u32>(PARTS + (place << 2), found);
    const next = at + <usize>lengthOf(found);
    const head = <usize>headOf(found);
    // More than the head is copied: what is too much is overwritten.
    v128.store(out, v128.load(at));
    at += head;
    out += head;
    const displacement = displacementOf(found);
    if (displacement != 0) {
      store<u8>(BASES + place, baseOf(found, out));
      store<i32>(DISPLACEMENTS + (place << 2), displacement == 1 ? <i32>load<i8>(at) : load<i32>(at));
      at += <usize>displacement;
    }
    const immediate = immediateOf(found);
    if (immediate == OTHER) {
      while (at < next) store<u8>(out++, load<u8>(at++));
    } else {
      const isShort = immediate == BYTE || immediate == SHORT_BRANCH;
      store<i32>(IMMEDIATES + (place << 2), isShort ? <i32>load<i8>(at) : load<i32>(at));
    }
    place++;
    at = next;
  }
  count = <u32>place;
  store<u32>(STARTS + (place << 2), <u32>(at - CODE));
  store<u32>(HEADS + (place << 2), <u32>(out - SKELETON));
  const skeletonBytes = <u32>(out - SKELETON);
  memory.copy(out, at, end - at);
  return skeletonBytes;
}

/**
 * Finds the instructions of a skeleton, `available` bytes of it: those of `codeBytes` of code, or with `whole` all.
 * Where it stops is in the last entries of the columns.
 */
export function parse(available: u32, codeBytes: u32, whole: bool): void {
  const stop = SKELETON + <usize>available;
  zeros(stop);
  let at: usize = 0;
  let from = SKELETON;
  let place: usize = 0;
  const all = <usize>codeBytes;
  while (from < stop && at < all) {
    let found: u32;
    const end = from + all - at;
    if (whole) found = partsAt(from, stop + <usize>LOOKAHEAD_BYTES);
    else if (all - at >= <usize>LOOKAHEAD_BYTES) found = partsAt(from, end);
    else {
      // What lies behind the piece's end is zero to the decoder.
      const saved0 = v128.load(end);
      const saved1 = v128.load(end, 16);
      zeros(end);
      found = partsAt(from, end);
      v128.store(end, saved0);
      v128.store(end, saved1, 16);
      if ((found & INSTRUCTION_TRUNCATED) != 0) break;
    }
    store<u32>(STARTS + (place << 2), <u32>at);
    store<u32>(HEADS + (place << 2), <u32>(from - SKELETON));
    store<u32>(PARTS + (place << 2), found);
    const head = <usize>headOf(found);
    const displacement = displacementOf(found);
    if (displacement != 0) store<u8>(BASES + place, baseOf(found, from + head));
    from += immediateOf(found) == OTHER ? <usize>(lengthOf(found) - displacement) : head;
    at += <usize>lengthOf(found);
    place++;
  }
  count = <u32>place;
  store<u32>(STARTS + (place << 2), <u32>at);
  store<u32>(HEADS + (place << 2), <u32>(from - SKELETON));
}

/** Puts code together from the skeleton and the columns of the instructions. Returns its length without the tail. */
export function join(instructionCount: u32): u32 {
  let at = CODE;
  let from = SKELETON;
  for (let place: usize = 0; place < <usize>instructionCount; place++) {
    const found = load<u32>(PARTS + (place << 2));
    const next = at + <usize>lengthOf(found);
    const head = <usize>headOf(found);
    v128.store(at, v128.load(from));
    at += head;
    from += head;
    const displacement = displacementOf(found);
    if (displacement != 0) {
      // The immediate behind overwrites what is too much.
      store<i32>(at, load<i32>(DISPLACEMENTS + (place << 2)));
      at += <usize>displacement;
    }
    if (immediateOf(found) == OTHER) {
      while (at < next) store<u8>(at++, load<u8>(from++));
    } else store<i32>(at, load<i32>(IMMEDIATES + (place << 2)));
    at = next;
  }
  return <u32>(at - CODE);
}
