/** An error becomes a message (what failed, on what, what to do next) or a JSON line, and an exit code. */
import { systemCode, TenonError } from "../errors/index.ts";
import { EXIT, type ExitCode, exitCodeOf } from "./exit.ts";
import { type Output, OutputClosed } from "./output.ts";
import { commandOf, isCommand } from "./table.ts";
import { escapeControls } from "./text.ts";

export interface FailureOptions {
  readonly output: Output;
  readonly json: boolean;
  readonly verbose: boolean;
  readonly command?: string;
}

/** What to do next, by kind of failure; left out where the message of the error says it itself. */
function hintFor(error: TenonError, command: string | undefined): string | undefined {
  switch (error.code) {
    case "usage":
      return command && command !== "help" ? `see 'tenon help ${command}'` : "see 'tenon help'";
    case "no-repository":
      return "make one there with 'tenon init', or name another with --repo or TENON_REPO";
    case "exists":
      return command !== undefined &&
        isCommand(command) &&
        Object.hasOwn(commandOf(command).options, "overwrite")
        ? "give --overwrite to replace it, or another place with --output"
        : undefined;
    case "ambiguous":
      return "give more digits of the digest";
    case "conflict":
      return "somebody else moved the ref meanwhile; look with 'tenon log' and try again";
    case "damaged":
      // These read a fat file, or a layout's state, and no repository.
      if (command?.startsWith("fat ") && command !== "fat pack") return undefined;
      if (error.data.format === "layout") return undefined;
      // The message says what can be done: nothing can be checked without a config.
      if (error.data.format === "config") return undefined;
      return "see what else is touched with 'tenon check --read-data', then salvage with 'tenon repair'";
    default:
      return undefined;
  }
}

/** Anything thrown as a TenonError; undefined for what the system or a mistake of ours threw. */
function known(error: unknown): TenonError | undefined {
  if (error instanceof TenonError) return error;
  if (error instanceof Error && error.name === "AbortError") {
    return new TenonError("interrupted", "stopped before the end, as asked", {}, { cause: error });
  }
  if (error instanceof Error && systemCode(error)) {
    const { path } = error as NodeJS.ErrnoException;
    return new TenonError("io", error.message, path === undefined ? {} : { path }, { cause: error });
  }
  return undefined;
}

/** Tells what went wrong and returns the exit code. */
export function renderFailure(error: unknown, { output, json, verbose, command }: FailureOptions): ExitCode {
  if (error instanceof OutputClosed) return EXIT.ok;
  const failure = known(error);
  const exitCode = failure ? exitCodeOf(failure.code) : EXIT.failure;
  const message =
    failure?.message ?? `internal error: ${error instanceof Error ? error.message : String(error)}`;
  const hint = failure
    ? hintFor(failure, (failure.data.command as string | undefined) ?? command)
    : "this is a bug in tenon; --verbose shows where";
  if (json) {
    const about = { ...failure?.data, code: failure?.code ?? "internal", message, ...(hint ? { hint } : {}) };
    output.note(JSON.stringify({ type: "error", error: about, exitCode }));
    return exitCode;
  }
  output.note(`${output.notePaint.red("tenon:")} ${escapeControls(message)}`);
  if (hint && !message.includes(hint)) output.note(`  ${escapeControls(hint)}`);
  // Where a known failure arose is of no use to the user; where a mistake of ours arose is all there is.
  if (verbose && failure === undefined && error instanceof Error) {
    for (const line of (error.stack ?? "").split("\n").slice(1)) output.note(escapeControls(line));
  }
  return exitCode;
}
