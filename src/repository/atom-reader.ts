/** Reading atoms: frames are decompressed on the thread pool, each once, and kept while they fit. */
import type { Backend } from "../backend/index.ts";
import type { Digest } from "../digest/index.ts";
import { isTenonError, TenonError } from "../errors/index.ts";
import type { AtomPlace } from "./index-file.ts";
import type { IndexSet } from "./index-set.ts";
import { readFrame, type SegmentPlace } from "./pack.ts";
import { PackFiles } from "./pack-files.ts";
import { type BlobRecord, decodeBlobRecord } from "./record.ts";
import { type Run, runsFrom } from "./run-list.ts";
import { Segment, type SegmentId, segmentId } from "./segment.ts";

/** Decoded frames kept for the next reads: enough for one who reads on and on. */
const CACHE_BYTES = 64 << 20;
/**
 * Executables are read from a frame of each kind of stream at once, and the next one from the same frames. Whoever
 * asks again for frames that were dropped gets this much, step by step: decoding them anew took nine tenths of the
 * time of restoring a system's programs from a compacted repository.
 */
const MAX_CACHE_BYTES = 320 << 20;
/** Dropped frames whose return is noticed. */
const MAX_DROPPED = 256;
/** Frames decoded ahead of a sequential reader: both cores stay busy. */
const LOOK_AHEAD_FRAMES = 6;

interface CachedFrame {
  readonly raw: Promise<Uint8Array>;
  readonly bytes: number;
  readonly segments: Map<SegmentId, Segment>;
}

export class AtomReader {
  readonly #backend: Backend;
  readonly #index: IndexSet;
  readonly #verify: boolean;
  readonly #files: PackFiles;
  readonly #frames = new Map<string, CachedFrame>();
  #cachedBytes = 0;
  #cacheBytes = CACHE_BYTES;
  readonly #dropped = new Set<string>();

  constructor(backend: Backend, index: IndexSet, { verify = false, files = new PackFiles(backend) } = {}) {
    this.#backend = backend;
    this.#files = files;
    this.#index = index;
    this.#verify = verify;
  }

  /** A reader that checks every segment against its name: for those who use parts of a blob at once. */
  verifying(): AtomReader {
    return this.#verify
      ? this
      : new AtomReader(this.#backend, this.#index, { verify: true, files: this.#files });
  }

  /** Closes the files; the reader may go on, and opens them again. */
  close(): void {
    this.#files.close();
  }

  /** Where a segment is; looks at the index again when it isn't found at once. */
  async place(id: SegmentId): Promise<SegmentPlace> {
    let place = this.#index.findSegment(id);
    if (place === undefined) {
      await this.#index.reload();
      place = this.#index.findSegment(id);
    }
    if (place === undefined) {
      throw new TenonError("damaged", `segment ${id} is in no pack; run tenon check`, { segment: id });
    }
    return place;
  }

  async segment(id: SegmentId): Promise<Segment> {
    const place = await this.place(id);
    try {
      return await this.#segmentAt(id, place);
    } catch (error) {
      if (!isTenonError(error, "not-found")) throw error;
    }
    // The pack is gone: it was rewritten meanwhile, and a newer index says where the segment is now.
    await this.#index.reload();
    const moved = this.#index.findSegment(id, (pack) => pack !== place.pack);
    if (moved === undefined) {
      throw new TenonError("damaged", `pack ${place.pack} is missing; run tenon check`, { segment: id });
    }
    return this.#segmentAt(id, moved);
  }

  /** The bytes of a segment, with its table of lengths: to be checked against its id by the caller. */
  async segmentBody(id: SegmentId): Promise<Uint8Array> {
    const place = await this.place(id);
    return bodyIn(await this.#frame(place).raw, id, place);
  }

  async #segmentAt(id: SegmentId, place: SegmentPlace): Promise<Segment> {
    const frame = this.#frame(place);
    const raw = await frame.raw;
    let segment = frame.segments.get(id);
    if (segment === undefined) {
      const body = bodyIn(raw, id, place);
      if (this.#verify && segmentId(place.kind, body) !== id) {
        throw new TenonError(
          "damaged",
          `pack ${place.pack}: segment ${id} was changed; run tenon check --read-data`,
          {
            segment: id,
          },
        );
      }
      segment = new Segment(place.kind, body);
      frame.segments.set(id, segment);
    }
    return segment;
  }

  #frame(place: SegmentPlace): CachedFrame {
    const key = `${place.pack}:${place.offset}`;
    const known = this.#frames.get(key);
    if (known !== undefined) {
      this.#frames.delete(key);
      this.#frames.set(key, known);
      return known;
    }
    const frame = { raw: readFrame(this.#files, place), bytes: place.rawBytes, segments: new Map() };
    frame.raw.catch(() => {
      // Whoever awaits it gets the error; it is not kept.
      if (this.#frames.get(key) === frame && this.#frames.delete(key)) this.#cachedBytes -= frame.bytes;
    });
    this.#frames.set(key, frame);
    this.#cachedBytes += frame.bytes;
    if (this.#dropped.delete(key)) {
      this.#cacheBytes = Math.min(MAX_CACHE_BYTES, this.#cacheBytes + frame.bytes);
    }
    for (const [oldKey, old] of this.#frames) {
      if (this.#cachedBytes <= this.#cacheBytes || old === frame) break;
      this.#drop(oldKey, old);
    }
    return frame;
  }

  /** Drops what is decoded, but for the last frames up to this size: after something large that is read once. */
  trim(bytes: number): void {
    for (const [key, frame] of this.#frames) {
      if (this.#cachedBytes <= bytes) return;
      this.#frames.delete(key);
      this.#cachedBytes -= frame.bytes;
    }
  }

  #drop(key: string, frame: CachedFrame): void {
    this.#frames.delete(key);
    this.#cachedBytes -= frame.bytes;
    this.#dropped.add(key);
    if (this.#dropped.size > MAX_DROPPED) {
      for (const oldest of this.#dropped) {
        this.#dropped.delete(oldest);
        break;
      }
    }
  }

  async atom(segment: SegmentId, atom: number): Promise<Uint8Array> {
    return (await this.segment(segment)).atom(atom);
  }

  async run({ segment, first, count, bytes }: Run): Promise<Uint8Array> {
    const found = (await this.segment(segment)).run(first, count);
    if (found.length !== bytes) {
      throw new TenonError(
        "damaged",
        `a run of segment ${segment} has ${found.length} bytes instead of ${bytes}`,
      );
    }
    return found;
  }

  /** How a blob is made again, and the atom that says it; `damaged` when the blob is nowhere. */
  async locate(digest: Digest): Promise<{ readonly record: BlobRecord; readonly place: AtomPlace }> {
    let place = this.#index.findBlob(digest);
    if (place === undefined) {
      await this.#index.reload();
      place = this.#index.findBlob(digest);
    }
    if (place === undefined) throw new TenonError("damaged", `blob ${digest} is in no pack`, { digest });
    const record = decodeBlobRecord(await this.atom(place.segment, place.atom));
    if (record.digest !== digest) {
      throw new TenonError("damaged", `the index leads from ${digest} to ${record.digest}`, { digest });
    }
    return { record, place };
  }

  async needRecord(digest: Digest): Promise<BlobRecord> {
    return (await this.locate(digest)).record;
  }

  /** Every run of the record from byte `from` on, with its bytes, frames being decoded ahead. */
  async *read(
    record: BlobRecord,
    from = 0,
  ): AsyncGenerator<{ readonly offset: number; readonly bytes: Uint8Array }> {
    const ahead: { readonly offset: number; readonly bytes: Promise<Uint8Array> }[] = [];
    let segments = 0;
    let last = "";
    const load = (segment: SegmentId, atom: number) => this.atom(segment, atom);
    const take = async () => {
      const { offset, bytes } = ahead.shift()!;
      return { offset, bytes: await bytes };
    };
    try {
      for await (const run of runsFrom(record.runs, load, from)) {
        const bytes = this.run(run);
        bytes.catch(() => {}); // thrown where it is taken
        ahead.push({ offset: run.offset, bytes });
        if (run.segment !== last) {
          last = run.segment;
          segments++;
        }
        while (ahead.length > 0 && (segments > LOOK_AHEAD_FRAMES || ahead.length > 64)) {
          yield await take();
          if (segments > 1) segments--;
        }
      }
      while (ahead.length > 0) yield await take();
    } finally {
      await Promise.allSettled(ahead.map((entry) => entry.bytes));
    }
  }

  /** Digests of all blobs that begin with the hexadecimal digits, at most `limit`. */
  async resolvePrefix(prefix: string, limit: number): Promise<Digest[]> {
    const found: Digest[] = [];
    for (const key of this.#index.blobKeys(prefix, limit)) {
      const place = this.#index.findBlob(key);
      if (place === undefined) continue;
      const { digest } = decodeBlobRecord(await this.atom(place.segment, place.atom));
      if (digest.startsWith(prefix)) found.push(digest);
    }
    return found;
  }
}

function bodyIn(raw: Uint8Array, id: SegmentId, { offsetInFrame, bodyBytes }: SegmentPlace): Uint8Array {
  const body = raw.subarray(offsetInFrame, offsetInFrame + bodyBytes);
  if (body.length === bodyBytes) return body;
  throw new TenonError("damaged", `segment ${id} reaches past its frame`, { segment: id });
}
