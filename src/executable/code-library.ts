/**
 * Everything that a piece can be copied from: the pieces of all bases, then those of the file itself, numbered through.
 */

import { invalid } from "../errors/index.ts";
import { FORMAT } from "./code-streams.ts";
import { type Dissection, PieceKind } from "./types.ts";

/** What a dissection is coded with: sites and references by piece, offsets of the pieces. */
export interface Located extends Dissection {
  /** First reference of each piece, and the number of references. */
  readonly firstReference: Uint32Array;
}

export function located(dissection: Dissection): Located {
  return { ...dissection, firstReference: dissection.references.first };
}

/** Pieces of the bases by number. */
export class Library {
  readonly bases: readonly Located[];
  /** Number of the first piece of each base. */
  readonly firstPiece: readonly number[];
  /** Pieces of all bases; the file's own are numbered from here on. */
  readonly count: number;

  constructor(bases: readonly Located[]) {
    this.bases = bases;
    const firstPiece: number[] = [];
    let count = 0;
    for (const base of bases) {
      firstPiece.push(count);
      count += base.pieces.count;
    }
    this.firstPiece = firstPiece;
    this.count = count;
  }

  /** Number of the base in which a piece is. */
  baseOf(piece: number): number {
    let base = this.firstPiece.length - 1;
    while (base > 0 && piece < this.firstPiece[base]!) base--;
    return base;
  }

  kind(piece: number): number {
    const base = this.baseOf(piece);
    return this.bases[base]!.pieces.kind[piece - this.firstPiece[base]!]!;
  }

  length(piece: number): number {
    const base = this.baseOf(piece);
    return this.bases[base]!.pieces.length[piece - this.firstPiece[base]!]!;
  }

  bytes(piece: number): Uint8Array {
    const base = this.baseOf(piece);
    return pieceBytes(this.bases[base]!, piece - this.firstPiece[base]!);
  }

  sites(piece: number): Uint8Array {
    const base = this.baseOf(piece);
    return siteBytes(this.bases[base]!, piece - this.firstPiece[base]!);
  }

  check(piece: number): void {
    if (piece < 0 || piece >= this.count) throw invalid(FORMAT, "source", 0, `there is no piece ${piece}`);
  }
}

/** Bytes around a source that a delta may use: where data is cut depends on who refers to it. */
const MAX_WINDOW_BYTES = 65536;

/** How many bytes before and behind a piece of a base belong to what a delta is made against. */
export function changeWindow(
  library: Library,
  source: number,
): { readonly before: number; readonly after: number } {
  const kind = library.kind(source);
  if (kind === PieceKind.code || kind === PieceKind.unwind || kind === PieceKind.exceptions) return NO_WINDOW;
  const base = library.baseOf(source);
  const { pieces, fileBytes } = library.bases[base]!;
  const piece = source - library.firstPiece[base]!;
  const offset = pieces.offset[piece]!;
  const length = pieces.length[piece]!;
  const most = Math.min(MAX_WINDOW_BYTES, length);
  return { before: Math.min(most, offset), after: Math.min(most, fileBytes - offset - length) };
}

const NO_WINDOW = { before: 0, after: 0 };

/** What a delta against a piece of a base is made against. */
export function windowBytes(library: Library, source: number): Uint8Array {
  const { before, after } = changeWindow(library, source);
  const base = library.baseOf(source);
  const { pieces, blanked } = library.bases[base]!;
  const piece = source - library.firstPiece[base]!;
  const offset = pieces.offset[piece]!;
  return blanked.subarray(offset - before, offset + pieces.length[piece]! + after);
}

type PieceBytes = Pick<Dissection, "blanked" | "pieces" | "sites">;

/** Blanked bytes of a piece; none for memory. */
export function pieceBytes({ blanked, pieces }: PieceBytes, piece: number): Uint8Array {
  const offset = pieces.offset[piece]!;
  return blanked.subarray(offset, Math.min(blanked.length, offset + pieces.length[piece]!));
}

export function siteBytes({ sites }: PieceBytes, piece: number): Uint8Array {
  return sites.bytes.subarray(piece === 0 ? 0 : sites.end[piece - 1]!, sites.end[piece]!);
}
