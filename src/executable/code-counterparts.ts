/**
 * Counterparts: which piece of the file stands for a piece of a base. Known from the layout to begin with, corrected
 * by every target that was foretold wrongly.
 */
import { CopyMap } from "../delta/index.ts";
import { changeWindow, type Library } from "./code-library.ts";
import type { CodedPieces } from "./code-partners.ts";
import { Mode } from "./match-pieces.ts";

/** Shifts fit into a column of 32 bits, and so does their difference. */
export const MAX_SHIFT = 0x4000_0000;

export class Counterparts {
  readonly #library: Library;
  readonly #pieces: CodedPieces;
  /** Piece of the file for each piece of the bases; -1 for none. */
  readonly map: Int32Array;
  /** What is added to an offset, after a target was foretold wrongly. */
  readonly shift: Int32Array;
  readonly #maps = new Map<number, CopyMap>();
  /** Where the last `find` led. */
  piece = -1;
  offset = 0;

  constructor(library: Library, pieces: CodedPieces) {
    this.#library = library;
    this.#pieces = pieces;
    this.map = new Int32Array(library.count).fill(-1);
    this.shift = new Int32Array(library.count);
    const { mode, source, count, kind } = pieces;
    // Of several pieces with one source the copies count first, the first of them.
    for (const wanted of [Mode.copy, Mode.change]) {
      for (let i = 0; i < count; i++) {
        const g = source[i]!;
        if (mode[i] === wanted && g >= 0 && g < library.count && this.map[g] === -1) this.map[g] = i;
      }
    }
    // What has no counterpart lies between neighbours that have: the fresh piece in the same place stands for it.
    let last = -1;
    for (let g = 0; g < library.count; g++) {
      if (this.map[g] !== -1) last = this.map[g]!;
      else if (
        last >= 0 &&
        last + 1 < count &&
        mode[last + 1] === Mode.fresh &&
        kind[last + 1] === library.kind(g)
      ) {
        last++;
        this.map[g] = last;
      }
    }
  }

  /** Where a label of a base (or of the file itself) is expected; false when nothing is known. */
  find(target: number, offset: number): boolean {
    const own = target - this.#library.count;
    if (own >= 0) {
      this.piece = own;
      this.offset = offset;
      return true;
    }
    const piece = this.map[target]!;
    if (piece < 0) return false;
    this.piece = piece;
    const shift = this.shift[target]!;
    if (
      shift === 0 &&
      offset > 0 &&
      this.#pieces.mode[piece] === Mode.change &&
      this.#pieces.source[piece] === target
    ) {
      this.offset = this.through(piece, offset);
    } else this.offset = offset + shift;
    return true;
  }

  /** Says where a label of a base really was. */
  learn(target: number, offset: number, piece: number, offsetThere: number): void {
    if (target >= this.#library.count) return;
    this.map[target] = piece;
    this.shift[target] = Math.max(-MAX_SHIFT, Math.min(MAX_SHIFT, offsetThere - offset));
  }

  /** An offset in a changed piece's source, as an offset in the piece. */
  through(piece: number, offset: number): number {
    let map = this.#maps.get(piece);
    if (map === undefined) {
      map = new CopyMap(this.#pieces.deltas.get(piece)!);
      this.#maps.set(piece, map);
    }
    const { before } = changeWindow(this.#library, this.#pieces.source[piece]!);
    return map.through(offset + before);
  }
}
