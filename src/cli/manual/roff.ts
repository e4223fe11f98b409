/** Man pages in the macros of man(7): one for the program, one for each command. */
import { EXIT_CODES } from "../exit.ts";
import type { Options } from "../shape.ts";
import { type CommandName, commandNames, commandOf, GLOBAL_OPTIONS, operandUsage } from "../table.ts";
import { optionNotes, optionUsage } from "./help.ts";

/** Text for roff: backslashes, hyphens and quotes keep their meaning, and no line begins as a request. */
export function escapeRoff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replace(/^(?=[.'])/gm, "\\&");
}

/** Escaped text with `code` in bold. */
function marked(text: string): string {
  return escapeRoff(text).replace(/`([^`]*)`/g, "\\fB$1\\fR");
}

/** A macro argument. */
function quoted(text: string): string {
  return `"${escapeRoff(text).replaceAll('"', "\\(dq")}"`;
}

function optionEntries(options: Options): string[] {
  return Object.entries(options).flatMap(([name, option]) => {
    const [names, placeholder] = optionUsage(name, option).split(/ (?=[^ ]+$)/);
    const isValue = option.kind !== undefined;
    const tag = isValue
      ? `\\fB${escapeRoff(names!)}\\fR \\fI${escapeRoff(placeholder!)}\\fR`
      : `\\fB${escapeRoff(optionUsage(name, option))}\\fR`;
    return [".TP", tag, marked(option.help + optionNotes(option))];
  });
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, i) => (i === 0 ? [marked(text)] : [".PP", marked(text)]));
}

/** A command's words as the name of a page: `fat-pack`. */
const pageName = (name: CommandName) => name.replaceAll(" ", "-");

const title = (name: string) => `.TH ${quoted(name.toUpperCase())} 1 "" "tenon" "tenon manual"`;

function programPage(): string[] {
  return [
    title("tenon"),
    ".SH NAME",
    "tenon \\- a content\\-addressed store for executables",
    ".SH SYNOPSIS",
    ".B tenon",
    "[\\fIOPTION\\fR...] \\fICOMMAND\\fR [\\fIARGUMENT\\fR...]",
    ".SH DESCRIPTION",
    ...paragraphs([
      "tenon keeps many builds of programs, and any other files, in a repository where equal content is stored once, and gives them back bit for bit.",
      "Sizes may have a suffix `K`, `M`, `G` or `T`, which are powers of 1024. Durations have `ms`, `s`, `m`, `h` or `d`; a plain number is seconds.",
    ]),
    ".SH COMMANDS",
    ...commandNames().flatMap((name) => [
      ".TP",
      `\\fBtenon\\-${escapeRoff(pageName(name))}\\fR(1)`,
      marked(commandOf(name).summary),
    ]),
    ".SH OPTIONS",
    ...optionEntries(GLOBAL_OPTIONS),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(([name, means]) => [".TP", `\\fB${escapeRoff(name)}\\fR`, marked(means)]),
    ...exitStatus(),
  ];
}

/** The variables that the command line reads. */
export const ENVIRONMENT: readonly (readonly [name: string, means: string])[] = [
  ["TENON_REPO", "the repository, if `--repo` is not given"],
  ["TENON_JOBS", "how many executables are worked on at once, if `--jobs` is not given"],
  ["XDG_DATA_HOME", "where the repository `tenon` is if neither is given; else `~/.local/share`"],
  ["TENON_WHO", "the name that a ref's history keeps; else `user@host`"],
  ["NO_COLOR", "if it is not empty, no colours"],
  [
    "FORCE_COLOR",
    "if it is not empty and not `0`, colours even if the output is not a terminal; `0` means none",
  ],
  ["XDG_CACHE_HOME", "where compiled code is kept to start faster; else `~/.cache`"],
];

function exitStatus(): string[] {
  return [
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap(({ code, means }) => [".TP", `\\fB${code}\\fR`, marked(means)]),
  ];
}

function commandPage(name: CommandName): string[] {
  const { summary, description, operands, options, examples } = commandOf(name);
  const lines = [
    title(`tenon-${pageName(name)}`),
    ".SH NAME",
    `tenon\\-${escapeRoff(pageName(name))} \\- ${marked(summary)}`,
    ".SH SYNOPSIS",
    `.B tenon ${escapeRoff(name)}`,
    [
      "[\\fIOPTION\\fR...]",
      ...operands.map((operand) => `\\fI${escapeRoff(operandUsage(operand))}\\fR`),
    ].join(" "),
    ".SH DESCRIPTION",
    ...paragraphs(description),
  ];
  if (operands.length > 0) {
    lines.push(
      ".SH OPERANDS",
      ...operands.flatMap((operand) => [".TP", `\\fI${escapeRoff(operand.name)}\\fR`, marked(operand.help)]),
    );
  }
  lines.push(".SH OPTIONS", ...optionEntries({ ...options, ...GLOBAL_OPTIONS }));
  lines.push(...exitStatus());
  if (examples.length > 0) {
    lines.push(".SH EXAMPLES");
    for (const [i, { command, explains }] of examples.entries()) {
      lines.push(
        ...(i === 0 ? [] : [".PP"]),
        marked(`${explains}:`),
        ".PP",
        ".RS 4",
        ".EX",
        escapeRoff(command),
        ".EE",
        ".RE",
      );
    }
  }
  lines.push(".SH SEE ALSO", ".BR tenon (1)");
  return lines;
}

/** One page; without a command the program's. */
export function manPage(name?: CommandName): string {
  return `${(name ? commandPage(name) : programPage()).join("\n")}\n`;
}

/** File name and text of every page. */
export function manPages(): { readonly file: string; readonly text: string }[] {
  return [
    { file: "tenon.1", text: manPage() },
    ...commandNames().map((name) => ({ file: `tenon-${pageName(name)}.1`, text: manPage(name) })),
  ];
}
