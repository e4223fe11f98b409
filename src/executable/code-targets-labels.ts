/** What targets are said with: tokens, the company in which a reference is, and the labels that were named there. */
import type { CodedPieces, ReferencePlaces } from "./code-partners.ts";
import { Stream, type StreamNumber } from "./code-streams.ts";
import { PieceKind, ReferenceKind } from "./types.ts";

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

export const CALL = 0;
export const CODE_DATA = 1;
export const LOW12 = 2;
export const TABLE = 3;
const POINTER = 4;
const UNWIND = 5;
const EXCEPTIONS = 9;
const GO = 10;
const ABSOLUTE = 18;
const RELATIVE = 19;
export const CONTEXTS = 20;

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

/** Opcodes E8 and E9, and the second byte of a near conditional jump. */
function isBranchOpcode(bytes: Uint8Array, site: number): boolean {
  const before = bytes[site - 1]!;
  return before === 0xe8 || before === 0xe9 || ((before & 0xf0) === 0x80 && bytes[site - 2] === 0x0f);
}

/** By the opcode before the field. */
const BY_OPCODE = 254;
/** By the kind of piece, and in unwind tables by the place among the piece's references. */
const BY_PIECE = 255;
/** Context by reference kind, or one of these two. */
const CONTEXT_OF_KIND = contextsOfKinds();

function contextsOfKinds(): Uint8Array {
  const contexts = new Uint8Array(256).fill(BY_PIECE);
  contexts[ReferenceKind.pc32] = BY_OPCODE;
  contexts[ReferenceKind.branch26] = CALL;
  contexts[ReferenceKind.word19] = CALL;
  contexts[ReferenceKind.branch14] = CALL;
  contexts[ReferenceKind.page21] = CODE_DATA;
  contexts[ReferenceKind.adr21] = CODE_DATA;
  contexts[ReferenceKind.low12] = LOW12;
  contexts[ReferenceKind.table32] = TABLE;
  contexts[ReferenceKind.abs32] = ABSOLUTE;
  contexts[ReferenceKind.rel32] = RELATIVE;
  for (let kind: number = ReferenceKind.goText; kind <= ReferenceKind.goFuncdata; kind++) {
    contexts[kind] = GO + kind - ReferenceKind.goText;
  }
  return contexts;
}

/** In which company each reference's target is said. Depends on nothing that a target says. */
export function contextsOf(pieces: CodedPieces, places: ReferencePlaces, blanked: Uint8Array): Uint8Array {
  const { count, piece, kind, site, first } = places;
  const contexts = new Uint8Array(count);
  for (let r = 0; r < count; r++) {
    let context = CONTEXT_OF_KIND[kind[r]!]!;
    if (context === BY_OPCODE) context = isBranchOpcode(blanked, site[r]!) ? CALL : CODE_DATA;
    else if (context === BY_PIECE) {
      const own = piece[r]!;
      const pieceKind = pieces.kind[own]!;
      if (pieceKind === PieceKind.unwind) context = UNWIND + Math.min(3, r - first[own]!);
      else context = pieceKind === PieceKind.exceptions ? EXCEPTIONS : POINTER;
    }
    contexts[r] = context;
  }
  return contexts;
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
