/** Completion for fish: one `complete` line for each option and operand. */
import { plain } from "../manual/help.ts";
import type { Completion, Option } from "../shape.ts";
import { commandNames, commandOf, familyMembers, firstWords, GLOBAL_OPTIONS } from "../table.ts";

function offer(completion: Completion, choices: readonly string[] = []): string {
  switch (completion) {
    case "path":
      return "-F";
    case "directory":
      return "-x -a '(__fish_complete_directories)'";
    case "ref":
      return "-x -a '(__tenon_refs)'";
    case "command":
      return `-x -a '${firstWords().join(" ")}'`;
    case "choice":
      return `-x -a '${choices.join(" ")}'`;
    case "none":
      return "-x";
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function explanation(help: string): string {
  return quote(/^.*?[.:](?= |$)/.exec(plain(help))?.[0].replace(/[.:]$/, "") ?? plain(help));
}

function optionLine(condition: string, name: string, option: Option<unknown>): string {
  const short = option.short ? ` -s ${option.short}` : "";
  const takes = option.kind
    ? ` ${option.kind.completion === "path" ? "-r -F" : offer(option.kind.completion, option.kind.choices)}`
    : "";
  return `complete -c tenon${condition}${short} -l ${name}${takes} -d ${explanation(option.help)}`;
}

export function fishCompletion(): string {
  const lines = [
    "# fish completion for tenon: made from its command table, see 'tenon help completion'",
    "function __tenon_words",
    "    # The words before the cursor without options of every command, the program first.",
    "    set -l skip 0",
    "    for word in (commandline -opc)",
    "        if test $skip -eq 1",
    "            set skip 0",
    "        else",
    "            switch $word",
    "                case -r --repo",
    "                    set skip 1",
    "                case '-*'",
    "                case '*'",
    "                    echo -- $word",
    "            end",
    "        end",
    "    end",
    "end",
    "function __tenon_needs_command",
    "    set -l words (__tenon_words)",
    "    test (count $words) -eq 1",
    "end",
    "function __tenon_at",
    "    # The words of the command are those given.",
    "    set -l words (__tenon_words)",
    "    for i in (seq (count $argv))",
    "        set -l at (math $i + 1)",
    '        test (count $words) -ge $at; and test "$words[$at]" = $argv[$i]; or return 1',
    "    end",
    "end",
    "function __tenon_in",
    "    set -l words (__tenon_words)",
    '    test (count $words) -eq 2; and test "$words[2]" = $argv[1]',
    "end",
    "function __tenon_refs",
    "    set -l words (commandline -opc)",
    "    set -l repo",
    "    set -l at (contains -i -- -r $words; or contains -i -- --repo $words)",
    "    and set repo --repo $words[(math $at + 1)]",
    "    $words[1] $repo __refs 2>/dev/null",
    "end",
    "complete -c tenon -f",
    ...Object.entries(GLOBAL_OPTIONS).map(([name, option]) => optionLine("", name, option)),
  ];
  for (const word of firstWords().filter((first) => familyMembers(first).length > 0)) {
    lines.push(
      `complete -c tenon -n __tenon_needs_command -a ${word} -d ${quote(familyMembers(word).join(", "))}`,
    );
  }
  for (const name of commandNames()) {
    const { summary, operands, options } = commandOf(name);
    const [first, second] = name.split(" ");
    const place = second === undefined ? "__tenon_needs_command" : `'__tenon_in ${first}'`;
    lines.push(`complete -c tenon -n ${place} -a ${second ?? first} -d ${quote(plain(summary))}`);
    const condition = ` -n '__tenon_at ${name}'`;
    for (const [option, shape] of Object.entries(options)) lines.push(optionLine(condition, option, shape));
    const operand = operands[0];
    if (operand) lines.push(`complete -c tenon${condition} ${offer(operand.completion, operand.choices)}`);
  }
  return `${lines.join("\n")}\n`;
}
