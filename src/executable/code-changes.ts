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
  unmatchedBytes,
  writeDelta,
} from "../delta/index.ts";
import { EM_X86_64 } from "../elf/index.ts";
import { Alignment } from "./code-alignment.ts";
import { relaxTable } from "./code-exceptions.ts";
import { Instructions } from "./code-instructions.ts";
import { type Library, pieceBytes, siteBytes, windowBytes } from "./code-library.ts";
import type { OperandWriter } from "./code-operands.ts";
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

/** Cost of a step beside its new bytes, for choosing among sources. */
const STEP_BYTES = 1.5;

export class ChangeWriter {
  readonly #dissection: Dissection;
  readonly #library: Library;
  readonly #differ = new Differ();
  /** What deltas are made of: skeletons of code, relaxed exception tables, other bytes as they are. */
  readonly #bases = new Map<number, Uint8Array>();
  readonly #from = new Instructions();
  readonly #to = new Instructions();
  readonly #alignment = new Alignment();
  #piece = -1;
  #target: Uint8Array = new Uint8Array(0);

  constructor(dissection: Dissection, library: Library) {
    this.#dissection = dissection;
    this.#library = library;
  }

  #diff(source: number, piece: number): Delta {
    if (piece !== this.#piece) {
      const bytes = pieceBytes(this.#dissection, piece);
      this.#piece = piece;
      this.#target = this.#comparable(this.#dissection.pieces.kind[piece]!, bytes, this.#to);
    }
    return this.#differ.diff(this.#base(source), this.#target);
  }

  #comparable(kind: number, bytes: Uint8Array, scratch: Instructions): Uint8Array {
    if (kind === PieceKind.exceptions) return relaxTable(bytes);
    if (!isSplit(this.#dissection.machine, kind, bytes.length)) return bytes;
    splitCode(bytes, scratch);
    return scratch.skeleton.slice(0, scratch.skeletonBytes);
  }

  #base(source: number): Uint8Array {
    let base = this.#bases.get(source);
    if (base === undefined) {
      base = this.#comparable(this.#library.kind(source), windowBytes(this.#library, source), this.#from);
      this.#bases.set(source, base);
    }
    return base;
  }

  /** About how many bytes of the piece would still be new, coded by a source; an operand weighs nothing. */
  cost(source: number, piece: number): number {
    const { kind, length } = this.#dissection.pieces;
    const { machine } = this.#dissection;
    const isSplitPiece = isSplit(machine, kind[piece]!, length[piece]!);
    if (isSplit(machine, this.#library.kind(source), this.#library.length(source)) !== isSplitPiece)
      return Number.POSITIVE_INFINITY;
    const delta = this.#diff(source, piece);
    const share = this.#target.length === 0 ? 1 : length[piece]! / this.#target.length;
    return (unmatchedBytes(delta) + STEP_BYTES * delta.count) * share;
  }

  /**
   * Writes a changed piece. Its site bytes: 0 when they are the source's, 1 when a delta against those follows, else
   * their number + 2 and they themselves. Returns where the source's bytes are in it.
   */
  write(piece: number, source: number, operands: OperandWriter, out: StreamWriters): Delta {
    const { machine, pieces } = this.#dissection;
    const kind = pieces.kind[piece]!;
    this.#writeSites(piece, source, out);
    const delta = this.#diff(source, piece);
    writeDelta(this.#base(source), this.#target, delta, deltaStreams(out, contentStream(kind)));
    if (!isSplit(machine, kind, pieces.length[piece]!)) return ownColumns(delta);
    splitCode(this.#library.bytes(source), this.#from);
    this.#alignment.align(this.#from, this.#to, delta);
    operands.write(this.#to, this.#from, this.#alignment);
    return this.#alignment.byteDelta(this.#from, this.#to);
  }

  #writeSites(piece: number, source: number, out: StreamWriters): void {
    const sites = siteBytes(this.#dissection, piece);
    const base = this.#library.sites(source);
    const lengths = out.of(Stream.siteLengths);
    if (equalBytes(sites, base)) lengths.varint(Sites.same);
    else {
      const delta = this.#differ.diff(base, sites);
      if (unmatchedBytes(delta) + STEP_BYTES * delta.count < sites.length / 2) {
        lengths.varint(Sites.delta);
        writeDelta(base, sites, delta, deltaStreams(out, Stream.sites));
      } else {
        lengths.varint(Sites.explicit + sites.length);
        out.of(Stream.sites).raw(sites);
      }
    }
  }
}

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
