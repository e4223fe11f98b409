/** Packs on a backend: written by streaming, read by frame. */
import type { Backend, BackendWriter } from "../backend/index.ts";
import { type Digest, Hasher } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import { type CompressionLevel, decodeFrame, type EncodedFrame, encodeFrame } from "./codec.ts";
import { MAX_FRAME_BYTES } from "./limits.ts";
import type { PackFiles } from "./pack-files.ts";
import {
  decodePackEnd,
  decodePackTrailer,
  encodePackEnd,
  PACK_HEADER_BYTES,
  PACK_TRAILER_BYTES,
  type PackDirectory,
  type PackedFrame,
  type PackedSegment,
  packHeader,
} from "./pack-format.ts";
import { type SegmentId, segmentId } from "./segment.ts";
import { Slots } from "./slots.ts";

/**
 * What frames take while they are compressed, in bytes: at level 19 zstd has 7 times a frame, at least the tables of a
 * small one, for lower levels less than this. Node takes each in two steps, so that a hundred frames given to it at
 * once have their memory all at once; four such, or three of 16 MiB at level 19, keep its four threads at work.
 */
const COMPRESSING_BYTES = 384 << 20;
const compressingBytes = (rawBytes: number, level: CompressionLevel) =>
  level === "max" ? Math.max(7 * rawBytes, 32 << 20) : COMPRESSING_BYTES / 4;

/** SHA-256 of the whole file: `sha256sum` checks a pack. */
export type PackName = Digest;

export function packPath(name: PackName): string {
  return `packs/${name.slice(0, 2)}/${name}.pack`;
}

/** The pack that a file of the repository is, or undefined. */
export function packOfPath(path: string): PackName | undefined {
  return /^packs\/([0-9a-f]{2})\/(\1[0-9a-f]{62})\.pack$/.exec(path)?.[2];
}

/** A segment on its way into a pack; `kind` as in kinds.ts. */
export interface SegmentBody {
  readonly id: SegmentId;
  readonly atoms: number;
  readonly body: Uint8Array;
}

/**
 * Writes one pack. Frames are compressed side by side on the thread pool and written in the order in which
 * they were given, so the pack does not depend on timing.
 */
export class PackWriter {
  readonly #backend: Backend;
  #writer: BackendWriter | undefined;
  readonly #header: Uint8Array;
  readonly #hasher = new Hasher();
  readonly #frames: PackedFrame[] = [];
  #offset = 0;
  #tail: Promise<void> = Promise.resolve();
  #failure: unknown;
  readonly #compressing = new Slots(COMPRESSING_BYTES);
  readonly #unwritten: Promise<void>[] = [];
  #segments = 0;

  /** The file is created with the first frame. `epoch`: the newest condemnation that the writer has seen. */
  constructor(backend: Backend, epoch: number) {
    this.#backend = backend;
    this.#header = packHeader(epoch);
  }

  /** Bytes written or known to be written soon. */
  get bytes(): number {
    return this.#offset;
  }

  get segments(): number {
    return this.#segments;
  }

  /** Waits until fewer than `frames` are still to be written: bounds the memory of a fast caller. */
  async waitBelow(frames: number): Promise<void> {
    while (this.#unwritten.length >= frames) await this.#unwritten[0];
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Adds a frame of one or more segments. `onWritten` tells its compressed size. */
  add(
    kind: number,
    segments: readonly SegmentBody[],
    level: CompressionLevel,
    onWritten?: (bytes: number) => void,
  ): void {
    const packed = segments.map((s) => ({ id: s.id, bodyBytes: s.body.length, atoms: s.atoms }));
    const rawBytes = packed.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0);
    const encoding = this.#compressing.run(compressingBytes(rawBytes, level), () => {
      const raw = segments.length === 1 ? segments[0]!.body : Buffer.concat(segments.map((s) => s.body));
      return encodeFrame(raw, level);
    });
    this.addEncoded(kind, packed, rawBytes, encoding, onWritten);
  }

  /** Adds a frame whose compressed bytes are at hand (or on their way). */
  addEncoded(
    kind: number,
    segments: readonly PackedSegment[],
    rawBytes: number,
    encoding: Promise<EncodedFrame> | EncodedFrame,
    onWritten?: (bytes: number) => void,
  ): void {
    this.#segments += segments.length;
    const before = this.#tail;
    const work = async () => {
      const [{ codec, bytes }] = await Promise.all([encoding, before]);
      if (this.#failure !== undefined) return;
      if (this.#writer === undefined) {
        this.#writer = await this.#backend.createWriter();
        await this.#write(this.#header);
      }
      this.#frames.push({ kind, codec, offset: this.#offset, bytes: bytes.length, rawBytes, segments });
      await this.#write(bytes);
      onWritten?.(bytes.length);
    };
    this.#tail = work()
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .then(() => {
        this.#unwritten.shift();
      });
    this.#unwritten.push(this.#tail);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    this.#hasher.update(bytes);
    this.#offset += bytes.length;
    await this.#writer!.write(bytes);
  }

  /** Waits until every frame so far is written; throws what went wrong with any of them. */
  async drain(): Promise<void> {
    await this.#tail;
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Writes the directory, reads it back, makes the pack durable. */
  async commit(): Promise<{
    readonly name: PackName;
    readonly bytes: number;
    readonly directory: PackDirectory;
  }> {
    await this.drain();
    const directoryOffset = this.#offset;
    const end = encodePackEnd(this.#header, this.#frames, directoryOffset);
    const directory = decodePackEnd(
      end,
      decodePackTrailer(
        this.#header,
        end.subarray(end.length - PACK_TRAILER_BYTES),
        directoryOffset + end.length,
      ),
    );
    for (const [i, frame] of this.#frames.entries()) {
      const again = directory.frames[i]!;
      if (again.offset !== frame.offset || again.rawBytes !== frame.rawBytes) {
        throw new TenonError("damaged", "a pack's directory differs after writing: faulty memory?");
      }
    }
    await this.#write(end);
    const bytes = this.#offset;
    const name = this.#hasher.digest();
    await this.#writer!.commit(packPath(name));
    return { name, bytes, directory };
  }

  async abort(): Promise<void> {
    this.#failure ??= new TenonError("interrupted", "the pack was given up");
    await this.#tail;
    await this.#writer?.abort();
  }
}

/** Where one frame is: all that a read needs. */
export interface FramePlace {
  readonly pack: PackName;
  readonly offset: number;
  readonly bytes: number;
  readonly rawBytes: number;
  readonly codec: number;
}

/** Where a segment is, and what it holds. */
export interface SegmentPlace extends FramePlace {
  readonly offsetInFrame: number;
  readonly bodyBytes: number;
  readonly atoms: number;
  readonly kind: number;
}

/** Reads and decompresses one frame. */
export async function readFrame(
  backend: Pick<Backend, "read"> | PackFiles,
  place: FramePlace,
): Promise<Uint8Array> {
  if (place.rawBytes > MAX_FRAME_BYTES || place.bytes > MAX_FRAME_BYTES) {
    throw new TenonError("damaged", `pack ${place.pack}: a frame larger than the bound`, { format: "pack" });
  }
  const path = packPath(place.pack);
  const bytes = await backend.read(path, { offset: place.offset, length: place.bytes });
  try {
    return await decodeFrame(place.codec, bytes, place.rawBytes);
  } catch (error) {
    if (!isTenonError(error)) throw error;
    throw new TenonError(
      error.code,
      `pack ${place.pack}, frame at offset ${place.offset}: ${error.message}`,
      { ...error.data, path, offset: place.offset },
      { cause: error },
    );
  }
}

/** Reads and checks the directory of a pack. Every error names the pack's file. */
export async function readPackDirectory(backend: Backend, name: PackName): Promise<PackDirectory> {
  const path = packPath(name);
  const stat = await backend.stat(path);
  if (stat === undefined) throw new TenonError("damaged", `${path} is missing`, { path });
  if (stat.size < PACK_HEADER_BYTES + PACK_TRAILER_BYTES) {
    throw new TenonError("damaged", `${path} has ${stat.size} bytes, too few for a pack`, { path });
  }
  try {
    const header = await backend.read(path, { offset: 0, length: PACK_HEADER_BYTES });
    const trailerAt = stat.size - PACK_TRAILER_BYTES;
    const trailer = await backend.read(path, { offset: trailerAt, length: PACK_TRAILER_BYTES });
    const where = decodePackTrailer(header, trailer, stat.size);
    const length = where.directoryBytes + PACK_TRAILER_BYTES;
    return decodePackEnd(await backend.read(path, { offset: where.directoryOffset, length }), where);
  } catch (error) {
    if (!isTenonError(error) || error.data.path !== undefined) throw error;
    const code = error.code === "invalid" ? "damaged" : error.code;
    throw new TenonError(code, `${path}: ${error.message}`, { ...error.data, path }, { cause: error });
  }
}

/** Where each segment of a pack is, for its index. */
export function placesOfPack(pack: PackName, directory: PackDirectory): Map<SegmentId, SegmentPlace> {
  const places = new Map<SegmentId, SegmentPlace>();
  for (const { kind, codec, offset, bytes, rawBytes, segments } of directory.frames) {
    let offsetInFrame = 0;
    for (const { id, bodyBytes, atoms } of segments) {
      places.set(id, { pack, kind, codec, offset, bytes, rawBytes, offsetInFrame, bodyBytes, atoms });
      offsetInFrame += bodyBytes;
    }
  }
  return places;
}

/** The segment bodies in a decoded frame, each checked against its name. */
export function* segmentsOfFrame(
  frame: PackedFrame,
  raw: Uint8Array,
): Generator<{ readonly segment: PackedSegment; readonly body: Uint8Array; readonly intact: boolean }> {
  let at = 0;
  for (const segment of frame.segments) {
    const body = raw.subarray(at, at + segment.bodyBytes);
    at += segment.bodyBytes;
    yield { segment, body, intact: segmentId(frame.kind, body) === segment.id };
  }
}
