/**
 * Completion for bash 3.2 and later, without bash-completion. Bash cuts words at `:`, `=` and `@`, which are in
 * refs, so the script takes the words from the line itself and strips from each answer what bash keeps.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the braces are the shell's
import type { Completion, Options } from "../shape.ts";
import {
  type CommandName,
  commandNames,
  commandOf,
  familyMembers,
  firstWords,
  GLOBAL_OPTIONS,
  optionNames,
} from "../table.ts";

/** The call that offers values of a kind; every value here is free of shell syntax. */
function offer(completion: Completion, choices: readonly string[] = []): string {
  switch (completion) {
    case "path":
      return "_tenon_files -f";
    case "directory":
      return "_tenon_files -d";
    case "ref":
      return "_tenon_refs";
    case "command":
      return `_tenon_words '${firstWords().join(" ")}'`;
    case "choice":
      return `_tenon_words '${choices.join(" ")}'`;
    case "none":
      return ":";
  }
}

function valueCases(prefix: string, options: Options): string[] {
  return Object.entries(options)
    .filter(([, option]) => option.kind)
    .map(([name, option]) => {
      const patterns = optionNames(name, option).map((given) => `${prefix}${given}`);
      return `    ${patterns.join("|")}) ${offer(option.kind!.completion, option.kind!.choices)}; return ;;`;
    });
}

/** A command's words as a pattern. */
function pattern(name: CommandName): string {
  return name.includes(" ") ? `'${name}'` : name;
}

const families = () => firstWords().filter((word) => familyMembers(word).length > 0);

function operandCase(name: CommandName): string {
  // A repeated operand comes last, and operands that differ offer the same or nothing.
  const operand = commandOf(name).operands[0];
  return `    ${pattern(name)}) ${operand ? offer(operand.completion, operand.choices) : ":"} ;;`;
}

function allNames(options: Options): string {
  return Object.entries(options)
    .flatMap(([name, option]) => optionNames(name, option))
    .join(" ");
}

export function bashCompletion(): string {
  const globalsWithValue = Object.entries(GLOBAL_OPTIONS as Options).filter(([, option]) => option.kind);
  const globalValuePattern = globalsWithValue
    .flatMap(([name, option]) => optionNames(name, option))
    .join("|");
  const lines = [
    "# bash completion for tenon: made from its command table, see 'tenon help completion'",
    '_tenon_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); }',
    "_tenon_files() {",
    "  compopt -o filenames 2>/dev/null",
    "  local IFS=$'\\n'",
    '  COMPREPLY=($(compgen "$1" -- "$cur"))',
    "}",
    "_tenon_refs() {",
    "  local IFS=$'\\n'",
    '  COMPREPLY=($(compgen -W "$("$program" ${repo:+--repo "$repo"} __refs 2>/dev/null)" -- "$cur"))',
    "}",
    "_tenon_values() {",
    '  case "$command:$previous" in',
    ...valueCases("*:", GLOBAL_OPTIONS),
    ...commandNames().flatMap((name) => valueCases(`${pattern(name)}:`, commandOf(name).options)),
    "  esac",
    '  case "$cur" in',
    "    -?*) _tenon_options; return ;;",
    "  esac",
    '  case "$command" in',
    `    '') _tenon_words '${firstWords().join(" ")}' ;;`,
    ...families().map((word) => `    ${word}) _tenon_words '${familyMembers(word).join(" ")}' ;;`),
    ...commandNames().map(operandCase),
    "  esac",
    "}",
    "_tenon_options() {",
    '  case "$command" in',
    ...commandNames()
      .filter((name) => Object.keys(commandOf(name).options).length > 0)
      .map(
        (name) =>
          `    ${pattern(name)}) _tenon_words '${allNames({ ...commandOf(name).options, ...GLOBAL_OPTIONS })}' ;;`,
      ),
    `    *) _tenon_words '${allNames(GLOBAL_OPTIONS)}' ;;`,
    "  esac",
    "}",
    "_tenon() {",
    "  COMPREPLY=()",
    "  local line=${COMP_LINE:0:COMP_POINT} words program cur= previous= command= repo= i=1 last",
    '  read -ra words <<<"$line"',
    "  program=${words[0]}",
    "  # After a blank a new word begins.",
    "  case \"$line\" in *[[:blank:]]) words+=('') ;; esac",
    "  last=$((${#words[@]} - 1))",
    "  cur=${words[last]}",
    "  previous=${words[last - 1]}",
    "  while ((i < last)); do",
    '    case "${words[i]}" in',
    `      ${globalValuePattern}) i=$((i + 1)); repo=\${words[i]} ;;`,
    "      --repo=*) repo=${words[i]#*=} ;;",
    "      -*) ;;",
    '      *) case "$command" in',
    "        '') command=${words[i]} ;;",
    ...families().map((word) => `        ${word}) command="${word} \${words[i]}" ;;`),
    "      esac ;;",
    "    esac",
    "    i=$((i + 1))",
    "  done",
    '  case "$cur" in',
    "    --*=*) previous=${cur%%=*}; cur=${cur#*=} ;;",
    "  esac",
    "  _tenon_values",
    "  # Bash replaces only what follows its last word break.",
    '  local kept=${cur%"${cur##*[=:@]}"}',
    '  for ((i = 0; i < ${#COMPREPLY[@]}; i++)); do COMPREPLY[i]=${COMPREPLY[i]#"$kept"}; done',
    "}",
    "complete -F _tenon tenon",
  ];
  return `${lines.join("\n")}\n`;
}
