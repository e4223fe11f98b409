/** Completion for zsh: `_arguments` for each command. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the braces are the shell's

import { plain } from "../manual/help.ts";
import type { Completion, Operand, Option, Options } from "../shape.ts";
import {
  type CommandName,
  commandOf,
  familyMembers,
  firstWords,
  GLOBAL_OPTIONS,
  isCommand,
  optionNames,
} from "../table.ts";

function action(completion: Completion, choices: readonly string[] = []): string {
  switch (completion) {
    case "path":
      return "_files";
    case "directory":
      return "_files -/";
    case "ref":
      return "_tenon_refs";
    case "command":
      return "_tenon_commands";
    case "choice":
      return `(${choices.join(" ")})`;
    case "none":
      return " ";
  }
}

/** A word in single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Help inside of `[...]`: its first sentence. */
function explanation(help: string): string {
  const sentence = /^.*?[.:](?= |$)/.exec(plain(help))?.[0].replace(/[.:]$/, "") ?? plain(help);
  return sentence.replace(/[\\[\]:]/g, "\\$&");
}

function optionSpecs(name: string, option: Option<unknown>): string[] {
  const names = optionNames(name, option);
  const repeated = option.takes === "values";
  const takes = option.kind
    ? `:${option.kind.placeholder.replaceAll(":", "\\:")}:${action(option.kind.completion, option.kind.choices)}`
    : "";
  return names.map((given) => {
    // One name excludes the other; a long one may also be written with "=".
    const exclude = repeated ? "*" : names.length > 1 ? `(${names.join(" ")})` : "";
    const form = option.kind ? (given.startsWith("--") ? `${given}=` : `${given}+`) : given;
    return quote(`${exclude}${form}[${explanation(option.help)}]${takes}`);
  });
}

function specs(options: Options): string[] {
  return Object.entries(options).flatMap(([name, option]) => optionSpecs(name, option));
}

function operandSpec(operand: Operand, at: number): string {
  const place = operand.repeated ? "*" : `${at + 1}${operand.optional ? ":" : ""}`;
  return quote(
    `${place}:${operand.name.replaceAll(":", "\\:")}:${action(operand.completion, operand.choices)}`,
  );
}

/** The case of a first word: its command's arguments, or the commands of its family. */
function wordCase(word: string): string[] {
  if (isCommand(word)) return commandCase(word, word);
  const members = familyMembers(word);
  return [
    `        ${word})`,
    `          # ${members.map((member) => `${word} ${member}`).join(", ")}`,
    `          _arguments -C '1:command:(${members.join(" ")})' '*::argument:->member'`,
    "          if [[ $state = member ]]; then",
    "          case $line[1] in",
    ...members.flatMap((member) => commandCase(`${word} ${member}` as CommandName, member)),
    "          esac",
    "          fi",
    "          ;;",
  ];
}

function commandCase(name: CommandName, word: string): string[] {
  const { operands, options } = commandOf(name);
  const all = [...specs(options), ...specs(GLOBAL_OPTIONS), ...operands.map(operandSpec)];
  return [
    `        ${word})`,
    "          _arguments -s -S \\",
    ...all.map((spec, i) => `            ${spec}${i < all.length - 1 ? " \\" : ""}`),
    "          ;;",
  ];
}

export function zshCompletion(): string {
  const lines = [
    "#compdef tenon",
    "# zsh completion for tenon: made from its command table, see 'tenon help completion'",
    "_tenon_refs() {",
    "  local -a refs",
    "  local repo=${opt_args[--repo]:-${opt_args[-r]:-$_tenon_repo}}",
    '  refs=(${(f)"$(_call_program refs $_tenon_program ${repo:+--repo} ${repo:+${(q)repo}} __refs 2>/dev/null)"})',
    "  compadd -a refs",
    "}",
    "_tenon_commands() {",
    "  local -a commands",
    "  commands=(",
    ...firstWords().map((word) => {
      const summary = isCommand(word) ? commandOf(word).summary : familyMembers(word).join(", ");
      return `    ${quote(`${word}:${explanation(summary)}`)}`;
    }),
    "  )",
    "  _describe command commands",
    "}",
    "_tenon() {",
    "  local curcontext=$curcontext state line",
    "  local _tenon_program=$words[1] _tenon_repo",
    "  local -A opt_args",
    "  _arguments -s -S -C \\",
    ...specs(GLOBAL_OPTIONS).map((spec) => `    ${spec} \\`),
    "    '1:command:_tenon_commands' \\",
    "    '*::argument:->rest'",
    "  _tenon_repo=${opt_args[--repo]:-$opt_args[-r]}",
    "  case $state in",
    "    rest)",
    "      curcontext=${curcontext%:*:*}:tenon-$line[1]:",
    "      case $line[1] in",
    ...firstWords().flatMap(wordCase),
    "      esac",
    "      ;;",
    "  esac",
    "}",
    "if [[ $funcstack[1] = _tenon ]]; then",
    '  _tenon "$@"',
    "else",
    "  compdef _tenon tenon",
    "fi",
  ];
  return `${lines.join("\n")}\n`;
}
