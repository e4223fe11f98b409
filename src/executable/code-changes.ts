/**
 * Pieces as streams: fresh ones by themselves, changed ones as a delta against a piece of a base. x86-64 code goes as
 * skeleton and operands.
 */
import { equalBytes } from "../bytes/index.ts";
import {
  type Delta,
  type DeltaSources,
  type DeltaStreams,
  Differ,
  deltaWeight,
  writeDelta,
} from "../delta/index.ts";
import { EM_X86_64 } from "../elf/index.ts";
import { Alignment } from "./code-alignment.ts";
import { relaxTable } from "./code-exceptions.ts";
import { Instructions } from "./code-instructions.ts";
import { type Library, pieceBytes, siteBytes, windowBytes } from "./code-library.ts";
import type { OperandWriter } from "./code-operands.ts";
import { skeletonOf } from "./code-skeleton.ts";
import { splitCode } from "./code-split.ts";
import {
  contentStream,
  Stream,
  type StreamNumber,
  type StreamReaders,
  type StreamWriters,
} from "./code-streams.ts";
import { type Dissection, PieceKind } from "./types.ts";

/** Longer pieces are no functions, and would take much memory as instructions. */
export const MAX_SPLIT_BYTES = 2 ** 22;

/** True for pieces that go as skeleton and operands. */
export function isSplit(machine: number, kind: number, lengthBytes: number): boolean {
  return kind === PieceKind.code && machine === EM_X86_64 && lengthBytes <= MAX_SPLIT_BYTES;
}

/** What deltas are made of is remembered up to so many bytes: neighbours are tried against the same sources. */
const REMEMBERED_BYTES = 8 << 20;
/** Deltas are kept until they are written, up to so many bytes; the others are found once more. */
const KEPT_BYTES = 16 << 20;

/** The delta of a piece, to be written, and its source. */
interface KeptDelta {
  readonly source: number;
  /** Literals, places and copies, one column behind the other. */
  readonly columns: Uint32Array;
}

export class ChangeWriter {
  readonly #dissection: Dissection;
  readonly #library: Library;
  readonly #differ = new Differ();
  /**
   * By number in the library, of which the file's own pieces are the last: skeletons of code, relaxed exception
   * tables. Other bytes are as they are.
   */
  readonly #remembered = new Map<number, Uint8Array>();
  #rememberedBytes = 0;
  readonly #kept = new Map<number, KeptDelta>();
  #keptBytes = 0;
  readonly #from = new Instructions();
  readonly #to = new Instructions();
  readonly #alignment = new Alignment();

  constructor(dissection: Dissection, library: Library) {
    this.#dissection = dissection;
    this.#library = library;
  }

  /** Whether deltas are made of something else than the bytes. */
  #hasForm(kind: number, length: number): boolean {
    return kind === PieceKind.exceptions || isSplit(this.#dissection.machine, kind, length);
  }

  #form(number: number, kind: number, bytes: Uint8Array): Uint8Array {
    let form = this.#remembered.get(number);
    if (form === undefined) {
      form = kind === PieceKind.exceptions ? relaxTable(bytes) : skeletonOf(bytes);
      this.#rememberedBytes += form.length;
      if (this.#rememberedBytes > REMEMBERED_BYTES) {
        this.#remembered.clear();
        this.#rememberedBytes = form.length;
      }
      this.#remembered.set(number, form);
    }
    return form;
  }

  /** What deltas of a piece are made for. */
  #target(piece: number): Uint8Array {
    const { kind, length } = this.#dissection.pieces;
    const bytes = pieceBytes(this.#dissection, piece);
    if (!this.#hasForm(kind[piece]!, length[piece]!)) return bytes;
    return this.#form(this.#library.count + piece, kind[piece]!, bytes);
  }

  /** What deltas against a piece of a base are made from. */
  #base(source: number): Uint8Array {
    const kind = this.#library.kind(source);
    if (!this.#hasForm(kind, this.#library.length(source))) return windowBytes(this.#library, source);
    return this.#form(source, kind, this.#library.bytes(source));
  }

  /**
   * About how many bytes of the piece would still be new, coded by a source; an operand weighs nothing. Infinity when
   * they are not fewer than `most`.
   */
  cost(source: number, piece: number, most: number): number {
    const { kind, length } = this.#dissection.pieces;
    const { machine } = this.#dissection;
    const isSplitPiece = isSplit(machine, kind[piece]!, length[piece]!);
    if (isSplit(machine, this.#library.kind(source), this.#library.length(source)) !== isSplitPiece)
      return Number.POSITIVE_INFINITY;
    const target = this.#target(piece);
    // Half a byte is the unit of weights.
    const share = target.length === 0 ? 1 / 2 : length[piece]! / target.length / 2;
    const weight = this.#differ.weigh(this.#base(source), target, Math.min(most / share, MAX_WEIGHT));
    const cost = weight * share;
    return cost < most ? cost : Number.POSITIVE_INFINITY;
  }

  /** Keeps the delta that was weighed last: it is the best so far of its piece. */
  keep(piece: number, source: number): void {
    const { count, literal, from, copy } = this.#differ.weighed();
    const before = this.#kept.get(piece);
    if (before !== undefined) {
      this.#keptBytes -= before.columns.byteLength;
      this.#kept.delete(piece);
    }
    if (this.#keptBytes + 12 * count > KEPT_BYTES) return;
    const columns = new Uint32Array(3 * count);
    columns.set(literal);
    columns.set(from, count);
    columns.set(copy, 2 * count);
    this.#kept.set(piece, { source, columns });
    this.#keptBytes += columns.byteLength;
  }

  #delta(piece: number, source: number, base: Uint8Array, target: Uint8Array): Delta {
    const kept = this.#kept.get(piece);
    if (kept?.source !== source) return ownColumns(this.#differ.diff(base, target));
    const { columns } = kept;
    this.#kept.delete(piece);
    const count = columns.length / 3;
    return {
      count,
      literal: columns.subarray(0, count),
      from: columns.subarray(count, 2 * count),
      copy: columns.subarray(2 * count),
    };
  }

  /**
   * Writes a changed piece. Its site bytes: 0 when they are the source's, 1 when a delta against those follows, else
   * their number + 2 and they themselves. Returns where the source's bytes are in it.
   */
  write(piece: number, source: number, operands: OperandWriter, out: StreamWriters): Delta {
    const { machine, pieces } = this.#dissection;
    const kind = pieces.kind[piece]!;
    this.#writeSites(piece, source, out);
    const streams = deltaStreams(out, contentStream(kind));
    if (!isSplit(machine, kind, pieces.length[piece]!)) {
      const base = this.#base(source);
      const target = this.#target(piece);
      const delta = this.#delta(piece, source, base, target);
      writeDelta(base, target, delta, streams);
      return delta;
    }
    const from = this.#from;
    const to = this.#to;
    splitCode(this.#library.bytes(source), from);
    splitCode(pieceBytes(this.#dissection, piece), to);
    const base = from.skeleton.subarray(0, from.skeletonBytes);
    const target = to.skeleton.subarray(0, to.skeletonBytes);
    const delta = this.#delta(piece, source, base, target);
    writeDelta(base, target, delta, streams);
    this.#alignment.align(from, to, delta);
    operands.write(to, from, this.#alignment);
    return this.#alignment.byteDelta(from, to);
  }

  #writeSites(piece: number, source: number, out: StreamWriters): void {
    const sites = siteBytes(this.#dissection, piece);
    const base = this.#library.sites(source);
    const lengths = out.of(Stream.siteLengths);
    if (equalBytes(sites, base)) lengths.varint(Sites.same);
    else {
      const delta = this.#differ.diff(base, sites);
      // Less than half of them.
      if (deltaWeight(delta) < sites.length) {
        lengths.varint(Sites.delta);
        writeDelta(base, sites, delta, deltaStreams(out, Stream.sites));
      } else {
        lengths.varint(Sites.explicit + sites.length);
        out.of(Stream.sites).raw(sites);
      }
    }
  }
}

/** More than a delta may weigh that a source is chosen for. */
const MAX_WEIGHT = 0x7fffffff;

/** How the site bytes of a changed piece are said. */
export const Sites = { same: 0, delta: 1, explicit: 2 } as const;

function ownColumns({ count, literal, from, copy }: Delta): Delta {
  return { count, literal: literal.slice(0, count), from: from.slice(0, count), copy: copy.slice(0, count) };
}

function deltaStreams(out: StreamWriters, literals: StreamNumber): DeltaStreams {
  return {
    numbers: out.of(Stream.deltaNumbers),
    heads: out.of(Stream.deltaHeads),
    copies: out.of(Stream.deltaCopies),
    literals: out.of(literals),
    values: out.of(Stream.deltaValues),
  };
}

export function deltaSources(sources: StreamReaders, literals: StreamNumber): DeltaSources {
  return {
    numbers: sources.of(Stream.deltaNumbers),
    heads: sources.of(Stream.deltaHeads),
    copies: sources.of(Stream.deltaCopies),
    literals: sources.of(literals),
    values: sources.of(Stream.deltaValues),
  };
}
