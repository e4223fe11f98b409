/** The one place where errors of the operating system become errors of tenon. */
import { displayPath } from "../bytes/index.ts";
import { type ErrorCode, systemCode, TenonError } from "../errors/index.ts";

interface Meaning {
  readonly code: ErrorCode;
  /** What it means, and what to do next. */
  readonly text: string;
}

const DENIED = "permission denied; check the owner and mode of it and of the directories above it";

const MEANINGS: ReadonlyMap<string, Meaning> = new Map<string, Meaning>([
  ["ENOENT", { code: "not-found", text: "no such file or directory" }],
  ["ENOTDIR", { code: "not-found", text: "something above it is not a directory" }],
  ["EEXIST", { code: "exists", text: "already exists" }],
  ["ENOTEMPTY", { code: "exists", text: "a directory with content is in the way; remove it first" }],
  ["EISDIR", { code: "exists", text: "is a directory" }],
  ["ELOOP", { code: "unsafe", text: "is a symbolic link where none may be, or links in a circle" }],
  ["EBUSY", { code: "busy", text: "in use by another process; try again when that has ended" }],
  ["ETXTBSY", { code: "busy", text: "a program that is running; try again when it has ended" }],
  ["EACCES", { code: "io", text: DENIED }],
  ["EPERM", { code: "io", text: `${DENIED}, and whether it is marked immutable` }],
  ["EROFS", { code: "io", text: "the file system is mounted read-only; choose another place" }],
  ["ENOSPC", { code: "io", text: "no space left on the device; free some, or choose another place" }],
  ["EDQUOT", { code: "io", text: "disk quota exhausted; free some space, or choose another place" }],
  ["EFBIG", { code: "io", text: "larger than the file system or the process limit allows" }],
  ["EMFILE", { code: "io", text: "too many open files in this process; raise the limit (ulimit -n)" }],
  ["ENFILE", { code: "io", text: "too many open files in the system; try again later" }],
  ["ENAMETOOLONG", { code: "io", text: "the name is longer than the file system or the system allows" }],
  ["EILSEQ", { code: "io", text: "the file system does not accept this name; choose another file system" }],
  ["EXDEV", { code: "io", text: "lies on another file system" }],
  ["EMLINK", { code: "io", text: "has as many hard links as the file system allows" }],
  ["EIO", { code: "io", text: "the device reported an error; check the disk and the system log" }],
  ["ESTALE", { code: "io", text: "the network file system lost it; mount it again" }],
  ["ENXIO", { code: "io", text: "no device or reader stands behind it" }],
  ["EPIPE", { code: "io", text: "the reader has gone away" }],
]);

/**
 * A TenonError for what a system call threw: `data.path` as shown, `data.systemCode`, the thrown one as cause.
 * What is a TenonError already comes back as it is; what has no system code (a mistake in the program) too.
 *
 * @param options.doing what was attempted, as in "reading"
 */
export function fileError(error: unknown, options: { doing: string; path: string | Uint8Array }): Error {
  if (error instanceof TenonError) return error;
  const system = systemCode(error);
  if (system === undefined) {
    return error instanceof Error ? error : new Error(String(error), { cause: error });
  }
  const meaning = meaningOf(system);
  const path = displayPath(options.path);
  return new TenonError(
    meaning.code,
    `${options.doing} ${path}: ${meaning.text} (${system})`,
    { path, systemCode: system },
    { cause: error },
  );
}

/** The meaning of a system code alone, for reports that carry the path themselves. */
export function meaningOf(system: string | undefined): Meaning {
  return MEANINGS.get(system ?? "") ?? { code: "io", text: "the operating system refused" };
}
