/** Which place of a target is which one of its base: found where code is alike but for its fields. */
import { type FieldVisitor, visitFields } from "./fields.ts";
import type { Piece } from "./place-map.ts";
import type { Geography } from "./regions.ts";

/** A program whose fields are zero, and what they meant. */
interface Masked {
  readonly bytes: Uint8Array;
  /** Offsets of fields, ascending. */
  readonly at: Uint32Array;
  /** Places that they mean. */
  readonly place: Uint32Array;
  readonly count: number;
}

/** Bytes that are hashed: three or four instructions, whose fields are zero. */
const WINDOW_BYTES = 12;
/** Places with one hash that are looked at. */
const MAX_CHAIN = 6;
/** A diagonal is given up when it has this score or less: equal bytes count 1 up to the most, others -2. */
const MAX_SCORE = 24;
const DOUBTFUL_SCORE = 12;
const MISS_COST = 3;
/** Equal bytes that make another diagonal better than a doubtful one. */
const MIN_RUN_BYTES = 14;
const MAX_RUN_BYTES = 96;
/** Beyond this size of a program, of every so many windows one is looked at. */
const SAMPLED_BYTES = 24 << 20;
const SAMPLE_MASK = 3;

function mask(program: Uint8Array, geography: Geography): Masked {
  const bytes = program.slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = new Uint32Array(1024);
  let place = new Uint32Array(1024);
  let count = 0;
  const { span, low, regions } = geography;
  const keep = (offset: number, meant: number): void => {
    if (count === at.length) {
      at = doubled(at);
      place = doubled(place);
    }
    at[count] = offset;
    place[count++] = meant;
  };
  const visitor: FieldVisitor = {
    distance(offset, origin) {
      const meant = (view.getUint32(offset, true) + origin) >>> 0;
      if (meant >= span) return false;
      keep(offset, meant);
      view.setUint32(offset, 0);
      return true;
    },
    word(offset) {
      const meant = view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true) - low;
      if (meant < 0 || meant >= span) return;
      keep(offset, meant);
      view.setUint32(offset, 0);
    },
    branch(offset, origin) {
      const code = view.getUint32(offset, true);
      const meant = (origin + (((code & 0x03ff_ffff) << 6) >> 4)) >>> 0;
      if (meant >= span) return;
      keep(offset, meant);
      view.setUint32(offset, code & 0xfc00_0000, true);
    },
    page(offset, origin, size) {
      const code = view.getUint32(offset, true);
      const next = size >= 0 ? view.getUint32(offset + 4, true) : 0;
      const page = (((code >>> 3) & 0x1f_fffc) | ((code >>> 29) & 3)) & 0x1f_ffff;
      const lowBits = size >= 0 ? ((next >>> 10) & 0xfff) << size : 0;
      const meant = (((origin >>> 12) + ((page << 11) >> 11)) * 4096 + lowBits) >>> 0;
      if (meant >= span) return;
      keep(offset, meant);
      view.setUint32(offset, code & 0x9f00_001f, true);
      if (size >= 0) view.setUint32(offset + 4, next & ~0x003f_fc00, true);
    },
  };
  for (const region of regions) visitFields(bytes, 0, region, 0, bytes.length, visitor);
  return { bytes, at, place, count };
}

function doubled(column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(column.length * 2);
  larger.set(column);
  return larger;
}

/** Of 12 bytes; odd constants of good spectral quality (Steele and Vigna, 2021). */
function hashAt(bytes: Uint8Array, at: number): number {
  const a = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  const b = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
  const c = bytes[at + 8]! | (bytes[at + 9]! << 8) | (bytes[at + 10]! << 16) | (bytes[at + 11]! << 24);
  const mixed = Math.imul(Math.imul(Math.imul(a, 0x915f77f5) ^ b, 0xd9f6c0d5) ^ c, 0x915f77f5);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** Target place to base place with the number of fields that say so. */
export interface Votes {
  readonly target: Uint32Array;
  readonly base: Uint32Array;
  readonly weight: Uint32Array;
  readonly count: number;
}

class Ballot {
  #mask: number;
  #keys: Uint32Array;
  #values: Uint32Array;
  #weights: Int32Array;
  #used = 0;

  constructor() {
    this.#mask = 65_535;
    this.#keys = new Uint32Array(65_536).fill(0xffff_ffff);
    this.#values = new Uint32Array(65_536);
    this.#weights = new Int32Array(65_536);
  }

  /** The majority, as Boyer and Moore count it: one candidate a place. */
  add(target: number, base: number, weight = 1): void {
    if (this.#used * 2 > this.#mask) this.#grow();
    let slot = (Math.imul(target, 0x9e37_79b1) >>> 7) & this.#mask;
    while (this.#keys[slot] !== 0xffff_ffff && this.#keys[slot] !== target) slot = (slot + 1) & this.#mask;
    if (this.#keys[slot] === 0xffff_ffff) {
      this.#used++;
      this.#keys[slot] = target;
      this.#values[slot] = base;
      this.#weights[slot] = weight;
    } else if (this.#values[slot] === base) this.#weights[slot]! += weight;
    else if (this.#weights[slot]! >= weight) this.#weights[slot]! -= weight;
    else {
      this.#values[slot] = base;
      this.#weights[slot] = weight;
    }
  }

  #grow(): void {
    const [keys, values, weights] = [this.#keys, this.#values, this.#weights];
    this.#mask = keys.length * 2 - 1;
    this.#keys = new Uint32Array(keys.length * 2).fill(0xffff_ffff);
    this.#values = new Uint32Array(keys.length * 2);
    this.#weights = new Int32Array(keys.length * 2);
    this.#used = 0;
    for (let i = 0; i < keys.length; i++)
      if (keys[i] !== 0xffff_ffff) this.add(keys[i]!, values[i]!, weights[i]!);
  }

  finish(): Votes {
    const target = new Uint32Array(this.#used);
    const base = new Uint32Array(this.#used);
    const weight = new Uint32Array(this.#used);
    let count = 0;
    for (let i = 0; i < this.#keys.length; i++) {
      if (this.#keys[i] === 0xffff_ffff || this.#weights[i]! <= 0) continue;
      target[count] = this.#keys[i]!;
      base[count] = this.#values[i]!;
      weight[count++] = this.#weights[i]!;
    }
    return { target, base, weight, count };
  }
}

export interface Alignment {
  readonly votes: Votes;
  /** Where diagonals begin in the target, and what is added to come to the base. */
  readonly runs: readonly { readonly at: number; readonly diagonal: number }[];
}

/** Aligns two programs. */
export function align(
  baseProgram: Uint8Array,
  baseGeography: Geography,
  targetProgram: Uint8Array,
  targetGeography: Geography,
): Alignment {
  const base = mask(baseProgram, baseGeography);
  const target = mask(targetProgram, targetGeography);
  const sample = Math.max(base.bytes.length, target.bytes.length) > SAMPLED_BYTES ? SAMPLE_MASK : 0;
  const find = indexOf(base.bytes, sample);
  const ballot = new Ballot();
  const runs: { at: number; diagonal: number }[] = [];
  const from = base.bytes;
  const to = target.bytes;
  let diagonal = 0;
  let score = 0;
  let field = 0;
  let baseField = 0;
  for (let at = 0; at < to.length; at++) {
    if (from[at + diagonal] === to[at]) {
      if (score < MAX_SCORE) score++;
    } else score = Math.max(0, score - MISS_COST);
    if (score < DOUBTFUL_SCORE && at + WINDOW_BYTES <= to.length) {
      const other = find(to, at, diagonal);
      if (other !== undefined && other !== diagonal) {
        diagonal = other;
        score = DOUBTFUL_SCORE;
        runs.push({ at, diagonal });
      }
    }
    if (field < target.count && target.at[field] === at) {
      const wanted = at + diagonal;
      baseField = search(base, wanted, baseField);
      if (score > 0 && base.at[baseField] === wanted && baseField < base.count)
        ballot.add(target.place[field]!, base.place[baseField]!);
      field++;
    }
  }
  return { votes: ballot.finish(), runs };
}

/** First field at or behind an offset; `near` is tried first. */
function search({ at, count }: Masked, offset: number, near: number): number {
  for (let i = near; i < near + 4 && i < count; i++)
    if (at[i]! >= offset && (i === 0 || at[i - 1]! < offset)) return i;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at[middle]! < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Finds the best diagonal for a place of another program, if any is good. */
function indexOf(
  from: Uint8Array,
  sample: number,
): (to: Uint8Array, at: number, diagonal: number) => number | undefined {
  const bits = Math.min(24, Math.max(10, 32 - Math.clz32(from.length / (sample + 1))));
  const shift = 32 - bits;
  const heads = new Int32Array(2 ** bits).fill(-1);
  let links = new Int32Array(1024);
  let places = new Int32Array(1024);
  let count = 0;
  for (let at = 0; at + WINDOW_BYTES <= from.length; at++) {
    const hash = hashAt(from, at);
    if ((hash & sample) !== 0) continue;
    if (count === links.length) {
      links = grown(links);
      places = grown(places);
    }
    const slot = hash >>> shift;
    links[count] = heads[slot]!;
    places[count] = at;
    heads[slot] = count++;
  }
  return (to, at, diagonal) => {
    const hash = hashAt(to, at);
    if ((hash & sample) !== 0) return undefined;
    let best = MIN_RUN_BYTES - 1;
    let found: number | undefined;
    let entry = heads[hash >>> shift]!;
    for (let tries = 0; entry >= 0 && tries < MAX_CHAIN; tries++, entry = links[entry]!) {
      const candidate = places[entry]!;
      let run = 0;
      const most = Math.min(MAX_RUN_BYTES, from.length - candidate, to.length - at);
      while (run < most && from[candidate + run] === to[at + run]) run++;
      const isNearer =
        found !== undefined && Math.abs(candidate - at - diagonal) < Math.abs(found - diagonal);
      if (run > best || (run === best && isNearer)) {
        best = run;
        found = candidate - at;
      }
    }
    return found;
  };
}

function grown(column: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(column.length * 2);
  larger.set(column);
  return larger;
}

/** What a new piece costs, counted in fields that it sets right. */
const PIECE_COST = 1.6;

/**
 * The pieces that set most fields right for what they cost: a walk over the base's places, in which staying with a
 * shift is free and changing it isn't.
 */
export function piecesOf({ target, base, weight, count }: Votes): Piece[] {
  const order = Array.from({ length: count }, (_, i) => i).sort(
    (a, b) => base[a]! - base[b]! || weight[b]! - weight[a]!,
  );
  // For each shift, the best score of a walk that has this shift now, and where that run of it began.
  interface Walk {
    score: number;
    /** Last piece of the walk. */
    piece: Link;
  }
  interface Link {
    readonly start: number;
    readonly shift: number;
    readonly before: Link | undefined;
  }
  const walks = new Map<number, Walk>();
  const first: Link = { start: 0, shift: 0, before: undefined };
  let best: Walk = { score: 0, piece: first };
  walks.set(0, best);
  let last = -1;
  for (const i of order) {
    // Of two targets that want one base place, the one with more fields gets it.
    if (base[i] === last) continue;
    last = base[i]!;
    const shift = target[i]! - base[i]!;
    let walk = walks.get(shift);
    if (walk === undefined) {
      walk = { score: Number.NEGATIVE_INFINITY, piece: first };
      walks.set(shift, walk);
    }
    if (walk !== best && best.score - PIECE_COST > walk.score) {
      walk.score = best.score - PIECE_COST;
      walk.piece = { start: base[i]!, shift, before: best.piece };
    }
    walk.score += weight[i]!;
    if (walk.score > best.score) best = walk;
  }
  const pieces: Piece[] = [];
  for (let link: Link | undefined = best.piece; link; link = link.before)
    pieces.push({ start: link.start, shift: link.shift });
  pieces.reverse();
  if (pieces[0]!.start !== 0) pieces.unshift({ start: 0, shift: 0 });
  return pieces;
}
