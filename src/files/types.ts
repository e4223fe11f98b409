/** The shapes that this room takes and gives. */

/** What a walk yields for something that can be stored. */
export interface WalkEntry {
  readonly kind: "file" | "directory" | "symlink";
  /** Relative to the root, components joined by '/', any bytes but NUL; empty for the root itself. */
  readonly path: Uint8Array;
  /** Where it is: the root's real path joined with `path`. Shares its memory with `path`. */
  readonly absolute: Buffer;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  /** Of a file: its size when it was walked. Of a symlink: the length of its target. Of a directory: 0. */
  readonly sizeBytes: number;
  /** Of a symlink: where it points, as it stands. */
  readonly target?: Uint8Array;
  /** Of a file with several names: the same text for each of its names. */
  readonly hardlinkKey?: string;
}

/** What a walk yields for something that it has to leave out. */
export interface WalkProblem {
  readonly kind: "problem";
  readonly path: Uint8Array;
  readonly absolute: Buffer;
  /**
   * unreadable: the system refused; vanished: it was listed and is gone; changed: a directory was replaced
   * while it was read; special: a socket, FIFO or device, which has no content to store, or what the caller leaves out.
   */
  readonly code: "unreadable" | "vanished" | "changed" | "special";
  /** A sentence without the path. */
  readonly reason: string;
  /** `EACCES`, `EIO` ..., when the system gave one. */
  readonly systemCode?: string;
}

export type WalkItem = WalkEntry | WalkProblem;

/**
 * Negative, 0 or positive: the order of two relative paths. A prefix comes before what it begins; what two
 * paths share up to a '/' does not matter; nothing comes between two paths below the same directory.
 */
export type PathOrder = (a: Uint8Array, b: Uint8Array) => number;

export interface WalkOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default: `bytewise`. */
  readonly order?: PathOrder | undefined;
  /** Stay on the root's file system: mount points are yielded as empty directories. */
  readonly sameDevice?: boolean | undefined;
  /** Globs of what to leave out, with everything below: see `exclusion`. */
  readonly exclude?: readonly string[] | undefined;
}

/** How a file differs from what it was when it was opened. */
export type SourceChange =
  | "grew" // longer: what was read is its beginning
  | "shrank" // shorter: the rest could not be read
  | "modified" // same length, but its times moved: what was read may be a mixture
  | "replaced"; // what was read is whole, but the path now names another file

/** A regular file that is open for reading from its beginning. */
export interface Source extends AsyncDisposable {
  /** Size when it was opened; reading never goes past it. */
  readonly sizeBytes: number;
  /** 0 to 0o7777. */
  readonly mode: number;
  /** Fills `into` as far as the file goes; the number of bytes, 0 at the end. Errors: `io`. */
  read(into: Uint8Array): Promise<number>;
  /** The same without leaving the event loop: for callers that read straight into WebAssembly memory. */
  readSync(into: Uint8Array): number;
  /** Asked after reading: has the file changed since it was opened? */
  changed(): Promise<SourceChange | undefined>;
  close(): Promise<void>;
}

/** What to do when something is at the path already. */
export type Existing = "error" | "overwrite" | "skip";

export interface RestoreOptions {
  /** Default: `error`, an `exists` error. A directory never gives way to a file, nor a file to a directory. */
  readonly existing?: Existing | undefined;
  /** Keep setuid and setgid bits, which are dropped otherwise. */
  readonly keepSetid?: boolean | undefined;
  /** Write holes for blocks of zeros. */
  readonly sparse?: boolean | undefined;
  /** fsync files before they get their name, and directories at the end. */
  readonly durable?: boolean | undefined;
}

/** A file on its way: invisible under its own name until `commit`. Disposing of it aborts. */
export interface FileWriter extends AsyncDisposable {
  /** Bytes written so far. */
  readonly lengthBytes: number;
  /** Appends, one call at a time. `bytes` may be reused once the promise is kept. Errors: `io`; the file is then aborted. */
  write(bytes: Uint8Array): Promise<void>;
  /** Gives the file its mode and its name. Errors: `exists`, `io`; the file is then aborted. */
  commit(): Promise<void>;
  /** Removes what was written; does nothing after `commit`. */
  abort(): Promise<void>;
}

/**
 * Writes a tree below one directory and never outside. All paths are relative, as in `WalkEntry.path`. Errors:
 * `unsafe` for a path that is absolute, has '.', '..', NUL or an empty component, or leads through a symbolic
 * link; `exists`; `io`.
 */
export interface Restorer extends AsyncDisposable {
  /** A writer for a file, or undefined when one exists and the policy is `skip`. Makes missing parents. */
  file(path: Uint8Array, options: { mode: number }): Promise<FileWriter | undefined>;
  /**
   * Makes a directory that may be filled; its mode comes with `finish`. One that exists is used, whatever the
   * policy, and gets the mode under `overwrite` only. The empty path is the destination, which gets the mode
   * only if it was made by this restorer.
   */
  directory(path: Uint8Array, options: { mode: number }): Promise<void>;
  /** Makes a symbolic link; false when something exists and the policy is `skip`. */
  symlink(path: Uint8Array, options: { target: Uint8Array }): Promise<boolean>;
  /** Applies the modes of directories, deepest first, and closes. */
  finish(): Promise<void>;
  /** Closes without applying modes of directories. */
  close(): Promise<void>;
}
