/**
 * AArch64: address fields of a run of code, and ADRP with the users of its page. The twin, which explains the rules,
 * is src/isa/aarch64/.
 */

/** Bytes of code that fit into the window. */
export const WINDOW_BYTES: u32 = 65536;

// The numbers of src/isa/aarch64/, compared with them by a test.
export const AARCH64_ADRP21: u32 = 6;
export const PAIR_BYTES: u32 = 65536;
export const CALLER_SAVED: u32 = 0x4007ffff;
export const CALLEE_SAVED: u32 = 0x1ff80000;

const WORDS: usize = <usize>WINDOW_BYTES / 4;

const KINDS: usize = memory.data(256, 64);
const SLOTS: usize = memory.data(32 * 4, 64);
const WINDOW: usize = memory.data(<i32>WINDOW_BYTES, 64);
const OFFSETS: usize = memory.data(<i32>WORDS * 4 + 4, 64);
const FOUND_KINDS: usize = memory.data(<i32>WORDS + 1, 64);
const ADRPS: usize = memory.data(<i32>WORDS * 4, 64);
const USERS: usize = memory.data(<i32>WORDS * 4, 64);
const SCALES: usize = memory.data(<i32>WORDS, 64);

/** Pieces that are handed over at once. */
export const MAX_PIECES: u32 = 4096;
/** Kind, among those of fields, of what completes the page of an ADRP. */
export const AARCH64_LOW12: u32 = 7;

const PIECES: usize = memory.data(<i32>MAX_PIECES * 12, 64);
/** For each kind the bits of its field, u32. */
const MASKS: usize = memory.data(8 * 4, 64);
/** Fields of ADRPs by register: their numbers. */
const PAGE_FIELDS: usize = memory.data(32 * 4, 64);
/** For each field: number of the field of its ADRP, and scale. */
const PAGES: usize = memory.data(<i32>WORDS * 4 + 4, 64);
const SHAPES: usize = memory.data(<i32>WORDS + 1, 64);

/** Stands for the field of an ADRP that was left out. */
const NO_PAGE: u32 = 0xffffffff;

/** Fields before those in the outputs. */
let fieldsBefore: u32 = 0;

let fieldCount: u32 = 0;
let pairCount: u32 = 0;
/** Registers whose slot is filled. */
let live: u32 = 0;

/** Where the kinds by top byte go. */
export function kinds(): usize {
  return KINDS;
}

/** Where the code goes. */
export function input(): usize {
  return WINDOW;
}

/** Offsets of the fields found since `reset`, u32 each. */
export function offsets(): usize {
  return OFFSETS;
}

/** Kinds of these fields, one byte each. */
export function foundKinds(): usize {
  return FOUND_KINDS;
}

/** Of the pairs found since `reset`: offset of the ADRP, offset of the user (u32 each), scale (one byte). */
export function adrps(): usize {
  return ADRPS;
}

export function users(): usize {
  return USERS;
}

export function scales(): usize {
  return SCALES;
}

export function fields(): u32 {
  return fieldCount;
}

export function pairs(): u32 {
  return pairCount;
}

/** Forgets what was found: the outputs have been read. */
export function reset(): void {
  fieldCount = 0;
  pairCount = 0;
}

/** Empties the slots: a piece of code begins. */
export function begin(): void {
  live = 0;
}

// @ts-ignore: decorator
@inline
function low12Scale(word: u32): i32 {
  if ((word & 0xffc00000) == 0x91000000) return 0;
  if ((word & 0x3b000000) != 0x39000000) return -1;
  const size = <i32>(word >> 30);
  if ((word & 0x04800000) == 0x04800000) return size == 0 ? 4 : -1;
  return size;
}

function movesToGeneral(word: u32): bool {
  const opcode = (word >> 16) & 7;
  if ((word & 0x7f20fc00) == 0x1e200000) return opcode != 2 && opcode != 3 && opcode != 7;
  if ((word & 0x7f200000) == 0x1e000000) return opcode < 2;
  return (word & 0xbfe0ec00) == 0x0e002c00;
}

function writtenByBranch(word: u32): u32 {
  if ((word & 0xfc000000) == 0x94000000 || (word & 0xfe600000) == 0xd6200000) return CALLER_SAVED;
  if ((word & 0xfff80000) == 0xd5280000 || (word & 0xfff00000) == 0xd5300000) return <u32>1 << (word & 31);
  return 0;
}

function writtenByExclusive(word: u32, rt: u32, rt2: u32, rs: u32): u32 {
  const load = (word & 0x00400000) != 0;
  const ordered = (word & 0x00800000) != 0;
  const pair = (word & 0x00200000) != 0;
  let written: u32 = load ? rt : 0;
  if (load && pair) written |= rt2;
  if (pair && (ordered || word >> 31 == 0)) {
    written |= (<u32>1 << rs) | (<u32>1 << (ordered ? rs : (rs + 1) & 31));
  } else if (!load && !ordered) written |= <u32>1 << rs;
  return written;
}

function writtenByMemory(word: u32): u32 {
  const rt: u32 = <u32>1 << (word & 31);
  const rn: u32 = <u32>1 << ((word >> 5) & 31);
  const rt2: u32 = <u32>1 << ((word >> 10) & 31);
  const rs = (word >> 16) & 31;
  const vector = (word & 0x04000000) != 0;
  const opc = (word >> 22) & 3;
  const index = (word >> 10) & 3;
  const loaded: u32 = vector || opc == 0 || (word >> 30 == 3 && opc == 2) ? 0 : rt;
  switch ((word >> 24) & 0x3b) {
    case 0x39:
      return loaded;
    case 0x38: {
      if ((word & 0x00200000) == 0) return loaded | ((index & 1) != 0 ? rn : 0);
      if (index == 2) return loaded;
      if (vector) return 0;
      return index == 3 ? rt | rn : rt;
    }
    case 0x28:
    case 0x29: {
      let written: u32 = 0;
      if (!vector && (word & 0x00400000) != 0) {
        written = (word & 0x03e0) == 0x03e0 ? (rt | rt2) & ~CALLEE_SAVED : rt | rt2;
      }
      return (word & 0x00800000) != 0 ? written | rn : written;
    }
    case 0x18:
      return vector || word >> 30 == 3 ? 0 : rt;
    case 0x19: {
      if ((word & 0x00200000) == 0) return index == 0 || (index == 2 && vector) ? loaded : rt | rn | (<u32>1 << rs);
      if (index != 0) return (index & 1) != 0 ? rn : 0;
      return word >> 30 == 0 ? rt | (<u32>1 << rs) : loaded;
    }
    case 0x08: {
      if (!vector) return writtenByExclusive(word, rt, rt2, rs);
      break;
    }
    default:
      break;
  }
  return (word & 0xbe800000) == 0x0c800000 ? rn : 0;
}

// @ts-ignore: decorator
@inline
function writtenRegisters(word: u32): u32 {
  const rd: u32 = <u32>1 << (word & 31);
  switch ((word >> 25) & 15) {
    case 2:
    case 8:
    case 9:
      return rd;
    case 5:
    case 13:
      return (word & 0x1fe00000) == 0x1a400000 ? 0 : rd;
    case 7:
    case 15:
      return movesToGeneral(word) ? rd : 0;
    case 10:
    case 11:
      return writtenByBranch(word);
    case 4:
    case 6:
    case 12:
    case 14:
      return writtenByMemory(word);
    default:
      return 0;
  }
}

/** Scans the window's words in [from, to), whose offset in the code is `base` more than in the window. */
export function scan(from: u32, to: u32, base: u32): void {
  const end: usize = WINDOW + <usize>to;
  const delta: u32 = base - <u32>WINDOW;
  let field: usize = <usize>fieldCount;
  let pair: usize = <usize>pairCount;
  let filled: u32 = live;
  for (let at: usize = WINDOW + <usize>from; at < end; at += 4) {
    const word = load<u32>(at);
    const kind: u32 = load<u8>(KINDS + <usize>(word >> 24));
    const offset: u32 = <u32>at + delta;
    store<u32>(OFFSETS + (field << 2), offset);
    store<u8>(FOUND_KINDS + field, kind);
    field += <usize>(kind != 0);
    if (filled != 0) {
      const rn = (word >> 5) & 31;
      if (((filled >> rn) & 1) != 0) {
        const scale = low12Scale(word);
        if (scale >= 0) {
          const adrp = load<u32>(SLOTS + <usize>(rn << 2));
          if (offset - adrp <= PAIR_BYTES) {
            store<u32>(ADRPS + (pair << 2), adrp);
            store<u32>(USERS + (pair << 2), offset);
            store<u8>(SCALES + pair, <u32>scale);
            pair++;
          }
        }
      }
      filled &= ~writtenRegisters(word);
    }
    if (kind == AARCH64_ADRP21 && (word & 31) != 31) {
      filled |= <u32>1 << (word & 31);
      store<u32>(SLOTS + <usize>((word & 31) << 2), offset);
    }
  }
  fieldCount = <u32>field;
  pairCount = <u32>pair;
  live = filled;
}

/** Where the pieces go: begin and end in the window, and what is added to fields' offsets, u32 each. */
export function pieces(): usize {
  return PIECES;
}

/** Where the masks of the kinds go. */
export function masks(): usize {
  return MASKS;
}

/** Of the fields: number of the field of the ADRP (u32) and scale (one byte). */
export function pages(): usize {
  return PAGES;
}

export function shapes(): usize {
  return SHAPES;
}

/** A new run of fields begins, numbered from 0. */
export function restart(): void {
  fieldsBefore = 0;
  fieldCount = 0;
  live = 0;
}

/** Forgets the fields, which have been read, but not their number. */
export function flush(): void {
  fieldsBefore += fieldCount;
  fieldCount = 0;
}

/**
 * Scans the window's words in [from, to) for fields, the users of pages among them; with `onlyBlank` for those whose
 * bits are zero, and the users of pages of such.
 */
export function scanJoined(from: u32, to: u32, base: u32, onlyBlank: bool): void {
  const end: usize = WINDOW + <usize>to;
  const delta: u32 = base - <u32>WINDOW;
  let field: usize = <usize>fieldCount;
  let filled: u32 = live;
  for (let at: usize = WINDOW + <usize>from; at < end; at += 4) {
    const word = load<u32>(at);
    const kind: u32 = load<u8>(KINDS + <usize>(word >> 24));
    const offset: u32 = <u32>at + delta;
    const skipped = onlyBlank && (word & load<u32>(MASKS + <usize>(kind << 2))) != 0;
    store<u32>(OFFSETS + (field << 2), offset);
    store<u8>(FOUND_KINDS + field, kind);
    store<u32>(PAGES + (field << 2), 0);
    store<u8>(SHAPES + field, 0);
    const number = fieldsBefore + <u32>field;
    field += <usize>(kind != 0 && !skipped);
    if (filled != 0) {
      const rn = (word >> 5) & 31;
      if (((filled >> rn) & 1) != 0) {
        const scale = low12Scale(word);
        if (scale >= 0 && offset - load<u32>(SLOTS + <usize>(rn << 2)) <= PAIR_BYTES) {
          const page = load<u32>(PAGE_FIELDS + <usize>(rn << 2));
          store<u32>(OFFSETS + (field << 2), offset);
          store<u8>(FOUND_KINDS + field, AARCH64_LOW12);
          store<u32>(PAGES + (field << 2), page);
          store<u8>(SHAPES + field, <u32>scale);
          field += <usize>(page != NO_PAGE);
        }
      }
      filled &= ~writtenRegisters(word);
    }
    if (kind == AARCH64_ADRP21 && (word & 31) != 31) {
      filled |= <u32>1 << (word & 31);
      store<u32>(SLOTS + <usize>((word & 31) << 2), offset);
      store<u32>(PAGE_FIELDS + <usize>((word & 31) << 2), skipped ? NO_PAGE : number);
    }
  }
  fieldCount = <u32>field;
  live = filled;
}

/** Scans `count` pieces that are in the window, each by itself. */
export function scanPieces(count: u32, onlyBlank: bool): void {
  const end: usize = PIECES + <usize>count * 12;
  for (let piece: usize = PIECES; piece < end; piece += 12) {
    live = 0;
    scanJoined(load<u32>(piece), load<u32>(piece, 4) & ~3, load<u32>(piece, 8), onlyBlank);
  }
}
