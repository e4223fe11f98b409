/** The one table of commands, by family in files of their own. Everything that speaks of commands and options is made from it. */
import { type Command, count, flag, type Operand, type Option, text, type ValuesOf, value } from "./shape.ts";
import { FAT_COMMANDS } from "./table-fat.ts";
import { INSPECT_COMMANDS } from "./table-inspect.ts";
import { KEEP_COMMANDS } from "./table-keep.ts";
import { LIB_COMMANDS } from "./table-lib.ts";
import { LOOK_COMMANDS } from "./table-look.ts";
import { OTHER_COMMANDS } from "./table-other.ts";
import { PROBE_COMMANDS } from "./table-probe.ts";
import { UPKEEP_COMMANDS } from "./table-upkeep.ts";

export const GLOBAL_OPTIONS = {
  repo: value(text("PATH", "directory"), "The repository's directory.", {
    short: "r",
    env: "TENON_REPO",
    default: "`$XDG_DATA_HOME/tenon`, that is `~/.local/share/tenon`",
  }),
  json: flag(
    "Print the result as JSON on standard output, and events and errors as JSON lines on standard error.",
  ),
  quiet: flag("Print lists, problems and errors only.", { short: "q" }),
  verbose: flag(
    "Also report every file, print whole digests and lists, and show where an internal error arose.",
    {
      short: "v",
    },
  ),
  "no-progress": flag("Never show progress. It is shown when standard error is a terminal."),
  jobs: value(
    count,
    "Take apart, or put together, up to N executables at once, each in a thread of its own; with 1 there are no threads. What is stored is the same for any N.",
    {
      short: "j",
      env: "TENON_JOBS",
      default: "the CPUs that may be used, at most 4, when there is much to do",
    },
  ),
  help: flag("Show help for the command.", { short: "h" }),
  version: flag("Print the version."),
};

export const COMMANDS = {
  ...KEEP_COMMANDS,
  ...LOOK_COMMANDS,
  ...UPKEEP_COMMANDS,
  ...FAT_COMMANDS,
  ...LIB_COMMANDS,
  ...PROBE_COMMANDS,
  ...INSPECT_COMMANDS,
  ...OTHER_COMMANDS,
} as const;

export type CommandName = keyof typeof COMMANDS;
export type OptionsOf<N extends CommandName> = ValuesOf<(typeof COMMANDS)[N]["options"]>;
export type GlobalOptions = ValuesOf<typeof GLOBAL_OPTIONS>;

/** The commands that a user sees, in the order of the table. */
export function commandNames(): CommandName[] {
  return (Object.keys(COMMANDS) as CommandName[]).filter((name) => !commandOf(name).hidden);
}

/** A command with its options' value types forgotten. */
export function commandOf(name: CommandName): Command {
  return COMMANDS[name];
}

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** The second words of the commands of a family: `fat` has `pack`, `list` ...; a command of one word has none. */
export function familyMembers(word: string): string[] {
  return commandNames()
    .filter((name) => name.startsWith(`${word} `))
    .map((name) => name.slice(word.length + 1));
}

/** What may stand first on the command line: commands of one word, and families. */
export function firstWords(): string[] {
  return [...new Set(commandNames().map((name) => name.split(" ", 1)[0]!))];
}

/** `NAME`, `[NAME]`, `NAME...` as usage lines show an operand. */
export function operandUsage(operand: Operand): string {
  const repeated = operand.repeated ? `${operand.name}...` : operand.name;
  return operand.optional ? `[${repeated}]` : repeated;
}

/** `-o, --output PATH` without the value's placeholder: the names under which an option is given. */
export function optionNames(name: string, option: Option<unknown>): string[] {
  return option.short ? [`-${option.short}`, `--${name}`] : [`--${name}`];
}
