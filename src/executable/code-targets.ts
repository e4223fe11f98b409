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
import { Stream, type StreamReaders, type StreamWriters } from "./code-streams.ts";
import {
  DIAGONAL,
  GROUPS,
  LABEL,
  NEXT,
  nextOfKind,
  PIECE,
  RECENT,
  RecentLabels,
  SAME,
  WITHIN,
} from "./code-targets-labels.ts";
import { CALL, CODE_DATA, CONTEXTS, contextsOf, LOW12, TABLE } from "./references-contexts.ts";

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
  readonly contexts: Uint8Array;

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
    for (let i = 0; i < CONTEXTS; i++) this.recent.push(new RecentLabels());
    this.next = nextOfKind(pieces);
    this.contexts = places.context ?? contextsOf(pieces.kind, places, blanked);
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
    const { target, offset: offsets, firstOwn, library } = this.pool;
    target[firstOwn + r] = library.count + piece;
    offsets[firstOwn + r] = offset;
    this.lastPiece[context] = piece;
    this.lastOffset[context] = offset;
    const partner = this.partners[r]!;
    this.lastPartner[context] = partner < 0 ? -1 : target[partner]!;
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
    const context = model.contexts[r]!;
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

/**
 * Reads what `writeTargets` wrote, in plain TypeScript. Errors: `invalid` for a target that is no piece, or an offset
 * beyond 31 bits.
 */
export function readTargetsTwin(
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
    const context = model.contexts[r]!;
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
