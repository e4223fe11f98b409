/**
 * Reading the targets of a file's references: what `readTargetsTwin` in src/executable/code-targets.ts does, which
 * explains the rules. The caller lays out memory and writes the addresses to `parameters`.
 *
 * Input that is not what a writer made ends the reading: the twin then says what is wrong with it.
 */
import { failed, startReading, unzigzag, value, varint } from "./shared/varints";

// The numbers of the twin, compared with them by a test.
export const SAME: u32 = 0;
export const NEXT: u32 = 1;
export const PIECE: u32 = 2;
export const LABEL: u32 = 3;
export const WITHIN: u32 = 4;
export const DIAGONAL: u32 = 5;
export const RECENT: u32 = 8;
export const RECENT_LABELS: u32 = 248;
export const RING: u32 = 256;
export const FILTER_BITS: u32 = 11;
export const CALL: u32 = 0;
export const CODE_DATA: u32 = 1;
export const LOW12: u32 = 2;
export const TABLE: u32 = 3;
export const CONTEXTS: u32 = 20;
export const MODE_CHANGE: u32 = 1;
export const MAX_SHIFT: i32 = 0x40000000;

/** Number of each parameter; the ends of streams follow from GROUPS on: tokens and values of each, from and to. */
export const HITS: u32 = 0;
export const HITS_END: u32 = 1;
export const GROUP_OF_CONTEXT: u32 = 2;
export const CONTEXT_OF_REFERENCE: u32 = 3;
export const PIECE_OF_REFERENCE: u32 = 4;
export const PARTNER: u32 = 5;
export const POOL_TARGET: u32 = 6;
export const POOL_OFFSET: u32 = 7;
export const NEXT_PIECE: u32 = 8;
export const COUNTERPART: u32 = 9;
export const SHIFT: u32 = 10;
export const MODE: u32 = 11;
export const SOURCE: u32 = 12;
export const REFERENCES: u32 = 13;
export const BASE_REFERENCES: u32 = 14;
export const PIECES: u32 = 15;
export const BASE_PIECES: u32 = 16;
export const GROUPS: u32 = 17;
export const PARAMETERS: u32 = 48;

const parameters: usize = memory.data(<i32>PARAMETERS * 4, 16);
const lastPiece: usize = memory.data(<i32>CONTEXTS * 4, 16);
const lastOffset: usize = memory.data(<i32>CONTEXTS * 4, 16);
const lastPartner: usize = memory.data(<i32>CONTEXTS * 4, 16);
/** By context: pieces of the ring, then offsets. */
const rings: usize = memory.data(<i32>CONTEXTS * <i32>RING * 8, 64);
const filters: usize = memory.data(<i32>CONTEXTS << <i32>FILTER_BITS, 64);
const newest: usize = memory.data(<i32>CONTEXTS * 4, 16);

/** An offset in the source of a changed piece, as one in the piece. */
// @ts-ignore: decorator
@external("env", "through")
declare function through(piece: i32, offset: i32): i32;

/** First address that the caller may use. */
export function start(): usize {
  return (__heap_base + 63) & ~63;
}

export function parametersAt(): usize {
  return parameters;
}

// @ts-ignore: decorator
@inline
function parameter(number: u32): u32 {
  return load<u32>(parameters + <usize>(number << 2));
}

// @ts-ignore: decorator
@inline
function slotOf(piece: i32, offset: i32): usize {
  return <usize>((<u32>(piece * 0x9e3779b1) + <u32>(offset * 0x85ebca6b)) >> (32 - FILTER_BITS));
}

// @ts-ignore: decorator
@inline
function ringOf(context: u32): usize {
  return rings + <usize>context * <usize>(RING * 8);
}

// @ts-ignore: decorator
@inline
function placeAt(ring: usize, front: u32, place: u32): usize {
  return ring + <usize>(((front + place) & (RING - 1)) << 2);
}

/** Place of a label among the recent ones, or -1. */
function find(context: u32, piece: i32, offset: i32): i32 {
  const ring = ringOf(context);
  const front = load<u32>(newest + <usize>(context << 2));
  if (load<u8>(filters + <usize>(context << FILTER_BITS) + slotOf(piece, offset)) == 0) return -1;
  for (let i: u32 = 0; i < RECENT_LABELS; i++) {
    const at = placeAt(ring, front, i);
    if (load<i32>(at) == piece && load<i32>(at, RING * 4) == offset) return <i32>i;
  }
  return -1;
}

/** Puts a label in front; `place` is where it was, or -1. */
function toFront(context: u32, piece: i32, offset: i32, place: i32): void {
  const ring = ringOf(context);
  let front = load<u32>(newest + <usize>(context << 2));
  if (place < 0) {
    const filter = filters + <usize>(context << FILTER_BITS);
    const dropped = placeAt(ring, front, RECENT_LABELS - 1);
    const old = load<i32>(dropped);
    if (old != -1) {
      const slot = filter + slotOf(old, load<i32>(dropped, RING * 4));
      store<u8>(slot, load<u8>(slot) - 1);
    }
    store<i32>(dropped, -1);
    const slot = filter + slotOf(piece, offset);
    store<u8>(slot, load<u8>(slot) + 1);
    front = (front - 1) & (RING - 1);
    store<u32>(newest + <usize>(context << 2), front);
  } else {
    for (let i: u32 = <u32>place; i > 0; i--) {
      const to = placeAt(ring, front, i);
      const from = placeAt(ring, front, i - 1);
      store<i32>(to, load<i32>(from));
      store<i32>(to, load<i32>(from, RING * 4), RING * 4);
    }
  }
  const at = placeAt(ring, front, 0);
  store<i32>(at, piece);
  store<i32>(at, offset, RING * 4);
}

/** Fills the file's own part of the pool with piece and offset of every target. False for what no writer made. */
export function read(): bool {
  const contexts: usize = parameter(CONTEXT_OF_REFERENCE);
  const groupOf: usize = parameter(GROUP_OF_CONTEXT);
  const ownPiece: usize = parameter(PIECE_OF_REFERENCE);
  const partners: usize = parameter(PARTNER);
  const poolTarget: usize = parameter(POOL_TARGET);
  const poolOffset: usize = parameter(POOL_OFFSET);
  const next: usize = parameter(NEXT_PIECE);
  const counterpart: usize = parameter(COUNTERPART);
  const shifts: usize = parameter(SHIFT);
  const modes: usize = parameter(MODE);
  const sources: usize = parameter(SOURCE);
  const count = parameter(REFERENCES);
  const pieces = parameter(PIECES);
  const basePieces = <i32>parameter(BASE_PIECES);
  const firstOwn: usize = parameter(BASE_REFERENCES);
  const hitsEnd: usize = parameter(HITS_END);
  let hits: usize = parameter(HITS);
  startReading();
  memory.fill(lastPiece, 0, <usize>CONTEXTS * 4);
  memory.fill(lastOffset, 0, <usize>CONTEXTS * 4);
  memory.fill(lastPartner, 0xff, <usize>CONTEXTS * 4);
  memory.fill(newest, 0, <usize>CONTEXTS * 4);
  memory.fill(rings, 0xff, <usize>CONTEXTS * <usize>RING * 8);
  memory.fill(filters, 0, <usize>CONTEXTS << <usize>FILTER_BITS);
  hits = varint(hits, hitsEnd);
  let run: u64 = value;
  for (let r: usize = 0; r < <usize>count; r++) {
    if (failed) return false;
    const context: u32 = load<u8>(contexts + r);
    const place4 = <usize>(context << 2);
    const partner = load<i32>(partners + (r << 2));
    let partnerTarget: i32 = -1;
    let partnerOffset: i32 = 0;
    let known = false;
    let piece: i32 = 0;
    let offset: i32 = 0;
    if (partner >= 0) {
      partnerTarget = load<i32>(poolTarget + (<usize>partner << 2));
      partnerOffset = load<i32>(poolOffset + (<usize>partner << 2));
      if (partnerTarget >= basePieces) {
        known = true;
        piece = partnerTarget - basePieces;
        offset = partnerOffset;
      } else {
        piece = load<i32>(counterpart + (<usize>partnerTarget << 2));
        if (piece >= 0) {
          known = true;
          const shift = load<i32>(shifts + (<usize>partnerTarget << 2));
          offset = partnerOffset + shift;
          if (
            shift == 0 &&
            partnerOffset > 0 &&
            load<u8>(modes + <usize>piece) == MODE_CHANGE &&
            load<i32>(sources + (<usize>piece << 2)) == partnerTarget
          )
            offset = through(piece, partnerOffset);
        }
      }
    }
    if (known && run > 0) run--;
    else {
      if (known) {
        hits = varint(hits, hitsEnd);
        run = value;
      }
      const group = parameters + <usize>((GROUPS + <u32>load<u8>(groupOf + context) * 4) << 2);
      const tokens: usize = load<u32>(group);
      if (tokens >= <usize>load<u32>(group, 4)) return false;
      const token: u32 = load<u8>(tokens);
      store<u32>(group, <u32>(tokens + 1));
      const recent: u32 = context == LOW12 ? CODE_DATA : context;
      const last = load<i32>(lastPiece + place4);
      let wanted: i64 = last;
      let distance: i64 = 0;
      let place: i32 = -1;
      if (token >= RECENT) {
        place = <i32>(token - RECENT);
        const at = placeAt(ringOf(recent), load<u32>(newest + <usize>(recent << 2)), <u32>place);
        wanted = load<i32>(at);
        distance = load<i32>(at, RING * 4);
      } else if (token == SAME) distance = load<i32>(lastOffset + place4);
      else if (token == NEXT) {
        if (pieces == 0) return false;
        wanted = load<i32>(next + (<usize>last << 2));
      } else if (token == DIAGONAL) {
        const before = load<i32>(lastPartner + place4);
        if (before < 0 || partnerTarget < 0) return false;
        wanted = <i64>last + <i64>partnerTarget - <i64>before;
      } else if (token <= WITHIN) {
        let values: usize = load<u32>(group, 8);
        const valuesEnd: usize = load<u32>(group, 12);
        values = varint(values, valuesEnd);
        if (token == WITHIN) distance = <i64>load<i32>(lastOffset + place4) + unzigzag(value);
        else {
          if (context == CALL || context == TABLE) wanted = load<u32>(ownPiece + (r << 2));
          wanted += unzigzag(value);
          if (token == LABEL) {
            values = varint(values, valuesEnd);
            distance = unzigzag(value);
          }
        }
        store<u32>(group, <u32>values, 8);
      } else return false;
      if (wanted < 0 || wanted >= <i64>pieces || distance != <i64>(<i32>distance)) return false;
      piece = <i32>wanted;
      offset = <i32>distance;
      if (place < 0) place = find(recent, piece, offset);
      if (partner >= 0 && partnerTarget < basePieces) {
        store<i32>(counterpart + (<usize>partnerTarget << 2), piece);
        let shift: i64 = <i64>offset - <i64>partnerOffset;
        if (shift > <i64>MAX_SHIFT) shift = MAX_SHIFT;
        if (shift < -<i64>MAX_SHIFT) shift = -MAX_SHIFT;
        store<i32>(shifts + (<usize>partnerTarget << 2), <i32>shift);
      }
      toFront(recent, piece, offset, place);
    }
    store<i32>(poolTarget + ((firstOwn + r) << 2), basePieces + piece);
    store<i32>(poolOffset + ((firstOwn + r) << 2), offset);
    store<i32>(lastPiece + place4, piece);
    store<i32>(lastOffset + place4, offset);
    store<i32>(lastPartner + place4, partner < 0 ? -1 : load<i32>(poolTarget + (<usize>partner << 2)));
  }
  store<u32>(parameters + <usize>(HITS << 2), <u32>hits);
  if (failed || run != 0) return false;
  const ownTargets = poolTarget + (firstOwn << 2);
  for (let r: usize = 0; r < <usize>count; r++) {
    store<i32>(ownTargets + (r << 2), load<i32>(ownTargets + (r << 2)) - basePieces);
  }
  return true;
}
