/** What targets are said with: tokens, and the labels that were named before. */
import type { CodedPieces } from "./code-partners.ts";
import { Stream, type StreamNumber } from "./code-streams.ts";
import { ABSOLUTE, CALL, CODE_DATA, CONTEXTS, EXCEPTIONS, GO, LOW12, UNWIND } from "./references-contexts.ts";

/** Tokens; from RECENT on they are places in the context's list of recent labels. */
export const SAME = 0;
export const NEXT = 1;
export const PIECE = 2;
export const LABEL = 3;
export const WITHIN = 4;
export const DIAGONAL = 5;
export const RECENT = 8;
/** As many as fit beside the other tokens into one byte. */
export const RECENT_LABELS = 248;

export const GROUPS: readonly { readonly tokens: StreamNumber; readonly values: StreamNumber }[] = groups();

function groups() {
  const call = { tokens: Stream.callTokens, values: Stream.callValues };
  const code = { tokens: Stream.codeTokens, values: Stream.codeValues };
  const data = { tokens: Stream.dataTokens, values: Stream.dataValues };
  const unwind = { tokens: Stream.unwindTokens, values: Stream.unwindValues };
  const go = { tokens: Stream.goTokens, values: Stream.goValues };
  const all: { readonly tokens: StreamNumber; readonly values: StreamNumber }[] = [];
  for (let context = 0; context < CONTEXTS; context++) {
    if (context === CALL) all.push(call);
    else if (context === CODE_DATA || context === LOW12) all.push(code);
    else if (context >= UNWIND && context <= EXCEPTIONS) all.push(unwind);
    else if (context >= GO && context < ABSOLUTE) all.push(go);
    else all.push(data);
  }
  return all;
}

/** The next piece of the same kind, for each piece; -1 for none. */
export function nextOfKind({ count, kind }: CodedPieces): Int32Array {
  const next = new Int32Array(count);
  const seen = new Int32Array(256).fill(-1);
  for (let i = count - 1; i >= 0; i--) {
    next[i] = seen[kind[i]!]!;
    seen[kind[i]!] = i;
  }
  return next;
}

/** Places of the ring: a power of two above `RECENT_LABELS`. */
export const RING = 256;
/** Counts of labels by hash, to know of most labels that they are not among the recent ones. */
export const FILTER_BITS = 11;

/**
 * Recent labels of one context, newest first: a ring, so that a new one moves no other. Places that were never filled
 * have piece -1.
 */
export class RecentLabels {
  readonly #piece = new Int32Array(RING).fill(-1);
  readonly #offset = new Int32Array(RING);
  readonly #filter = new Uint8Array(1 << FILTER_BITS);
  /** Place in the ring of the newest. */
  #newest = 0;

  find(piece: number, offset: number): number {
    const newest = this.#newest;
    if (this.#piece[newest] === piece && this.#offset[newest] === offset) return 0;
    if (this.#filter[slotOf(piece, offset)] === 0) return -1;
    for (let i = 1; i < RECENT_LABELS; i++) {
      const at = (newest + i) & (RING - 1);
      if (this.#piece[at] === piece && this.#offset[at] === offset) return i;
    }
    return -1;
  }

  piece(place: number): number {
    return this.#piece[(this.#newest + place) & (RING - 1)]!;
  }

  offset(place: number): number {
    return this.#offset[(this.#newest + place) & (RING - 1)]!;
  }

  /** Puts a label in front; `place` is where it was, or -1. */
  front(piece: number, offset: number, place: number): void {
    const pieces = this.#piece;
    const offsets = this.#offset;
    if (place < 0) {
      const dropped = (this.#newest + RECENT_LABELS - 1) & (RING - 1);
      if (pieces[dropped] !== -1) this.#filter[slotOf(pieces[dropped]!, offsets[dropped]!)]!--;
      pieces[dropped] = -1;
      offsets[dropped] = 0;
      this.#filter[slotOf(piece, offset)]!++;
      this.#newest = (this.#newest - 1) & (RING - 1);
    } else {
      for (let i = place; i > 0; i--) {
        const to = (this.#newest + i) & (RING - 1);
        const from = (to - 1) & (RING - 1);
        pieces[to] = pieces[from]!;
        offsets[to] = offsets[from]!;
      }
    }
    pieces[this.#newest] = piece;
    offsets[this.#newest] = offset;
  }
}

/** Slot of a label in the filter (Fibonacci hashing; Knuth, The Art of Computer Programming, 6.4). */
function slotOf(piece: number, offset: number): number {
  return (Math.imul(piece, 0x9e3779b1) + Math.imul(offset, 0x85ebca6b)) >>> (32 - FILTER_BITS);
}
