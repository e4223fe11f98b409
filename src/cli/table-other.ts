/** Lines of the command table about the command itself. */
import { command, flag } from "./shape.ts";

export const OTHER_COMMANDS = {
  version: command({
    group: "Other",
    summary: "print the version",
    description: ["Prints the versions of tenon and of Node, and the platform."],
    operands: [],
    options: {},
    examples: [],
    prints: "object",
  }),
  completion: command({
    group: "Other",
    summary: "print a completion script for a shell",
    description: [
      "Prints a script that makes the shell complete commands, options, files and refs.",
      "bash: put `source <(tenon completion bash)` into `~/.bashrc`. zsh: write it to a file `_tenon` in a directory of `$fpath`. fish: write it to `~/.config/fish/completions/tenon.fish`.",
    ],
    operands: [
      {
        name: "SHELL",
        completion: "choice",
        choices: ["bash", "zsh", "fish"],
        help: "`bash`, `zsh` or `fish`.",
      },
    ],
    options: {},
    examples: [{ command: "source <(tenon completion bash)", explains: "for this shell only" }],
    prints: "text",
  }),
  help: command({
    group: "Other",
    summary: "show help",
    description: ["Shows the list of commands, or the help of one; `--man` prints its man page."],
    operands: [
      {
        name: "COMMAND",
        completion: "command",
        optional: true,
        repeated: true,
        help: "The command to explain, such as `add` or `fat pack`.",
      },
    ],
    options: { man: flag("Print the man page (roff), for `man -l -`.") },
    examples: [{ command: "tenon help add --man | man -l -", explains: "a man page without installing it" }],
    prints: "text",
  }),
  __refs: command({
    group: "Other",
    summary: "print refs for a shell's completion",
    description: ["Prints the refs, one per line, and nothing at all when there is no repository."],
    operands: [],
    options: {},
    examples: [],
    prints: "text",
    hidden: true,
  }),
} as const;
