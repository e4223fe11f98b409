/**
 * Places of a target in the geography of its base, and back.
 *
 * Way back, which a decoder goes: a base place is in one of some **pieces**, ranges that stand in order, each with a
 * shift that is added. The way there needs to find some base place that comes back as wanted; there may be none.
 */

export interface Piece {
  /** First base place of the piece; it ends where the next one begins. */
  readonly start: number;
  /** Target place minus base place. */
  readonly shift: number;
}

/** Places below `space`, which is at most 2^30. */
export class PlaceMap {
  readonly space: number;
  readonly pieces: readonly Piece[];
  readonly #starts: Uint32Array;
  readonly #shifts: Int32Array;
  /** Target ranges of the pieces, in order of their beginning. */
  readonly #targets: Float64Array;
  readonly #sources: Uint32Array;
  readonly #preferred: ReadonlyMap<number, number>;
  readonly #widest: number;

  constructor(space: number, pieces: readonly Piece[], preferred: ReadonlyMap<number, number> = new Map()) {
    this.space = space;
    this.pieces = pieces;
    this.#starts = Uint32Array.from(pieces, ({ start }) => start);
    this.#shifts = Int32Array.from(pieces, ({ shift }) => shift);
    this.#preferred = preferred;
    const order = pieces.map((_, i) => i);
    const begin = (i: number) => pieces[i]!.start + pieces[i]!.shift;
    order.sort((a, b) => begin(a) - begin(b));
    this.#targets = Float64Array.from(order, begin);
    this.#sources = Uint32Array.from(order);
    this.#widest = 32;
  }

  /** The target place that a base place below `space` means, modulo 2^32. */
  toTarget(place: number): number {
    const starts = this.#starts;
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= place) low = middle;
      else high = middle;
    }
    return (place + this.#shifts[low]!) >>> 0;
  }

  /** A base place for a target place, or -1. */
  toBase(place: number): number {
    const preferred = this.#preferred.get(place);
    if (preferred !== undefined && this.toTarget(preferred) === place) return preferred;
    const targets = this.#targets;
    let low = 0;
    let high = targets.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (targets[middle]! <= place) low = middle + 1;
      else high = middle;
    }
    // The pieces that begin last before the place; long ones that began earlier are beyond reach.
    for (let i = low - 1, tries = 0; i >= 0 && tries < this.#widest; i--, tries++) {
      const source = place - this.#shifts[this.#sources[i]!]!;
      if (source >= 0 && source < this.space && this.toTarget(source) === place) return source;
    }
    return -1;
  }
}

/** Base and target are the same. */
export function identityMap(space: number): PlaceMap {
  return new PlaceMap(space, [{ start: 0, shift: 0 }]);
}
