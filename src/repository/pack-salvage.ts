/** What is whole in a damaged pack, moved into a new one. The caller removes the damaged pack when the index is made. */
import type { Backend } from "../backend/index.ts";
import { ByteReader } from "../bytes/index.ts";
import { isTenonError } from "../errors/index.ts";
import type { CompressionLevel } from "./codec.ts";
import type { IndexFile } from "./index-file.ts";
import { MAX_DIRECTORY_BYTES, MAX_FRAME_BYTES, MAX_SEGMENTS_PER_PACK } from "./limits.ts";
import { type PackName, PackWriter, packPath, readPackDirectory, type SegmentPlace } from "./pack.ts";
import {
  PACK_HEADER_BYTES,
  PACK_TRAILER_BYTES,
  type PackedFrame,
  type PackedSegment,
  readFrameEntry,
} from "./pack-format.ts";
import { scanFrames } from "./pack-scan.ts";
import type { SegmentId } from "./segment.ts";

/** Frames on their way into the new pack: bounds the memory. */
const MAX_FRAMES_UNDER_WAY = 4;
/** Stands for bytes of a frame that no index knows; no segment has this name. */
const UNKNOWN_SEGMENT: SegmentId = "0".repeat(32);

export interface Salvage {
  /** The new pack; undefined when nothing was whole. */
  readonly pack?: PackName;
  /** What is in it. */
  readonly segments: ReadonlySet<SegmentId>;
}

export interface SalvageOptions {
  /** Index files that can be read: the second copy of the pack's directory. */
  readonly index: readonly IndexFile[];
  readonly level: CompressionLevel;
  /** For the new pack's header. */
  readonly epoch: number;
}

/** Writes a new pack with every segment that has the bytes its name promises; frames that are whole go as they are. */
export async function salvagePack(
  backend: Backend,
  pack: PackName,
  options: SalvageOptions,
): Promise<Salvage> {
  const frames = await framesOf(backend, pack, options.index);
  const writer = new PackWriter(backend, options.epoch);
  const saved = new Set<SegmentId>();
  try {
    for await (const { frame, bytes, segments } of scanFrames(backend, pack, frames)) {
      const whole = segments.filter(({ segment, intact }) => intact && !saved.has(segment.id));
      for (const { segment } of whole) saved.add(segment.id);
      if (whole.length === 0) continue;
      if (whole.length === frame.segments.length) {
        writer.addEncoded(frame.kind, frame.segments, frame.rawBytes, { codec: frame.codec, bytes });
      } else {
        const bodies = whole.map(({ segment, body }) => ({ id: segment.id, atoms: segment.atoms, body }));
        writer.add(frame.kind, bodies, options.level);
      }
      await writer.waitBelow(MAX_FRAMES_UNDER_WAY);
    }
    if (saved.size === 0) return { segments: saved };
    return { pack: (await writer.commit()).name, segments: saved };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** The frames by the pack's directory, else by the index together with what is left of the directory. */
async function framesOf(
  backend: Backend,
  pack: PackName,
  index: readonly IndexFile[],
): Promise<readonly PackedFrame[]> {
  try {
    return (await readPackDirectory(backend, pack)).frames;
  } catch (error) {
    if (!isTenonError(error) || error.code === "io") throw error;
  }
  const known = index.flatMap((file) => framesByIndex(file, pack));
  return [...known, ...(await remainsOfDirectory(backend, pack))];
}

/** The frames of a pack as an index file knows them; none when a page of it is damaged. */
function framesByIndex(file: IndexFile, pack: PackName): PackedFrame[] {
  const frames = new Map<number, { place: SegmentPlace; segments: Map<number, PackedSegment> }>();
  try {
    for (const [id, place] of file.allSegments()) {
      if (place.pack !== pack) continue;
      const { offset, offsetInFrame, bodyBytes, atoms } = place;
      const frame = frames.get(offset) ?? { place, segments: new Map() };
      frames.set(offset, frame);
      frame.segments.set(offsetInFrame, { id, bodyBytes, atoms });
    }
  } catch (error) {
    if (isTenonError(error, "damaged")) return [];
    throw error;
  }
  return [...frames.values()].map(({ place, segments }) => {
    const { kind, codec, offset, bytes, rawBytes } = place;
    return { kind, codec, offset, bytes, rawBytes, segments: tile(segments, rawBytes) };
  });
}

/** The segments in order, gaps between them filled. */
function tile(segments: ReadonlyMap<number, PackedSegment>, rawBytes: number): PackedSegment[] {
  const tiled: PackedSegment[] = [];
  let at = 0;
  const fillTo = (end: number) => {
    if (end > at) tiled.push({ id: UNKNOWN_SEGMENT, bodyBytes: end - at, atoms: 0 });
  };
  for (const offset of [...segments.keys()].sort((a, b) => a - b)) {
    const segment = segments.get(offset)!;
    if (offset < at) continue;
    fillTo(offset);
    tiled.push(segment);
    at = offset + segment.bodyBytes;
  }
  fillTo(rawBytes);
  return tiled;
}

/**
 * Frames from the beginning of a directory whose checksum is wrong, up to where it makes no sense. Whatever it says
 * is only believed of segments whose bytes have the name that it gives.
 */
async function remainsOfDirectory(backend: Backend, pack: PackName): Promise<PackedFrame[]> {
  const path = packPath(pack);
  const size = (await backend.stat(path))?.size ?? 0;
  const base = size - PACK_TRAILER_BYTES;
  if (base < PACK_HEADER_BYTES) return [];
  const trailer = new ByteReader(
    await backend.read(path, { offset: base, length: PACK_TRAILER_BYTES }),
    "pack",
  );
  const candidates: number[] = [];
  try {
    candidates.push(trailer.u64("directoryOffset"));
    candidates.push(base - trailer.u32("directoryBytes"));
  } catch (error) {
    if (!isTenonError(error, "invalid")) throw error;
  }
  let best: PackedFrame[] = [];
  for (const offset of new Set(candidates)) {
    const length = base - offset;
    if (offset < PACK_HEADER_BYTES || length < 0 || length > MAX_DIRECTORY_BYTES) continue;
    const frames = readableFrames(
      new ByteReader(await backend.read(path, { offset, length }), "pack"),
      offset,
    );
    if (frames.length > best.length) best = frames;
  }
  return best;
}

function readableFrames(reader: ByteReader, directoryOffset: number): PackedFrame[] {
  const frames: PackedFrame[] = [];
  try {
    const count = reader.varint("frameCount", MAX_SEGMENTS_PER_PACK);
    for (let offset = PACK_HEADER_BYTES; frames.length < count; ) {
      const frame = readFrameEntry(reader, offset);
      offset += frame.bytes;
      if (offset > directoryOffset || frame.rawBytes > MAX_FRAME_BYTES) break;
      frames.push(frame);
    }
  } catch (error) {
    if (!isTenonError(error, "invalid")) throw error;
  }
  return frames;
}
