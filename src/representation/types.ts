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
  decode(record: BlobRecord, atoms: AtomReader, from: number): AsyncIterable<Uint8Array>;
}
