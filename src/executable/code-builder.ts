/**
 * The pieces of a coded dissection, put together one behind the other.
 *
 * Two versions of streams are read: 2 has x86-64 code as skeleton and operands, 1 has it as bytes, and changed code
 * as deltas of relaxed bytes.
 */
import { ByteReader } from "../bytes/index.ts";
import { type Delta, DeltaReader } from "../delta/index.ts";
import { EM_X86_64 } from "../elf/index.ts";
import { invalid } from "../errors/index.ts";
import { readBranches, relax } from "./code-branches.ts";
import { deltaSources, isSplit, MAX_SPLIT_BYTES, Sites } from "./code-changes.ts";
import { readContent, readSparse } from "./code-content.ts";
import { relaxTable, restoreTable } from "./code-exceptions.ts";
import { type Library, type Located, pieceBytes, siteBytes, windowBytes } from "./code-library.ts";
import { CodeRestorer } from "./code-restore.ts";
import { contentStream, FORMAT, Stream, type StreamReaders } from "./code-streams.ts";
import { readUnwind } from "./code-unwind.ts";
import { MAX_SOURCE_EXCESS_BYTES, MAX_SOURCE_SHARE, Mode } from "./match-pieces.ts";
import type { CopiedPieces } from "./references-sites.ts";
import { PieceKind, type PieceTable, RULE_ABSOLUTE32 } from "./types.ts";

const NO_SITES = new Uint8Array(0);

/** Versions of the streams. */
export const STREAMS_RELAXED = 1;
export const STREAMS_SPLIT = 2;

export interface BuilderOptions {
  readonly version: number;
  readonly machine: number;
  /** Bits of RULE_*. */
  readonly rules: number;
  readonly fileBytes: number;
  /** Number of pieces. */
  readonly count: number;
  /** Site bytes of all pieces. */
  readonly siteBytes: number;
}

export class PieceBuilder {
  readonly mode: Uint8Array;
  readonly source: Int32Array;
  readonly deltas = new Map<number, Delta>();
  /** Runs of pieces that are copied from bases. */
  readonly copied: (CopiedPieces & { readonly from: Located })[] = [];
  readonly #version: number;
  readonly #machine: number;
  readonly #library: Library;
  readonly #sources: StreamReaders;
  readonly #blanked: Uint8Array;
  readonly #pieces: PieceTable;
  readonly #sites: { bytes: Uint8Array; end: Uint32Array };
  /** Bytes of sources that may yet be relaxed: that takes time for the whole source, however short the piece. */
  #relaxable: number;
  /** Of x86-64 streams with skeletons. */
  readonly #restorer: CodeRestorer | undefined;
  #at = 0;
  #siteAt = 0;
  #count = 0;

  constructor(
    { version, machine, rules, fileBytes, count, siteBytes }: BuilderOptions,
    library: Library,
    sources: StreamReaders,
  ) {
    this.#version = version;
    this.#machine = machine;
    this.#relaxable = MAX_SOURCE_SHARE * fileBytes + MAX_SOURCE_EXCESS_BYTES * count;
    this.#library = library;
    this.#sources = sources;
    this.mode = new Uint8Array(count);
    this.source = new Int32Array(count).fill(-1);
    this.#blanked = new Uint8Array(fileBytes);
    if (version >= STREAMS_SPLIT && machine === EM_X86_64) {
      const absolute = (rules & RULE_ABSOLUTE32) !== 0;
      this.#restorer = new CodeRestorer(sources, { blanked: this.#blanked, pieces: count, absolute });
    }
    this.#sites = { bytes: new Uint8Array(siteBytes), end: new Uint32Array(count) };
    this.#pieces = {
      count,
      kind: new Uint8Array(count),
      offset: new Float64Array(count),
      length: new Float64Array(count),
      address: new Float64Array(count),
    };
  }

  fresh(count: number): void {
    const sources = this.#sources;
    const kinds = sources.of(Stream.kinds);
    const lengths = sources.of(Stream.lengths);
    const siteLengths = sources.of(Stream.siteLengths);
    const siteBytes = sources.of(Stream.sites);
    // Content of neighbours of one kind that leave nothing out is read in one go.
    let plainKind = -1;
    let plainStart = 0;
    const readPlain = () => {
      if (plainKind < 0) return;
      const bytes = sources.of(contentStream(plainKind)).view(this.#at - plainStart, "content");
      this.#blanked.set(bytes, plainStart);
      plainKind = -1;
    };
    for (let i = 0; i < count; i++) {
      const kind = kinds.u8("kind");
      const length = lengths.varint("length");
      const siteLength = siteLengths.varint("siteLength");
      const whole = siteLength % 2;
      const ownSites = (siteLength - whole) / 2;
      const isPlain =
        (kind === PieceKind.code || whole === 1 || ownSites === 0) && !this.#hasForm(kind, length);
      if (!isPlain || kind !== plainKind) {
        readPlain();
        if (isPlain) {
          plainKind = kind;
          plainStart = this.#at;
        }
      }
      if (isPlain) {
        this.#advance(kind, length, Mode.fresh, -1);
        this.#end(ownSites === 0 ? NO_SITES : siteBytes.view(ownSites, "sites"));
        continue;
      }
      const sites = siteBytes.view(ownSites, "sites");
      if (kind === PieceKind.code) {
        const start = this.#at;
        this.#advance(kind, length, Mode.fresh, -1);
        this.#restorer!.fresh(this.#count, start, length);
        this.#end(sites);
        continue;
      }
      const into = this.#begin(kind, length, Mode.fresh, -1);
      if (kind !== PieceKind.memory) {
        const stream = sources.of(contentStream(kind));
        if (kind === PieceKind.derived) readSparse(stream, into);
        else if (kind === PieceKind.exceptions) into.set(restoreTable(stream, length));
        else if (kind === PieceKind.unwind && this.#version >= STREAMS_SPLIT)
          readUnwind(into, whole === 0 ? sites : NO_SITES, stream);
        else readContent(kind, into, sites, stream);
      }
      this.#end(sites);
    }
    readPlain();
    this.#restorer?.flush();
  }

  change(source: number): void {
    const library = this.#library;
    const kind = library.kind(source);
    if (kind === PieceKind.memory) throw invalid(FORMAT, "mode", this.#count, "memory can't be changed");
    if (kind === PieceKind.code || kind === PieceKind.exceptions) {
      this.#relaxable -= library.length(source);
      if (this.#relaxable < 0)
        throw invalid(FORMAT, "source", this.#count, "sources much longer than what they become");
    }
    const sites = this.#sources.of(Stream.siteLengths).varint("siteLength");
    const known = this.#changedSites(sites, source);
    if (kind === PieceKind.exceptions) this.#changeTable(source);
    else if (this.#isSplit(kind, library.length(source))) this.#changeSplit(source);
    else if (kind === PieceKind.code && this.#version < STREAMS_SPLIT) this.#changeRelaxed(source);
    else this.#changeBytes(source, kind);
    this.#end(known ?? this.#sources.of(Stream.sites).view(sites - Sites.explicit, "sites"));
  }

  #isSplit(kind: number, lengthBytes: number): boolean {
    return this.#version >= STREAMS_SPLIT && isSplit(this.#machine, kind, lengthBytes);
  }

  /** Pieces whose content is not just their bytes, or that have none. */
  #hasForm(kind: number, lengthBytes: number): boolean {
    if (kind === PieceKind.unwind) return this.#version >= STREAMS_SPLIT;
    return (
      kind === PieceKind.memory ||
      kind === PieceKind.derived ||
      kind === PieceKind.exceptions ||
      this.#isSplit(kind, lengthBytes)
    );
  }

  #changeSplit(source: number): void {
    const place = {
      piece: this.#count,
      offset: this.#at,
      mostBytes: Math.min(this.#blanked.length - this.#at, MAX_SPLIT_BYTES),
    };
    const delta = this.#restorer!.change(place, this.#library.bytes(source), (lengthBytes) =>
      this.#begin(PieceKind.code, lengthBytes, Mode.change, source),
    );
    this.deltas.set(this.#count, delta);
  }

  #changeRelaxed(source: number): void {
    const bytes = this.#library.bytes(source);
    const relaxed = relax(this.#machine, bytes);
    const into = this.#changeFrom(relaxed.bytes, source, PieceKind.code);
    const runs = this.#sources.of(Stream.branchRuns);
    const values = this.#sources.of(Stream.branchValues);
    readBranches(this.#machine, bytes, relaxed, this.deltas.get(this.#count)!, into, { runs, values });
  }

  #changeBytes(source: number, kind: number): void {
    const into = this.#changeFrom(windowBytes(this.#library, source), source, kind);
    if (this.#isSplit(kind, into.length))
      throw invalid(FORMAT, "length", this.#count, "a short piece of code by a long one");
  }

  /** Begins a piece and applies a delta. */
  #changeFrom(base: Uint8Array, source: number, kind: number): Uint8Array {
    const sources = deltaSources(this.#sources, contentStream(kind));
    const delta = new DeltaReader(sources, base.length, this.#blanked.length - this.#at);
    this.deltas.set(this.#count, delta);
    const into = this.#begin(kind, delta.targetBytes, Mode.change, source);
    delta.apply(base, sources, into);
    return into;
  }

  #changeTable(source: number): void {
    const base = relaxTable(this.#library.bytes(source));
    const sources = deltaSources(this.#sources, Stream.exceptions);
    // A relaxed table may be longer than the table, each number by a byte.
    const delta = new DeltaReader(sources, base.length, 2 * (this.#blanked.length - this.#at) + 1);
    this.deltas.set(this.#count, delta);
    const relaxed = new Uint8Array(delta.targetBytes);
    delta.apply(base, sources, relaxed);
    const table = restoreTable(new ByteReader(relaxed, FORMAT));
    this.#begin(PieceKind.exceptions, table.length, Mode.change, source).set(table);
  }

  /** Site bytes of a changed piece that are not explicit. */
  #changedSites(how: number, source: number): Uint8Array | undefined {
    const base = this.#library.sites(source);
    if (how === Sites.same) return base;
    if (how !== Sites.delta) return undefined;
    const sources = deltaSources(this.#sources, Stream.sites);
    const delta = new DeltaReader(sources, base.length, this.#sites.bytes.length - this.#siteAt);
    const sites = new Uint8Array(delta.targetBytes);
    delta.apply(base, sources, sites);
    return sites;
  }

  copy(source: number, count: number): void {
    const library = this.#library;
    const own = source - library.count;
    if (own < 0) {
      for (let done = 0; done < count; ) {
        const base = library.baseOf(source + done);
        const first = source + done - library.firstPiece[base]!;
        const most = library.bases[base]!.pieces.count - first;
        const run = Math.min(count - done, most);
        this.#copyRun(library.bases[base]!, first, run, source + done);
        done += run;
      }
      return;
    }
    const view = { blanked: this.#blanked, pieces: this.#pieces, sites: this.#sites };
    for (let i = 0; i < count; i++) {
      const piece = own + i;
      if (piece >= this.#count) throw invalid(FORMAT, "source", this.#count, "a piece that is yet to come");
      const kind = this.#pieces.kind[piece]!;
      const into = this.#begin(kind, this.#pieces.length[piece]!, Mode.copy, source + i);
      if (into.length > 0) into.set(pieceBytes(view, piece));
      this.#end(siteBytes(view, piece));
    }
  }

  /** Pieces of a base that follow one another, as they do here. */
  #copyRun(from: Located, first: number, count: number, source: number): void {
    const { pieces, blanked, sites } = from;
    const i = this.#count;
    const start = this.#at;
    const own = this.#pieces;
    own.kind.set(pieces.kind.subarray(first, first + count), i);
    own.length.set(pieces.length.subarray(first, first + count), i);
    this.mode.fill(Mode.copy, i, i + count);
    let at = start;
    for (let k = 0; k < count; k++) {
      this.source[i + k] = source + k;
      own.offset[i + k] = at;
      if (own.kind[i + k] !== PieceKind.memory) at += own.length[i + k]!;
    }
    if (at > this.#blanked.length) throw invalid(FORMAT, "length", i, "pieces are longer than the file");
    const begin = pieces.offset[first]!;
    this.#blanked.set(blanked.subarray(begin, begin + at - start), start);
    this.#at = at;
    const siteBegin = first === 0 ? 0 : sites.end[first - 1]!;
    const siteEnd = sites.end[first + count - 1]!;
    this.#room(siteEnd - siteBegin);
    const moved = this.#siteAt - siteBegin;
    this.#sites.bytes.set(sites.bytes.subarray(siteBegin, siteEnd), this.#siteAt);
    for (let k = 0; k < count; k++) this.#sites.end[i + k] = sites.end[first + k]! + moved;
    this.#siteAt += siteEnd - siteBegin;
    this.#count += count;
    this.copied.push({ piece: i, count, from, source: first });
  }

  /** Makes room for a piece's bytes; none for memory. */
  #begin(kind: number, length: number, mode: number, source: number): Uint8Array {
    const start = this.#at;
    this.#advance(kind, length, mode, source);
    return this.#blanked.subarray(start, this.#at);
  }

  #advance(kind: number, length: number, mode: number, source: number): void {
    const i = this.#count;
    const start = this.#at;
    const fileBytes = kind === PieceKind.memory ? 0 : length;
    if (fileBytes > this.#blanked.length - start)
      throw invalid(FORMAT, "length", i, "pieces are longer than the file");
    this.mode[i] = mode;
    this.source[i] = source;
    this.#pieces.kind[i] = kind;
    this.#pieces.offset[i] = start;
    this.#pieces.length[i] = length;
    this.#at = start + fileBytes;
  }

  #room(siteBytes: number): void {
    if (siteBytes > this.#sites.bytes.length - this.#siteAt)
      throw invalid(FORMAT, "sites", this.#count, "too many");
  }

  #end(sites: Uint8Array): void {
    if (sites.length > 0) {
      this.#room(sites.length);
      this.#sites.bytes.set(sites, this.#siteAt);
      this.#siteAt += sites.length;
    }
    this.#sites.end[this.#count++] = this.#siteAt;
  }

  finish() {
    const pieces = this.#pieces;
    if (this.#at !== this.#blanked.length)
      throw invalid(FORMAT, "length", pieces.count, "pieces are shorter than the file");
    const sites = { bytes: this.#sites.bytes.subarray(0, this.#siteAt), end: this.#sites.end };
    const known = this.#restorer?.finish();
    return { kind: pieces.kind, length: pieces.length, blanked: this.#blanked, sites, known };
  }
}
