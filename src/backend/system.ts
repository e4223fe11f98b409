/** What the operating system refused, said so that the reader knows what to do next. */
import { systemCode, TenonError } from "../errors/index.ts";

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on the device; free some and run again, what was stored before is untouched",
  EDQUOT: "the disk quota is used up; free some space and run again, what was stored before is untouched",
  EFBIG: "larger than the file system or a limit of this process allows",
  EROFS: "the file system is mounted read-only",
  EACCES: "permission denied; check the owner and mode of the repository's files",
  EPERM: "not permitted; check the owner and mode of the repository's files",
  EMFILE: "too many open files in this process; raise the limit (ulimit -n)",
  ENFILE: "too many open files on this machine",
  ENOTDIR: "a file is where a directory should be",
  EISDIR: "a directory is where a file should be",
  ELOOP: "symbolic links in a circle",
  ENAMETOOLONG: "the name is too long for the file system",
  EXDEV: "the repository is spread over several file systems; keep it on one",
  EIO: "the device failed; check the disk, then run check",
  ESTALE: "the network file system lost the file; mount it again",
};

/** Codes by which a file system says that it has no hard links. */
export const NO_HARD_LINKS: ReadonlySet<string> = new Set([
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EPERM",
  "EMLINK",
]);

/** An `io` error for a failed system call; anything else comes back as it is. */
export function systemError(error: unknown, verb: string, path: string): unknown {
  const system = systemCode(error);
  if (system === undefined || error instanceof TenonError) return error;
  const why = ADVICE[system] ?? `the operating system says ${system}`;
  return new TenonError("io", `cannot ${verb} ${path}: ${why}`, { path, system }, { cause: error });
}
