/** Reading packs whole: every frame decoded, every segment compared with its name. */
import type { Backend } from "../backend/index.ts";
import { type Digest, Hasher } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import { decodeFrame } from "./codec.ts";
import { type PackName, packPath, segmentsOfFrame } from "./pack.ts";
import type { PackedFrame, PackedSegment } from "./pack-format.ts";
import { Segment } from "./segment.ts";

/** Frames decoded ahead: a few for each core, and no more bytes than the largest frame has. */
const MAX_FRAMES_AHEAD = 6;
const MAX_BYTES_AHEAD = 1 << 26;
/** A file is hashed in pieces of this size. */
const HASH_BLOCK_BYTES = 1 << 20;

export interface ScannedSegment {
  readonly segment: PackedSegment;
  readonly body: Uint8Array;
  /** The body is what the segment's name promises, and has as many atoms as the directory says. */
  readonly intact: boolean;
}

export interface ScannedFrame {
  readonly frame: PackedFrame;
  /** As they stand in the pack; empty when they could not be read. */
  readonly bytes: Uint8Array;
  /** Those of the directory, in order; empty when there is a problem. */
  readonly segments: readonly ScannedSegment[];
  /** Why the frame cannot be decoded. */
  readonly problem?: TenonError;
}

/**
 * Reads frames of a pack in the given order and decodes them on the thread pool, some ahead. A frame that can't be
 * read is reported in its place; only `not-found` (the whole pack is gone) is thrown.
 */
export async function* scanFrames(
  backend: Backend,
  pack: PackName,
  frames: readonly PackedFrame[],
): AsyncGenerator<ScannedFrame> {
  const ahead: { readonly rawBytes: number; readonly scanned: Promise<ScannedFrame> }[] = [];
  let bytesAhead = 0;
  let next = 0;
  try {
    while (next < frames.length || ahead.length > 0) {
      while (next < frames.length && ahead.length < MAX_FRAMES_AHEAD) {
        const frame = frames[next]!;
        if (ahead.length > 0 && bytesAhead + frame.rawBytes > MAX_BYTES_AHEAD) break;
        const scanned = scanFrame(backend, pack, frame);
        scanned.catch(() => {}); // thrown where it is awaited
        ahead.push({ rawBytes: frame.rawBytes, scanned });
        bytesAhead += frame.rawBytes;
        next++;
      }
      const { rawBytes, scanned } = ahead.shift()!;
      bytesAhead -= rawBytes;
      yield await scanned;
    }
  } finally {
    await Promise.allSettled(ahead.map(({ scanned }) => scanned));
  }
}

async function scanFrame(backend: Backend, pack: PackName, frame: PackedFrame): Promise<ScannedFrame> {
  let bytes: Uint8Array = new Uint8Array(0);
  try {
    bytes = await backend.read(packPath(pack), { offset: frame.offset, length: frame.bytes });
    const raw = await decodeFrame(frame.codec, bytes, frame.rawBytes);
    const segments = [...segmentsOfFrame(frame, raw)].map(({ segment, body, intact }) => ({
      segment,
      body,
      intact: intact && hasAtoms(frame.kind, body, segment.atoms),
    }));
    return { frame, bytes, segments };
  } catch (error) {
    if (!isTenonError(error) || error.code === "not-found") throw error;
    const path = packPath(pack);
    const problem = new TenonError(
      error.code,
      `frame at offset ${frame.offset}: ${error.message}`,
      { ...error.data, path, offset: frame.offset },
      { cause: error },
    );
    return { frame, bytes, segments: [], problem };
  }
}

function hasAtoms(kind: number, body: Uint8Array, atoms: number): boolean {
  try {
    return new Segment(kind, body).atoms === atoms;
  } catch (error) {
    if (isTenonError(error, "invalid")) return false;
    throw error;
  }
}

/** SHA-256 of a file of any size. */
export async function fileDigest(backend: Backend, path: string): Promise<Digest> {
  const file = await backend.openRandom(path);
  try {
    const hasher = new Hasher();
    for (let offset = 0; offset < file.size; offset += HASH_BLOCK_BYTES) {
      hasher.update(await file.read(offset, Math.min(HASH_BLOCK_BYTES, file.size - offset)));
    }
    return hasher.digest();
  } finally {
    await file.close();
  }
}
