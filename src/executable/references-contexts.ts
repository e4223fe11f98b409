/** Contexts: in which company a reference's target is said. They depend on nothing that a target says. */
import { PieceKind, ReferenceKind } from "./types.ts";

export const CALL = 0;
export const CODE_DATA = 1;
export const LOW12 = 2;
export const TABLE = 3;
const POINTER = 4;
export const UNWIND = 5;
export const EXCEPTIONS = 9;
export const GO = 10;
export const ABSOLUTE = 18;
const RELATIVE = 19;
export const CONTEXTS = 20;

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

/** Context of the `rank`-th reference of a piece, whose field is at `site` of a file with blanked fields. */
export function contextOf(
  kind: number,
  site: number,
  pieceKind: number,
  rank: number,
  blanked: Uint8Array,
): number {
  const context = CONTEXT_OF_KIND[kind]!;
  if (context === BY_OPCODE) return isBranchOpcode(blanked, site) ? CALL : CODE_DATA;
  if (context !== BY_PIECE) return context;
  if (pieceKind === PieceKind.unwind) return UNWIND + Math.min(3, rank);
  return pieceKind === PieceKind.exceptions ? EXCEPTIONS : POINTER;
}

/** Bytes before a field that its context depends on. */
export const CONTEXT_BYTES = 2;

/** References without their targets, in order. */
interface Places {
  readonly count: number;
  readonly kind: Uint8Array;
  readonly site: ArrayLike<number>;
  readonly piece: Uint32Array;
  readonly first: Uint32Array;
}

/** Contexts of all references; `pieceKinds` for each piece. */
export function contextsOf(pieceKinds: Uint8Array, places: Places, blanked: Uint8Array): Uint8Array {
  const { count, piece, kind, site, first } = places;
  const contexts = new Uint8Array(count);
  for (let r = 0; r < count; r++) {
    const own = piece[r]!;
    contexts[r] = contextOf(kind[r]!, site[r]!, pieceKinds[own]!, r - first[own]!, blanked);
  }
  return contexts;
}
