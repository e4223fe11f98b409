/**
 * A writing session: atoms and recipes go in, packs and indexes come out.
 *
 * Atoms are appended to the open segment of their kind; a full segment becomes a frame of the open pack. A recipe
 * refers to segments by name, and a segment has its name when it is full: so recipes wait until the pack is
 * closed. Then the pack, and after it its index, become durable; only then may a ref name what they hold.
 */
import type { Backend } from "../backend/index.ts";
import type { Digest } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import type { CompressionLevel } from "./codec.ts";
import { FrameGroups } from "./frame-groups.ts";
import { decodeHandprint, type Handprint, handprintDigest } from "./handprint.ts";
import type { AtomPlace } from "./index-file.ts";
import type { IndexSet } from "./index-set.ts";
import { writeIndexOf } from "./index-writer.ts";
import { holdsRecords, Kind, type KindNumber } from "./kinds.ts";
import { MAX_RUNS_PER_NODE, PACK_TARGET_BYTES, SEGMENT_TARGET_BYTES } from "./limits.ts";
import { type PackName, PackWriter, placesOfPack, type SegmentBody } from "./pack.ts";
import { type AtomRef, type RunListBuilder, resolveRuns, SegmentRef } from "./pending.ts";
import { decodeBlobRecord, encodeBlobRecord, encodeInlineRecord } from "./record.ts";
import { type RunNode, runNodeBytes } from "./run-list.ts";
import { storeRunTree } from "./run-tree.ts";
import { Segment, SegmentBuilder, type SegmentId, segmentId } from "./segment.ts";
import { keysOfSegment } from "./segment-keys.ts";

/** Frames under way at once: enough for every core, and the memory stays bounded. */
const MAX_FRAMES_UNDER_WAY = 8;
/** The same for frames that are many segments: 16 MiB raw and 100 MiB of the compressor's own for each. */
const MAX_LARGE_FRAMES_UNDER_WAY = 3;
/** A pack of very many small blobs is closed early, since recipes wait in memory. */
const MAX_PENDING_RECORDS = 50_000;

/** A recipe before its segments have names. */
export interface PendingBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly representation: number;
  readonly runs: RunListBuilder;
  readonly children?: readonly Digest[];
  readonly body?: Uint8Array;
}

export interface SessionOptions {
  readonly level: CompressionLevel;
  /** Packs that garbage collection has condemned: nothing may rely on them. */
  readonly condemned: ReadonlySet<PackName>;
  /** Number of the newest condemnation that this writer has seen. */
  readonly epoch: number;
  /** Segments of a kind are compressed together up to this many raw bytes; 0, the default: each by itself. */
  readonly frameBytes?: number;
  /** Checks all that a known blob needs, when packs are condemned. */
  readonly closureIntact?: (digest: Digest) => Promise<boolean>;
}

interface OpenSegment {
  readonly builder: SegmentBuilder;
  /** Of the segment that is being filled. */
  ref: SegmentRef;
}

export class WriteSession {
  readonly #backend: Backend;
  readonly #index: IndexSet;
  readonly #options: SessionOptions;
  readonly #usable: (pack: PackName) => boolean;
  readonly #framesUnderWay: number;
  readonly #open = new Map<KindNumber, OpenSegment>();
  readonly #groups: FrameGroups;
  readonly #liveChunks = new Map<string, AtomRef>();
  readonly #liveBlobs = new Map<string, AtomRef | undefined>();
  readonly #liveHandprints = new Map<string, Handprint>();
  readonly #knownSegments = new Map<string, SegmentRef>();
  #pending: PendingBlob[] = [];
  #pack: PackWriter | undefined;
  #storedBytes = 0;
  /** How often a pack was closed: what was put in before has its cost now. */
  flushes = 0;
  /** Packs that this session has written. */
  readonly packs: PackName[] = [];

  constructor(backend: Backend, index: IndexSet, options: SessionOptions) {
    this.#backend = backend;
    this.#index = index;
    this.#options = options;
    this.#framesUnderWay =
      (options.frameBytes ?? 0) > SEGMENT_TARGET_BYTES ? MAX_LARGE_FRAMES_UNDER_WAY : MAX_FRAMES_UNDER_WAY;
    this.#groups = new FrameGroups(options.frameBytes ?? 0, (kind, segments, onWritten) => {
      this.#pack ??= new PackWriter(backend, options.epoch);
      this.#pack.add(kind, segments, options.level, onWritten);
    });
    this.#usable = (pack) => !options.condemned.has(pack);
  }

  /** Bytes of packs and indexes so far; those of the open pack as far as they are written. */
  get storedBytes(): number {
    return this.#storedBytes + (this.#pack?.bytes ?? 0);
  }

  /** True when the blob need not be stored again. */
  async knows(digest: Digest): Promise<boolean> {
    if (this.#liveBlobs.has(digest.slice(0, 32))) return true;
    if (this.#index.findBlob(digest, this.#usable) === undefined) return false;
    if (this.#options.condemned.size === 0 || this.#options.closureIntact === undefined) return true;
    return this.#options.closureIntact(digest);
  }

  /** Stores an atom unless one with this digest is there. `fresh` says whether it was stored. */
  chunk(
    kind: KindNumber,
    bytes: Uint8Array,
    digest: Digest,
  ): { readonly ref: AtomRef; readonly fresh: boolean } {
    const key = digest.slice(0, 32);
    const live = this.#liveChunks.get(key);
    if (live !== undefined) return { ref: live, fresh: false };
    const place = this.#index.findChunk(digest, this.#usable);
    if (place !== undefined) {
      return {
        ref: { segment: this.stored(place.segment), atom: place.atom, bytes: bytes.length },
        fresh: false,
      };
    }
    const ref = this.append(kind, bytes);
    this.#liveChunks.set(key, ref);
    return { ref, fresh: true };
  }

  /** True when an atom with this digest is stored already. */
  knowsChunk(digest: Digest): boolean {
    return (
      this.#liveChunks.has(digest.slice(0, 32)) || this.#index.findChunk(digest, this.#usable) !== undefined
    );
  }

  /** Appends an atom to the open segment of its kind. The bytes are copied. */
  append(kind: KindNumber, bytes: Uint8Array): AtomRef {
    let open = this.#open.get(kind);
    if (open === undefined) {
      open = { builder: new SegmentBuilder(kind), ref: new SegmentRef() };
      this.#open.set(kind, open);
    }
    const ref = { segment: open.ref, atom: open.builder.append(bytes), bytes: bytes.length };
    if (kind === Kind.handprint) {
      const handprint = decodeHandprint(bytes);
      for (const key of handprint.keys) {
        this.#liveChunks.set(handprintDigest(key).slice(0, 32), ref);
        this.#liveHandprints.set(key, handprint);
      }
    }
    if (open.builder.full) this.#seal(kind);
    return ref;
  }

  /** The newest handprint with a key: itself when it is in the open pack, where it can't be read, else its place. */
  findHandprint(key: string): AtomPlace | Handprint | undefined {
    return this.#liveHandprints.get(key) ?? this.#index.findChunk(handprintDigest(key), this.#usable);
  }

  /** True for a blob of the open pack: it can be read after `flush`. */
  isOpen(digest: Digest): boolean {
    return this.#liveBlobs.has(digest.slice(0, 32));
  }

  /** A small blob that is its own recipe. */
  inline(kind: KindNumber, digest: Digest, bytes: Uint8Array): void {
    this.#liveBlobs.set(digest.slice(0, 32), this.append(kind, encodeInlineRecord(digest, bytes)));
  }

  /** A blob made of atoms and other blobs. */
  blob(pending: PendingBlob): void {
    this.#pending.push(pending);
    this.#liveBlobs.set(pending.digest.slice(0, 32), undefined);
  }

  /** To be awaited between blobs and blocks: waits when much is under way, closes the pack when it is full. */
  async settle(): Promise<void> {
    if (this.#pack === undefined && this.#pending.length < MAX_PENDING_RECORDS) return;
    await this.#pack?.waitBelow(this.#framesUnderWay);
    if ((this.#pack?.bytes ?? 0) >= PACK_TARGET_BYTES || this.#pending.length >= MAX_PENDING_RECORDS) {
      await this.flush();
    }
  }

  /** A reference to a segment that is stored. */
  stored(id: SegmentId): SegmentRef {
    let ref = this.#knownSegments.get(id);
    if (ref === undefined) {
      ref = new SegmentRef();
      ref.id = id;
      this.#knownSegments.set(id, ref);
    }
    return ref;
  }

  #seal(kind: KindNumber): void {
    const open = this.#open.get(kind);
    if (open === undefined || open.builder.atoms === 0) return;
    const { builder, ref } = open;
    const { atoms } = builder;
    const body = builder.take();
    const id = segmentId(kind, body);
    ref.id = id;
    open.ref = new SegmentRef();
    // The very same segment may be there: two sessions that stored equal things, or a blob stored anew.
    if (this.#index.findSegment(id, this.#usable) !== undefined) return;
    this.#groups.add(kind, ref, { id, atoms, body });
  }

  /**
   * Takes a whole segment as it is, from another pack: recipes that name it stay true. The caller has checked the
   * body against its id.
   */
  adopt(kind: KindNumber, segment: SegmentBody): void {
    const ref = new SegmentRef();
    ref.id = segment.id;
    const decoded = new Segment(kind, segment.body);
    for (const { table, key, atom } of keysOfSegment(decoded)) {
      const live = table === "chunks" ? this.#liveChunks : this.#liveBlobs;
      live.set(key, { segment: ref, atom, bytes: decoded.atom(atom).length });
    }
    this.#groups.add(kind, ref, segment);
  }

  /** Closes the pack: everything so far becomes durable and can be found by others. */
  async flush(): Promise<void> {
    for (const kind of [...this.#open.keys()]) if (!holdsRecords(kind)) this.#seal(kind);
    await this.#appendRecords();
    for (const kind of [...this.#open.keys()]) this.#seal(kind);
    this.#groups.flush();
    const pack = this.#pack;
    if (pack !== undefined) {
      const { name, bytes, directory } = await pack.commit();
      this.packs.push(name);
      this.#pack = undefined;
      const segments = placesOfPack(name, directory);
      const placed = (ref: AtomRef): AtomPlace | undefined => {
        const segment = ref.segment.sealedId();
        return segments.has(segment) ? { segment, atom: ref.atom, pack: name } : undefined;
      };
      const index = await writeIndexOf(this.#backend, {
        packs: [name],
        segments,
        blobs: placedOnly(this.#liveBlobs, placed),
        chunks: placedOnly(this.#liveChunks, placed),
      });
      this.#storedBytes += bytes + index.bytes;
      await this.#index.reload();
    }
    this.#liveBlobs.clear();
    this.#liveChunks.clear();
    this.#liveHandprints.clear();
    this.#knownSegments.clear();
    this.flushes++;
  }

  /** Gives up what is not yet in a closed pack. */
  async abort(): Promise<void> {
    await this.#pack?.abort();
    this.#pack = undefined;
    this.#open.clear();
    this.#groups.clear();
    this.#pending = [];
  }

  /** Encodes the recipes that waited. Long run lists first: their nodes must have names before the records. */
  async #appendRecords(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    const roots = new Map<PendingBlob, RunNode>();
    const sink = {
      append: (node: Uint8Array) => this.append(Kind.recipe, node),
      seal: () => this.#seal(Kind.recipe),
    };
    for (const blob of pending) {
      if (blob.runs.length > MAX_RUNS_PER_NODE) roots.set(blob, storeRunTree(resolveRuns(blob.runs), sink));
    }
    for (const blob of pending) {
      const runs = roots.get(blob) ?? { level: 0, entries: resolveRuns(blob.runs) };
      const { digest, size, representation, children = [], body = new Uint8Array(0) } = blob;
      const record = encodeBlobRecord({ digest, size, representation, runs, children, body });
      const again = decodeBlobRecord(record);
      if (again.digest !== digest || again.size !== size || runNodeBytes(again.runs) !== runNodeBytes(runs)) {
        throw new TenonError("damaged", `the recipe of ${digest} differs after encoding`, { digest });
      }
      this.#liveBlobs.set(digest.slice(0, 32), this.append(Kind.recipe, record));
      await this.#pack?.waitBelow(this.#framesUnderWay);
    }
  }
}

function placedOnly(
  refs: ReadonlyMap<string, AtomRef | undefined>,
  placed: (ref: AtomRef) => AtomPlace | undefined,
): Map<string, AtomPlace> {
  const places = new Map<string, AtomPlace>();
  for (const [key, ref] of refs) {
    const place = ref && placed(ref);
    if (place !== undefined) places.set(key, place);
  }
  return places;
}
