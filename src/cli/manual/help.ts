/** Help as plain text for a terminal. */
import { EXIT_CODES } from "../exit.ts";
import type { Option, Options } from "../shape.ts";
import {
  COMMANDS,
  type CommandName,
  commandNames,
  commandOf,
  GLOBAL_OPTIONS,
  operandUsage,
  optionNames,
} from "../table.ts";
import { displayWidth, wrap } from "../text.ts";

/** Longer lines are hard to read, however wide the terminal is. */
const MOST_COLUMNS = 100;

/** Text without the marks of code. */
export function plain(text: string): string {
  return text.replaceAll("`", "");
}

/** `-o, --output PATH` */
export function optionUsage(name: string, option: Option<unknown>): string {
  const names = optionNames(name, option).join(", ");
  return option.kind ? `${names} ${option.kind.placeholder}` : names;
}

/** `tenon get [OPTION...] SPEC` */
export function usageLine(name: CommandName): string {
  const { operands } = commandOf(name);
  return ["tenon", name, "[OPTION...]", ...operands.map(operandUsage)].join(" ");
}

/** What follows the help of an option: its variable and its default. */
export function optionNotes(option: Option<unknown>): string {
  const notes = [
    ...(option.env ? [`environment: \`${option.env}\``] : []),
    ...(option.default ? [`default: ${option.default}`] : []),
  ];
  return notes.length > 0 ? ` (${notes.join("; ")})` : "";
}

/** Names in a column at the left, texts wrapped beside them. */
function definitions(entries: readonly (readonly [string, string])[], columns: number): string[] {
  const nameWidth = Math.min(26, Math.max(...entries.map(([name]) => displayWidth(name))));
  const indent = " ".repeat(nameWidth + 4);
  const lines: string[] = [];
  for (const [name, text] of entries) {
    const wrapped = wrap(plain(text), columns, indent);
    if (displayWidth(name) > nameWidth) lines.push(`  ${name}`, ...wrapped);
    else
      lines.push(
        `  ${name}${" ".repeat(nameWidth - displayWidth(name) + 2)}${(wrapped[0] ?? "").trimStart()}`,
        ...wrapped.slice(1),
      );
  }
  return lines;
}

function optionLines(options: Options, columns: number): string[] {
  return definitions(
    Object.entries(options).map(
      ([name, option]) => [optionUsage(name, option), option.help + optionNotes(option)] as const,
    ),
    columns,
  );
}

/** `tenon help`: all commands, the global options, exit codes. */
export function overview(terminalColumns: number): string[] {
  const columns = Math.min(terminalColumns, MOST_COLUMNS);
  const lines = [
    "Usage: tenon [OPTION...] COMMAND [ARGUMENT...]",
    "",
    "A content-addressed store for executables.",
    "",
  ];
  for (const group of new Set(commandNames().map((name) => commandOf(name).group))) {
    lines.push(`${group}:`);
    const members = commandNames().filter((name) => COMMANDS[name].group === group);
    lines.push(
      ...definitions(
        members.map((name) => [name, commandOf(name).summary] as const),
        columns,
      ),
      "",
    );
  }
  lines.push("Options of every command:", ...optionLines(GLOBAL_OPTIONS, columns), "");
  lines.push(
    "Exit codes:",
    ...definitions(
      EXIT_CODES.map(({ code, means }) => [String(code), means] as const),
      columns,
    ),
    "",
  );
  lines.push("'tenon help COMMAND' explains a command.");
  return lines;
}

/** `tenon help FAMILY`: the commands whose first word it is. */
export function familyHelp(family: string, terminalColumns: number): string[] {
  const members = commandNames().filter((name) => name.startsWith(`${family} `));
  return [
    `Usage: tenon ${family} COMMAND [ARGUMENT...]`,
    "",
    ...definitions(
      members.map((name) => [name, commandOf(name).summary] as const),
      Math.min(terminalColumns, MOST_COLUMNS),
    ),
    "",
    `'tenon help ${family} COMMAND' explains one.`,
  ];
}

/** `tenon help COMMAND` */
export function commandHelp(name: CommandName, terminalColumns: number): string[] {
  const columns = Math.min(terminalColumns, MOST_COLUMNS);
  const { summary, description, operands, options, examples } = commandOf(name);
  const lines = [`Usage: ${usageLine(name)}`, "", `tenon ${name}: ${summary}`];
  for (const paragraph of description) lines.push("", ...wrap(plain(paragraph), columns));
  if (operands.length > 0) {
    lines.push(
      "",
      "Operands:",
      ...definitions(
        operands.map((operand) => [operand.name, operand.help] as const),
        columns,
      ),
    );
  }
  if (Object.keys(options).length > 0) lines.push("", "Options:", ...optionLines(options, columns));
  lines.push("", "Options of every command:", ...optionLines(GLOBAL_OPTIONS, columns));
  if (examples.length > 0) {
    lines.push("", "Examples:");
    for (const example of examples)
      lines.push(...wrap(`# ${plain(example.explains)}`, columns, "  "), `  ${example.command}`);
  }
  return lines;
}
