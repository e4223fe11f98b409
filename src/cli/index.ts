/**
 * cli: the command line: parse, call an operation, render.
 *
 * Nouns: the **table** (`table.ts`) lists every command with its operands and options; the parser, the help, the
 * usage errors, the shell completions, the man pages and `docs/manual/commands.md` are made from it and from
 * nothing else. A **command** (`commands/`) is a function from an invocation to an exit code; it calls the store
 * and renders what comes back. The **output** owns the two streams: results go to standard output, and events
 * (progress, items, problems, errors) to standard error, as text or as JSON lines.
 *
 * Invariants: no control character of a name reaches a terminal; standard output holds results only; exit codes
 * are decided in `exit.ts` alone; `version`, `help` and `completion` never load the store.
 *
 * `main.ts` is the program. The exports here serve the scripts that write the reference.
 */

export { completionFiles, completionScript, SHELLS, type Shell } from "./completion/index.ts";
export { EXIT, EXIT_CODES } from "./exit.ts";
export { commandsPage } from "./manual/markdown.ts";
export { manPages } from "./manual/roff.ts";
export { type RunOptions, run } from "./run.ts";
export { COMMANDS, type CommandName, commandNames, GLOBAL_OPTIONS } from "./table.ts";
