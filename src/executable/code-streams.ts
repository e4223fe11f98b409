/**
 * The streams of a coded dissection: like matter with like, so that each compresses well by itself.
 *
 * Numbers are in the format (docs/formats/executable-recipe.md) and never reused. A stream that is empty is left out.
 */
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { invalid } from "../errors/index.ts";
import { PieceKind } from "./types.ts";

export const Stream = {
  /** Content of new pieces, and new bytes of changed ones, by kind of piece. */
  raw: 0,
  code: 1,
  data: 2,
  unwind: 3,
  exceptions: 4,
  strings: 5,
  padding: 6,
  /** Zero runs and literal runs: nearly all of it is zero. */
  derived: 7,
  go: 9,
  /** What is copied from where, what is changed, what is new. */
  layout: 16,
  /** Kinds and lengths of new pieces. */
  kinds: 17,
  lengths: 18,
  siteLengths: 19,
  sites: 20,
  deltaNumbers: 21,
  deltaValues: 22,
  /** Runs of references whose target was foretold. */
  hits: 23,
  /** How the other targets are said, and the numbers for it, by group of references. */
  callTokens: 24,
  callValues: 25,
  codeTokens: 26,
  codeValues: 27,
  dataTokens: 28,
  dataValues: 29,
  unwindTokens: 30,
  unwindValues: 31,
  goTokens: 32,
  goValues: 33,
  /** Distances of branches within changed functions: runs of those foretold, and the others. */
  branchRuns: 34,
  branchValues: 35,
  deltaHeads: 36,
  deltaCopies: 37,
  /** Operands of x86-64 code by sort, and runs of those that were foretold. */
  displacements8: 38,
  displacements32: 39,
  immediates8: 40,
  immediates32: 41,
  branchSymbols: 42,
  branchNumbers: 43,
  operandRuns: 44,
} as const;
export type StreamNumber = (typeof Stream)[keyof typeof Stream];

/** Above every stream number, of releases to come as well. */
export const MAX_STREAMS = 64;

/** The streams of one coded dissection, by number. */
export type CodedStreams = ReadonlyMap<number, Uint8Array>;

/** Where a piece's content goes. Memory has none. */
export function contentStream(kind: number): StreamNumber {
  switch (kind) {
    case PieceKind.code:
      return Stream.code;
    case PieceKind.data:
      return Stream.data;
    case PieceKind.unwind:
      return Stream.unwind;
    case PieceKind.exceptions:
      return Stream.exceptions;
    case PieceKind.strings:
      return Stream.strings;
    case PieceKind.padding:
      return Stream.padding;
    case PieceKind.derived:
      return Stream.derived;
    case PieceKind.go:
      return Stream.go;
    default:
      return Stream.raw;
  }
}

/** Streams being written. */
export class StreamWriters {
  readonly #writers: (ByteWriter | undefined)[] = [];

  of(stream: StreamNumber): ByteWriter {
    let writer = this.#writers[stream];
    if (writer === undefined) {
      writer = new ByteWriter(4096);
      this.#writers[stream] = writer;
    }
    return writer;
  }

  /** Those that are not empty, in order of number; views that stay valid while nothing is written. */
  finish(): Map<number, Uint8Array> {
    const streams = new Map<number, Uint8Array>();
    for (const [number, writer] of this.#writers.entries()) {
      if (writer !== undefined && writer.length > 0) streams.set(number, writer.view());
    }
    return streams;
  }
}

/** Streams being read; one that is not there is empty. */
export class StreamReaders {
  readonly #readers: ByteReader[] = [];

  constructor(streams: CodedStreams) {
    for (let number = 0; number < MAX_STREAMS; number++) {
      this.#readers.push(new ByteReader(streams.get(number) ?? new Uint8Array(0), FORMAT));
    }
    for (const number of streams.keys()) {
      if (!(number in this.#readers)) throw invalid(FORMAT, "stream", 0, `there is no stream ${number}`);
    }
  }

  of(stream: StreamNumber): ByteReader {
    return this.#readers[stream]!;
  }

  /** Fails when a stream has more bytes than were read. */
  end(): void {
    for (const reader of this.#readers) reader.end();
  }
}

/** Name of the format in errors. */
export const FORMAT = "executable recipe";
