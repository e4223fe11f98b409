/**
 * errors: every failure that tenon can name.
 *
 * Nouns: a `TenonError` has a `code` (what kind of failure), a message that says what failed, on what, and
 * what to do next, and `data` (path, format, field, offset ...). Invariant: a face (cli, server) maps codes
 * to exit codes in one place; nothing else in the project knows about exit codes.
 */

/** What kind of failure it was. The set is closed: a new kind gets a name here. */
export type ErrorCode =
  | "usage" // the caller asked for something that can't be asked for
  | "not-found" // a path, ref, digest or entry that isn't there
  | "ambiguous" // a digest prefix that several blobs share
  | "no-repository" // nothing at the place where a repository was expected
  | "exists" // something is in the way of what should be created
  | "conflict" // somebody else moved the ref first
  | "busy" // another process holds what is needed
  | "damaged" // stored bytes are not what was written
  | "invalid" // input that breaks its own format
  | "unsupported" // a version or feature that this release doesn't know
  | "limit" // larger or deeper than a stated bound
  | "io" // the operating system refused
  | "unsafe" // would write outside the destination
  | "partial" // finished, but some inputs were left out
  | "interrupted"; // stopped by the caller's AbortSignal

/** Facts beside the message, for programs. */
export interface ErrorData {
  readonly path?: string;
  readonly format?: string;
  readonly field?: string;
  /** Byte offset in the named format or file. */
  readonly offset?: number;
  readonly digest?: string;
  readonly ref?: string;
  readonly [key: string]: unknown;
}

/** An error that says what failed, on what, and what to do next. */
export class TenonError extends Error {
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(code: ErrorCode, message: string, data: ErrorData = {}, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "TenonError";
    this.code = code;
    this.data = data;
  }
}

/** True for a TenonError, of the given code when one is named. */
export function isTenonError(error: unknown, code?: ErrorCode): error is TenonError {
  return error instanceof TenonError && (code === undefined || error.code === code);
}

/** The `code` that the operating system gave (`ENOENT`, `ENOSPC` ...), or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** Bytes that break their format: names the format, the field and the offset. */
export function invalid(format: string, field: string, offset: number, why: string): TenonError {
  return new TenonError("invalid", `${format}: ${field} at offset ${offset}: ${why}`, {
    format,
    field,
    offset,
  });
}

/** Throws `interrupted` when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new TenonError("interrupted", "stopped before the end, as asked");
}
