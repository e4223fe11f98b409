/** The interface that a repository is written against. */

/** A run of bytes inside a file. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface FileStat {
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970, by the clock of whoever keeps the file. */
  readonly mtimeMs: number;
}

export interface ListedFile extends FileStat {
  readonly name: string;
}

/** An open file, read at any place. A file that is removed meanwhile stays readable until `close`. */
export interface RandomFile {
  readonly size: number;
  /** Exactly `length` bytes; `damaged` when the file ends before. Parallel calls are fine. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Fills `into` from `offset` on, without waiting; returns how many bytes there were (fewer at the end). */
  readSync(into: Uint8Array, offset: number): number;
  close(): Promise<void>;
}

/** A file in the making. It has no name, and nobody sees it, until `commit`. */
export interface BackendWriter {
  readonly bytesWritten: number;
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Makes the bytes durable and gives them their name. For names that follow from the content: a file that
   * is already there under this name, with this length, is kept; one with another length is replaced.
   */
  commit(name: string): Promise<void>;
  /** Throws the bytes away; does nothing after `commit`. */
  abort(): Promise<void>;
}

/**
 * Where immutable files rest. Names are components of `[A-Za-z0-9._@+=-]`, joined by '/', none of them begins
 * with '.', the first is not `tmp` (see `checkName`). What a promise has confirmed outlives a power cut.
 * A call that failed with `io` may still have had its effect.
 *
 * Errors: `not-found` for a missing file, `damaged` for one that ends before the asked range, `usage` for a
 * name or range that cannot be, `io` for what the operating system refused (its code is `data.system`).
 */
export interface Backend {
  /** For people: a directory's absolute path, a URL. */
  readonly location: string;
  /** The whole file, or exactly the bytes of the range. */
  read(name: string, range?: ByteRange): Promise<Uint8Array>;
  openRandom(name: string): Promise<RandomFile>;
  stat(name: string): Promise<FileStat | undefined>;
  /** All files below a folder (`""`: all there are), sorted by name. What rests under a foreign name is left out. */
  list(folder: string): Promise<ListedFile[]>;
  /** The names that `list` gives, without a look at each file. */
  listNames(folder: string): Promise<string[]>;
  /**
   * Creates the file with all its bytes, or returns false since the name is taken: of many callers exactly
   * one gets true. Nobody ever sees a part of the bytes.
   */
  createIfAbsent(name: string, bytes: Uint8Array): Promise<boolean>;
  createWriter(): Promise<BackendWriter>;
  /** Creates or overwrites, atomically: for the few helper files that change (leases). The last one wins. */
  replace(name: string, bytes: Uint8Array): Promise<void>;
  /** Missing is fine. */
  remove(name: string): Promise<void>;
  /** Every byte of every file, also of unfinished and foreign ones. */
  totalBytes(): Promise<number>;
  /** Removes unfinished files that were last written before the given time; returns the bytes freed. */
  removeTemporaries(beforeMs: number): Promise<number>;
}
