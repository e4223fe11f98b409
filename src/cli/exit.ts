/** Exit codes: decided here and nowhere else. */
import type { ErrorCode } from "../errors/index.ts";

export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  partial: 3,
  noRepository: 10,
  damaged: 11,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The table that help and manual show. */
export const EXIT_CODES: readonly { readonly code: ExitCode; readonly means: string }[] = [
  { code: EXIT.ok, means: "done; also when the reader of standard output left early" },
  {
    code: EXIT.failure,
    means: "failed: not found, in the way, changed by somebody else, refused by the system",
  },
  { code: EXIT.usage, means: "the command line is wrong; nothing was done" },
  {
    code: EXIT.partial,
    means: "done, but something was left out or lost; each thing was named on standard error",
  },
  { code: EXIT.noRepository, means: "there is no repository at that place" },
  { code: EXIT.damaged, means: "stored bytes are damaged" },
  {
    code: EXIT.interrupted,
    means: "stopped by Ctrl-C (SIGINT) or SIGTERM; the repository is as whole as before",
  },
];

/** The exit code of a failure with this code. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  switch (code) {
    case "usage":
      return EXIT.usage;
    case "partial":
      return EXIT.partial;
    case "no-repository":
      return EXIT.noRepository;
    case "damaged":
      return EXIT.damaged;
    case "interrupted":
      return EXIT.interrupted;
    default:
      return EXIT.failure;
  }
}
