/**
 * Blobs that are made of parts (docs/formats/archives.md): bytes of their own, the frame, and other blobs between.
 *
 *     body = 1 u8, count varint, count times (frame varint, part varint), frame varint
 *
 * `frame` bytes come from the runs, `part` is the size of the next child. Tar, ar and zip archives are kept so.
 */
import { ByteReader, ByteWriter } from "../bytes/index.ts";
import type { Digest } from "../digest/index.ts";
import { TenonError } from "../errors/index.ts";
import { type AtomReader, type BlobRecord, Kind, RunListBuilder, StoredTally } from "../repository/index.ts";
import { readingAhead } from "./read-ahead.ts";
import { Turns } from "./turns.ts";
import type { BlobSource, Container, EncodedBlob, PartContext, ReadPart, StoredPart } from "./types.ts";

const VERSION = 1;
/** Frame bytes in one atom: about what a chunk has. */
const FRAME_ATOM_BYTES = 64 << 10;
/** More parts than this make the recipe itself a burden: what follows is kept as one part. */
export const MAX_PARTS = 1 << 18;
/** Data up to this size stays in the frame, where its neighbours help to compress it: a part costs 40 bytes. */
export const MAX_FRAME_PART_BYTES = 128;

/** Collects frame and parts in their order; made by `withParts`. */
export class PartsEncoder {
  readonly #context: PartContext;
  readonly #turns: Turns;
  readonly #runs = new RunListBuilder();
  readonly #tally = new StoredTally();
  readonly #children: Digest[] = [];
  readonly #layout = new ByteWriter(1024);
  #frame = new Uint8Array(FRAME_ATOM_BYTES);
  #frameFilled = 0;
  #frameBytes = 0;
  #bytes = 0;
  #parts = 0;

  constructor(context: PartContext) {
    this.#context = context;
    this.#turns = new Turns(context.jobs);
  }

  get parts(): number {
    return this.#parts;
  }

  async frame(bytes: Uint8Array): Promise<void> {
    this.#frameBytes += bytes.length;
    this.#bytes += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + FRAME_ATOM_BYTES - this.#frameFilled);
      this.#frame.set(piece, this.#frameFilled);
      this.#frameFilled += piece.length;
      at += piece.length;
      if (this.#frameFilled === FRAME_ATOM_BYTES) await this.#seal();
    }
  }

  /** The next part: all of the source, of which this many bytes are known. Others may be stored after it returned. */
  async part(source: BlobSource, sizeBytes: number | undefined, as?: Container): Promise<void> {
    const frameBytes = this.#frameBytes;
    this.#frameBytes = 0;
    this.#parts++;
    const done = ({ digest, size, tally }: StoredPart) => {
      this.#layout.varint(frameBytes).varint(size);
      this.#children.push(digest);
      this.#bytes += size;
      if (tally !== undefined) this.#tally.addAll(tally);
    };
    await this.#context.part(source, { sizeBytes, as, turns: this.#turns, done });
  }

  /** To be called between parts. */
  async settle(): Promise<void> {
    await this.#inTurn(() => this.#context.session.settle());
  }

  async #seal(): Promise<void> {
    if (this.#frameFilled === 0) return;
    const bytes = this.#frame.subarray(0, this.#frameFilled);
    this.#frame = new Uint8Array(FRAME_ATOM_BYTES);
    this.#frameFilled = 0;
    await this.#inTurn(() => {
      const ref = this.#context.session.append(Kind.archiveFrame, bytes);
      this.#runs.add(ref);
      this.#tally.add(ref);
    });
  }

  #inTurn(work: () => void | Promise<void>): Promise<void> {
    return this.#turns.begin(0, async (turn) => {
      await turn;
      await work();
    });
  }

  /** After an error: what was begun comes to its end. */
  abandon(error: unknown): Promise<void> {
    return this.#turns.abandon(error);
  }

  /** The recipe of the blob with this digest; its parts must add up to its size. */
  async finish(representation: number, digest: Digest, size: number): Promise<EncodedBlob> {
    await this.#seal();
    await this.#turns.finish();
    if (this.#bytes !== size) {
      throw new TenonError("damaged", `parts of ${this.#bytes} bytes were made from ${size} bytes`, {
        digest,
      });
    }
    const body = new ByteWriter(this.#layout.length + 16);
    body.u8(VERSION).varint(this.#children.length).raw(this.#layout.view()).varint(this.#frameBytes);
    const encoded = {
      digest,
      size,
      representation,
      runs: this.#runs,
      children: this.#children,
      body: body.finish(),
      tally: this.#tally,
    };
    const again = decodeLayout(encoded.body, { children: this.#children, size, runBytes: this.#runs.bytes });
    if (again.frames.length !== this.#children.length)
      throw new TenonError("damaged", "the layout of parts differs");
    return encoded;
  }
}

/** Runs `work` with an encoder; when it fails, what was begun comes to its end first. */
export async function withParts<T>(
  context: PartContext,
  work: (parts: PartsEncoder) => Promise<T>,
): Promise<T> {
  const parts = new PartsEncoder(context);
  try {
    return await work(parts);
  } catch (error) {
    await parts.abandon(error);
    throw error;
  }
}

export interface PartsLayout {
  /** Frame bytes before each part. */
  readonly frames: readonly number[];
  /** Size of each part. */
  readonly parts: readonly number[];
  /** Frame bytes behind the last part. */
  readonly last: number;
}

/** Errors: `invalid` when the sizes don't add up. */
export function decodeLayout(
  body: Uint8Array,
  { children, size, runBytes }: { children: readonly Digest[]; size: number; runBytes: number },
): PartsLayout {
  const reader = new ByteReader(body, "recipe of parts");
  const version = reader.u8("version");
  if (version !== VERSION) {
    throw new TenonError(
      "unsupported",
      `recipes of parts have version ${version}, which this release doesn't know`,
    );
  }
  if (reader.varint("count") !== children.length)
    throw reader.error("count", `not ${children.length}, the children`);
  const frames: number[] = [];
  const parts: number[] = [];
  let frameSum = 0;
  let partSum = 0;
  for (let i = 0; i < children.length; i++) {
    frames.push(reader.varint("frame", runBytes - frameSum));
    frameSum += frames[i]!;
    parts.push(reader.varint("part", size - partSum));
    partSum += parts[i]!;
  }
  const last = reader.varint("frame", runBytes - frameSum);
  reader.end();
  if (frameSum + last !== runBytes || runBytes + partSum !== size)
    throw reader.error("size", "the parts don't add up");
  return { frames, parts, last };
}

/** The layout in a record. */
export function layoutOf(record: BlobRecord): PartsLayout {
  let runBytes = 0;
  for (const entry of record.runs.entries) runBytes += entry.bytes;
  return decodeLayout(record.body, { children: record.children, size: record.size, runBytes });
}

/** Small pieces are gathered up to this size before they are given out. */
const GATHERED_BYTES = 64 << 10;

/** The blob's bytes from `from` on: parts before it are not touched. */
export async function* decodeParts(
  record: BlobRecord,
  atoms: AtomReader,
  from: number,
  readPart: ReadPart,
  signal?: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  let gathered = new Uint8Array(GATHERED_BYTES);
  let filled = 0;
  for await (const piece of pieces(record, atoms, from, readPart, signal)) {
    if (piece.length >= GATHERED_BYTES / 2 || filled + piece.length > GATHERED_BYTES) {
      if (filled > 0) yield gathered.subarray(0, filled);
      gathered = new Uint8Array(GATHERED_BYTES);
      filled = 0;
    }
    if (piece.length >= GATHERED_BYTES / 2) yield piece;
    else {
      gathered.set(piece, filled);
      filled += piece.length;
    }
  }
  if (filled > 0) yield gathered.subarray(0, filled);
}

async function* pieces(
  record: BlobRecord,
  atoms: AtomReader,
  from: number,
  readPart: ReadPart,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const { frames, parts, last } = layoutOf(record);
  // Find the first piece that is wanted.
  let item = 0;
  let offset = 0;
  let frameBytes = 0;
  while (item < parts.length && offset + frames[item]! + parts[item]! <= from) {
    offset += frames[item]! + parts[item]!;
    frameBytes += frames[item]!;
    item++;
  }
  const skip = from - offset;
  const firstFrame = item < frames.length ? frames[item]! : last;
  const skipFrame = Math.min(skip, firstFrame);
  const frame = new FrameReader(record, atoms, frameBytes + skipFrame);
  try {
    yield* frame.take(firstFrame - skipFrame);
    const blobOf = (i: number) => ({ digest: record.children[i]!, size: parts[i]! });
    for await (const i of readingAhead(numbers(item, parts.length), blobOf, atoms, signal)) {
      if (i > item) yield* frame.take(frames[i]!);
      yield* exactly(readPart, record.children[i]!, parts[i]!, i === item ? skip - skipFrame : 0);
    }
    if (item < parts.length) yield* frame.take(last);
  } finally {
    await frame.close();
  }
}

function* numbers(from: number, to: number): Generator<number> {
  for (let i = from; i < to; i++) yield i;
}

async function* exactly(
  readPart: ReadPart,
  digest: Digest,
  size: number,
  from: number,
): AsyncGenerator<Uint8Array> {
  let left = size - from;
  if (left === 0) return;
  for await (const bytes of readPart(digest, from)) {
    left -= bytes.length;
    if (left < 0) break;
    yield bytes;
  }
  if (left !== 0)
    throw new TenonError("damaged", `part ${digest} has another size than the recipe says`, { digest });
}

/** The frame's bytes, in order, in the amounts that are asked for. */
export class FrameReader {
  readonly #runs: AsyncGenerator<{ readonly offset: number; readonly bytes: Uint8Array }>;
  readonly #from: number;
  #piece: Uint8Array = new Uint8Array(0);

  constructor(record: BlobRecord, atoms: AtomReader, from: number) {
    this.#from = from;
    this.#runs = atoms.read(record, from);
  }

  async *take(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0; ) {
      if (this.#piece.length === 0) {
        const next = await this.#runs.next();
        if (next.done === true) throw new TenonError("damaged", "the frame is shorter than its recipe says");
        const { offset, bytes } = next.value;
        this.#piece = offset < this.#from ? bytes.subarray(this.#from - offset) : bytes;
        continue;
      }
      const part = this.#piece.subarray(0, left);
      this.#piece = this.#piece.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  async close(): Promise<void> {
    await this.#runs.return(undefined);
  }
}
