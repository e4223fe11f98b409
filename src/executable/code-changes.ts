/** Changed pieces: a delta against a piece of a base, in which branches within functions are relaxed. */
import { type Delta, Differ, unmatchedBytes, writeDelta } from "../delta/index.ts";
import { type Relaxed, relax, writeBranches } from "./code-branches.ts";
import { type Library, pieceBytes, siteBytes, windowBytes } from "./code-library.ts";
import { contentStream, Stream, type StreamWriters } from "./code-streams.ts";
import { type Dissection, PieceKind } from "./types.ts";

/** What a changed piece is made against: bytes as they are, and relaxed. */
export interface ChangeBase {
  readonly bytes: Uint8Array;
  readonly relaxed: Relaxed;
}

export function changeBase(library: Library, source: number, machine: number): ChangeBase {
  const bytes = windowBytes(library, source);
  return { bytes, relaxed: library.kind(source) === PieceKind.code ? relax(machine, bytes) : plain(bytes) };
}

function plain(bytes: Uint8Array): Relaxed {
  return { bytes, site: new Uint32Array(0), width: new Uint8Array(0) };
}

/** Cost of a step beside its new bytes, for choosing among sources. */
const STEP_BYTES = 1.5;

export class ChangeWriter {
  readonly #dissection: Dissection;
  readonly #library: Library;
  readonly #differ = new Differ();
  readonly #bases = new Map<number, ChangeBase>();
  #piece = -1;
  #target: Relaxed = plain(new Uint8Array(0));

  constructor(dissection: Dissection, library: Library) {
    this.#dissection = dissection;
    this.#library = library;
  }

  #diff(source: number, piece: number): Delta {
    if (piece !== this.#piece) {
      const bytes = pieceBytes(this.#dissection, piece);
      this.#piece = piece;
      this.#target =
        this.#dissection.pieces.kind[piece] === PieceKind.code ? relax(this.#dissection.machine, bytes) : plain(bytes);
    }
    return this.#differ.diff(this.#base(source).relaxed.bytes, this.#target.bytes);
  }

  #base(source: number): ChangeBase {
    let base = this.#bases.get(source);
    if (base === undefined) {
      base = changeBase(this.#library, source, this.#dissection.machine);
      this.#bases.set(source, base);
    }
    return base;
  }

  /** About how many bytes a piece would cost, coded by a source. */
  cost(source: number, piece: number): number {
    const delta = this.#diff(source, piece);
    return unmatchedBytes(delta) + STEP_BYTES * delta.count;
  }

  /**
   * Writes a changed piece. Its site bytes: 0 when they are the source's, else their number + 1 and they themselves.
   */
  write(piece: number, source: number, out: StreamWriters): Delta {
    const dissection = this.#dissection;
    const kind = dissection.pieces.kind[piece]!;
    const sites = siteBytes(dissection, piece);
    if (Buffer.compare(sites, this.#library.sites(source)) === 0) out.of(Stream.siteLengths).varint(0);
    else {
      out.of(Stream.siteLengths).varint(sites.length + 1);
      out.of(Stream.sites).raw(sites);
    }
    const { count, literal, from, copy } = this.#diff(source, piece);
    const delta = { count, literal: literal.slice(0, count), from: from.slice(0, count), copy: copy.slice(0, count) };
    const base = this.#base(source);
    writeDelta(base.relaxed.bytes, this.#target.bytes, delta, {
      numbers: out.of(Stream.deltaNumbers),
      heads: out.of(Stream.deltaHeads),
      copies: out.of(Stream.deltaCopies),
      literals: out.of(contentStream(kind)),
      values: out.of(Stream.deltaValues),
    });
    if (kind === PieceKind.code) {
      const bytes = pieceBytes(dissection, piece);
      const streams = { runs: out.of(Stream.branchRuns), values: out.of(Stream.branchValues) };
      writeBranches(base.bytes, base.relaxed, delta, bytes, this.#target, streams);
    }
    return delta;
  }
}
