/** Changed pieces: a delta against a piece of a base, in which branches within functions are relaxed. */
import { equalBytes } from "../bytes/index.ts";
import {
  type Delta,
  type DeltaSources,
  type DeltaStreams,
  Differ,
  unmatchedBytes,
  writeDelta,
} from "../delta/index.ts";
import { type Relaxed, relax, writeBranches } from "./code-branches.ts";
import { relaxTable } from "./code-exceptions.ts";
import { type Library, pieceBytes, siteBytes, windowBytes } from "./code-library.ts";
import {
  contentStream,
  Stream,
  type StreamNumber,
  type StreamReaders,
  type StreamWriters,
} from "./code-streams.ts";
import { type Dissection, PieceKind } from "./types.ts";

/** What a changed piece is made against: bytes as they are, and relaxed. */
export interface ChangeBase {
  readonly bytes: Uint8Array;
  readonly relaxed: Relaxed;
}

export function changeBase(library: Library, source: number, machine: number): ChangeBase {
  const bytes = windowBytes(library, source);
  return { bytes, relaxed: relaxed(machine, library.kind(source), bytes) };
}

function relaxed(machine: number, kind: number, bytes: Uint8Array): Relaxed {
  if (kind === PieceKind.code) return relax(machine, bytes);
  return plain(kind === PieceKind.exceptions ? relaxTable(bytes) : bytes);
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
      this.#target = relaxed(this.#dissection.machine, this.#dissection.pieces.kind[piece]!, bytes);
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
   * Writes a changed piece. Its site bytes: 0 when they are the source's, 1 when a delta against those follows, else
   * their number + 2 and they themselves.
   */
  write(piece: number, source: number, out: StreamWriters): Delta {
    const dissection = this.#dissection;
    const kind = dissection.pieces.kind[piece]!;
    this.#writeSites(piece, source, out);
    const delta = ownColumns(this.#diff(source, piece));
    const base = this.#base(source);
    writeDelta(base.relaxed.bytes, this.#target.bytes, delta, deltaStreams(out, contentStream(kind)));
    if (kind === PieceKind.code) {
      const bytes = pieceBytes(dissection, piece);
      const streams = { runs: out.of(Stream.branchRuns), values: out.of(Stream.branchValues) };
      writeBranches(base.bytes, base.relaxed, delta, bytes, this.#target, streams);
    }
    return delta;
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
