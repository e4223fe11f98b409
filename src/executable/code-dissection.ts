/**
 * A dissection as streams, by the dissections of relatives, and back (docs/formats/executable-recipe.md).
 *
 * The decoder checks every number before it uses it; what it gives is right only when the blob's digest says so.
 */
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { type Delta, DeltaReader, unzigzag, zigzag } from "../delta/index.ts";
import { invalid } from "../errors/index.ts";
import { readBranches } from "./code-branches.ts";
import { ChangeWriter, changeBase, deltaSources, Sites } from "./code-changes.ts";
import { fieldsAreZero, readContent, readSparse, writeContent, writeSparse } from "./code-content.ts";
import { relaxTable, restoreTable } from "./code-exceptions.ts";
import { readLayout, writeLayout } from "./code-layout.ts";
import { Library, located, pieceBytes, siteBytes } from "./code-library.ts";
import { type CodedPieces, findPartners, ReferencePool } from "./code-partners.ts";
import {
  type CodedStreams,
  contentStream,
  FORMAT,
  Stream,
  StreamReaders,
  StreamWriters,
} from "./code-streams.ts";
import { readTargets, type TargetCounts, writeTargets } from "./code-targets.ts";
import { joinInput } from "./dissect.ts";
import { findSkeleton, join, type Skeleton } from "./join.ts";
import { MAX_SOURCE_EXCESS_BYTES, MAX_SOURCE_SHARE, Mode, matchPieces } from "./match-pieces.ts";
import { type BaseTable, type Dissection, PieceKind, type PieceTable } from "./types.ts";

/** Larger executables are kept as chunks: a file is taken apart in memory. */
export const MAX_EXECUTABLE_BYTES = 2 ** 29;
/** Pieces are 20 bytes and more, labels in memory included; the bound keeps a damaged head from allocating much. */
const MAX_PIECES = 2 ** 25;

/** A base with the hashes of its pieces. */
export interface HashedDissection {
  readonly dissection: Dissection;
  readonly hashes: Float64Array;
}

export interface CodedDissection {
  /** Facts of the whole file. */
  readonly head: Uint8Array;
  readonly streams: CodedStreams;
  readonly counts: TargetCounts & {
    readonly pieces: number;
    readonly copied: number;
    readonly changed: number;
  };
}

/** Codes a dissection by its bases, the likeliest relative first. */
export function encodeDissection(
  dissection: Dissection,
  hashes: Float64Array,
  bases: readonly HashedDissection[],
): CodedDissection {
  const { pieces, sites, references, blanked } = dissection;
  const library = new Library(bases.map((base) => located(base.dissection)));
  const changes = new ChangeWriter(dissection, library);
  const baseHashes = bases.map((base) => base.hashes);
  const matches = matchPieces(dissection, hashes, library, baseHashes, (source, piece) =>
    changes.cost(source, piece),
  );
  const out = new StreamWriters();
  writeLayout(matches, library.count, out.of(Stream.layout));
  const deltas = new Map<number, Delta>();
  let copied = 0;
  for (let i = 0; i < pieces.count; i++) {
    const mode = matches.mode[i]!;
    if (mode === Mode.copy) copied++;
    else if (mode === Mode.change) deltas.set(i, changes.write(i, matches.source[i]!, out));
    else writeFresh(dissection, i, out);
  }
  const coded: CodedPieces = {
    ...matches,
    count: pieces.count,
    kind: pieces.kind,
    offset: pieces.offset,
    deltas,
  };
  const pool = new ReferencePool(library, references.count);
  const partners = findPartners(coded, references, pool);
  const counts = writeTargets(coded, references, pool, partners, blanked, references, out);
  const head = new ByteWriter(32)
    .varint(dissection.machine)
    .varint(dissection.rules)
    .varint(dissection.fileBytes)
    .varint(pieces.count)
    .varint(sites.bytes.length);
  writeBases(dissection.bases, head);
  return {
    head: head.finish(),
    streams: out.finish(),
    counts: { ...counts, pieces: pieces.count, copied, changed: deltas.size },
  };
}

function writeFresh(dissection: Dissection, piece: number, out: StreamWriters): void {
  const kind = dissection.pieces.kind[piece]!;
  out.of(Stream.kinds).u8(kind);
  out.of(Stream.lengths).varint(dissection.pieces.length[piece]!);
  const sites = siteBytes(dissection, piece);
  const bytes = pieceBytes(dissection, piece);
  // A field that isn't zero stays, and so do all others of its piece.
  const whole = fieldsAreZero(kind, bytes, sites) ? 0 : 1;
  out.of(Stream.siteLengths).varint(2 * sites.length + whole);
  out.of(Stream.sites).raw(sites);
  if (kind === PieceKind.memory) return;
  const stream = out.of(contentStream(kind));
  if (kind === PieceKind.derived) writeSparse(bytes, stream);
  else if (kind === PieceKind.exceptions) stream.raw(relaxTable(bytes));
  else writeContent(kind, bytes, whole === 0 ? sites : NO_SITES, stream);
}

const NO_SITES = new Uint8Array(0);

/** A dissection with what `join` computes before it knows targets. */
export interface DecodedDissection extends Dissection {
  readonly skeleton: Skeleton;
}

/** The file's bytes. Errors as `join`. */
export function joinDecoded(decoded: DecodedDissection): Uint8Array<ArrayBuffer> {
  return join(joinInput(decoded), decoded.skeleton);
}

/** The dissection that was coded. Errors: `invalid`, `limit` when the streams or bases are not what they were. */
export function decodeDissection(
  head: Uint8Array,
  streams: CodedStreams,
  bases: readonly Dissection[],
): DecodedDissection {
  const reader = new ByteReader(head, FORMAT);
  const machine = reader.varint("machine", 0xffff);
  const rules = reader.varint("rules", 0xffffffff);
  const fileBytes = reader.varint("fileBytes", MAX_EXECUTABLE_BYTES);
  const count = reader.varint("pieces", Math.min(MAX_PIECES, 65536 + fileBytes));
  const siteBytesTotal = reader.varint("siteBytes", 65536 + 2 * fileBytes);
  const origins = readBases(reader, count);
  reader.end();
  const library = new Library(bases.map(located));
  const sources = new StreamReaders(streams);
  const builder = new PieceBuilder(
    { machine, fileBytes, count, siteBytes: siteBytesTotal },
    library,
    sources,
  );
  for (const run of readLayout(sources.of(Stream.layout), count, library.count)) {
    for (let i = 0; i < run.count; i++) {
      if (run.mode === Mode.fresh) builder.fresh();
      else if (run.mode === Mode.change) builder.change(run.source + i);
      else builder.copy(run.source + i);
    }
  }
  const { kind: kinds, length, blanked, sites } = builder.finish();
  const skeleton = findSkeleton({ machine, rules, kind: kinds, length, blanked, sites });
  const { pieces, references: places } = skeleton;
  const coded: CodedPieces = {
    count,
    kind: pieces.kind,
    offset: pieces.offset,
    mode: builder.mode,
    source: builder.source,
    deltas: builder.deltas,
  };
  const pool = new ReferencePool(library, places.count);
  const partners = findPartners(coded, places, pool);
  const { target, targetOffset } = readTargets(coded, places, pool, partners, blanked, sources);
  sources.end();
  const { kind, site, piece } = places;
  const references = {
    count: places.count,
    kind,
    site: Float64Array.from(site),
    piece,
    target,
    targetOffset,
  };
  return { machine, fileBytes, rules, blanked, pieces, sites, references, bases: origins, skeleton };
}

/** What Go's offsets count from: kind u8, piece varint, offset zigzag varint each. */
function writeBases({ kind, target, targetOffset }: BaseTable, out: ByteWriter): void {
  out.varint(kind.length);
  for (let i = 0; i < kind.length; i++) out.u8(kind[i]!).varint(target[i]!).varint(zigzag(targetOffset[i]!));
}

function readBases(reader: ByteReader, pieces: number): BaseTable {
  const count = reader.varint("bases", 256);
  const kind = new Uint8Array(count);
  const target = new Uint32Array(count);
  const targetOffset = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    kind[i] = reader.u8("kind");
    target[i] = reader.varint("piece", Math.max(0, pieces - 1));
    targetOffset[i] = unzigzag(reader.varint("offset", 0xffffffff));
  }
  return { kind, target, targetOffset };
}

/** Puts pieces together, one behind the other. */
class PieceBuilder {
  readonly mode: Uint8Array;
  readonly source: Int32Array;
  readonly deltas = new Map<number, Delta>();
  readonly #machine: number;
  readonly #library: Library;
  readonly #sources: StreamReaders;
  readonly #blanked: Uint8Array;
  readonly #pieces: PieceTable;
  readonly #sites: { bytes: Uint8Array; end: Uint32Array };
  /** Bytes of sources that may yet be relaxed: that takes time for the whole source, however short the piece. */
  #relaxable: number;
  #at = 0;
  #siteAt = 0;
  #count = 0;

  constructor(
    {
      machine,
      fileBytes,
      count,
      siteBytes,
    }: Readonly<Record<"machine" | "fileBytes" | "count" | "siteBytes", number>>,
    library: Library,
    sources: StreamReaders,
  ) {
    this.#machine = machine;
    this.#relaxable = MAX_SOURCE_SHARE * fileBytes + MAX_SOURCE_EXCESS_BYTES * count;
    this.#library = library;
    this.#sources = sources;
    this.mode = new Uint8Array(count);
    this.source = new Int32Array(count).fill(-1);
    this.#blanked = new Uint8Array(fileBytes);
    this.#sites = { bytes: new Uint8Array(siteBytes), end: new Uint32Array(count) };
    this.#pieces = {
      count,
      kind: new Uint8Array(count),
      offset: new Float64Array(count),
      length: new Float64Array(count),
      address: new Float64Array(count),
    };
  }

  fresh(): void {
    const kind = this.#sources.of(Stream.kinds).u8("kind");
    const length = this.#sources.of(Stream.lengths).varint("length");
    const siteLength = this.#sources.of(Stream.siteLengths).varint("siteLength");
    const whole = siteLength % 2;
    const sites = this.#sources.of(Stream.sites).view((siteLength - whole) / 2, "sites");
    const into = this.#begin(kind, length, Mode.fresh, -1);
    if (kind !== PieceKind.memory) {
      const stream = this.#sources.of(contentStream(kind));
      if (kind === PieceKind.derived) readSparse(stream, into);
      else if (kind === PieceKind.exceptions) into.set(restoreTable(stream, length));
      else readContent(kind, into, whole === 0 ? sites : NO_SITES, stream);
    }
    this.#end(sites);
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
    const base = changeBase(library, source, this.#machine);
    const sites = this.#sources.of(Stream.siteLengths).varint("siteLength");
    const known = this.#changedSites(sites, source);
    // A relaxed table may be longer than the table, each number by a byte.
    const most = (kind === PieceKind.exceptions ? 2 : 1) * (this.#blanked.length - this.#at) + 1;
    const sources = deltaSources(this.#sources, contentStream(kind));
    const delta = new DeltaReader(sources, base.relaxed.bytes.length, most);
    this.deltas.set(this.#count, delta);
    if (kind === PieceKind.exceptions) {
      const relaxed = new Uint8Array(delta.targetBytes);
      delta.apply(base.relaxed.bytes, sources, relaxed);
      const table = restoreTable(new ByteReader(relaxed, FORMAT));
      this.#begin(kind, table.length, Mode.change, source).set(table);
    } else {
      const into = this.#begin(kind, delta.targetBytes, Mode.change, source);
      delta.apply(base.relaxed.bytes, sources, into);
      if (kind === PieceKind.code) {
        const runs = this.#sources.of(Stream.branchRuns);
        const values = this.#sources.of(Stream.branchValues);
        readBranches(this.#machine, base.bytes, base.relaxed, delta, into, { runs, values });
      }
    }
    this.#end(known ?? this.#sources.of(Stream.sites).view(sites - Sites.explicit, "sites"));
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

  copy(source: number): void {
    const library = this.#library;
    const own = source - library.count;
    if (own < 0) {
      this.#begin(library.kind(source), library.length(source), Mode.copy, source).set(library.bytes(source));
      this.#end(library.sites(source));
      return;
    }
    if (own >= this.#count) throw invalid(FORMAT, "source", this.#count, "a piece that is yet to come");
    const view = { blanked: this.#blanked, pieces: this.#pieces, sites: this.#sites };
    const into = this.#begin(this.#pieces.kind[own]!, this.#pieces.length[own]!, Mode.copy, source);
    if (into.length > 0) into.set(pieceBytes(view, own));
    this.#end(siteBytes(view, own));
  }

  /** Makes room for a piece's bytes; none for memory. */
  #begin(kind: number, length: number, mode: number, source: number): Uint8Array {
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
    return this.#blanked.subarray(start, this.#at);
  }

  #end(sites: Uint8Array): void {
    if (sites.length > this.#sites.bytes.length - this.#siteAt)
      throw invalid(FORMAT, "sites", this.#count, "too many");
    this.#sites.bytes.set(sites, this.#siteAt);
    this.#siteAt += sites.length;
    this.#sites.end[this.#count++] = this.#siteAt;
  }

  finish() {
    const pieces = this.#pieces;
    if (this.#at !== this.#blanked.length)
      throw invalid(FORMAT, "length", pieces.count, "pieces are shorter than the file");
    const sites = { bytes: this.#sites.bytes.subarray(0, this.#siteAt), end: this.#sites.end };
    return { kind: pieces.kind, length: pieces.length, blanked: this.#blanked, sites };
  }
}
