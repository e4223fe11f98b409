/**
 * Targets of references: foretold by the partner's, else said by a token and, where needed, a number.
 *
 * Hits are runs: count varint, then one reference that was not hit, and so on. A token says the target by what the
 * last references of its context did: the same label, the next piece, one of the recent ones, or a distance.
 */

import type { ByteReader, ByteWriter } from "../bytes/index.ts";
import { unzigzag, zigzag } from "../delta/index.ts";
import { Counterparts } from "./code-counterparts.ts";
import type { CodedPieces, ReferencePlaces, ReferencePool } from "./code-partners.ts";
import { Stream, type StreamNumber, type StreamReaders, type StreamWriters } from "./code-streams.ts";
import { PieceKind, ReferenceKind } from "./types.ts";

/** Tokens; from RECENT on they are places in the context's list of recent labels. */
const SAME = 0;
const NEXT = 1;
const PIECE = 2;
const LABEL = 3;
const WITHIN = 4;
const DIAGONAL = 5;
const RECENT = 8;
/** As many as fit beside the other tokens into one byte. */
const RECENT_LABELS = 248;

const CALL = 0;
const CODE_DATA = 1;
const LOW12 = 2;
const TABLE = 3;
const POINTER = 4;
const UNWIND = 5;
const EXCEPTIONS = 9;
const GO = 10;
const ABSOLUTE = 18;
const RELATIVE = 19;
const CONTEXTS = 20;

const GROUPS: readonly { readonly tokens: StreamNumber; readonly values: StreamNumber }[] = groups();

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

/** In which company a reference's target is said. Depends on nothing that a target says. */
function contextOf(
  kind: number,
  pieceKind: number,
  ordinal: number,
  blanked: Uint8Array,
  site: number,
): number {
  switch (kind) {
    case ReferenceKind.pc32:
      return isBranchOpcode(blanked, site) ? CALL : CODE_DATA;
    case ReferenceKind.branch26:
    case ReferenceKind.word19:
    case ReferenceKind.branch14:
      return CALL;
    case ReferenceKind.page21:
    case ReferenceKind.adr21:
      return CODE_DATA;
    case ReferenceKind.low12:
      return LOW12;
    case ReferenceKind.table32:
      return TABLE;
    case ReferenceKind.abs32:
      return ABSOLUTE;
    case ReferenceKind.rel32:
      return RELATIVE;
    default:
      if (kind >= ReferenceKind.goText && kind <= ReferenceKind.goFuncdata)
        return GO + kind - ReferenceKind.goText;
      if (pieceKind === PieceKind.unwind) return UNWIND + Math.min(3, ordinal);
      return pieceKind === PieceKind.exceptions ? EXCEPTIONS : POINTER;
  }
}

/** Recent labels of one context, newest first. */
class RecentLabels {
  readonly #piece = new Int32Array(RECENT_LABELS).fill(-1);
  readonly #offset = new Int32Array(RECENT_LABELS);

  find(piece: number, offset: number): number {
    for (let i = this.#piece.indexOf(piece); i >= 0; i = this.#piece.indexOf(piece, i + 1)) {
      if (this.#offset[i] === offset) return i;
    }
    return -1;
  }

  piece(place: number): number {
    return this.#piece[place]!;
  }

  offset(place: number): number {
    return this.#offset[place]!;
  }

  /** Puts a label in front; `place` is where it was, or -1. */
  front(piece: number, offset: number, place: number): void {
    const last = place < 0 ? RECENT_LABELS - 1 : place;
    this.#piece.copyWithin(1, 0, last);
    this.#offset.copyWithin(1, 0, last);
    this.#piece[0] = piece;
    this.#offset[0] = offset;
  }
}

/** The state that encoder and decoder keep alike. */
class TargetModel {
  readonly pieces: CodedPieces;
  readonly places: ReferencePlaces;
  readonly pool: ReferencePool;
  readonly partners: Int32Array;
  readonly counterparts: Counterparts;
  readonly lastPiece = new Int32Array(CONTEXTS);
  readonly lastOffset = new Int32Array(CONTEXTS);
  /** What the partner of the context's last reference referred to; -1 when it had none. */
  readonly lastPartner = new Int32Array(CONTEXTS).fill(-1);
  readonly recent: RecentLabels[] = [];
  /** The next piece of the same kind. */
  readonly next: Int32Array;
  readonly #blanked: Uint8Array;
  #ordinal = 0;

  constructor(
    pieces: CodedPieces,
    places: ReferencePlaces,
    pool: ReferencePool,
    partners: Int32Array,
    blanked: Uint8Array,
  ) {
    this.pieces = pieces;
    this.places = places;
    this.pool = pool;
    this.partners = partners;
    this.counterparts = new Counterparts(pool.library, pieces);
    this.#blanked = blanked;
    for (let i = 0; i < CONTEXTS; i++) this.recent.push(new RecentLabels());
    this.next = new Int32Array(pieces.count);
    const seen = new Int32Array(256).fill(-1);
    for (let i = pieces.count - 1; i >= 0; i--) {
      const kind = pieces.kind[i]!;
      this.next[i] = seen[kind]!;
      seen[kind] = i;
    }
  }

  context(r: number): number {
    const { piece, kind, site } = this.places;
    const own = piece[r]!;
    this.#ordinal = r > 0 && piece[r - 1] === own ? this.#ordinal + 1 : 0;
    return contextOf(kind[r]!, this.pieces.kind[own]!, this.#ordinal, this.#blanked, site[r]!);
  }

  /** Piece that the context's last target and the partners' distance lead to; -1 for none. */
  diagonal(context: number, partnerTarget: number): number {
    const before = this.lastPartner[context]!;
    if (before < 0 || partnerTarget < 0) return -1;
    const piece = this.lastPiece[context]! + partnerTarget - before;
    return piece >= 0 && piece < this.pieces.count ? piece : -1;
  }

  /** To be called for every reference, with its target. */
  settle(r: number, context: number, piece: number, offset: number): void {
    const { pool } = this;
    const number = pool.firstOwn + r;
    pool.target[number] = pool.library.count + piece;
    pool.offset[number] = offset;
    this.lastPiece[context] = piece;
    this.lastOffset[context] = offset;
    const partner = this.partners[r]!;
    this.lastPartner[context] = partner < 0 ? -1 : pool.target[partner]!;
  }

  /** To be called for labels that a token said; `place` is where the label was among the recent ones, or -1. */
  told(context: number, piece: number, offset: number, place: number): void {
    this.recentOf(context).front(piece, offset, place);
  }

  /** The users of a page name its label again. */
  recentOf(context: number): RecentLabels {
    return this.recent[context === LOW12 ? CODE_DATA : context]!;
  }
}

/** Piece from which a distance is counted. */
function origin(model: TargetModel, context: number, r: number): number {
  return context === CALL || context === TABLE ? model.places.piece[r]! : model.lastPiece[context]!;
}

export interface Targets {
  readonly target: Uint32Array;
  readonly targetOffset: Int32Array;
}

/** How many references were foretold, for people. */
export interface TargetCounts {
  readonly references: number;
  readonly foretold: number;
}

export function writeTargets(
  pieces: CodedPieces,
  places: ReferencePlaces,
  pool: ReferencePool,
  partners: Int32Array,
  blanked: Uint8Array,
  { target, targetOffset }: Targets,
  out: StreamWriters,
): TargetCounts {
  const model = new TargetModel(pieces, places, pool, partners, blanked);
  const hits = out.of(Stream.hits);
  let run = 0;
  let foretold = 0;
  for (let r = 0; r < places.count; r++) {
    const context = model.context(r);
    const piece = target[r]!;
    const offset = targetOffset[r]!;
    const recent = model.recentOf(context);
    const partner = partners[r]!;
    let partnerTarget = -1;
    if (partner >= 0) {
      partnerTarget = pool.target[partner]!;
      const { counterparts } = model;
      if (counterparts.find(partnerTarget, pool.offset[partner]!)) {
        if (counterparts.piece === piece && counterparts.offset === offset) {
          run++;
          foretold++;
          model.settle(r, context, piece, offset);
          continue;
        }
        hits.varint(run);
        run = 0;
      }
      counterparts.learn(partnerTarget, pool.offset[partner]!, piece, offset);
    }
    const group = GROUPS[context]!;
    const place = recent.find(piece, offset);
    writeToken(
      model,
      context,
      r,
      piece,
      offset,
      place,
      partnerTarget,
      out.of(group.tokens),
      out.of(group.values),
    );
    model.told(context, piece, offset, place);
    model.settle(r, context, piece, offset);
  }
  hits.varint(run);
  return { references: places.count, foretold };
}

function writeToken(
  model: TargetModel,
  context: number,
  r: number,
  piece: number,
  offset: number,
  place: number,
  partnerTarget: number,
  tokens: ByteWriter,
  values: ByteWriter,
): void {
  const last = model.lastPiece[context]!;
  const lastOffset = model.lastOffset[context]!;
  if (piece === last && offset === lastOffset) tokens.u8(SAME);
  else if (offset === 0 && piece === model.next[last]) tokens.u8(NEXT);
  else if (offset === 0 && piece === model.diagonal(context, partnerTarget)) tokens.u8(DIAGONAL);
  else if (place >= 0) tokens.u8(RECENT + place);
  else if (piece === last) {
    tokens.u8(WITHIN);
    values.varint(zigzag(offset - lastOffset));
  } else {
    tokens.u8(offset === 0 ? PIECE : LABEL);
    values.varint(zigzag(piece - origin(model, context, r)));
    if (offset !== 0) values.varint(zigzag(offset));
  }
}

/** Reads what `writeTargets` wrote. Errors: `invalid` for a target that is no piece, or an offset beyond 31 bits. */
export function readTargets(
  pieces: CodedPieces,
  places: ReferencePlaces,
  pool: ReferencePool,
  partners: Int32Array,
  blanked: Uint8Array,
  sources: StreamReaders,
): Targets {
  const model = new TargetModel(pieces, places, pool, partners, blanked);
  const hits = sources.of(Stream.hits);
  const target = new Uint32Array(places.count);
  const targetOffset = new Int32Array(places.count);
  let run = hits.varint("run");
  for (let r = 0; r < places.count; r++) {
    const context = model.context(r);
    const partner = partners[r]!;
    const { counterparts } = model;
    let partnerTarget = -1;
    let known = false;
    if (partner >= 0) {
      partnerTarget = pool.target[partner]!;
      known = counterparts.find(partnerTarget, pool.offset[partner]!);
    }
    let piece = 0;
    let offset = 0;
    if (known && run > 0) {
      run--;
      piece = counterparts.piece;
      offset = counterparts.offset;
    } else {
      if (known) run = hits.varint("run");
      const group = GROUPS[context]!;
      readToken(model, context, r, partnerTarget, sources.of(group.tokens), sources.of(group.values));
      piece = label.piece;
      offset = label.offset;
      if (partner >= 0) counterparts.learn(partnerTarget, pool.offset[partner]!, piece, offset);
      model.told(context, piece, offset, label.place);
    }
    target[r] = piece;
    targetOffset[r] = offset;
    model.settle(r, context, piece, offset);
  }
  if (run !== 0) throw hits.error("run", "more hits than references");
  return { target, targetOffset };
}

/** What `readToken` found: one object for a million references. */
const label = { piece: 0, offset: 0, place: -1 };

function readToken(
  model: TargetModel,
  context: number,
  r: number,
  partnerTarget: number,
  tokens: ByteReader,
  values: ByteReader,
): void {
  const token = tokens.u8("token");
  const last = model.lastPiece[context]!;
  const lastOffset = model.lastOffset[context]!;
  const recent = model.recentOf(context);
  let piece = last;
  let offset = 0;
  if (token >= RECENT) {
    piece = recent.piece(token - RECENT);
    offset = recent.offset(token - RECENT);
  } else if (token === SAME) offset = lastOffset;
  else if (token === NEXT) piece = model.next[last]!;
  else if (token === DIAGONAL) piece = model.diagonal(context, partnerTarget);
  else if (token === WITHIN) offset = lastOffset + unzigzag(values.varint("offset"));
  else if (token === PIECE || token === LABEL) {
    piece = origin(model, context, r) + unzigzag(values.varint("piece"));
    if (token === LABEL) offset = unzigzag(values.varint("offset"));
  } else throw tokens.error("token", `${token} is not known`, tokens.offset - 1);
  if (!(piece >= 0 && piece < model.pieces.count)) throw tokens.error("token", "a target that is no piece");
  if (offset !== (offset | 0)) throw values.error("offset", "beyond 31 bits");
  label.piece = piece;
  label.offset = offset;
  label.place = token >= RECENT ? token - RECENT : recent.find(piece, offset);
}
