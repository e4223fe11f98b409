/**
 * A dissection as streams, by the dissections of relatives, and back (docs/formats/executable-recipe.md).
 *
 * The decoder checks every number before it uses it; what it gives is right only when the blob's digest says so.
 */
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import { type Delta, unzigzag, zigzag } from "../delta/index.ts";
import { PieceBuilder, STREAMS_SPLIT } from "./code-builder.ts";
import { ChangeWriter, isSplit } from "./code-changes.ts";
import { fieldsAreZero, writeContent, writeSparse } from "./code-content.ts";
import { relaxTable } from "./code-exceptions.ts";
import { Instructions } from "./code-instructions.ts";
import { readLayout, writeLayout } from "./code-layout.ts";
import { Library, type Located, located, pieceBytes, siteBytes } from "./code-library.ts";
import { OperandWriter } from "./code-operands.ts";
import { type CodedPieces, findPartners, ReferencePool } from "./code-partners.ts";
import { splitCode } from "./code-split.ts";
import {
  type CodedStreams,
  contentStream,
  FORMAT,
  Stream,
  StreamReaders,
  StreamWriters,
} from "./code-streams.ts";
import { type TargetCounts, writeTargets } from "./code-targets.ts";
import { readTargets } from "./code-targets-kernel.ts";
import { writeUnwind } from "./code-unwind.ts";
import { joinInput } from "./dissect.ts";
import { findSkeleton, join, joinInto, type Skeleton } from "./join.ts";
import { Mode, matchPieces } from "./match-pieces.ts";
import { type BaseTable, type Dissection, PieceKind, RULE_ABSOLUTE32 } from "./types.ts";

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
  const matches = matchPieces(dissection, hashes, library, baseHashes, changes);
  const out = new StreamWriters();
  writeLayout(matches, library.count, out.of(Stream.layout));
  const deltas = new Map<number, Delta>();
  const operands = new OperandWriter(out);
  const instructions = new Instructions();
  let copied = 0;
  for (let i = 0; i < pieces.count; i++) {
    const mode = matches.mode[i]!;
    if (mode === Mode.copy) copied++;
    else if (mode === Mode.change) deltas.set(i, changes.write(i, matches.source[i]!, operands, out));
    else writeFresh(dissection, i, instructions, operands, out);
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
  pool.release();
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

function writeFresh(
  dissection: Dissection,
  piece: number,
  instructions: Instructions,
  operands: OperandWriter,
  out: StreamWriters,
): void {
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
  else if (kind === PieceKind.unwind) writeUnwind(bytes, whole === 0 ? sites : NO_SITES, stream);
  else if (isSplit(dissection.machine, kind, bytes.length)) {
    splitCode(bytes, instructions);
    stream.raw(instructions.skeleton.subarray(0, instructions.skeletonBytes));
    operands.write(instructions);
  } else writeContent(kind, bytes, whole === 0 ? sites : NO_SITES, stream);
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

/** The same without a copy: the dissection's bytes become the file's, and it is not to be used again. */
export function joinConsumed(decoded: DecodedDissection): Uint8Array {
  return joinInto(decoded.blanked, joinInput(decoded), decoded.skeleton);
}

/**
 * The dissection that was coded, by streams of a version. Errors: `invalid`, `limit` when the streams or bases are not
 * what they were.
 */
export function decodeDissection(
  head: Uint8Array,
  streams: CodedStreams,
  bases: readonly Dissection[],
  version: number = STREAMS_SPLIT,
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
    { version, machine, rules, fileBytes, count, siteBytes: siteBytesTotal },
    library,
    sources,
  );
  for (const run of readLayout(sources.of(Stream.layout), count, library.count)) {
    if (run.mode === Mode.fresh) builder.fresh(run.count);
    else if (run.mode === Mode.change) for (let i = 0; i < run.count; i++) builder.change(run.source + i);
    else builder.copy(run.source, run.count);
  }
  const { kind: kinds, length, blanked, sites, known } = builder.finish();
  const sameRules = (from: Located) =>
    from.machine === machine && ((from.rules ^ rules) & RULE_ABSOLUTE32) === 0;
  const copied = builder.copied.filter(({ from }) => sameRules(from));
  const skeleton = findSkeleton(
    { machine, rules, kind: kinds, length, blanked, sites },
    { copied, known, contexts: true },
  );
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
  const references = { ...places, target, targetOffset };
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
