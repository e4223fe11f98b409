/**
 * References and their partners: for each reference of a copied or changed piece the one of the source piece that
 * stands in the same place. What the partner refers to foretells the target.
 */
import type { Delta } from "../delta/index.ts";
import { changeWindow, type Library } from "./code-library.ts";
import { Mode } from "./match-pieces.ts";
import { PieceKind } from "./types.ts";

/** References without their targets: what both sides know before targets are coded. */
export interface ReferencePlaces {
  readonly count: number;
  readonly kind: Uint8Array;
  /** File offset of the field. */
  readonly site: ArrayLike<number>;
  readonly piece: Uint32Array;
  /** For each piece the number of its first reference; behind the last their count. */
  readonly first: Uint32Array;
  /** In which company each target is said, when that is known already. */
  readonly context?: Uint8Array | undefined;
}

/** How each piece is coded, as both sides know it. */
export interface CodedPieces {
  readonly count: number;
  readonly kind: Uint8Array;
  readonly offset: Float64Array;
  readonly mode: Uint8Array;
  /** Library number of the source; -1 for fresh pieces. */
  readonly source: Int32Array;
  /** Steps of each changed piece. */
  readonly deltas: ReadonlyMap<number, Delta>;
}

/** References of all bases, then those of the file itself, numbered through. */
export class ReferencePool {
  readonly library: Library;
  /** Number of the first reference of each base; the last element is that of the file itself. */
  readonly first: readonly number[];
  readonly firstOwn: number;
  /** References of all. */
  readonly count: number;
  #target: Int32Array<ArrayBuffer> | undefined;
  #offset: Int32Array<ArrayBuffer> | undefined;

  constructor(library: Library, ownReferences: number) {
    this.library = library;
    const first = [0];
    for (const base of library.bases) first.push(first.at(-1)! + base.references.count);
    this.first = first;
    this.firstOwn = first.at(-1)!;
    this.count = this.firstOwn + ownReferences;
  }

  /** Library number of the piece that is referred to. */
  get target(): Int32Array {
    if (this.#target === undefined) {
      this.#target = new Int32Array(this.count);
      this.fillTargets(this.#target);
    }
    return this.#target;
  }

  get offset(): Int32Array {
    if (this.#offset === undefined) {
      this.#offset = new Int32Array(this.count);
      this.fillOffsets(this.#offset);
    }
    return this.#offset;
  }

  /** Gives the memory of targets and offsets back at once. They are not to be asked for afterwards. */
  release(): void {
    this.#target?.buffer.transfer(0);
    this.#offset?.buffer.transfer(0);
  }

  /** Writes the bases' part of `target`. */
  fillTargets(into: Int32Array): void {
    for (const [b, { references }] of this.library.bases.entries()) {
      const at = this.first[b]!;
      const piece = this.library.firstPiece[b]!;
      if (piece === 0) into.set(references.target.subarray(0, references.count), at);
      else for (let r = 0; r < references.count; r++) into[at + r] = references.target[r]! + piece;
    }
  }

  /** Writes the bases' part of `offset`. */
  fillOffsets(into: Int32Array): void {
    for (const [b, { references }] of this.library.bases.entries())
      into.set(references.targetOffset.subarray(0, references.count), this.first[b]!);
  }
}

/** For each reference the number of its partner in the pool, or -1. */
export function findPartners(pieces: CodedPieces, places: ReferencePlaces, pool: ReferencePool): Int32Array {
  const { library } = pool;
  const partner = new Int32Array(places.count).fill(-1);
  const { first } = places;
  for (let i = 0; i < pieces.count; i++) {
    const begin = first[i]!;
    const end = first[i + 1]!;
    const g = pieces.source[i]!;
    if (begin === end || g < 0) continue;
    let from: ReferencePlaces = places;
    let fromFirst = first;
    let fromPiece = g - library.count;
    let fromOffset = fromPiece >= 0 ? pieces.offset[fromPiece]! : 0;
    let number = pool.firstOwn;
    if (g < library.count) {
      const b = library.baseOf(g);
      const base = library.bases[b]!;
      from = base.references;
      fromFirst = base.firstReference;
      fromPiece = g - library.firstPiece[b]!;
      fromOffset = base.pieces.offset[fromPiece]!;
      number = pool.first[b]!;
    }
    let low = fromFirst[fromPiece]!;
    let high = fromFirst[fromPiece + 1]!;
    if (pieces.mode[i] === Mode.copy || pieces.kind[i] === PieceKind.exceptions) {
      for (let r = begin; r < end; r++) {
        const other = low + r - begin;
        if (other < high && from.kind[other] === places.kind[r]) partner[r] = number + other;
      }
      continue;
    }
    const delta = pieces.deltas.get(i);
    if (delta === undefined) continue;
    const { before, after } = changeWindow(library, g);
    if (before + after > 0) {
      // The window's references lie in other pieces as well.
      low = 0;
      high = from.count;
    }
    let step = 0;
    let copyStart = delta.count > 0 ? delta.literal[0]! : 0;
    for (let r = begin; r < end; r++) {
      const site = places.site[r]! - pieces.offset[i]!;
      while (step < delta.count && copyStart + delta.copy[step]! <= site) {
        copyStart += delta.copy[step]!;
        if (++step < delta.count) copyStart += delta.literal[step]!;
      }
      if (step >= delta.count) break;
      if (site < copyStart) continue;
      const other = referenceAt(from, low, high, fromOffset - before + delta.from[step]! + site - copyStart);
      if (other >= 0 && from.kind[other] === places.kind[r]) partner[r] = number + other;
    }
  }
  return partner;
}

function referenceAt({ site }: ReferencePlaces, low: number, high: number, wanted: number): number {
  let from = low;
  let to = high;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (site[middle]! < wanted) from = middle + 1;
    else to = middle;
  }
  return from < high && site[from] === wanted ? from : -1;
}
