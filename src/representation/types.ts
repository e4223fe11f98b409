/** What every representation is. */
import type { Chunker } from "../chunking/index.ts";
import type { Digest } from "../digest/index.ts";
import type {
  AtomReader,
  BlobRecord,
  RunListBuilder,
  StoredTally,
  WriteSession,
} from "../repository/index.ts";
import type { Turns } from "./turns.ts";

/** The bytes of one blob, read from the beginning. */
export interface BlobSource {
  /** Known for files, undefined for streams. */
  readonly sizeBytes?: number | undefined;
  /** Fills `into` as far as the blob goes; the number of bytes, 0 at the end. */
  read(into: Uint8Array): number | Promise<number>;
}

export interface EncodeContext {
  readonly session: WriteSession;
  readonly chunker: Chunker;
  readonly signal?: AbortSignal | undefined;
  /** Told how many bytes were read. */
  readonly onRead?: ((bytes: number) => void) | undefined;
}

/** A recipe that makes the blob again, ready to be stored. */
export interface EncodedBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly representation: number;
  readonly runs: RunListBuilder;
  readonly children: readonly Digest[];
  readonly body: Uint8Array;
  /** What the blob's own atoms cost. */
  readonly tally: StoredTally;
}

/** A representation that was not used, and why. */
export interface Declined {
  readonly representation: string;
  readonly reason: string;
}

/** A kind of recipe: how to make it from bytes, and bytes from it. */
export interface Representation {
  /** In the recipe; never reused. */
  readonly number: number;
  readonly name: string;
  /** The bytes of the blob from `from` on, `from` at most its size. Not yet checked against the digest. */
  decode(
    record: BlobRecord,
    atoms: AtomReader,
    from: number,
    readPart: ReadPart,
    signal?: AbortSignal | undefined,
  ): AsyncIterable<Uint8Array>;
}

/** Bytes of a child from an offset on. Checked neither against the child's digest nor its size. */
export type ReadPart = (digest: Digest, from: number) => AsyncIterable<Uint8Array>;

/** Bytes that can be had again from the beginning. */
export interface RereadableSource {
  readonly sizeBytes: number;
  /** When it is known already. */
  readonly digest?: Digest;
  open(): Promise<BlobSource & { close(): Promise<void> }>;
}

/** A part that was stored as a blob of its own. */
export interface StoredPart {
  readonly digest: Digest;
  readonly size: number;
  /** Undefined for what cost nothing of its own. */
  readonly tally?: StoredTally | undefined;
}

export interface PartRequest {
  /** Undefined for whatever the source has. */
  readonly sizeBytes: number | undefined;
  /** What the framing says it is, where its beginning doesn't. */
  readonly as?: Container | undefined;
  /** The order of what is stored. The source is read before anything returns; it may be stored later. */
  readonly turns: Turns;
  /** Called in its turn. */
  readonly done: (stored: StoredPart) => void;
}

export interface PartContext extends EncodeContext {
  /** How many executables can be taken apart at once. */
  readonly jobs: number;
  /** Stores all of a source as a blob, by the best representation that can do with reading it once. */
  part(source: BlobSource, { sizeBytes, as, turns, done }: PartRequest): Promise<void>;
  /** The same for a source that can be read again. */
  partAgain(source: RereadableSource): Promise<StoredPart>;
  /** Bytes that may still come out of compressed ones, in all of one input. */
  readonly budget: { expandBytes: number };
}

export interface ContainerInput {
  /** Opened at its beginning. */
  readonly source: BlobSource;
  readonly sizeBytes?: number | undefined;
  /** There when the container reads `again`. */
  readonly again?: RereadableSource;
}

/** A representation for blobs that other blobs are in. */
export interface Container {
  readonly representation: Representation;
  /**
   * `once`: it can take a stream, and never declines. `again`: it looks first, and may decline. `never`: it only says
   * why it isn't looked into.
   */
  readonly reads: "once" | "again" | "never";
  /** From the first `RECOGNISE_BYTES` bytes, or all there are. */
  recognise(start: Uint8Array, sizeBytes: number | undefined): boolean;
  encode(input: ContainerInput, context: PartContext): Promise<EncodedBlob | Declined>;
}
