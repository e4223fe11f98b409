/** `docs/manual/commands.md`: the reference of all commands. */
import { EXIT_CODES } from "../exit.ts";
import type { Command, Options } from "../shape.ts";
import { type CommandName, commandNames, commandOf, GLOBAL_OPTIONS } from "../table.ts";
import { optionNotes, optionUsage, usageLine } from "./help.ts";

const PRINTS: Readonly<Record<Command["prints"], string>> = {
  object: "With `--json`: one JSON object.",
  lines: "With `--json`: one JSON object per line and entry.",
  bytes: "Standard output is the content itself, with `--json` too.",
  text: "Standard output is text, with `--json` too.",
};

function optionList(options: Options): string[] {
  return Object.entries(options).map(
    ([name, option]) => `- \`${optionUsage(name, option)}\`: ${option.help}${optionNotes(option)}`,
  );
}

function section(name: CommandName): string[] {
  const { summary, description, operands, options, examples, prints } = commandOf(name);
  const lines = [
    `## tenon ${name}`,
    "",
    `${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
    "",
    "```",
    usageLine(name),
    "```",
  ];
  for (const paragraph of description) lines.push("", paragraph);
  if (operands.length > 0)
    lines.push("", ...operands.map((operand) => `- \`${operand.name}\`: ${operand.help}`));
  if (Object.keys(options).length > 0) lines.push("", "Options:", "", ...optionList(options));
  lines.push("", PRINTS[prints]);
  if (examples.length > 0) {
    lines.push("", "```sh");
    for (const { command, explains } of examples) lines.push(`# ${explains.replaceAll("`", "")}`, command);
    lines.push("```");
  }
  return [...lines, ""];
}

/** The whole page. */
export function commandsPage(): string {
  const lines = [
    "<!-- Made from the command table by `npm run docs`. Change src/cli/table*.ts instead. -->",
    "# Commands",
    "",
    "```",
    "tenon [OPTION...] COMMAND [ARGUMENT...]",
    "```",
    "",
    "Sizes may have a suffix `K`, `M`, `G` or `T`, which are powers of 1024: `64K` is 65536 bytes. Durations have `ms`, `s`, `m`, `h` or `d`; a plain number is seconds.",
    "",
    "| command | purpose |",
    "|---|---|",
    ...commandNames().map(
      (name) => `| [\`${name}\`](#tenon-${name.replaceAll(" ", "-")}) | ${commandOf(name).summary} |`,
    ),
    "",
    "## Options of every command",
    "",
    ...optionList(GLOBAL_OPTIONS),
    "",
    "## Exit codes",
    "",
    "| code | meaning |",
    "|---|---|",
    ...EXIT_CODES.map(({ code, means }) => `| ${code} | ${means} |`),
    "",
    ...commandNames().flatMap(section),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}
