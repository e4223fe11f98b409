/**
 * The bytes of an index file (docs/formats/index.md). Little-endian.
 *
 *     header    "TENONIDX", version u32, zero u32                                            16 bytes
 *     pages     of the tables segments, blobs, chunks (index-table.ts)
 *     footer    packCount varint, names 32 bytes each, for each table: entries varint, offset varint, fences
 *     trailer   footerOffset u64, footerBytes u32, zero u32, check 16 bytes, "TENONIXE"      40 bytes
 *
 * check = first 16 bytes of SHA-256 of header, footer and the trailer before it.
 */
import { ByteReader, ByteWriter, concatBytes, equalBytes, fromHex, toHex, utf8 } from "../bytes/index.ts";
import { type Digest, sha256 } from "../digest/index.ts";
import { invalid, TenonError } from "../errors/index.ts";
import { type RandomBytes, readTableHead, type TableHead, writeTableHead } from "./index-table.ts";
import type { SegmentPlace } from "./pack.ts";

export const INDEX_VERSION = 1;
export const INDEX_HEADER_BYTES = 16;
export const INDEX_TRAILER_BYTES = 40;
const headMagic = utf8("TENONIDX");
const tailMagic = utf8("TENONIXE");

/** pack u32, frameOffset u64, frameBytes u32, frameRawBytes u32, offsetInFrame u32, bodyBytes u32, atoms u32, kind u8, codec u8, zero u16 */
export const SEGMENT_VALUE_BYTES = 36;
/** segment u32 (number in the table of segments), atom u32 */
export const ATOM_VALUE_BYTES = 8;

export function encodeSegmentValue(place: SegmentPlace, pack: number): Uint8Array {
  return new ByteWriter(SEGMENT_VALUE_BYTES)
    .u32(pack)
    .u64(place.offset)
    .u32(place.bytes)
    .u32(place.rawBytes)
    .u32(place.offsetInFrame)
    .u32(place.bodyBytes)
    .u32(place.atoms)
    .u8(place.kind)
    .u8(place.codec)
    .u16(0)
    .finish();
}

export function decodeSegmentValue(value: Uint8Array, packs: readonly Digest[]): SegmentPlace {
  const reader = new ByteReader(value, "index");
  const packNumber = reader.u32("pack");
  const pack = packs[packNumber];
  if (pack === undefined) throw reader.error("pack", `pack ${packNumber} of ${packs.length}`);
  return {
    pack,
    offset: reader.u64("frameOffset"),
    bytes: reader.u32("frameBytes"),
    rawBytes: reader.u32("frameRawBytes"),
    offsetInFrame: reader.u32("offsetInFrame"),
    bodyBytes: reader.u32("bodyBytes"),
    atoms: reader.u32("atoms"),
    kind: reader.u8("kind"),
    codec: reader.u8("codec"),
  };
}

export interface IndexFooter {
  readonly packs: readonly Digest[];
  readonly segments: TableHead;
  readonly blobs: TableHead;
  readonly chunks: TableHead;
}

export function indexPath(name: Digest): string {
  return `index/${name}.idx`;
}

export function indexOfPath(path: string): Digest | undefined {
  return /^index\/([0-9a-f]{64})\.idx$/.exec(path)?.[1];
}

export function indexHeader(): Uint8Array {
  return new ByteWriter(INDEX_HEADER_BYTES).raw(headMagic).u32(INDEX_VERSION).u32(0).finish();
}

/** Footer and trailer of an index file whose pages end at `footerOffset`. */
export function encodeIndexEnd(footer: IndexFooter, footerOffset: number): Uint8Array {
  const out = new ByteWriter(1 << 12);
  out.varint(footer.packs.length);
  for (const name of footer.packs) out.raw(fromHex(name));
  for (const head of [footer.segments, footer.blobs, footer.chunks]) writeTableHead(out, head);
  const trailer = new ByteWriter(INDEX_TRAILER_BYTES).u64(footerOffset).u32(out.length).u32(0);
  const check = checkOf(out.view(), trailer.view());
  return concatBytes([out.view(), trailer.raw(check).raw(tailMagic).view()]);
}

function checkOf(footer: Uint8Array, trailerStart: Uint8Array): Uint8Array {
  return fromHex(sha256(concatBytes([indexHeader(), footer, trailerStart]))).subarray(0, 16);
}

function readExactly(file: RandomBytes, offset: number, length: number, field: string): Uint8Array {
  const bytes = new Uint8Array(length);
  if (file.readSync(bytes, offset) !== length) throw invalid("index", field, offset, "truncated");
  return bytes;
}

/** Reads and checks everything of an index file but its pages. */
export function decodeIndexFooter(file: RandomBytes): IndexFooter {
  if (file.size < INDEX_HEADER_BYTES + INDEX_TRAILER_BYTES) {
    throw invalid("index", "size", 0, `${file.size} bytes are too few for an index`);
  }
  const head = new ByteReader(readExactly(file, 0, INDEX_HEADER_BYTES, "header"), "index");
  if (!equalBytes(head.view(8, "magic"), headMagic)) throw invalid("index", "magic", 0, "not an index");
  const version = head.u32("version");
  if (version !== INDEX_VERSION) {
    throw new TenonError("unsupported", `index version ${version} is not known: made by a newer tenon`, {
      format: "index",
      field: "version",
      offset: 8,
    });
  }
  if (head.u32("reserved") !== 0) throw invalid("index", "reserved", 12, "not zero");
  const base = file.size - INDEX_TRAILER_BYTES;
  const trailerBytes = readExactly(file, base, INDEX_TRAILER_BYTES, "trailer");
  const trailer = new ByteReader(trailerBytes, "index", base);
  const footerOffset = trailer.u64("footerOffset");
  const footerBytes = trailer.u32("footerBytes");
  if (footerOffset < INDEX_HEADER_BYTES || footerOffset + footerBytes !== base) {
    throw trailer.error("footerOffset", "the footer does not end where the trailer begins");
  }
  if (!equalBytes(trailerBytes.subarray(32), tailMagic)) {
    throw invalid("index", "end magic", base + 32, "truncated, or not an index");
  }
  const footer = readExactly(file, footerOffset, footerBytes, "footer");
  if (!equalBytes(trailerBytes.subarray(16, 32), checkOf(footer, trailerBytes.subarray(0, 16)))) {
    throw invalid("index", "check", footerOffset, "footer or trailer were changed");
  }
  const reader = new ByteReader(footer, "index", footerOffset);
  const packs = readNames(reader, "packs");
  const segments = readTableHead(reader, SEGMENT_VALUE_BYTES, footerOffset);
  const blobs = readTableHead(reader, ATOM_VALUE_BYTES, footerOffset);
  const chunks = readTableHead(reader, ATOM_VALUE_BYTES, footerOffset);
  reader.end("footer");
  return { packs, segments, blobs, chunks };
}

function readNames(reader: ByteReader, field: string): Digest[] {
  const count = reader.varint(field, Math.floor(reader.remaining / 32));
  const names: Digest[] = [];
  for (let i = 0; i < count; i++) names.push(toHex(reader.view(32, field)));
  return names;
}
