/**
 * What makes two pieces the same: kind, length, blanked bytes and sites. Never an address, never a target.
 *
 * 53 bits in one number, so that columns of them stay plain: pieces that collide are compared before they are used,
 * and a wrong match would only cost size, since what is coded is proven by decoding.
 */
import { instantiateKernel, type KernelMemory } from "../kernels/index.ts";
import { release } from "./release.ts";
import { type Dissection, PieceKind } from "./types.ts";

/** What assembly/piece-hash.ts exports and this module calls. */
interface Kernel {
  readonly memory: KernelMemory;
  readonly WINDOW_BYTES: { readonly value: number };
  readonly MAX_PIECES: { readonly value: number };
  window(): number;
  pieces(): number;
  hash(count: number): void;
  beginLong(): void;
  takePart(length: number): void;
  finishLong(): void;
}

/** The kernel and views of its memory, which never grows. */
interface Engine {
  readonly kernel: Kernel;
  readonly window: Uint8Array;
  /** For each run where it begins in the window, its length, and two seeds that become its lanes. */
  readonly runs: Uint32Array;
}

let loaded: Engine | undefined;

function load(): Engine {
  const kernel = instantiateKernel<Kernel>("piece-hash");
  const { buffer } = kernel.memory;
  return {
    kernel,
    window: new Uint8Array(buffer, kernel.window(), kernel.WINDOW_BYTES.value),
    runs: new Uint32Array(buffer, kernel.pieces(), 4 * kernel.MAX_PIECES.value),
  };
}

/** Hash of every piece of a dissection. */
export function pieceHashes({ pieces, blanked, sites }: HashedParts): Float64Array {
  const { count, kind, length, offset } = pieces;
  const lanes = new Uint32Array(2 * count);
  const ends = new Uint32Array(count);
  let at = 0;
  for (let piece = 0; piece < count; piece++) {
    lanes[2 * piece] = length[piece]!;
    lanes[2 * piece + 1] = kind[piece]!;
    at = Math.min(blanked.length, offset[piece]! + length[piece]!);
    ends[piece] = at;
  }
  hashRuns(blanked, ends, lanes);
  hashRuns(sites.bytes, sites.end, lanes);
  const hashes = new Float64Array(count);
  for (let piece = 0; piece < count; piece++)
    hashes[piece] = lanes[2 * piece]! + (lanes[2 * piece + 1]! & 0x1fffff) * 2 ** 32;
  release(lanes, ends);
  return hashes;
}

/** What is hashed. */
export type HashedParts = Pick<Dissection, "pieces" | "blanked" | "sites">;

/** Hashes runs that lie one behind the other: each from its two lanes, into which the hash goes. */
function hashRuns(bytes: Uint8Array, ends: Uint32Array, lanes: Uint32Array): void {
  loaded ??= load();
  const { kernel, window, runs } = loaded;
  const most = runs.length / 4;
  /** The first run of the window, and where it begins. */
  let first = 0;
  let from = 0;
  const take = (used: number) => {
    for (let i = 0; i < used; i++) {
      lanes[2 * (first + i)] = runs[4 * i + 2]!;
      lanes[2 * (first + i) + 1] = runs[4 * i + 3]!;
    }
  };
  while (first < ends.length) {
    let used = 0;
    let to = from;
    while (first + used < ends.length && used < most && ends[first + used]! - from <= window.length) {
      const run = first + used;
      runs[4 * used] = to - from;
      runs[4 * used + 1] = ends[run]! - to;
      runs[4 * used + 2] = lanes[2 * run]!;
      runs[4 * used + 3] = lanes[2 * run + 1]!;
      to = ends[run]!;
      used++;
    }
    if (used > 0) {
      window.set(bytes.subarray(from, to));
      kernel.hash(used);
    } else {
      used = 1;
      to = ends[first]!;
      runs.set([0, to - from, lanes[2 * first]!, lanes[2 * first + 1]!]);
      kernel.beginLong();
      for (let part = from; part < to; part += window.length) {
        const end = Math.min(part + window.length, to);
        window.set(bytes.subarray(part, end));
        kernel.takePart(end - part);
      }
      kernel.finishLong();
    }
    take(used);
    first += used;
    from = to;
  }
}

/** Pieces that are too small say nothing of whose relative a file is. */
const HANDPRINT_PIECE_BYTES = 48;
/** Between neighbouring releases most pieces are equal; after a new toolchain 3 to 11 of a hundred. */
const HANDPRINT_KEYS = 24;

/**
 * The least hashes of a file's larger pieces, as 16 hexadecimal digits: two files share some exactly when they share
 * pieces (Broder's min-wise sampling, as the handprints of Bhagwat et al., "Extreme binning").
 */
export function handprint(dissection: Dissection, hashes: Float64Array): string[] {
  const { pieces } = dissection;
  const candidates: number[] = [];
  for (let piece = 0; piece < pieces.count; piece++) {
    if (pieces.length[piece]! < HANDPRINT_PIECE_BYTES) continue;
    const kind = pieces.kind[piece];
    if (
      kind !== PieceKind.code &&
      kind !== PieceKind.data &&
      kind !== PieceKind.go &&
      kind !== PieceKind.strings
    )
      continue;
    candidates.push(hashes[piece]!);
  }
  const keys: string[] = [];
  let last = -1;
  for (const hash of Float64Array.from(candidates).sort()) {
    if (hash === last) continue;
    last = hash;
    keys.push(hash.toString(16).padStart(16, "0"));
    if (keys.length === HANDPRINT_KEYS) break;
  }
  return keys;
}
