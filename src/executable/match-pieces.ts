/**
 * Which earlier piece each piece of a file is coded by: the same one, one that is nearly the same, or none.
 *
 * Equal pieces are found by hash. Thunks, stubs and short strings have many equals, and the wrong one costs more in
 * references than its bytes save: so an equal piece that goes on where the piece before it was copied wins, then
 * the one nearest to that place. Nearly equal pieces are looked for between matched neighbours first.
 */
import { LikenessSearch, mostWanted } from "../delta/index.ts";
import type { Library } from "./code-library.ts";
import { pieceBytes } from "./code-library.ts";
import { type Dissection, PieceKind } from "./types.ts";

/** How a piece is coded. Numbers are in the format. */
export const Mode = { copy: 0, change: 1, fresh: 2 } as const;

export interface Matches {
  readonly mode: Uint8Array;
  /** Number of the source in the library; pieces of the file itself follow those of the bases. -1 for fresh ones. */
  readonly source: Int32Array;
}

/** Equals of one piece that are looked at. */
const MAX_CHAIN = 48;
/** A copy from within the file breaks a run and costs some four bytes. */
const MIN_OWN_COPY_BYTES = 24;
/** Shorter pieces are not worth the steps of a delta. */
const MIN_CHANGE_BYTES = 24;
/** Pieces between matched neighbours that are tried against one another. */
const MAX_GAP_TRIED = 6;

/** Weighs pieces against sources, from which the best is chosen. */
export interface DeltaCosts {
  /** The cost in bytes of a piece's delta; infinity when that is `most` or more. */
  cost(source: number, piece: number, most: number): number;
  /** Says that the source whose cost was asked for last is the piece's best so far. */
  keep(piece: number, source: number): void;
}

export function matchPieces(
  dissection: Dissection,
  hashes: Float64Array,
  library: Library,
  baseHashes: readonly Float64Array[],
  weigher: DeltaCosts,
): Matches {
  const count = dissection.pieces.count;
  const mode = new Uint8Array(count).fill(Mode.fresh);
  const source = new Int32Array(count).fill(-1);
  const used = new Uint8Array(library.count);
  const matches = { mode, source };
  matchEqual(dissection, hashes, library, baseHashes, matches, used);
  if (library.count > 0) {
    const costs = new Float64Array(count);
    matchGaps(dissection, library, matches, used, weigher, costs);
    matchLike(dissection, library, matches, used, weigher, costs);
  }
  return matches;
}

function matchEqual(
  { pieces }: Dissection,
  hashes: Float64Array,
  library: Library,
  baseHashes: readonly Float64Array[],
  { mode, source }: Matches,
  used: Uint8Array,
): void {
  const own = library.count;
  const total = own + pieces.count;
  const all = new Float64Array(total);
  for (const [i, base] of baseHashes.entries()) all.set(base, library.firstPiece[i]!);
  all.set(hashes, own);
  const bits = Math.max(8, 32 - Math.clz32(total));
  const heads = new Int32Array(1 << bits);
  const next = new Int32Array(total);
  const slotOf = (hash: number) => (Math.imul((hash % 4294967296) | 0, 0x9e3779b1) >>> (32 - bits)) | 0;
  // From behind, so that chains ascend.
  for (let g = own - 1; g >= 0; g--) {
    const slot = slotOf(all[g]!);
    next[g] = heads[slot]!;
    heads[slot] = g + 1;
  }
  // Chains of the file's own pieces descend: the nearest before first.
  const ownHeads = new Int32Array(1 << bits);
  let expected = 0;
  const ambiguous = new Uint8Array(pieces.count);
  for (let i = 0; i < pieces.count; i++) {
    const hash = hashes[i]!;
    const slot = slotOf(hash);
    let best = -1;
    if (expected < total && expected < own + i && expected > 0 && all[expected] === hash) best = expected;
    else {
      let distance = Number.POSITIVE_INFINITY;
      let equals = 0;
      let g = heads[slot]! - 1;
      for (let tries = 0; g >= 0 && tries < MAX_CHAIN; tries++) {
        if (all[g] === hash) {
          equals++;
          const away = Math.abs(g - expected) + (used[g] === 0 ? 0 : total);
          if (away < distance) {
            distance = away;
            best = g;
          }
        }
        g = next[g]! - 1;
      }
      if (equals > 1) ambiguous[i] = 1;
      if (best < 0 && pieces.length[i]! >= MIN_OWN_COPY_BYTES && pieces.kind[i] !== PieceKind.memory) {
        g = ownHeads[slot]! - 1;
        for (let tries = 0; g >= 0 && tries < MAX_CHAIN; tries++) {
          if (all[g] === hash) {
            best = g;
            break;
          }
          g = next[g]! - 1;
        }
      }
    }
    next[own + i] = ownHeads[slot]!;
    ownHeads[slot] = own + i + 1;
    if (best >= 0) {
      source[i] = best;
      mode[i] = Mode.copy;
      expected = best + 1;
      if (best < own) used[best] = 1;
    } else if (expected > 0) expected++;
  }
  // What was ambiguous may go better with the piece behind it.
  for (let i = pieces.count - 2; i >= 0; i--) {
    const before = source[i + 1]! - 1;
    if (ambiguous[i] === 0 || before < 0 || before >= own || source[i] === before) continue;
    if (all[before] !== hashes[i]) continue;
    if (i > 0 && source[i - 1] === source[i]! - 1) continue;
    source[i] = before;
    used[before] = 1;
  }
}

/** Pieces between matched neighbours, against what lies between the neighbours' sources. */
function matchGaps(
  dissection: Dissection,
  library: Library,
  { mode, source }: Matches,
  used: Uint8Array,
  weigher: DeltaCosts,
  costs: Float64Array,
): void {
  const { pieces } = dissection;
  let expected = 0;
  for (let i = 0; i < pieces.count; i++) {
    if (mode[i] !== Mode.fresh) {
      if (source[i]! < library.count) expected = source[i]! + 1;
      continue;
    }
    if (!worthChange(dissection, i)) continue;
    let best = -1;
    let least = pieces.length[i]! * MAX_CHANGE_SHARE;
    let tried = 0;
    for (
      let g = expected;
      g < library.count && tried < MAX_GAP_TRIED && g < expected + 4 * MAX_GAP_TRIED;
      g++
    ) {
      if (used[g] !== 0) {
        if (g > expected + MAX_GAP_TRIED) break;
        continue;
      }
      if (library.kind(g) !== pieces.kind[i]) continue;
      if (!likeLengths(library.length(g), pieces.length[i]!)) continue;
      tried++;
      const bytes = weigher.cost(g, i, least);
      if (bytes < least) {
        weigher.keep(i, g);
        least = bytes;
        best = g;
        if (bytes < pieces.length[i]! / 16) break;
      }
    }
    if (best < 0) continue;
    mode[i] = Mode.change;
    source[i] = best;
    costs[i] = least;
    used[best] = 1;
    expected = best + 1;
  }
}

/** A neighbour that leaves more than this to be said may be the wrong one: then features are asked as well. */
const POOR_SHARE = 0.12;
/** A delta larger than this share of its piece is not worth it: even a poor one of code foretells operands. */
const MAX_CHANGE_SHARE = 0.7;

function worthChange({ pieces }: Dissection, piece: number): boolean {
  const kind = pieces.kind[piece];
  return pieces.length[piece]! >= MIN_CHANGE_BYTES && kind !== PieceKind.memory && kind !== PieceKind.derived;
}

/** A source of code may be longer than its piece by this factor and these bytes: readers rely on it (the format). */
export const MAX_SOURCE_SHARE = 2.5;
export const MAX_SOURCE_EXCESS_BYTES = 64;

function likeLengths(a: number, b: number): boolean {
  return (
    a < MAX_SOURCE_SHARE * b + MAX_SOURCE_EXCESS_BYTES && b < MAX_SOURCE_SHARE * a + MAX_SOURCE_EXCESS_BYTES
  );
}

/** What position didn't find, by features, anywhere in the bases. */
function matchLike(
  dissection: Dissection,
  library: Library,
  { mode, source }: Matches,
  used: Uint8Array,
  weigher: DeltaCosts,
  costs: Float64Array,
): void {
  const { pieces } = dissection;
  const wanted: number[] = [];
  for (let i = 0; i < pieces.count; i++) {
    const poor = mode[i] === Mode.change && costs[i]! > pieces.length[i]! * POOR_SHARE;
    if (poor || (mode[i] === Mode.fresh && worthChange(dissection, i))) wanted.push(i);
  }
  const atOnce = mostWanted();
  for (let from = 0; from < wanted.length; from += atOnce) {
    const some = wanted.slice(from, from + atOnce);
    const search = searchFor(dissection, library, source, some);
    for (const [run, i] of some.entries()) {
      const before = source[i]!;
      const relaxed = pieces.kind[i] === PieceKind.code || pieces.kind[i] === PieceKind.exceptions;
      let best = -1;
      let least = mode[i] === Mode.change ? costs[i]! : pieces.length[i]! * MAX_CHANGE_SHARE;
      for (const g of search.best(run)) {
        if (g === before || (relaxed && !likeLengths(library.length(g), pieces.length[i]!))) continue;
        const bytes = weigher.cost(g, i, least);
        if (bytes < least) {
          weigher.keep(i, g);
          least = bytes;
          best = g;
        }
      }
      if (best < 0) continue;
      mode[i] = Mode.change;
      source[i] = best;
      used[best] = 1;
    }
  }
}

/** A search for some pieces, to which all pieces of the bases were offered. */
function searchFor(
  dissection: Dissection,
  library: Library,
  source: Int32Array,
  wanted: readonly number[],
): LikenessSearch {
  const search = new LikenessSearch(wanted.length);
  const kinds = new Uint8Array(256);
  // Of what is equally like, that which stands where a source is expected refers to the right things.
  let expected = 0;
  let piece = 0;
  for (const i of wanted) {
    for (; piece < i; piece++) {
      const g = source[piece]!;
      if (g >= 0 && g < library.count) expected = g + 1;
    }
    const kind = dissection.pieces.kind[i]!;
    search.want(pieceBytes(dissection, i), kind, expected);
    kinds[kind] = 1;
  }
  for (const [b, { blanked, pieces }] of library.bases.entries())
    search.offer(blanked, pieces, library.firstPiece[b]!, kinds, MIN_CHANGE_BYTES);
  return search;
}
