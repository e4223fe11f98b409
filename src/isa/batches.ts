/** Handing pieces of code to a kernel: as many as fit into its window in one call, each decoded by itself. */
import { TenonError } from "../errors/index.ts";

/** What a kernel offers for this, and how its results are taken. */
export interface PieceKernel {
  readonly window: Uint8Array<ArrayBuffer>;
  /** For each piece where it begins and ends in the window, and what is added to offsets. */
  readonly pieces: Uint32Array<ArrayBuffer>;
  /** Pieces begin at multiples of this in the window. */
  readonly alignment: number;
  /** Scans so many pieces of the window, and takes what was found. */
  run(count: number): void;
  /** Scans a piece that is longer than the window, and takes what was found. */
  runLong(begin: number, end: number): void;
}

/** Scans the pieces, which ascend and don't overlap. Errors: `usage` when they do, or lie outside the code. */
export function scanInBatches(
  code: Uint8Array,
  begins: Uint32Array,
  ends: Uint32Array,
  { window, pieces, alignment, run, runLong }: PieceKernel,
): void {
  const maxPieces = pieces.length / 3;
  let used = 0;
  let count = 0;
  // Neighbours are copied in one go: from here on, to this place in the window.
  let from = 0;
  let to = 0;
  let place = 0;
  let last = 0;
  const flush = () => {
    if (count === 0) return;
    window.set(code.subarray(from, to), place);
    run(count);
    used = 0;
    count = 0;
  };
  for (let i = 0; i < begins.length; i++) {
    const begin = begins[i]!;
    const end = ends[i]!;
    if (begin < last || end < begin || end > code.length) {
      throw new TenonError(
        "usage",
        `piece ${i} from ${begin} to ${end}: after ${last}, within ${code.length}`,
      );
    }
    last = end;
    if (end - begin > window.length) {
      flush();
      runLong(begin, end);
      continue;
    }
    used = Math.ceil(used / alignment) * alignment;
    if (count === maxPieces || used + end - begin > window.length) {
      flush();
      used = 0;
    }
    if (count === 0 || begin !== to || used !== place + to - from) {
      if (count > 0) window.set(code.subarray(from, to), place);
      from = begin;
      place = used;
    }
    to = end;
    pieces[3 * count] = used;
    used += end - begin;
    pieces[3 * count + 1] = used;
    pieces[3 * count + 2] = end - used;
    count++;
  }
  flush();
}
