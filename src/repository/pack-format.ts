/**
 * The bytes of a pack (docs/formats/pack.md). Little-endian.
 *
 *     header     "TENONPAK", version u32, epoch u32                                          16 bytes
 *     frames     compressed, one behind the other
 *     directory  frameCount varint, then for each frame:
 *                  kind u8, codec u8, bytes varint, segmentCount varint, then for each segment:
 *                    id 16 bytes, bodyBytes varint, atoms varint
 *     trailer    directoryOffset u64, directoryBytes u32, frames u32, segments u32, zero u32,
 *                atoms u64, rawBytes u64, check 16 bytes, "TENONPKE"                         64 bytes
 *
 * check = first 16 bytes of SHA-256 of header, directory and the trailer before it.
 *
 * epoch is the newest condemnation that the writer had seen. It is there for the pack's name: what is written after
 * a pack was condemned never gets the condemned pack's name, whatever it holds (docs/concurrency.md).
 */
import { ByteReader, ByteWriter, concatBytes, equalBytes, fromHex, toHex, utf8 } from "../bytes/index.ts";
import { sha256 } from "../digest/index.ts";
import { invalid, TenonError } from "../errors/index.ts";
import { Codec } from "./codec.ts";
import {
  MAX_ATOMS_PER_SEGMENT,
  MAX_DIRECTORY_BYTES,
  MAX_FRAME_BYTES,
  MAX_SEGMENT_BYTES,
  MAX_SEGMENTS_PER_PACK,
} from "./limits.ts";
import { SEGMENT_ID_BYTES, type SegmentId } from "./segment.ts";

export const PACK_VERSION = 1;
export const PACK_HEADER_BYTES = 16;
export const PACK_TRAILER_BYTES = 64;
const CHECK_BYTES = 16;
const headMagic = utf8("TENONPAK");
const tailMagic = utf8("TENONPKE");

export interface PackedSegment {
  readonly id: SegmentId;
  readonly bodyBytes: number;
  readonly atoms: number;
}

export interface PackedFrame {
  readonly kind: number;
  readonly codec: number;
  /** Where the compressed bytes begin in the pack. */
  readonly offset: number;
  readonly bytes: number;
  /** Sum of the segments' bodies. */
  readonly rawBytes: number;
  readonly segments: readonly PackedSegment[];
}

export interface PackDirectory {
  readonly frames: readonly PackedFrame[];
  readonly segments: number;
  readonly atoms: number;
  readonly rawBytes: number;
}

export function packHeader(epoch: number): Uint8Array {
  return new ByteWriter(PACK_HEADER_BYTES).raw(headMagic).u32(PACK_VERSION).u32(epoch).finish();
}

/** Directory and trailer of a pack whose frames end at `directoryOffset`. */
export function encodePackEnd(
  header: Uint8Array,
  frames: readonly PackedFrame[],
  directoryOffset: number,
): Uint8Array {
  const directory = new ByteWriter(1 << 12).varint(frames.length);
  let segments = 0;
  let atoms = 0;
  let rawBytes = 0;
  for (const frame of frames) {
    directory.u8(frame.kind).u8(frame.codec).varint(frame.bytes).varint(frame.segments.length);
    for (const segment of frame.segments) {
      directory.raw(fromHex(segment.id)).varint(segment.bodyBytes).varint(segment.atoms);
      segments++;
      atoms += segment.atoms;
      rawBytes += segment.bodyBytes;
    }
  }
  const trailer = new ByteWriter(PACK_TRAILER_BYTES)
    .u64(directoryOffset)
    .u32(directory.length)
    .u32(frames.length)
    .u32(segments)
    .u32(0)
    .u64(atoms)
    .u64(rawBytes);
  const check = checkOf(header, directory.view(), trailer.view());
  return concatBytes([directory.view(), trailer.raw(check).raw(tailMagic).view()]);
}

function checkOf(header: Uint8Array, directory: Uint8Array, trailerStart: Uint8Array): Uint8Array {
  return fromHex(sha256(concatBytes([header, directory, trailerStart]))).subarray(0, CHECK_BYTES);
}

export interface PackTrailer {
  readonly directoryOffset: number;
  readonly directoryBytes: number;
  readonly header: Uint8Array;
}

/** Checks header and trailer, and says where the directory lies. `packBytes` is the size of the whole file. */
export function decodePackTrailer(header: Uint8Array, trailer: Uint8Array, packBytes: number): PackTrailer {
  const head = new ByteReader(header, "pack");
  if (!equalBytes(head.view(8, "magic"), headMagic)) throw invalid("pack", "magic", 0, "not a pack");
  const version = head.u32("version");
  if (version !== PACK_VERSION) {
    throw new TenonError("unsupported", `pack version ${version} is not known: made by a newer tenon`, {
      format: "pack",
      field: "version",
      offset: 8,
    });
  }
  const base = packBytes - PACK_TRAILER_BYTES;
  const tail = new ByteReader(trailer, "pack", base);
  if (!equalBytes(trailer.subarray(PACK_TRAILER_BYTES - 8), tailMagic)) {
    throw invalid("pack", "end magic", packBytes - 8, "truncated, or not a pack");
  }
  const directoryOffset = tail.u64("directoryOffset");
  const directoryBytes = tail.u32("directoryBytes");
  if (directoryBytes > MAX_DIRECTORY_BYTES)
    throw tail.error("directoryBytes", "larger than a directory can be");
  if (directoryOffset < PACK_HEADER_BYTES || directoryOffset + directoryBytes !== base) {
    throw tail.error("directoryOffset", "the directory does not end where the trailer begins");
  }
  return { directoryOffset, directoryBytes, header };
}

/** Reads directory and trailer, which stand together at the end of the pack. */
export function decodePackEnd(
  end: Uint8Array,
  { directoryOffset, directoryBytes, header }: PackTrailer,
): PackDirectory {
  const trailer = end.subarray(directoryBytes);
  const reader = new ByteReader(end.subarray(0, directoryBytes), "pack", directoryOffset);
  const check = trailer.subarray(40, 40 + CHECK_BYTES);
  if (!equalBytes(check, checkOf(header, reader.bytes, trailer.subarray(0, 40)))) {
    throw invalid("pack", "check", directoryOffset, "directory or trailer were changed");
  }
  const counts = new ByteReader(trailer, "pack", directoryOffset + directoryBytes);
  counts.skip(12, "directory");
  const frameCount = counts.u32("frames");
  const segmentCount = counts.u32("segments");
  counts.skip(4, "reserved");
  const atoms = counts.u64("atoms");
  const rawBytes = counts.u64("rawBytes");

  const frames: PackedFrame[] = [];
  const total = { segments: 0, atoms: 0, rawBytes: 0 };
  let offset = PACK_HEADER_BYTES;
  if (reader.varint("frameCount", MAX_SEGMENTS_PER_PACK) !== frameCount) {
    throw reader.error("frameCount", "differs from the trailer");
  }
  for (let i = 0; i < frameCount; i++) {
    const frame = readFrameEntry(reader, offset);
    offset += frame.bytes;
    if (offset > directoryOffset) throw reader.error("bytes", "frames reach into the directory");
    total.segments += frame.segments.length;
    total.rawBytes += frame.rawBytes;
    for (const segment of frame.segments) total.atoms += segment.atoms;
    frames.push(frame);
  }
  reader.end("directory");
  if (offset !== directoryOffset)
    throw reader.error("bytes", "bytes between the last frame and the directory");
  if (total.segments !== segmentCount || total.atoms !== atoms || total.rawBytes !== rawBytes) {
    throw counts.error("counts", "the trailer's counts differ from the directory");
  }
  return { frames, segments: segmentCount, atoms, rawBytes };
}

/** One frame of a directory; `offset` is where its bytes begin in the pack. */
export function readFrameEntry(reader: ByteReader, offset: number): PackedFrame {
  const kind = reader.u8("kind");
  const codec = reader.u8("codec");
  const bytes = reader.varint("bytes", MAX_FRAME_BYTES);
  const count = reader.varint("segmentCount", MAX_SEGMENTS_PER_PACK);
  const segments: PackedSegment[] = [];
  let rawBytes = 0;
  for (let i = 0; i < count; i++) {
    const id = toHex(reader.view(SEGMENT_ID_BYTES, "id"));
    const bodyBytes = reader.varint("bodyBytes", MAX_SEGMENT_BYTES);
    const atoms = reader.varint("atoms", MAX_ATOMS_PER_SEGMENT);
    rawBytes += bodyBytes;
    if (rawBytes > MAX_FRAME_BYTES) throw reader.error("bodyBytes", "a frame larger than the bound");
    segments.push({ id, bodyBytes, atoms });
  }
  if (codec === Codec.none && bytes !== rawBytes)
    throw reader.error("bytes", "differs from the segments' bytes");
  return { kind, codec, offset, bytes, rawBytes, segments };
}
