/** Which piece an address is in. */
import { type LoadMap, rangeAt, UNLOADED } from "./join-layout.ts";
import { release } from "./release.ts";
import { PieceKind, type PieceTable } from "./types.ts";

/** One entry for so many bytes of the file: 0 to 3 pieces begin in a block. */
const BLOCK_SHIFT = 6;
const BLOCK_BYTES = 1 << BLOCK_SHIFT;

/** Finds pieces by address: by a table over the blocks of the file, or by search in memory without file bytes. */
export class PieceFinder {
  readonly #pieces: PieceTable;
  readonly #map: LoadMap;
  /** The last piece that begins at or before each block. */
  readonly #blocks: Uint32Array;
  readonly #firstMemory: number;

  constructor(pieces: PieceTable, map: LoadMap, fileBytes: number) {
    this.#pieces = pieces;
    this.#map = map;
    const blocks = new Uint32Array((fileBytes >> BLOCK_SHIFT) + 2);
    const { offset: starts, kind } = pieces;
    let files = pieces.count;
    while (files > 0 && kind[files - 1] === PieceKind.memory) files--;
    for (let piece = 0; piece < files; piece++)
      blocks[(starts[piece]! + BLOCK_BYTES - 1) >> BLOCK_SHIFT] = piece;
    for (let block = 1; block < blocks.length; block++)
      if (blocks[block]! < blocks[block - 1]!) blocks[block] = blocks[block - 1]!;
    this.#blocks = blocks;
    this.#firstMemory = files;
  }

  /** The piece that holds an address, or ends a range there; -1 when nothing is loaded. */
  find(address: number): number {
    // What is undefined and weak is at 0 in files linked to fixed addresses: told from the first loaded byte.
    if (address === 0) return this.#first();
    if (address >= UNLOADED) return this.atOffset(address - UNLOADED);
    const number = rangeAt(this.#map, address);
    if (number < 0) return -1;
    const range = this.#map.ranges[number]!;
    const within = address - range.address;
    if (within >= range.fileBytes && range.memoryBytes > range.fileBytes) return this.#findMemory(address);
    // One past the range's end is still of its last piece.
    return this.atOffset(range.offset + Math.min(within, range.fileBytes - 1));
  }

  /** Gives the table's memory back. Nothing is to be looked for afterwards. */
  release(): void {
    release(this.#blocks);
  }

  #first(): number {
    const [range] = this.#map.inFile;
    return range === undefined ? -1 : this.atOffset(range.offset);
  }

  /** The piece that holds a byte of the file. */
  atOffset(offset: number): number {
    const { offset: starts } = this.#pieces;
    let piece = this.#blocks[offset >> BLOCK_SHIFT]!;
    const last = this.#firstMemory - 1;
    while (piece < last && starts[piece + 1]! <= offset) piece++;
    return piece;
  }

  #findMemory(address: number): number {
    const { address: starts, count } = this.#pieces;
    let low = this.#firstMemory;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= address) low = middle + 1;
      else high = middle;
    }
    return low > this.#firstMemory ? low - 1 : -1;
  }
}
